#![doc = include_str!("../README.md")]

mod address;
mod audit;
mod cache;
mod callers;
mod demo;
mod examples;
mod identity;
mod ledger;
mod listener_tls;
mod locator;
mod mistake;
pub mod national;
mod organisation;
mod place;
mod policy;
mod process;
mod prompts;
mod reach;
mod reader;
mod restart;
mod second_listener;
pub mod secrets;
mod server;
mod signals;
mod source;
mod spine;
mod table;
mod telemetry;
mod tls;
mod viewer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use toml::de::DeTable;
use tributary_audit::Digest;
use tributary_model::{Maintenance, OdsCode, SourceId};
use tributary_sources::{Route, SourceEntry};

pub use audit::{AuditSettings, WitnessEntry};
pub use cache::CacheSettings;
pub use callers::{CallerSettings, IssuerSettings, KeyAddress, KeysFrom};
pub use demo::{DemoPatient, DemoSettings};
pub use examples::{Example, read as read_examples};
pub use identity::IdentitySettings;
pub use ledger::{ExportSettings, LedgerFiles, PostgresSettings};
pub use listener_tls::{ClientCrl, ListenerTls};
pub use locator::LocatorSettings;
pub use mistake::Mistake;
pub use national::{NationalSettings, OauthSection, SdsSection};
pub use policy::PolicySettings;
pub use process::{ProcessSettings, SandboxDemand};
pub use prompts::PromptSettings;
pub use second_listener::SecondListener;
pub use signals::SignalSettings;
pub use spine::SpineSettings;
pub use table::read as read_table;
pub use telemetry::{OtlpSettings, SecretHeader, TelemetrySettings};
pub use tls::TlsFiles;
pub use viewer::ViewerSettings;

pub use server::{LimitSettings, LogSettings, ServerSettings};

use reader::{Book, Reader};

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _infallible = std::fmt::Write::write_fmt(&mut text, format_args!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Enough to tell the configurations of a fleet apart.
const NAME_DIGITS: usize = 12;

/// A checked configuration. Whoever holds one need not check again.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Digest of the text, for the audit log.
    pub digest: Digest,
    /// `[server]`
    pub server: ServerSettings,
    /// `[limits]`
    pub limits: LimitSettings,
    /// `[cache]`
    pub cache: CacheSettings,
    /// `[signals]`
    pub signals: SignalSettings,
    /// `[process]`
    pub process: ProcessSettings,
    /// `[log]`
    pub log: LogSettings,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
    /// `[audit]`
    pub audit: AuditSettings,
    /// `[broker]`
    pub identity: IdentitySettings,
    /// `[[consumer]]`, `[[issuer]]`
    pub callers: CallerSettings,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<SourceEntry>,
    /// `[source.tls]`, by source.
    pub source_tls: BTreeMap<SourceId, TlsFiles>,
    /// `[source.maintenance]`, by source.
    pub maintenance: BTreeMap<SourceId, Maintenance>,
    /// `[spine]`
    pub spine: Option<SpineSettings>,
    /// `[[organisation]]`: system ids by ODS code.
    pub organisations: BTreeMap<OdsCode, String>,
    /// `[locator]`
    pub locator: LocatorSettings,
    /// `[oauth]`, `[pds]`, `[sds]`
    pub national: NationalSettings,
    /// `[maps] dir`
    pub maps: Option<PathBuf>,
    /// `[prompts]`
    pub prompts: PromptSettings,
    /// `[codelists] dir`
    pub codelists: Option<PathBuf>,
    /// `[policy]`
    pub policy: PolicySettings,
    /// `[viewer]`
    pub viewer: ViewerSettings,
    /// `[demo]`
    pub demo: Option<DemoSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            digest: Digest::of(b""),
            server: ServerSettings::default(),
            limits: LimitSettings::default(),
            cache: CacheSettings::default(),
            signals: SignalSettings::default(),
            process: ProcessSettings::default(),
            log: LogSettings::default(),
            telemetry: TelemetrySettings::default(),
            audit: AuditSettings::default(),
            identity: IdentitySettings::default(),
            callers: CallerSettings::default(),
            sources: Vec::new(),
            source_tls: BTreeMap::new(),
            maintenance: BTreeMap::new(),
            spine: None,
            organisations: BTreeMap::new(),
            locator: LocatorSettings::default(),
            national: NationalSettings::default(),
            maps: None,
            prompts: PromptSettings::default(),
            codelists: None,
            policy: PolicySettings::default(),
            viewer: ViewerSettings::default(),
            demo: None,
        }
    }
}

impl Settings {
    /// Reads a configuration file. Relative paths in it begin at its own folder, wherever the process runs.
    pub fn load(file: &Path) -> Result<Self, Vec<Mistake>> {
        let text = fs::read_to_string(file).map_err(|error| vec![Self::unreadable(&error)])?;
        Self::parse_at(&text, file)
    }

    /// Reads the text of a configuration file.
    pub fn parse_at(text: &str, file: &Path) -> Result<Self, Vec<Mistake>> {
        let file = std::path::absolute(file).map_err(|error| vec![Self::unreadable(&error)])?;
        let mut settings = Self::parse(text)?;
        // What is absolute already stays as it is.
        if let Some(folder) = file.parent() {
            settings.begin_at(folder);
        }
        Ok(settings)
    }

