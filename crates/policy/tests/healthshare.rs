//! Three faults that another system of this kind has published, and why they cannot be here.

use std::sync::Arc;

use tributary_model::{
    Decision, DenyReason, Facts, OdsCode, Purpose, Relationship, Role, Section, SectionSet, SourceKind,
    ViewRole,
};
use tributary_policy::rule::{AsSent, Deny, Glass, Holds, Permit};
use tributary_policy::{Among, Column, Draft, Effect, GlassBounds, Place, Rule, Table};

fn rule(id: &str, roles: Among<Role>, effect: Effect) -> Rule {
    Rule {
        id: Arc::from(id),
        says: String::new(),
        organisations: Among::Any,
        roles,
        purposes: Among::Any,
        kinds: Among::Any,
        sections: Among::Any,
        effect,
    }
}

fn permit(glass: Glass) -> Effect {
    Effect::Permit(Permit {
        relationship: Relationship::Unknown,
        glass,
        holds: Holds::Everywhere,
        labels: None,
        as_sent: AsSent::No,
    })
}

const DENY: Effect = Effect::Deny(Deny { unless: None, labels: None });

fn draft(rules: Vec<Rule>) -> Draft {
    let columns =
        vec![(Role::Gp, Column::Of(ViewRole::Gp)), (Role::HomeCarer, Column::Of(ViewRole::HomeCarer))];
    Draft { columns, rules, glass: GlassBounds::default() }
}

fn facts(role: Role) -> Facts {
    Facts {
        role: Some(role),
        organisation: OdsCode::parse("RX901").ok(),
        is_proven: false,
        purpose: Some(Purpose::DirectCare),
        relationship: Relationship::Unknown,
        sections: SectionSet::all(),
        break_glass: false,
        demo: true,
    }
}

/// 2022-03-01: a consent group without members turned "always block, except" into "show to all".
#[test]
fn an_empty_group_of_exceptions_never_shows_to_all() {
    let rules =
        vec![rule("block", Among::Any, DENY), rule("except", Among::Only(Vec::new()), permit(Glass::Whole))];
    let flaws = Table::new(draft(rules)).unwrap_err();
    assert_eq!(flaws[0].place, Place::Rule(2, "roles"));
    // And with the group gone altogether, everybody is blocked.
    let table = Table::new(draft(vec![rule("block", Among::Any, DENY)])).unwrap();
    for role in Role::ALL {
        assert!(matches!(table.decide(&facts(*role)), Decision::Deny(_)), "{role:?}");
    }
}

/// 2020-12-03: the box that says "no override" had no effect.
#[test]
fn what_is_denied_is_denied_whoever_breaks_the_glass() {
    let rules = vec![
        rule("gp", Among::Only(vec![Role::Gp]), permit(Glass::Whole)),
        rule("gp-glass", Among::Only(vec![Role::Gp]), permit(Glass::Broken)),
        Rule {
            sections: Among::Only(vec![Section::Plans]),
            kinds: Among::Only(vec![SourceKind::Acute]),
            ..rule("no-override", Among::Any, DENY)
        },
    ];
    let table = Table::new(draft(rules)).unwrap();
    for break_glass in [false, true] {
        let facts = Facts { break_glass, ..facts(Role::Gp) };
        let Decision::Permit(obligations) = table.decide(&facts) else { panic!("denied") };
        assert!(obligations.views.of(SourceKind::Acute).hides(Section::Plans), "{break_glass}");
        assert!(!obligations.views.of(SourceKind::Gp).hides(Section::Plans));
        let plans = Facts { sections: SectionSet::EMPTY.with(Section::Plans), ..facts };
        let Decision::Permit(obligations) = table.decide(&plans) else { panic!("denied") };
        assert!(obligations.views.of(SourceKind::Acute).hides(Section::Plans));
    }
}

/// Under load, a viewer fell back to another security group, which saw more. Here nothing is looked up anew while a
/// request is at work, there is no group to fall back to, and equal questions have equal answers however many ask.
#[test]
fn under_load_nobody_becomes_somebody_else() {
    let rules = vec![
        rule("gp", Among::Only(vec![Role::Gp]), permit(Glass::Whole)),
        rule("carer", Among::Only(vec![Role::HomeCarer]), permit(Glass::Whole)),
    ];
    let table = Arc::new(Table::new(draft(rules)).unwrap());
    let alone: Vec<Decision> = Role::ALL.iter().map(|role| table.decide(&facts(*role))).collect();
    let crowd: Vec<_> = (0..8)
        .map(|_| {
            let table = Arc::clone(&table);
            let asking = Role::ALL.iter().cycle().take(20_000);
            std::thread::spawn(move || asking.map(|role| table.decide(&facts(*role))).collect::<Vec<_>>())
        })
        .collect();
    for thread in crowd {
        let decided = thread.join().unwrap();
        assert!(decided.iter().zip(alone.iter().cycle()).all(|(found, expected)| found == expected));
    }
    // A role that is not known, and one without a column, are nobody.
    let nobody = Facts { role: None, ..facts(Role::Gp) };
    assert_eq!(table.decide(&nobody), Decision::Deny(DenyReason::NoRule.into()));
    assert_eq!(table.decide(&facts(Role::Pharmacist)), Decision::Deny(DenyReason::NoRule.into()));
}
