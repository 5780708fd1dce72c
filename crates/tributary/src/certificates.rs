//! When our own certificates end and callers' revocation lists are out of date, for whoever has to see to new ones.

use std::fs;

use tributary_identity::ListDates;
use tributary_sources::egress::{earliest_end, revocations};
use tributary_telemetry::Listener;

use crate::settings::{ListenerTls, Settings};

/// Every certificate of ours by the key of its section, with the second since 1970 at which it ends.
///
/// One that cannot be read is left out: the start and a reload are refused for it.
pub(crate) fn ends(settings: &Settings) -> Vec<(String, i64)> {
    let listener = settings.server.tls.iter().map(|tls| ("server.tls".to_owned(), &tls.cert_file));
    let gpconnect = settings.server.gpconnect.iter();
    let gpconnect = gpconnect.map(|gpconnect| ("server.gpconnect.tls".to_owned(), &gpconnect.tls.cert_file));
    let of_sources = settings.source_tls.iter().filter_map(|(id, tls)| {
        let file = tls.cert_file.as_ref()?;
        Some((format!("source.{id}.tls"), file))
    });
    let spine = settings.spine.iter().filter_map(|spine| spine.tls.as_ref()?.cert_file.as_ref());
    let spine = spine.map(|file| ("spine.tls".to_owned(), file));
    let all = listener.chain(gpconnect).chain(of_sources).chain(spine);
    all.filter_map(|(key, file)| Some((key, earliest_end(&fs::read(file).ok()?)?.as_second()))).collect()
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
