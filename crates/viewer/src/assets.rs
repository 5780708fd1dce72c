//! Style and script. They stand within every page, so that one answer is all that a reader waits for: what has to be
//! asked for costs another turn of the line before anything is painted, and may be lost. Only what the search form
//! needs beside them is a file, under a name made from its content.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The style of every page. Made by `style/build`.
pub const STYLE: &str = include_str!("../style/viewer.css");
/// What the search form needs beside it. Made by the same.
const FORM: &str = include_str!("../style/form.css");
/// The script of every page as it is written. Without it everything can be read, and nothing comes by itself.
const WRITTEN: &str = include_str!("../script/viewer.js");

/// What no page needs of a device.
pub const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), display-capture=(), \
encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), \
magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), \
usb=(), web-share=(), xr-spatial-tracking=()";

/// The script of every page as it is sent: without indentation and without lines that only comment.
pub fn script() -> &'static str {
    static SENT: LazyLock<String> = LazyLock::new(|| {
        let lines = WRITTEN.lines().map(str::trim_start);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
        lines.flat_map(|line| [line, "\n"]).collect()
    });
    &SENT
}

/// What the browser may do with a page but for who may frame it: use the style and the script that stand in it, known
/// by their digests, load our own, ask us, send forms to us, and nothing else.
pub fn policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let (style, script) = (digest(STYLE), digest(script()));
        format!(
            "default-src 'none'; style-src 'self' '{style}'; script-src 'self' '{script}'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'"
        )
    });
    &POLICY
}

/// The address of the search form's style.
pub(crate) fn form_address() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("/viewer/{:016x}.css", mark(FORM)));
    &NAME
}

/// What is found below `/viewer/` under a name: its media type and content. It never changes under one name, so it may
/// be kept for as long as anybody likes.
pub fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    let is_form = form_address().strip_prefix("/viewer/") == Some(name);
    is_form.then_some(("text/css; charset=utf-8", FORM))
}

/// As a Content-Security-Policy names what stands in a page (CSP level 3, 2.3.1).
fn digest(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// FNV-1a: tells one release from the next, and keeps nothing safe.
fn mark(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |mark, byte| {
        (mark ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // The example of CSP level 3, 2.3.1.
        assert_eq!(digest("alert('Hello, world.');"), "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
    }

    #[test]
    fn the_script_is_sent_whole_but_for_its_comments() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let written: Vec<&str> =
            WRITTEN.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        assert_eq!(words(script()), words(&written.join("\n")));
        assert!(script().len() < WRITTEN.len() && !script().contains("\n//"));
        // A line that goes on in the next would be another one without its indentation.
        assert!(!WRITTEN.contains('`') && !WRITTEN.contains("/*") && !WRITTEN.contains("\\\n"));
    }

    #[test]
    fn neither_ends_before_its_end() {
        for text in [STYLE, script()] {
            assert!(!text.contains("</") && !text.contains("<!--") && !text.contains("<main"), "{text}");
            // A browser reads a line's end as one character, and would find another digest.
            assert!(!text.contains('\r') && !text.contains('\0'));
        }
    }
}
