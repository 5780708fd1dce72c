//! One answer written anew, without what is withheld.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tributary_fhir::json::quoted;
use tributary_fhir::{Document, Limits, Notice, Reply};
use tributary_model::{NoticeKind, RoleView, Section, Shown};

use super::Withholding;
use super::clean::Cleaner;
use super::judge::{Kept, passes_alone};
use tributary_statements::facts::{Part, Reader};
use tributary_statements::load::{Accepted, Loaded, Statement};

/// The reply of one accepted answer as it may be shown. Nothing if it cannot be written.
pub(super) fn reply(loaded: &Loaded<'_>, kept: &Kept, place: usize, from: &Withholding<'_>) -> Option<Reply> {
    let home = loaded.answers.get(place)?;
    let view = from.views.of(home.card.kind);
    let cleaner = Cleaner { loaded, kept, home, from };
    let addresses = addresses(loaded, home);
    let mut untouched = BTreeSet::new();
    let mut open: Vec<usize> = kept.places().filter(|at| is_of(loaded, *at, place)).collect();
    let mut texts: BTreeMap<usize, String> = BTreeMap::new();
    while let Some(at) = open.pop() {
        let Some(statement) = loaded.statements.get(at).filter(|_| !texts.contains_key(&at)) else {
            continue;
        };
        let told = cleaner.clean(statement, shown(loaded, statement, from));
        if !told.is_cut {
            untouched.insert(statement.origin());
        }
        texts.insert(at, told.text);
        // Who and what a shown resource names is shown with it, and nobody else.
        open.extend(told.leads_to);
    }
    let mut entries = Vec::new();
    for (at, text) in &texts {
        let Some(statement) = loaded.statements.get(*at) else { continue };
        // One entry for each address, as it came: byte-equal repeats are read as one.
        let of_statement = addresses.get(at).map_or(&[][..], Vec::as_slice);
        entries.push(entry(statement, text, of_statement.first().copied(), home));
        entries
            .extend(of_statement.iter().skip(1).map(|address| entry(statement, text, Some(address), home)));
    }
    // What could not be tied to the patient is never shown, and only counted where all of its kind is shown.
    let loose = home.loose.iter().filter(|one| passes_alone(**one, from, home.card.kind));
    entries.extend(loose.map(|one| {
        let kind = quoted(&tributary_fhir::bundle::type_of(*one));
        format!(r#"{{"resource":{{"resourceType":{kind}}}}}"#)
    }));
    let bundle =
        format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#, entries.join(","));
    let document = Document::scan(bundle.into_bytes(), &Limits::default()).ok()?;
    let old = home.reply;
    Some(Reply {
        documents: vec![document],
        asked: old.asked.and(view.sections()),
        states: old.states.iter().filter(|(one, _)| !view.hides(**one)).map(|(a, b)| (*a, *b)).collect(),
        notices: notices(&old.notices, kept.has_plan(place), view),
        // Where something was cut out, the list of what found no home could name it.
        losses: old.losses.iter().filter(|note| untouched.contains(&note.statement)).cloned().collect(),
        // What nobody here can read may hold anything.
        carried: Vec::new(),
        converted: old.converted,
        truncated: old.truncated,
        bytes: old.bytes,
        digest: old.digest.clone(),
        attempts: old.attempts,
        // The reply it was cut from, which lives longer, holds the memory of both.
        ..Reply::default()
    })
}

fn is_of(loaded: &Loaded<'_>, at: usize, place: usize) -> bool {
    loaded.statements.get(at).is_some_and(|statement| statement.answer == place)
}

/// How much is shown of the section a statement stands in.
fn shown(loaded: &Loaded<'_>, statement: &Statement<'_>, from: &Withholding<'_>) -> Option<Shown> {
    let today = tributary_model::date::zoned(from.as_of).date();
    match (Reader { loaded, maps: from.maps, statement, today }).part() {
        Part::Line(facts) => Some(from.view_of(loaded, statement).shown(facts.section)),
        Part::Beneath(_) | Part::Support => None,
    }
}

/// The addresses that the entries of an answer had, by the position of what they hold. Names that follow from type
/// and id are none.
fn addresses<'h>(loaded: &Loaded<'_>, home: &'h Accepted<'_>) -> BTreeMap<usize, Vec<&'h str>> {
    let mut addresses: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (name, place) in &home.index {
        let Some(statement) = loaded.statements.get(*place) else { continue };
        let base = home.card.base_url.as_deref().map(|base| base.trim_end_matches('/'));
        let own = base.and_then(|base| name.strip_prefix(base)?.strip_prefix('/')).unwrap_or(name);
        if own != statement.origin() && own != format!("{}/{}", statement.kind, statement.origin_id) {
            addresses.entry(*place).or_default().push(name);
        }
    }
    for names in addresses.values_mut() {
        names.sort_unstable();
    }
    addresses
}

fn entry(statement: &Statement<'_>, resource: &str, address: Option<&str>, home: &Accepted<'_>) -> String {
    let mut text = String::with_capacity(resource.len() + 200);
    text.push('{');
    if let Some(address) = address {
        // Writing to a String cannot fail.
        let _infallible = write!(text, r#""fullUrl":{},"#, quoted(address));
    }
    if home.reply.converted && statement.origin_type != statement.kind {
        let _infallible = write!(
            text,
            r#""extension":[{{"url":"{}","valueCode":{}}}],"#,
            tributary_statements::load::ORIGINAL_TYPE,
            quoted(&statement.origin_type)
        );
    }
    let _infallible = write!(text, r#""resource":{resource}}}"#);
    text
}

/// What a reader must still know: nothing about a section that is hidden, no count from inside one that is limited.
fn notices(old: &[Notice], has_plan: bool, view: RoleView) -> Vec<Notice> {
    let is_told = |notice: &&Notice| notice.section.is_none_or(|section| !view.hides(section));
    let mut notices: Vec<Notice> =
        old.iter().filter(is_told).map(|notice| Notice { count: None, ..notice.clone() }).collect();
    if has_plan {
        notices.push(Notice::about(NoticeKind::PlanExists, Section::Plans));
    }
    notices.sort();
    notices.dedup();
    notices
}
