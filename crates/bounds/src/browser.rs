//! What a browser says of itself beside a request (Fetch Metadata), and what of it is a person opening a page.

/// Whether a person opens a page with this request, in a window or in a frame. What is fetched ahead of time, or as a
/// part of another page, is not looked at by anybody, and would use up what is good for one look. Who says nothing of it
/// is an older browser, and taken at its word.
pub fn opens_a_page<'h>(header: impl Fn(&str) -> Option<&'h str>) -> bool {
    let is_ahead = ["sec-purpose", "purpose", "x-moz"].into_iter().any(|name| {
        header(name).is_some_and(|value| value.contains("prefetch") || value.contains("prerender"))
    });
    let navigates = header("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    let shows = header("sec-fetch-dest").is_none_or(|dest| matches!(dest, "document" | "iframe" | "frame"));
    !is_ahead && navigates && shows
}

/// Whether whoever asks shows people pages: they are answered with one, whatever it says.
pub fn reads_pages<'h>(header: impl Fn(&str) -> Option<&'h str>) -> bool {
    header("sec-fetch-mode") == Some("navigate")
        || header("accept").is_some_and(|accept| accept.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_person_opens_a_page() {
        let check = |headers: &[(&str, &'static str)], expected: bool| {
            let found = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            assert_eq!(opens_a_page(found), expected, "{headers:?}");
        };
        check(&[], true);
        check(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], true);
        check(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], true);
        for dest in ["image", "script", "object", "embed", "empty", "style"] {
            check(&[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)], false);
        }
        check(&[("sec-fetch-mode", "no-cors")], false);
        check(&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")], false);
        check(&[("sec-purpose", "prefetch;prerender")], false);
        check(&[("purpose", "prefetch")], false);
        check(&[("x-moz", "prefetch")], false);
    }

    #[test]
    fn a_program_is_no_browser() {
        let reads = |name: &'static str, value: &'static str| {
            reads_pages(move |wanted: &str| (wanted == name).then_some(value))
        };
        assert!(reads("accept", "text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(reads("sec-fetch-mode", "navigate"));
        assert!(!reads("accept", "application/json") && !reads("accept", "*/*"));
    }
}
