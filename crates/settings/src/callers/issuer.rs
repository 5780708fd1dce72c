//! `[[issuer]]`: who vouches for people, and with which keys. `[identity]`: from where keys may be fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_identity::{Algorithm, Binding, ClaimShape, Issuer, MOST_REMEMBERED_SECS, SKEW_SECS};
use tributary_model::{Role, SourceId};
use url::Url;

use super::consumer::role;
use crate::reader::Reader;
use crate::tls::{self, TlsFiles};

/// Life of a token unless the configuration says otherwise, in seconds.
const MOST_LIFE_SECS: u64 = 300;
/// Longest life of an id token, which is not remembered, in seconds.
const MOST_SIGN_IN_SECS: u64 = 3_600;
/// Longest life of a token that is remembered until nobody accepts it, two clocks that differ included.
const MOST_TOKEN_SECS: u64 = (MOST_REMEMBERED_SECS - 2 * SKEW_SECS).unsigned_abs();
/// Keys that were fetched are believed for so long, in seconds.
const MOST_AGE_SECS: u64 = 86_400;
const TIMEOUT: Duration = Duration::from_secs(3);

/// An issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Names the entry, in metrics.
    pub id: String,
    /// What its tokens must be like.
    pub rules: Issuer,
    /// Where its keys come from.
    pub keys: KeysFrom,
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFrom {
    /// A file.
    File(PathBuf),
    /// An address.
    Url(Box<KeyAddress>),
}

/// An address that keys are fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAddress {
    /// The address; https.
    pub url: Url,
    /// What it must show of TLS.
    pub tls: Option<TlsFiles>,
    /// How long a set is believed.
    pub most_age: Duration,
    /// Longest time for one fetch.
    pub timeout: Duration,
}

impl IssuerSettings {
    pub(super) fn begin_at(&mut self, folder: &Path) {
        match &mut self.keys {
            KeysFrom::File(file) => *file = folder.join(&*file),
            KeysFrom::Url(address) => address.tls = address.tls.take().map(|files| files.within(folder)),
        }
    }
}

/// The hosts that keys may be fetched from.
pub(super) fn read_hosts(mut table: Reader<'_>) -> Vec<String> {
    let host = |text: &str| {
        let is_host = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.[]:".contains(&byte));
        if is_host { Ok(text.to_ascii_lowercase()) } else { Err("is no host, as in \"login.example.test\"") }
    };
    let hosts = table.list("jwks_hosts", host).unwrap_or_default();
    table.close();
    hosts
}

pub(super) fn read(tables: Vec<Reader<'_>>, hosts: &[String]) -> Vec<IssuerSettings> {
    let (mut ids, mut issuers) = (BTreeSet::new(), BTreeSet::new());
    let mut found = Vec::new();
    for mut table in tables {
        let entry = entry(&mut table, hosts);
        if let Some(entry) = entry {
            if !ids.insert(entry.id.clone()) {
                table.wrong("id", "is the id of an earlier issuer");
            }
            if !issuers.insert(entry.rules.iss.clone()) {
                table.wrong("iss", "is the iss of an earlier issuer");
            }
            found.push(entry);
        }
        table.close();
    }
    found
}

fn entry(table: &mut Reader<'_>, hosts: &[String]) -> Option<IssuerSettings> {
    let id = table.parsed("id", SourceId::parse).map(|id| id.to_string());
    let id = table.required("id", id);
    let iss = table.words("iss");
    let iss = table.required("iss", iss);
    let shape = shape(table);
    let is_cis2 = matches!(shape, Some(ClaimShape::Cis2 { .. }));
    let audiences = table.list("audience", words).unwrap_or_default();
    if is_cis2 != audiences.is_empty() {
        table.wrong(
            "audience",
            if is_cis2 { OF_CONSUMER } else { "is missing: what tokens for us name as aud" },
        );
    }
    let algorithms = table.list("algorithms", algorithm);
    let algorithms = table.required("algorithms", algorithms).unwrap_or_default();
    if table.holds_nothing("algorithms") {
        table.wrong("algorithms", "is empty");
    }
    let kinds = table.list("typ", words).unwrap_or_else(|| vec!["at+jwt".to_owned(), "jwt".to_owned()]);
    let longest = if is_cis2 { MOST_SIGN_IN_SECS } else { MOST_TOKEN_SECS };
    let life = table.number("max_life_secs", 30..=longest).unwrap_or(MOST_LIFE_SECS);
    let usual = if is_cis2 { Binding::WhereGiven } else { Binding::Required };
    let binding = table.parsed("cnf", binding).unwrap_or(usual);
    let keys = keys(table, hosts);
    let rules = Issuer {
        iss: iss?,
        audiences,
        algorithms,
        kinds,
        most_life_secs: i64::try_from(life).ok()?,
        binding,
        shape: shape?,
    };
    Some(IssuerSettings { id: id?, rules, keys: keys? })
}

