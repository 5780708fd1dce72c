//! When certificates end, ours and those that we believe, and revocation lists with them: for whoever has to see to
//! new ones.

use std::fs;
use std::path::Path;

use tributary_identity::ListDates;
use tributary_sources::egress::{earliest_end, earliest_update, revocations};
use tributary_telemetry::Listener;

use tributary_settings::{ListenerTls, Settings};

/// What ends, by the key of its section for what is ours and by its own key for the rest, with the second since 1970.
///
/// One that cannot be read is left out: the start and a reload are refused for it. Keys and tokens are not among
/// them: a key has no end of its own, and a token is fetched anew before it ends.
pub(crate) fn ends(settings: &Settings) -> Vec<(String, i64)> {
    let mut ends = Vec::new();
    let mut certificate = |key: String, file: &Path| {
        ends.extend(fs::read(file).ok().and_then(|pem| Some((key, earliest_end(&pem)?.as_second()))));
    };
    for tls in settings.server.tls.iter().chain(settings.server.others_tls()) {
        certificate(tls.path.clone(), &tls.cert_file);
        if let Some(file) = &tls.client_ca_file {
            certificate(format!("{}.client_ca_file", tls.path), file);
        }
    }
    let of_sources = settings.source_tls.iter().map(|(id, tls)| (format!("source.{id}.tls"), tls));
    let spine = settings.spine.iter().filter_map(|spine| Some(("spine.tls".to_owned(), spine.tls.as_ref()?)));
    let outward: Vec<_> = of_sources.chain(spine).collect();
    for (key, tls) in &outward {
        if let Some(file) = &tls.cert_file {
            certificate(key.clone(), file);
        }
        if let Some(file) = &tls.ca_file {
            certificate(format!("{key}.ca_file"), file);
        }
    }
    let lists = outward.iter().filter_map(|(key, tls)| {
        let pem = fs::read(tls.crl_file.as_ref()?).ok()?;
        Some((format!("{key}.crl_file"), earliest_update(&pem)?.as_second()))
    });
    ends.extend(lists);
    ends
}

/// The revocation lists of each listener: the seconds since 1970 at which the oldest was made and the first is out of
/// date.
pub(crate) fn lists(settings: &Settings) -> Vec<(Listener, i64, i64)> {
    let data = settings.server.tls.iter().map(|tls| (Listener::Data, tls));
    let gpconnect = settings.server.gpconnect.iter();
    let gpconnect = gpconnect.map(|gpconnect| (Listener::GpConnect, &gpconnect.tls));
    let dates = |(listener, tls): (Listener, &ListenerTls)| {
        let pem = fs::read(tls.client_crl.file()?).ok()?;
        let lists = revocations(&pem).ok()?;
        let dates: Vec<_> = lists.iter().filter_map(|list| ListDates::read(list)).collect();
        let made = dates.iter().map(|dates| dates.made).min()?;
        let next = dates.iter().map(|dates| dates.next).min()?;
        Some((listener, made.as_second(), next.as_second()))
    };
    data.chain(gpconnect).filter_map(dates).collect()
}
