//! The steps, in the order of the minute they take.

use std::fmt::Write as _;
use std::io;

use tributary_audit::AuditReadKind;
use tributary_client::Query;
use tributary_ledger::report::Report;
use tributary_ledger::{LedgerError, READS, Reader, in_directory, note_in_directory};
use tributary_model::nhs_number::NHS_NUMBER_SYSTEM;
use tributary_model::{Clock as _, NhsNumber, Role, SectionSet, SystemClock};

use super::caption::{FHIR, LOOKED, OPS, ROLE, STORIES, UNPLUG};
use super::page::{indented, page};
use super::{Walk, button, called, caption, escaped, roles, stories, story};

/// As whom the demo reads its own log.
const VISITOR: &str = "demo visitor";

/// Five people, and a role to look in.
pub(super) fn first() -> String {
    let mut content = String::from(
        "<p class=\"tour-lead\">Tributary asks every system that holds part of a patient&#39;s record, all at once, and \
         shows one record that says what is missing. Choose a person; everything runs on this machine.</p>\n\
         <form method=\"post\" action=\"/record\" data-live>\n<div class=\"tour-field\">",
    );
    content.push_str(&roles("role", None));
    content.push_str("</div>\n<ul class=\"tour-stories\">\n");
    for story in stories() {
        let role = Role::from_code(&story.role).unwrap_or(Role::Demo);
        // Writing to a String cannot fail.
        let _written = writeln!(
            content,
            "<li><button class=\"tour-story\" name=\"nhs\" value=\"{}\"><strong>{} {}</strong> {} \
             <span class=\"tour-who\">In the story: {}.</span></button></li>",
            escaped(&story.nhs_number),
            escaped(&story.given),
            escaped(&story.family),
            escaped(&story.sentence),
            called(role),
        );
    }
    content.push_str("</ul>\n</form>\n");
    content.push_str(&caption(STORIES));
    content.push_str(
        "<p><a href=\"/demo/ops\">How the sources are</a> &middot; \
         <a href=\"/\">Find a record by NHS number</a></p>\n",
    );
    page("Five people, and what is known of them", &content)
}

/// What stands before each record, folded up: the record is read first.
pub(super) fn bar(walk: &Walk, patient: NhsNumber, role: Role) -> String {
    let who = [("nhs", patient.expose()), ("role", role.code())];
    let mut bar = String::from(
        "<aside class=\"tour-bar\" aria-label=\"Tour of this demo\">\n\
         <link rel=\"stylesheet\" href=\"/demo/tour.css\">\n<details><summary>Tour: look in another role, unplug a source, \
         who looked, the FHIR, ops</summary>\n<h2>Look in another role</h2>\n\
         <form method=\"post\" action=\"/record\" data-live>",
    );
    // Writing to a String cannot fail.
    let _written = writeln!(bar, "<input type=\"hidden\" name=\"nhs\" value=\"{}\">", patient.expose());
    bar.push_str(&roles("tour-role", Some(role)));
    bar.push_str("<button class=\"tour-button\">Look</button></form>\n");
    bar.push_str(&caption(ROLE));
    bar.push_str("<h2>Unplug a source</h2>\n");
    let sources = story::of(patient).map(|story| story.sources.as_slice()).unwrap_or_default();
    for source in sources {
        let fields = [who.as_slice(), &[("source", source.as_str())]].concat();
        let (action, verb) =
            if walk.is_unplugged(source) { ("/demo/plug", "Plug in") } else { ("/demo/unplug", "Unplug") };
        bar.push_str(&button(action, &fields, format_args!("{verb} {}", walk.name(source))));
    }
    bar.push_str(&caption(UNPLUG));
    bar.push_str("<h2>What is behind it</h2>\n");
    bar.push_str(&button("/demo/looked", &who, "Who looked?"));
    bar.push_str(&button("/demo/fhir", &who, "Show me the FHIR"));
    bar.push_str(
        "<p><a href=\"/demo/ops\">Ops: how the sources are</a> &middot; \
         <a href=\"/demo\">Another person</a></p>\n</details>\n</aside>",
    );
    bar
}

/// Who looked at this person, from the demo's own audit log.
pub(super) async fn looked(walk: &Walk, patient: NhsNumber, role: Option<Role>) -> String {
    let told = match report(walk, patient).await {
        Ok(report) => format!(
            "<div class=\"tour-text\" role=\"region\" tabindex=\"0\" aria-label=\"Report\">{}</div>\n",
            escaped(&report)
        ),
        Err(error) => format!("<p>The log could not be read: {}.</p>\n", escaped(&error.to_string())),
    };
    page("Who looked?", &format!("{}{told}{}", caption(LOOKED), back(patient, role)))
}

