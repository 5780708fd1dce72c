//! `[demo]`: a broker that believes its callers, on loopback only, for invented patients.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tributary_model::{NhsNumber, Role, SourceId};
use tributary_sources::SourceEntry;

use super::reader::Reader;
use super::server::ServerSettings;

/// A broker that runs as a demo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DemoSettings {
    /// The instant every dated rule uses; absent means now.
    pub as_of: Option<Timestamp>,
    /// The role of whoever asks; absent means the demo's own, who sees everything.
    pub role: Option<Role>,
    /// The patients that the page offers.
    pub patients: Vec<DemoPatient>,
    /// Whether the command line asked for it (`--insecure-demo`), and not the configuration.
    pub is_by_command: bool,
}

/// An invented patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoPatient {
    /// Their number.
    pub nhs_number: NhsNumber,
    /// What the page calls them.
    pub title: String,
    /// The sources expected to know them; absent means those of the locator.
    pub sources: Option<Vec<SourceId>>,
}

pub(super) fn read(mut table: Reader<'_>, server: &ServerSettings, sources: &[SourceEntry]) -> DemoSettings {
    let insecure = table.truth("insecure");
    let insecure = table.required("insecure", insecure);
    if insecure == Some(false) {
        table.wrong(
            "insecure",
            "must be true: it says that callers are believed. To have them proven leave [demo] out",
        );
    }
    let is_loopback = server.listen.ip().is_loopback() && server.admin_listen.ip().is_loopback();
    if !is_loopback {
        table.wrong("insecure", "is refused unless every listener is a loopback address");
    }
    let as_of = table.parsed("as_of", |text| {
        text.parse::<Timestamp>().map_err(|_| "is not an instant, as in \"2026-03-10T02:10:00Z\"")
    });
    let role = table.parsed("role", |text| {
        Role::from_code(text).ok_or_else(|| {
            let codes: Vec<_> = Role::ALL.iter().map(|role| role.code()).collect();
            format!("is not known; known are {}", codes.join(", "))
        })
    });
    let mut numbers = BTreeSet::new();
    let patients = table.tables("patient");
    let patients = patients.into_iter().filter_map(|table| patient(table, sources, &mut numbers)).collect();
    table.close();
    DemoSettings { as_of, role, patients, is_by_command: false }
}

fn patient(
    mut table: Reader<'_>,
    sources: &[SourceEntry],
    numbers: &mut BTreeSet<NhsNumber>,
) -> Option<DemoPatient> {
    let nhs_number = table.parsed("nhs_number", NhsNumber::parse);
    if nhs_number.is_some_and(|number| !numbers.insert(number)) {
        table.wrong("nhs_number", "is the number of an earlier patient");
    }
    let nhs_number = table.required("nhs_number", nhs_number);
    let title = table.words("title");
    let title = table.required("title", title);
    let sources = table.list("sources", |text| {
        let entry = sources.iter().find(|entry| entry.id.as_str() == text);
        entry.map(|entry| entry.id.clone()).ok_or("is the id of no source")
    });
    if table.holds_nothing("sources") {
        table.wrong("sources", "names nobody; leave it out for those of the locator");
    }
    table.close();
    Some(DemoPatient { nhs_number: nhs_number?, title: title?, sources })
}
