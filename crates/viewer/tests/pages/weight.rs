//! What a page costs on one bar of signal.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tributary_model::Role;
use tributary_viewer::{Growing, STYLE, failed, policy, script, search, signed_out};

use crate::kit::{full, page, reader, whole};

/// Of the style, packed: every page carries it, and nothing is painted before it.
const STYLE_PACKED_BYTES: usize = 4 << 10;
/// Of the script, packed.
const SCRIPT_PACKED_BYTES: usize = 4 << 10;
/// Of a page with all that belongs to it, packed (client.md 1.4).
const FIRST_PACKED_BYTES: usize = 30 << 10;

fn packed(text: &str) -> usize {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap().len()
}

#[test]
fn style_script_and_page_are_light() {
    assert!(packed(STYLE) <= STYLE_PACKED_BYTES, "{}", packed(STYLE));
    assert!(packed(script()) <= SCRIPT_PACKED_BYTES, "{}", packed(script()));
    let page = whole(&full(), Role::Ambulance);
    assert!(packed(&page) <= FIRST_PACKED_BYTES, "{}", packed(&page));
    let (form, search) = (linked(&search(&[], None)), search(&[], None));
    assert_eq!(form.len(), 1);
    let style = tributary_viewer::asset(&form[0]).unwrap().1;
    assert!(packed(&search) + packed(style) <= FIRST_PACKED_BYTES);
}

/// The names of the files that a page loads from us.
fn linked(page: &str) -> Vec<String> {
    let names = page.split("\"/viewer/").skip(1);
    names.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn a_record_is_one_answer_whose_style_stands_before_what_it_is_for() {
    let mut growing = Growing::default();
    let (view, reader) = (full(), reader(Role::Ambulance));
    let shell = growing.begin(&page(&view, &reader));
    for page in [&whole(&view, Role::Ambulance), &shell, &failed("No source could be used."), &signed_out()] {
        assert_eq!(linked(page), Vec::<String>::new());
        assert!(!page.contains("<link") && !page.contains(" src="), "nothing to wait for");
        let style = page.find(&format!("<style>{STYLE}</style>\n</head>")).unwrap();
        let script = page.find(&format!("<script>{}</script>", script())).unwrap();
        let body = page.find("<body").unwrap();
        assert!(style < body && body < page.find("<main").unwrap());
        assert!(page.find("</main>").unwrap() < script, "what it looks for is there before it");
        assert_eq!((page.matches("<style").count(), page.matches("<script").count()), (1, 1));
    }
    // What is placed later finds the script there.
    assert!(shell.trim_end().ends_with("</script>"));
}

#[test]
fn a_browser_is_told_the_digests_of_what_stands_in_a_page() {
    let page = whole(&full(), Role::Ambulance);
    let within = |open: &str, close: &str| {
        let (_, rest) = page.split_once(open).unwrap();
        let text = rest.split_once(close).unwrap().0;
        format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
    };
    let said = |directive: &str| {
        let mut all = policy().split("; ").filter_map(|one| one.strip_prefix(directive));
        all.next().unwrap().trim().to_owned()
    };
    assert_eq!(said("style-src"), format!("'self' {}", within("<style>", "</style>")));
    assert_eq!(said("script-src"), format!("'self' {}", within("<script>", "</script>")));
    assert!(!policy().contains("-inline") && !policy().contains("-eval"), "{}", policy());
    assert!(policy().starts_with("default-src 'none'; "));
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
        assert!(!script().contains(word), "{word}");
    }
    for text in [STYLE, script()] {
        assert!(!text.contains("http://") && !text.contains("@import") && !text.contains("@font-face"));
        assert!(!text.contains("https://"), "nothing of anybody else's");
    }
}