    fn begin_at(&mut self, folder: &Path) {
        self.audit.begin_at(folder);
        self.telemetry = std::mem::take(&mut self.telemetry).within(folder);
        self.maps = self.maps.take().map(|dir| folder.join(dir));
        self.codelists = self.codelists.take().map(|dir| folder.join(dir));
        self.policy.file = self.policy.file.take().map(|file| folder.join(file));
        self.national.begin_at(folder);
        self.server.link_key_file = self.server.link_key_file.take().map(|file| place::place(folder, &file));
        self.server.tls = self.server.tls.take().map(|files| files.within(folder));
        self.server.gpconnect = self.server.gpconnect.take().map(|gpconnect| gpconnect.within(folder));
        self.server.launch = self.server.launch.take().map(|launch| launch.within(folder));
        self.callers.begin_at(folder);
        let tls = std::mem::take(&mut self.source_tls).into_iter();
        self.source_tls = tls.map(|(id, files)| (id, files.within(folder))).collect();
        if let Some(spine) = &mut self.spine {
            spine.tls = spine.tls.take().map(|files| files.within(folder));
        }
    }

    /// What is told of a file that cannot be read.
    pub fn unreadable(error: &io::Error) -> Mistake {
        Mistake { path: String::new(), line: None, says: format!("cannot be read: {error}") }
    }

    /// The first twelve digits of the digest: how logs and answers name this configuration.
    pub fn name(&self) -> String {
        self.digest.to_string().chars().take(NAME_DIGITS).collect()
    }

    /// Believes every caller, as `[demo] insecure = true` does and under the same condition.
    pub fn believe(&mut self) -> Result<(), Mistake> {
        if self.demo.is_some() {
            return Ok(());
        }
        if !self.server.listen.ip().is_loopback() || !self.server.admin_listen.ip().is_loopback() {
            return Err(Mistake {
                path: "server.listen".to_owned(),
                line: None,
                says: "--insecure-demo is refused unless every listener is a loopback address".to_owned(),
            });
        }
        self.demo = Some(DemoSettings { is_by_command: true, ..DemoSettings::default() });
        Ok(())
    }

    /// Reads a configuration. What is wrong is told in the order of the file.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let book = Book::new(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            let digest = Digest::of(text.as_bytes());
            let settings = Self { digest, ..read(Reader::root(&book, table.get_ref())) };
            let mistakes = book.close();
            return if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) };
        }
        for error in errors {
            book.note(String::new(), error.span(), error.message());
        }
        Err(book.close())
    }

    /// What keeps a broker with these settings from serving.
    pub fn obstacles(&self) -> Vec<Mistake> {
        let obstacle =
            |path: &str, says: &str| Mistake { path: path.to_owned(), line: None, says: says.to_owned() };
        let mut obstacles = Vec::new();
        if self.sources.is_empty() {
            obstacles.push(obstacle("source", "is missing: without a source every record would be empty"));
        }
        if self.demo.is_none() {
            obstacles.extend(self.callers.obstacles(&self.server));
        } else if !self.callers.is_empty() || self.server.others_tls().next().is_some() {
            obstacles.push(obstacle(
                "demo",
                "believes every caller, and there are [[consumer]], [[issuer]], [server.gpconnect] or [server.launch], which \
                 say who is to be believed: a configuration is one or the other",
            ));
        }
        obstacles
    }
}

fn read(mut root: Reader<'_>) -> Settings {
    let server = root.table("server").map(server::read).unwrap_or_default();
    let source::Sources { entries: sources, tls: source_tls, maintenance } =
        source::read(root.tables("source"));
    let locator = read_locator(&mut root, &sources);
    let is_demo = root.has("demo");
    let settings = Settings {
        digest: Digest::of(b""),
        limits: root.table("limits").map(server::read_limits).unwrap_or_default(),
        cache: root.table("cache").map(cache::read).unwrap_or_default(),
        signals: root.table("signals").map(signals::read).unwrap_or_default(),
        log: root.table("log").map(server::read_log).unwrap_or_default(),
        telemetry: root.table("telemetry").map(telemetry::read).unwrap_or_default(),
        audit: root.table("audit").map(audit::read).unwrap_or_default(),
        identity: root.table("broker").map(identity::read).unwrap_or_default(),
        callers: callers::read(&mut root),
        national: national::read(&mut root, &sources, &locator),
        locator,
        maps: root.table("maps").and_then(read_dir),
        prompts: root.table("prompts").map(prompts::read).unwrap_or_default(),
        codelists: root.table("codelists").and_then(read_dir),
        policy: root.table("policy").map(policy::read).unwrap_or_default(),
        viewer: root.table("viewer").map(viewer::read).unwrap_or_default(),
        demo: root.table("demo").map(|table| demo::read(table, &server, &sources)),
        process: root.table("process").map(|table| process::read(table, is_demo)).unwrap_or_default(),
        organisations: organisation::read(root.tables("organisation")),
        spine: root.table("spine").and_then(spine::read),
        server,
        sources,
        source_tls,
        maintenance,
    };
    if settings.spine.is_none() && is_behind_spine(&settings) {
        root.wrong("spine", "is missing: a source is reached via the spine proxy");
    }
    root.close();
    settings
}

fn read_locator(root: &mut Reader<'_>, sources: &[SourceEntry]) -> LocatorSettings {
    let settings = root.table("locator").map(|table| locator::read(table, sources)).unwrap_or_default();
    if !sources.is_empty() && settings.expected(sources).is_empty() {
        root.wrong("locator", "names nobody: no source would be expected for any patient");
    }
    settings
}

fn is_behind_spine(settings: &Settings) -> bool {
    let practice = settings.national.sds.as_ref().and_then(|sds| sds.practice.as_ref());
    let routes = settings.sources.iter().map(|source| source.route);
    routes.chain(practice.map(|practice| practice.route)).any(|route| route == Route::Spine)
}

fn read_dir(mut table: Reader<'_>) -> Option<PathBuf> {
    let dir = table.words("dir");
    let dir = table.required("dir", dir);
    table.close();
    dir.map(PathBuf::from)
}

#[cfg(test)]
mod spine_tests;
#[cfg(test)]
mod tests;
