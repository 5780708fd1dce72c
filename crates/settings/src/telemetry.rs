//! `[telemetry.otlp]`: who keeps traces.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_model::Redacted;
use tributary_sources::egress::SourceTls;
use url::Url;

use super::address::base_url;
use super::place::place;
use super::reader::Reader;
use super::{Mistake, TlsFiles, tls};
use crate::secrets;

/// Most header fields that come from a file.
const MOST_HEADERS: usize = 16;
/// What says how a request is framed and what is in it is ours to say.
const OURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Who is told what requests did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// Who keeps traces; nobody where nothing is told.
    pub otlp: Option<OtlpSettings>,
}

/// A receiver of spans: OTLP over HTTP, in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSettings {
    /// What spans are posted to: https, or http on loopback.
    pub endpoint: Url,
    /// Header fields that show who we are, one a line.
    pub headers_file: Option<PathBuf>,
    /// Of the traces that begin here, so many of a hundred are kept.
    pub sample_percent: u8,
    /// Longest time for one batch.
    pub timeout: Duration,
    /// Most spans that wait to be sent.
    pub queue_spans: usize,
    /// Most spans of one batch.
    pub batch_spans: usize,
    /// How long a batch waits for more.
    pub linger: Duration,
    /// How long the end of the process waits for what was not sent.
    pub flush: Duration,
    /// `[telemetry.otlp.tls]`: whom we believe there, and who we are.
    pub tls: TlsFiles,
}

/// A header field: its name, and what only the receiver may see.
pub type SecretHeader = (String, Redacted<String>);

impl TelemetrySettings {
    pub(super) fn within(self, folder: &Path) -> Self {
        let within = |otlp: OtlpSettings| OtlpSettings {
            headers_file: otlp.headers_file.map(|file| place(folder, &file)),
            tls: otlp.tls.within(folder),
            ..otlp
        };
        Self { otlp: self.otlp.map(within) }
    }

    /// Every file that cannot be used.
    pub fn file_mistakes(&self) -> Vec<Mistake> {
        let Some(otlp) = &self.otlp else { return Vec::new() };
        let headers = otlp.headers().err();
        headers.into_iter().chain(otlp.tls().err().into_iter().flatten()).collect()
    }
}

impl OtlpSettings {
    /// The header fields of the file.
    pub fn headers(&self) -> Result<Vec<SecretHeader>, Mistake> {
        let Some(file) = &self.headers_file else { return Ok(Vec::new()) };
        let wrong =
            |says: String| Mistake { path: "telemetry.otlp.headers_file".to_owned(), line: None, says };
        let text = secrets::lines(file).map_err(|error| wrong(error.to_string()))?;
        let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
        // What a line holds is a secret, so only its place is told.
        let header = |(place, line): (usize, &str)| {
            header(line).ok_or_else(|| {
                wrong(format!(
                    "{}: line {} is no \"Name: value\" that may be sent",
                    file.display(),
                    place + 1
                ))
            })
        };
        let headers = lines.enumerate().map(header).collect::<Result<Vec<_>, _>>()?;
        match headers.len() {
            1..=MOST_HEADERS => Ok(headers),
            0 => Err(wrong(format!("{} holds nothing", file.display()))),
            _ => Err(wrong(format!("{} holds more than {MOST_HEADERS} lines", file.display()))),
        }
    }

    /// TLS towards the receiver.
    pub fn tls(&self) -> Result<SourceTls, Vec<Mistake>> {
        self.tls.load()
    }
}

fn header(line: &str) -> Option<SecretHeader> {
    let (name, value) = line.split_once(':')?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_value = !value.is_empty() && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (is_name && is_value && !OURS.contains(&&*name)).then(|| (name, Redacted::new(value.to_owned())))
}

pub(super) fn read(mut table: Reader<'_>) -> TelemetrySettings {
    let otlp = table.table("otlp").and_then(read_otlp);
    table.close();
    TelemetrySettings { otlp }
}

