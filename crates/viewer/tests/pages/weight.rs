//! What a page costs on one bar of signal.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tributary_model::Role;
use tributary_viewer::{SCRIPT, STYLE};

use crate::kit::{full, record};

/// Of the style, packed (client.md 1.4).
const STYLE_PACKED_BYTES: usize = 12 << 10;
/// Of the script, as it is.
const SCRIPT_BYTES: usize = 12 << 10;
/// Of page and style together, packed.
const FIRST_PACKED_BYTES: usize = 30 << 10;

fn packed(text: &str) -> usize {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap().len()
}

#[test]
fn style_script_and_page_are_light() {
    assert!(packed(STYLE) <= STYLE_PACKED_BYTES, "{}", packed(STYLE));
    assert!(SCRIPT.len() <= SCRIPT_BYTES, "{}", SCRIPT.len());
    let page = record(&full(), Role::Ambulance);
    assert!(packed(&page) + packed(STYLE) <= FIRST_PACKED_BYTES);
}

#[test]
fn nothing_is_kept_on_the_device_and_nothing_is_loaded_from_elsewhere() {
    for word in [
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "caches.",
        "serviceWorker",
        "document.cookie",
        "innerHTML",
        "eval(",
    ] {
        assert!(!SCRIPT.contains(word), "{word}");
    }
    for text in [STYLE, SCRIPT] {
        assert!(!text.contains("http://") && !text.contains("@import") && !text.contains("@font-face"));
        assert!(!text.contains("https://"), "nothing of anybody else's");
    }
}