const OF_CONSUMER: &str =
    "is not for claims = \"cis2\": the audience of an id token is the cis2_client of its consumer";

fn shape(table: &mut Reader<'_>) -> Option<ClaimShape> {
    let claims = table.text("claims").unwrap_or("gpconnect");
    let least_aal = table.number("min_aal", 1..=3);
    let roles = roles(table.tables("role"));
    match claims {
        "gpconnect" => {
            for key in ["min_aal", "role"].into_iter().filter(|key| table.has(key)) {
                table.wrong(key, "is for claims = \"cis2\"");
            }
            Some(ClaimShape::GpConnect)
        }
        "cis2" => {
            if roles.is_empty() {
                table.wrong("role", "is missing: which job role codes are which of our roles");
            }
            let least_aal = least_aal.and_then(|aal| u8::try_from(aal).ok()).unwrap_or(2);
            Some(ClaimShape::Cis2 { least_aal, roles })
        }
        _ => {
            table.wrong("claims", "is neither \"gpconnect\" nor \"cis2\"");
            None
        }
    }
}

fn roles(tables: Vec<Reader<'_>>) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    for mut table in tables {
        let code = table.parsed("code", job_role);
        let code = table.required("code", code);
        let role = table.parsed("role", role);
        let role = table.required("role", role);
        if code.as_ref().is_some_and(|code| roles.contains_key(code)) {
            table.wrong("code", "is the code of an earlier role");
        }
        roles.extend(code.zip(role));
        table.close();
    }
    roles
}

fn keys(table: &mut Reader<'_>, hosts: &[String]) -> Option<KeysFrom> {
    let file = table.words("jwks_file").map(PathBuf::from);
    let url = table.parsed("jwks_url", |text| address(text, hosts));
    let tls = table.table("tls").map(tls::read);
    let most_age = table.number("jwks_max_age_secs", 600..=MOST_AGE_SECS).unwrap_or(MOST_AGE_SECS);
    let timeout = table.number("jwks_timeout_ms", 50..=30_000).map_or(TIMEOUT, Duration::from_millis);
    match (file, table.has("jwks_url")) {
        (Some(file), false) => Some(KeysFrom::File(file)),
        (None, true) => {
            let most_age = Duration::from_secs(most_age);
            Some(KeysFrom::Url(Box::new(KeyAddress { url: url?, tls, most_age, timeout })))
        }
        (Some(_), true) => {
            table.wrong("jwks_file", "is there, and jwks_url too: which is meant?");
            None
        }
        (None, false) => {
            table.wrong(
                "jwks_file",
                "is missing, and so is jwks_url: there are no keys to verify tokens with",
            );
            None
        }
    }
}

fn address(text: &str, hosts: &[String]) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_discarded| "is not an address")?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.scheme() != "https" || !is_plain {
        return Err("is no https address without a user name and a fragment");
    }
    let is_listed = url.host_str().is_some_and(|host| hosts.iter().any(|listed| listed == host));
    if is_listed { Ok(url) } else { Err("is at a host that is not in jwks_hosts of [identity]") }
}

fn words(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("is empty") } else { Ok(text.to_owned()) }
}

fn job_role(text: &str) -> Result<String, &'static str> {
    let is_code = (2..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code { Ok(text.to_owned()) } else { Err("is no job role code, as in \"R8000\"") }
}

fn binding(text: &str) -> Result<Binding, &'static str> {
    match text {
        "required" => Ok(Binding::Required),
        "where-given" => Ok(Binding::WhereGiven),
        _ => Err("is neither \"required\" nor \"where-given\""),
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::from_code(text).ok_or_else(|| {
        let codes: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.code()).collect();
        format!("is no algorithm that is verified here; those are {}", codes.join(", "))
    })
}
