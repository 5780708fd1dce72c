use std::fmt::Debug;

use tributary_fhir::{Document, Limits};
use tributary_model::{Section, SourceId};
use uuid::Uuid;

use super::*;
use crate::facts::{Part, Position, Standing};

const CANARY: &str = "penicillin";

#[track_caller]
fn silent(value: &dyn Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

fn canary() -> String {
    CANARY.to_owned()
}

fn facts(thing: Thing) -> Facts {
    Facts {
        section: Section::Allergies,
        key: canary(),
        conceptual: true,
        title: canary(),
        date: None,
        end: None,
        detail: canary(),
        in_error: false,
        label: None,
        lapsed: None,
        remark: None,
        understood: true,
        classes: Classes { high_risk: Some(canary()), allergy: Some(canary()) },
        thing,
    }
}

#[test]
fn nothing_a_source_wrote_is_shown() {
    let text = format!(r#"{{"resourceType":"Flag","id":"{CANARY}","{CANARY}":["{CANARY}"]}}"#);
    let document = Document::scan(text.into_bytes(), &Limits::default()).unwrap();
    let source = SourceId::parse("gp").unwrap();
    let statement = Statement {
        answer: 0,
        voice: 0,
        origin_type: canary().into(),
        origin_id: canary().into(),
        kind: canary().into(),
        id: Uuid::nil(),
        resource: document.root(),
    };
    silent(&statement);
    silent(&Loaded { statements: vec![statement], ..Loaded::default() });
    silent(&Origin { source: source.clone(), kind: canary(), id: canary() });
    silent(&Told { kept: vec![(canary(), canary())], ..Told::default() });
    silent(&Concept { key: canary(), code: Some(canary()), placeholder: false });
    silent(&[Fate::Stays, Fate::Leads(Uuid::nil(), Some(CANARY)), Fate::Nowhere(&source, CANARY)]);
    let medicine = Medicine {
        position: Position::Current,
        stop: None,
        dose: canary(),
        product: Some(canary()),
        ingredient: Some(canary()),
    };
    silent(&medicine);
    let finding = Finding { standing: Standing::Final, value: Some(canary()), same: Some(canary()) };
    silent(&finding);
    for thing in [
        Thing::Medicine(medicine),
        Thing::Finding(finding),
        Thing::Plan { place: 1, kind: Some(canary()) },
        Thing::Report(canary()),
        Thing::Deed { done: true, what: canary(), batch: Some(canary()) },
    ] {
        silent(&thing);
        silent(&Part::Line(Box::new(facts(thing))));
    }
}
