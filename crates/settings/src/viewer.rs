//! `[viewer]`: the pages.

use super::reader::Reader;

/// What the pages may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewerSettings {
    /// Origins whose pages may show ours inside them; nobody unless named.
    pub frame_ancestors: Vec<String>,
}

pub(super) fn read(mut table: Reader<'_>) -> ViewerSettings {
    let settings =
        ViewerSettings { frame_ancestors: table.list("frame_ancestors", origin).unwrap_or_default() };
    table.close();
    settings
}

/// An origin, exactly: no path, no wildcard, nothing that could end a header's directive.
fn origin(text: &str) -> Result<String, &'static str> {
    const SHAPE: &str = "must be an origin such as https://epr.example.test, without a path or a wildcard";
    let host = text.strip_prefix("https://").ok_or(SHAPE)?;
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let letters =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let is_name = !name.is_empty() && name.bytes().all(letters);
    if is_name && port.parse::<u16>().is_ok() { Ok(text.to_owned()) } else { Err(SHAPE) }
}

#[cfg(test)]
mod tests {
    use crate::Settings;

    #[test]
    fn only_whole_origins_may_show_us() {
        let read = |origin: &str| {
            let text = format!("[viewer]\nframe_ancestors = [\"{origin}\"]\n");
            Settings::parse(&text).map(|settings| settings.viewer.frame_ancestors).ok()
        };
        for origin in ["https://epr.example.test", "https://epr.example.test:8443"] {
            assert_eq!(read(origin), Some(vec![origin.to_owned()]));
        }
        for origin in [
            "http://epr.example.test",
            "https://*.example.test",
            "https://epr.example.test/",
            "https://a.test; script-src *",
            "https://a.test b.test",
            "https://",
            "https://a.test:x",
            "*",
        ] {
            assert_eq!(read(origin), None, "{origin}");
        }
        assert_eq!(
            Settings::parse("").map(|settings| settings.viewer.frame_ancestors).ok(),
            Some(Vec::new())
        );
    }
}
