//! `[[consumer]]`: a system that may call.

use std::collections::{BTreeMap, BTreeSet};

use tributary_identity::{CertificateName, ClaimShape, Consumer, Profile};
use tributary_model::{OdsCode, Priority, Relationship, Role, SourceId};

use super::IssuerSettings;
use crate::organisation;
use crate::reader::Reader;

pub(super) fn read(tables: Vec<Reader<'_>>, issuers: &[IssuerSettings]) -> Vec<Consumer> {
    let mut ids = BTreeSet::new();
    let read = |mut table: Reader<'_>| {
        let consumer = entry(&mut table, issuers, &mut ids);
        table.close();
        consumer
    };
    tables.into_iter().filter_map(read).collect()
}

fn entry(table: &mut Reader<'_>, issuers: &[IssuerSettings], ids: &mut BTreeSet<String>) -> Option<Consumer> {
    let id = table.parsed("id", SourceId::parse).map(|id| id.to_string());
    let id = table.required("id", id);
    if id.as_ref().is_some_and(|id| !ids.insert(id.clone())) {
        table.wrong("id", "is the id of an earlier consumer");
    }
    let name = table.words("name");
    let organisations = some(table, "ods", OdsCode::parse);
    let profiles = if table.has("profiles") { some(table, "profiles", profile) } else { None };
    let profiles = profiles.unwrap_or_else(|| vec![Profile::Native]);
    // Whose forms come from browsers alone has no connection, and so no certificate, of its own.
    let calls = profiles.iter().any(|profile| *profile != Profile::Launch);
    let names =
        if calls || table.has("certificate_names") { certificate_names(table) } else { Some(Vec::new()) };
    let pins = table.list("spki_sha256", pin).unwrap_or_default();
    let priority = table.parsed("priority", priority);
    let roles = some(table, "roles", role);
    let default_role = table.parsed("default_role", role);
    if default_role.is_some_and(|role| !roles.as_ref().is_some_and(|roles| roles.contains(&role))) {
        table.wrong("default_role", "is not among the roles that it may assert");
    }
    let relationship = table.parsed("relationship", relationship).unwrap_or_default();
    let by_id = |text: &str| {
        let issuer = issuers.iter().find(|issuer| issuer.id == text);
        issuer.ok_or("is the id of no [[issuer]]")
    };
    let vouched = table.list("issuers", by_id).unwrap_or_default();
    let cis2_client = table.words("cis2_client");
    if profiles.contains(&Profile::GpConnect) && default_role.is_none() {
        table.wrong("default_role", "is missing: a GP Connect token names no role");
    }
    let asids = asids(table, &profiles, organisations.as_deref().unwrap_or_default());
    vouching(table, &profiles, &vouched, cis2_client.is_some());
    Some(Consumer {
        name: name.or_else(|| id.clone())?,
        id: id?,
        organisations: organisations?.into_iter().collect(),
        asids,
        names: names?,
        pins,
        priority,
        profiles,
        roles: roles?,
        default_role,
        relationship,
        issuers: vouched.into_iter().map(|issuer| issuer.rules.iss.clone()).collect(),
        cis2_client,
    })
}

/// The system id of each organisation that it asks for over GP Connect. Without one nobody could tell whether a request
/// comes from the system that it names, so it is no caller there.
fn asids(
    table: &mut Reader<'_>,
    profiles: &[Profile],
    organisations: &[OdsCode],
) -> BTreeMap<OdsCode, String> {
    let asids = organisation::read(table.tables("system"));
    let is_gp_connect = profiles.contains(&Profile::GpConnect);
    if !is_gp_connect && table.has("system") {
        table.wrong("system", "is for profiles with \"gpconnect\"");
    }
    if let Some(other) = asids.keys().find(|ods| !organisations.contains(ods)) {
        let other = other.as_str();
        table.wrong("system", format_args!("is for {other}, which is not among the organisations in ods"));
    }
    let lacking = organisations.iter().find(|ods| !asids.contains_key(*ods));
    if let Some(ods) = lacking.filter(|_| is_gp_connect) {
        let ods = ods.as_str();
        table.wrong(
            "system",
            format_args!(
                "is missing for {ods}: Ssp-From is held against the asid of the organisation, and without one its \
                 GP Connect requests are nobody's"
            ),
        );
    }
    asids
}

/// Whether its issuers can vouch for people in the ways in which it may call.
fn vouching(table: &Reader<'_>, profiles: &[Profile], vouched: &[&IssuerSettings], has_client: bool) {
    let is_cis2 = |issuer: &&&IssuerSettings| matches!(issuer.rules.shape, ClaimShape::Cis2 { .. });
    let cis2 = vouched.iter().filter(is_cis2).count();
    let may_cis2 = profiles.contains(&Profile::Cis2);
    let signed = [Profile::Native, Profile::Launch];
    let is_signed = may_cis2 || signed.iter().any(|profile| profiles.contains(profile));
    if is_signed && cis2 == vouched.len() {
        table.wrong(
            "issuers",
            "names no issuer with claims = \"gpconnect\": its own tokens have none to verify them",
        );
    }
    if may_cis2 && cis2 == 0 {
        table.wrong("issuers", "names no issuer with claims = \"cis2\", and profiles has cis2");
    }
    if may_cis2 && !has_client {
        table
            .wrong("cis2_client", "is missing: the audience of the id tokens that are this system's to show");
    }
}

/// A list that must be there and say something: an empty one would mean nobody, or be mistaken for everybody.
fn some<T, E: std::fmt::Display>(
    table: &mut Reader<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<Vec<T>> {
    let list = table.list(key, parse);
    if table.holds_nothing(key) {
        table.wrong(key, "is empty");
    }
    table.required(key, list).filter(|list| !list.is_empty())
}

fn certificate_names(table: &mut Reader<'_>) -> Option<Vec<CertificateName>> {
    let names = some(table, "certificate_names", CertificateName::parse);
    let takes_common = table.truth("accepts_common_name").unwrap_or(false);
    let is_common = |name: &CertificateName| matches!(name, CertificateName::Common(_));
    let has_common = names.as_ref().is_some_and(|names| names.iter().any(is_common));
    if has_common && !takes_common {
        let says = "has a common name, which says less than an alternative name; if there is no other, say \
                    accepts_common_name = true";
        table.wrong("certificate_names", says);
    }
    names
}

fn pin(text: &str) -> Result<[u8; 32], &'static str> {
    let wrong = "is no SHA-256 in 64 hexadecimal digits";
    let mut pin = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    for (index, byte) in pin.iter_mut().enumerate() {
        let digits = text.get(2 * index..2 * index + 2).ok_or(wrong)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_discarded| wrong)?;
    }
    Ok(pin)
}

fn profile(text: &str) -> Result<Profile, &'static str> {
    Profile::from_code(text).ok_or("is none of \"native\", \"cis2\", \"gpconnect\", \"launch\"")
}

fn relationship(text: &str) -> Result<Relationship, &'static str> {
    Relationship::from_code(text).ok_or("is none of \"unknown\", \"asserted\", \"evidenced\"")
}

fn priority(text: &str) -> Result<Priority, &'static str> {
    Priority::from_code(text).ok_or("is none of \"background\", \"interactive\", \"urgent\"")
}

pub(super) fn role(text: &str) -> Result<Role, String> {
    Role::from_code(text).ok_or_else(|| {
        let codes: Vec<_> = Role::ALL.iter().map(|role| role.code()).collect();
        format!("is no role; roles are {}", codes.join(", "))
    })
}
