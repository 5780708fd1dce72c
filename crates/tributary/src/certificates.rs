//! When our own certificates end, for whoever has to see to new ones.

use std::fs;

use tributary_sources::egress::earliest_end;

use crate::settings::Settings;

/// Every certificate of ours by the key of its section, with the second since 1970 at which it ends.
///
/// One that cannot be read is left out: the start and a reload are refused for it.
pub(crate) fn ends(settings: &Settings) -> Vec<(String, i64)> {
    let listener = settings.server.tls.iter().map(|tls| ("server.tls".to_owned(), &tls.cert_file));
    let of_sources = settings.source_tls.iter().filter_map(|(id, tls)| {
        let file = tls.cert_file.as_ref()?;
        Some((format!("source.{id}.tls"), file))
    });
    let spine = settings.spine.iter().filter_map(|spine| spine.tls.as_ref()?.cert_file.as_ref());
    let spine = spine.map(|file| ("spine.tls".to_owned(), file));
    let all = listener.chain(of_sources).chain(spine);
    all.filter_map(|(key, file)| Some((key, earliest_end(&fs::read(file).ok()?)?.as_second()))).collect()
}
