//! `[oauth]`, `[pds]` and `[sds]`: the national services that say where a patient's record is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_model::SourceKind;
use tributary_sources::SourceEntry;
use tributary_sources::national::oauth::OauthSettings;
use tributary_sources::national::pds::PdsSettings;
use tributary_sources::national::practice::PracticeTemplate;
use url::Url;

use super::place::place;
use super::reader::Reader;
use super::{LocatorSettings, address, source};

/// The id that practices without an entry are counted under.
pub const PRACTICES: &str = "gp-practice";
/// The platform's usual quota for one application and one API.
const PER_SECOND: u64 = 5;

/// The national services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NationalSettings {
    /// `[oauth]`
    pub oauth: Option<OauthSection>,
    /// `[pds]`
    pub pds: Option<PdsSettings>,
    /// `[sds]`
    pub sds: Option<SdsSection>,
}

/// `[oauth]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthSection {
    /// Where tokens come from, and who we are there.
    pub settings: OauthSettings,
    /// Our private key.
    pub key_file: PathBuf,
}

/// `[sds]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdsSection {
    /// Its service root.
    pub base_url: Url,
    /// Our API key.
    pub api_key_file: PathBuf,
    /// Longest time for one look-up.
    pub timeout: Duration,
    /// Requests a second.
    pub per_second: u32,
    /// How long an endpoint is kept for the session that asked.
    pub session_ttl: Duration,
    /// How long an endpoint is kept for everybody.
    pub shared_ttl: Option<Duration>,
    /// How practices without an entry are asked.
    pub practice: Option<PracticeTemplate>,
}

impl NationalSettings {
    /// Files named relatively begin at this folder.
    pub(super) fn begin_at(&mut self, folder: &Path) {
        let oauth = self.oauth.as_mut().map(|oauth| &mut oauth.key_file);
        let sds = self.sds.as_mut().map(|sds| &mut sds.api_key_file);
        for file in oauth.into_iter().chain(sds) {
            *file = place(folder, file);
        }
    }
}

pub(super) fn read(
    root: &mut Reader<'_>,
    sources: &[SourceEntry],
    locator: &LocatorSettings,
) -> NationalSettings {
    let has_pds = root.has("pds");
    let settings = NationalSettings {
        oauth: root.table("oauth").and_then(read_oauth),
        pds: root.table("pds").and_then(read_pds),
        sds: root.table("sds").and_then(|table| read_sds(table, has_pds)),
    };
    if has_pds {
        check_pds(root, sources, locator);
    }
    settings
}

fn check_pds(root: &mut Reader<'_>, sources: &[SourceEntry], locator: &LocatorSettings) {
    if !root.has("oauth") {
        root.wrong("pds", "needs [oauth]: the service is asked with an access token");
    }
    if locator.lists.iter().any(|(kind, _)| *kind == SourceKind::Gp) {
        root.wrong("locator", "names gp sources, and [pds] decides on them; leave gp out");
    }
    for entry in sources {
        if entry.kind == SourceKind::Gp && entry.ods.is_none() {
            let id = &entry.id;
            root.wrong("pds", format_args!("finds practices by ods code, and the gp source {id} has none"));
        }
        if entry.id.as_str() == PRACTICES {
            root.wrong("pds", format_args!("counts practices under \"{PRACTICES}\", the id of a source"));
        }
    }
}

fn millis(table: &mut Reader<'_>, key: &'static str, usual: u64) -> Duration {
    Duration::from_millis(table.number(key, 50..=30_000).unwrap_or(usual))
}

fn per_second(table: &mut Reader<'_>) -> u32 {
    let number = table.number("requests_per_second", 1..=1500).unwrap_or(PER_SECOND);
    u32::try_from(number).unwrap_or(1)
}

fn ttl(table: &mut Reader<'_>, key: &'static str, most: u64) -> Option<Duration> {
    table.number(key, 0..=most).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

fn base_url(table: &mut Reader<'_>, key: &'static str) -> Option<Url> {
    let url = table.parsed(key, address::base_url);
    table.required(key, url)
}

fn file(table: &mut Reader<'_>, key: &'static str) -> Option<PathBuf> {
    let path = table.words(key);
    table.required(key, path).map(PathBuf::from)
}

/// What a header or a token can carry: no blank, nothing that is not ASCII.
fn word(table: &mut Reader<'_>, key: &'static str) -> Option<String> {
    let word = table.parsed(key, |text| {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err("is not one word of plain letters, digits and signs") }
    });
    table.required(key, word)
}

fn read_oauth(mut table: Reader<'_>) -> Option<OauthSection> {
    let token_url = base_url(&mut table, "token_url");
    let client_id = word(&mut table, "client_id");
    let kid = word(&mut table, "kid");
    let key_file = file(&mut table, "key_file");
    let timeout = millis(&mut table, "timeout_ms", 2000);
    table.close();
    let settings = OauthSettings { token_url: token_url?, client_id: client_id?, kid: kid?, timeout };
    Some(OauthSection { settings, key_file: key_file? })
}

fn read_pds(mut table: Reader<'_>) -> Option<PdsSettings> {
    let base_url = base_url(&mut table, "base_url");
    let timeout = millis(&mut table, "timeout_ms", 2000);
    let per_second = per_second(&mut table);
    let cache_ttl = ttl(&mut table, "cache_ttl_secs", 60);
    table.close();
    Some(PdsSettings { base_url: base_url?, timeout, per_second, cache_ttl })
}

fn read_sds(mut table: Reader<'_>, has_pds: bool) -> Option<SdsSection> {
    let base_url = base_url(&mut table, "base_url");
    let api_key_file = file(&mut table, "api_key_file");
    let timeout = millis(&mut table, "timeout_ms", 3000);
    let per_second = per_second(&mut table);
    let session_ttl = Duration::from_secs(table.number("session_ttl_secs", 1..=900).unwrap_or(900));
    let shared_ttl = ttl(&mut table, "shared_cache_ttl_secs", 900);
    let practice = table.table("practice").map(read_practice);
    if practice.is_some() && !has_pds {
        table.wrong("practice", "needs [pds]: without it nobody knows which practice to ask");
    }
    table.close();
    let (base_url, api_key_file) = (base_url?, api_key_file?);
    Some(SdsSection { base_url, api_key_file, timeout, per_second, session_ttl, shared_ttl, practice })
}

fn read_practice(mut table: Reader<'_>) -> PracticeTemplate {
    let usual = PracticeTemplate::default();
    let count = |number: u64| usize::try_from(number).ok();
    let rank = table.number("rank", 0..=1_000_000).and_then(|rank| u32::try_from(rank).ok());
    let template = PracticeTemplate {
        name: table.words("name").unwrap_or(usual.name),
        rank: rank.unwrap_or(usual.rank),
        sections: source::practice_sections(&mut table),
        timeout: millis(&mut table, "timeout_ms", 3000),
        cache_ttl: ttl(&mut table, "cache_ttl_secs", 900),
        max_body_bytes: table.number("max_body_bytes", 1 << 10..=256 << 20).unwrap_or(usual.max_body_bytes),
        max_in_flight: table
            .number("max_in_flight", 1..=10_000)
            .and_then(count)
            .unwrap_or(usual.max_in_flight),
        route: table.parsed("via", source::route).unwrap_or_default(),
        tls: None,
        max_practices: table
            .number("max_practices", 1..=10_000)
            .and_then(count)
            .unwrap_or(usual.max_practices),
    };
    table.close();
    template
}