async fn report(walk: &Walk, patient: NhsNumber) -> Result<String, LedgerError> {
    let query = tributary_ledger::Query { patient: Some(patient), ..tributary_ledger::Query::default() };
    let dir = walk.audit_dir.clone();
    let wanted = query.clone();
    // It is read from its beginning, so not here.
    let search = tokio::task::spawn_blocking(move || in_directory(&dir, &wanted));
    let found = search.await.map_err(io::Error::from)??.one_look_each();
    let reader = Reader { name: VISITOR.to_owned(), case: "demo".to_owned() };
    let seen = found.hits.len() as u64;
    let event = reader.event(AuditReadKind::PatientReport, query.patient, query.in_words(), seen);
    note_in_directory(&walk.audit_dir.join(READS), event).await?;
    let report = Report {
        patient,
        found: &found,
        names: &walk.audit_names,
        case: &reader.case,
        made_at: SystemClock.now(),
        period: (None, None),
    };
    Ok(report.to_string())
}

/// The same record as other programs get it.
pub(super) async fn bundle(walk: &Walk, patient: NhsNumber, role: Option<Role>) -> String {
    let curl = curl(walk, patient);
    let mut content = caption(FHIR);
    // Writing to a String cannot fail.
    let _written = writeln!(
        content,
        "<h2>Ask for it yourself</h2>\n<pre class=\"tour-text\" tabindex=\"0\" role=\"region\" aria-label=\"Command\">\
         <code>{}</code></pre>\n<p>It asks as the demo&#39;s own requester, who sees everything.</p>",
        escaped(&curl),
    );
    let sections = story::of(patient).map_or_else(SectionSet::all, story::sections);
    let query = Query { sections, ..Query::of(patient) };
    match walk.client.record(&query).await {
        Ok(answer) => {
            let json = indented(&answer.bundle_json);
            let _written = writeln!(
                content,
                "<h2>The answer</h2>\n<p>One Bundle: each source&#39;s statements as they came, the lists that join them, a \
                 DetectedIssue for each disagreement, and one OperationOutcome that says what is missing. Audit record \
                 {}.</p>\n<pre class=\"tour-text\" tabindex=\"0\" role=\"region\" aria-label=\"Bundle\"><code>{}</code></pre>",
                escaped(&answer.audit),
                escaped(&json),
            );
        }
        Err(error) => {
            let _written = writeln!(content, "<p>There is no answer: {}.</p>", escaped(&error.to_string()));
        }
    }
    content.push_str(&back(patient, role));
    page("Show me the FHIR", &content)
}

/// The command that asks for a record, to be copied.
pub(crate) fn curl(walk: &Walk, patient: NhsNumber) -> String {
    format!(
        "curl -s 'http://{}/fhir/R4/Patient/$record' -H 'Content-Type: application/fhir+json' -d \
         '{{\"resourceType\":\"Parameters\",\"parameter\":[{{\"name\":\"patient\",\"valueIdentifier\":{{\"system\":\
         \"{NHS_NUMBER_SYSTEM}\",\"value\":\"{}\"}}}}]}}'",
        walk.data,
        patient.expose(),
    )
}

/// How each source is, now.
pub(super) fn ops(walk: &Walk) -> String {
    let mut rows = String::new();
    for source in walk.broker.sources() {
        let id = source.id.as_str();
        let line = if walk.is_unplugged(id) { "unplugged" } else { "plugged in" };
        let pulse = source.pulse.map(|pulse| {
            (pulse.breaker.code(), format!("{} of {}, {} waiting", pulse.used, pulse.limit, pulse.waiting))
        });
        let (breaker, places) = pulse.unwrap_or_else(|| ("-", "-".to_owned()));
        let last = source.last_answered.as_deref().unwrap_or("not yet");
        // Writing to a String cannot fail.
        let _written = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{line}</td><td>{last}</td><td>{breaker}</td><td>{places}</td></tr>",
            escaped(&source.name),
        );
    }
    let content = format!(
        "{}<div class=\"tour-wide\" role=\"region\" tabindex=\"0\" aria-label=\"Sources\"><table>\n\
         <caption>Sources, just now</caption>\n<thead><tr><th scope=\"col\">Source</th><th scope=\"col\">Its line</th>\
         <th scope=\"col\">Last answered</th><th scope=\"col\">Breaker</th><th scope=\"col\">Requests there</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n<p><a href=\"/demo/ops\">Look again</a> &middot; \
         <a href=\"http://{admin}/metrics\">Metrics</a> &middot; <a href=\"http://{admin}/sources\">Sources as JSON</a> \
         &middot; <a href=\"/demo\">The five people</a></p>\n",
        caption(OPS),
        admin = walk.admin,
    );
    page("Ops: how the sources are", &content)
}

/// The way back to the record.
fn back(patient: NhsNumber, role: Option<Role>) -> String {
    let role = role.map(Role::code).unwrap_or_default();
    button("/record", &[("nhs", patient.expose()), ("role", role)], "Back to the record")
}