fn read_otlp(mut table: Reader<'_>) -> Option<OtlpSettings> {
    let endpoint = table.parsed("endpoint", base_url);
    let endpoint = table.required("endpoint", endpoint);
    if endpoint.as_ref().is_some_and(|url| url.path() == "/") {
        table.wrong("endpoint", "has no path: spans are posted to exactly this, as in \"https://collector.example.test:4318/v1/traces\"");
    }
    let headers_file = table.words("headers_file").map(PathBuf::from);
    let percent = table.number("sample_percent", 0..=100).and_then(|percent| u8::try_from(percent).ok());
    let mut millis = |key, bounds, usual| Duration::from_millis(table.number(key, bounds).unwrap_or(usual));
    let timeout = millis("timeout_ms", 100..=60_000, 5_000);
    let linger = millis("linger_ms", 0..=60_000, 1_000);
    let flush = millis("flush_ms", 0..=30_000, 2_000);
    let mut spans = |key, bounds, usual| {
        table.number(key, bounds).and_then(|number| usize::try_from(number).ok()).unwrap_or(usual)
    };
    let queue_spans = spans("queue_spans", 64..=65_536, 4_096);
    let batch_spans = spans("batch_spans", 1..=8_192, 512);
    if batch_spans > queue_spans {
        table.wrong("batch_spans", "is more than queue_spans: no batch could be full");
    }
    let tls = table.table("tls").map(tls::read).unwrap_or_default();
    if endpoint.as_ref().is_some_and(|url| url.scheme() == "http") && tls != TlsFiles::default() {
        table.wrong("tls", "is for an endpoint that begins with https://");
    }
    table.close();
    Some(OtlpSettings {
        endpoint: endpoint?,
        headers_file,
        sample_percent: percent.unwrap_or(100),
        timeout,
        queue_spans,
        batch_spans,
        linger,
        flush,
        tls,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn read(text: &str) -> Result<OtlpSettings, Vec<String>> {
        let settings = Settings::parse(&format!("[telemetry.otlp]\n{text}\n"));
        let paths = |mistakes: Vec<Mistake>| mistakes.into_iter().map(|one| one.path).collect();
        settings.map(|settings| settings.telemetry.otlp.unwrap()).map_err(paths)
    }

    const ENDPOINT: &str = "endpoint = \"https://collector.example.test:4318/v1/traces\"\n";

    #[test]
    fn a_receiver_is_read() {
        let otlp = read(ENDPOINT).unwrap();
        assert_eq!(otlp.endpoint.as_str(), "https://collector.example.test:4318/v1/traces");
        assert_eq!((otlp.sample_percent, otlp.queue_spans, otlp.batch_spans), (100, 4096, 512));
        let given =
            read(&format!("{ENDPOINT}sample_percent = 5\nqueue_spans = 64\nbatch_spans = 64")).unwrap();
        assert_eq!((given.sample_percent, given.queue_spans, given.batch_spans), (5, 64, 64));
        assert!(Settings::parse("[telemetry]").unwrap().telemetry.otlp.is_none());
    }

    #[test]
    fn weak_or_impossible_settings_are_refused() {
        let with = |line: &str| format!("{ENDPOINT}{line}");
        for (text, path) in [
            (String::new(), "telemetry.otlp.endpoint"),
            ("endpoint = \"http://collector.example.test/v1/traces\"".to_owned(), "telemetry.otlp.endpoint"),
            ("endpoint = \"https://collector.example.test\"".to_owned(), "telemetry.otlp.endpoint"),
            (
                "endpoint = \"https://key@collector.example.test/v1/traces\"".to_owned(),
                "telemetry.otlp.endpoint",
            ),
            (
                "endpoint = \"https://collector.example.test/v1/traces?key=1\"".to_owned(),
                "telemetry.otlp.endpoint",
            ),
            (with("sample_percent = 101"), "telemetry.otlp.sample_percent"),
            (with("sample_ratio = 1"), "telemetry.otlp.sample_ratio"),
            (with("timeout_ms = 0"), "telemetry.otlp.timeout_ms"),
            (with("queue_spans = 64"), "telemetry.otlp.batch_spans"),
            (with("queue_spans = 1000000"), "telemetry.otlp.queue_spans"),
            (
                "endpoint = \"http://127.0.0.1:4318/v1/traces\"\n[telemetry.otlp.tls]\nca_file = \"x\""
                    .to_owned(),
                "telemetry.otlp.tls",
            ),
        ] {
            assert_eq!(read(&text), Err(vec![path.to_owned()]), "{text}");
        }
    }

    #[test]
    fn header_fields_are_of_a_file_that_nobody_else_reads() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("headers");
        let with = |text: &str, mode: u32| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let otlp = OtlpSettings { headers_file: Some(file.clone()), ..read(ENDPOINT).unwrap() };
            otlp.headers()
        };
        let good = with("Authorization: Bearer a b\n\n x-scope: nhs\n", 0o600).unwrap();
        let shown: Vec<_> =
            good.iter().map(|(name, value)| (name.as_str(), value.expose().as_str())).collect();
        assert_eq!(shown, [("authorization", "Bearer a b"), ("x-scope", "nhs")]);
        for (text, mode) in [
            ("Authorization: secretword", 0o644),
            ("", 0o600),
            ("Authorization secretword", 0o600),
            ("Content-Type: secretword", 0o600),
            ("Host: secretword", 0o600),
            ("A: secretword\u{7}", 0o600),
            ("A b: secretword", 0o600),
            (&"A: secretword\n".repeat(17), 0o600),
        ] {
            let mistake = with(text, mode).unwrap_err();
            assert_eq!(mistake.path, "telemetry.otlp.headers_file", "{text}");
            assert!(!mistake.says.contains("secretword"), "{mistake}");
        }
    }
}
