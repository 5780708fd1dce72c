//! Which media types are taken and given: FHIR JSON, and below GP Connect roots XML where nothing can be lost.

use http::{HeaderMap, StatusCode, header};
use tributary_bounds::Problem;

use crate::exchange::text;

/// Whether R4 JSON may be answered; 406 if not.
pub(crate) fn r4_answer(headers: &HeaderMap, query: Option<&str>) -> Result<(), Problem> {
    if accepts(headers, query, "4.0") {
        return Ok(());
    }
    let words = "Answers are given as application/fhir+json in FHIR 4.0 only. Records are not offered as XML, \
                 because converting them could change clinical values.";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not-supported", words).naming("Accept"))
}

/// Whether a record is wanted as it grows: `Accept` names the event stream, and nothing says that JSON is better.
pub(crate) fn wants_stream(headers: &HeaderMap, query: Option<&str>) -> bool {
    let first = accepted(headers).find(|media| !media.refused);
    format_parameter(query).is_none()
        && first.is_some_and(|media| media.essence.eq_ignore_ascii_case("text/event-stream"))
}

/// Whether the body is R4 JSON; 415 if not.
pub(crate) fn r4_body(headers: &HeaderMap) -> Result<(), Problem> {
    body(headers, "4.0")
}

/// Whether a document is wanted as it is, and not as a FHIR resource (FHIR R4, Binary): somebody who asks for
/// documents and for nothing that FHIR is written in.
pub(crate) fn wants_document(headers: &HeaderMap, query: Option<&str>) -> bool {
    const FHIR: &[&str] = &["application/fhir+json", "application/json", "application/fhir+xml"];
    let is =
        |media: Media<'_>, names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(media.essence));
    let wanted = || accepted(headers).filter(|media| !media.refused);
    format_parameter(query).is_none()
        && !wanted().any(|media| is(media, FHIR))
        && wanted().any(|media| !is(media, &["*/*", "application/*", ""]))
}

/// Whether a merged record may be answered in STU3; 406 if not. STU3 also knows the older name of its JSON.
pub(crate) fn stu3_record_answer(headers: &HeaderMap, query: Option<&str>) -> Result<(), Problem> {
    let is_old = |media: Media<'_>| media.is_old_json() && !media.refused;
    let is_named = match format_parameter(query) {
        Some(format) => is_old(Media::read(&format)),
        None => accepted(headers).any(is_old),
    };
    if is_named || accepts(headers, query, "3.0") {
        return Ok(());
    }
    let words = "Answers are given as application/fhir+json in FHIR 3.0 only. Records are not offered as XML, \
                 because converting them could change clinical values.";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not-supported", words).naming("Accept"))
}

/// Whether the body of a record request is STU3 JSON; 415 if not.
pub(crate) fn stu3_record_body(headers: &HeaderMap) -> Result<(), Problem> {
    match text(headers, "content-type").map(Media::read) {
        Some(media) if media.is_old_json() => Ok(()),
        _ => stu3_body(headers),
    }
}

/// How a GP Connect answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Xml,
}

/// The format of a GP Connect answer: `_format` decides, else `Accept`, else the type of the body, else JSON.
/// What cannot be given is answered with 415 here, not 406.
pub(crate) fn stu3_answer(
    headers: &HeaderMap,
    query: Option<&str>,
    is_xml_given: bool,
) -> Result<Format, Problem> {
    let of = |media: Media<'_>| {
        if media.is_json("3.0") {
            return Some(Format::Json);
        }
        (media.is_xml() && is_xml_given).then_some(Format::Xml)
    };
    let refused = |element: &str| {
        let words = if is_xml_given {
            "Answers are given as application/fhir+json or application/fhir+xml."
        } else {
            "This answer is given as application/fhir+json only: turned into XML it could change."
        };
        Problem::media(words).naming(element)
    };
    if let Some(format) = format_parameter(query) {
        let short = [("json", Format::Json), ("xml", Format::Xml)];
        let short = short.into_iter().find(|(name, _)| format.eq_ignore_ascii_case(name));
        let short = short.map(|(_, format)| format).filter(|format| is_xml_given || *format == Format::Json);
        return short.or_else(|| of(Media::read(&format))).ok_or_else(|| refused("_format"));
    }
    if headers.contains_key(header::ACCEPT) {
        let mut accepted = accepted(headers).filter(|media| !media.refused);
        return accepted.find_map(of).ok_or_else(|| refused("Accept"));
    }
    match text(headers, "content-type") {
        Some(media) => of(Media::read(media)).ok_or_else(|| refused("Content-Type")),
        None => Ok(Format::Json),
    }
}

/// Whether the body is STU3 JSON; 415 if not.
pub(crate) fn stu3_body(headers: &HeaderMap) -> Result<(), Problem> {
    body(headers, "3.0")
}

fn body(headers: &HeaderMap, version: &str) -> Result<(), Problem> {
    let media = text(headers, "content-type").map(Media::read);
    if media.is_some_and(|media| media.is_json(version) && !media.essence.contains('*')) {
        return Ok(());
    }
    let words = "The body must be application/fhir+json or application/json, in UTF-8.";
    Err(Problem::media(words).naming("Content-Type"))
}

/// `_format` wins over `Accept`; without either anything goes.
fn accepts(headers: &HeaderMap, query: Option<&str>, version: &str) -> bool {
    if let Some(format) = format_parameter(query) {
        return format.eq_ignore_ascii_case("json") || Media::read(&format).is_json(version);
    }
    if !headers.contains_key(header::ACCEPT) {
        return true;
    }
    accepted(headers).any(|media| media.is_json(version) && !media.refused)
}

fn format_parameter(query: Option<&str>) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let (_, format) = pairs.find(|(key, _)| key == "_format")?;
    // An unescaped plus sign arrives as a space.
    Some(format.replace(' ', "+"))
}

fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Media<'_>> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(Media::read)
}

/// A media type or range with what matters of its parameters.
#[derive(Clone, Copy)]
struct Media<'t> {
    essence: &'t str,
    charset: Option<&'t str>,
    version: Option<&'t str>,
    /// `q=0`: named in order to be refused.
    refused: bool,
}

impl<'t> Media<'t> {
    fn read(text: &'t str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut media =
            Self { essence: parts.next().unwrap_or_default(), charset: None, version: None, refused: false };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "charset" => media.charset = Some(value),
                "fhirversion" => media.version = Some(value),
                "q" => media.refused = value.bytes().all(|byte| matches!(byte, b'0' | b'.')),
                _ => {}
            }
        }
        media
    }

    fn is_xml(self) -> bool {
        const KNOWN: &[&str] = &["application/fhir+xml", "application/xml", "text/xml"];
        KNOWN.iter().any(|known| known.eq_ignore_ascii_case(self.essence))
            && self.charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
            && self.version.is_none_or(|asked| asked == "3.0")
    }

    /// What FHIR called its JSON before STU3, and STU3 servers still take.
    fn is_old_json(self) -> bool {
        self.essence.eq_ignore_ascii_case("application/json+fhir")
            && self.charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
            && self.version.is_none_or(|asked| asked == "3.0")
    }

    fn is_json(self, version: &str) -> bool {
        const KNOWN: &[&str] = &["application/fhir+json", "application/json", "application/*", "*/*"];
        KNOWN.iter().any(|known| known.eq_ignore_ascii_case(self.essence))
            && self.charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
            && self.version.is_none_or(|asked| asked == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_browser_wants_the_document_and_a_program_the_resource() {
        let check = |accept: &str, query: Option<&str>, expected: bool| {
            assert_eq!(wants_document(&headers(header::ACCEPT, accept), query), expected, "{accept}");
        };
        assert!(!wants_document(&HeaderMap::new(), None));
        check("*/*", None, false);
        check("application/fhir+json", None, false);
        check("application/fhir+json, application/pdf", None, false);
        check("application/pdf", None, true);
        check("application/pdf", Some("_format=json"), false);
        check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, true);
    }

    #[track_caller]
    fn check_answer(accept: &str, query: Option<&str>, accepted: bool) {
        let answer = r4_answer(&headers(header::ACCEPT, accept), query);
        assert_eq!(answer.is_ok(), accepted, "{accept} {query:?}");
        if let Err(problem) = answer {
            assert_eq!(problem.status, StatusCode::NOT_ACCEPTABLE);
        }
    }

    #[test]
    fn only_json_is_given() {
        check_answer("application/fhir+xml", None, false);
        check_answer("text/event-stream", None, false);
        check_answer("application/fhir+json; fhirVersion=3.0", None, false);
        check_answer("application/fhir+json;q=0", None, false);
        check_answer("application/fhir+json", Some("_format=xml"), false);
        check_answer("", None, false);
        check_answer("application/fhir+json; fhirVersion=4.0", None, true);
        check_answer("text/html, */*;q=0.1", None, true);
        check_answer("application/fhir+xml", Some("_format=application/fhir+json"), true);
        assert!(r4_answer(&HeaderMap::new(), None).is_ok());
    }

    #[test]
    fn a_merged_record_in_stu3_is_json_under_both_names() {
        for (accept, accepted) in [
            ("application/fhir+json", true),
            ("application/json+fhir", true),
            ("application/fhir+json; fhirVersion=3.0", true),
            ("application/fhir+json; fhirVersion=4.0", false),
            ("application/json+fhir; fhirVersion=4.0", false),
            ("application/json+fhir;q=0", false),
            ("application/fhir+xml", false),
        ] {
            let answer = stu3_record_answer(&headers(header::ACCEPT, accept), None);
            assert_eq!(answer.is_ok(), accepted, "{accept}");
            let body = stu3_record_body(&headers(header::CONTENT_TYPE, accept));
            assert_eq!(body.is_ok(), accepted || accept.ends_with("q=0"), "{accept}");
        }
        assert!(stu3_record_answer(&HeaderMap::new(), Some("_format=application/json+fhir")).is_ok());
        assert!(stu3_record_answer(&HeaderMap::new(), Some("_format=xml")).is_err());
        assert!(stu3_record_body(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_stream_is_given_to_whoever_names_it_first() {
        let check = |accept: &str, query: Option<&str>, expected: bool| {
            assert_eq!(wants_stream(&headers(header::ACCEPT, accept), query), expected, "{accept}");
        };
        check("text/event-stream", None, true);
        check("Text/Event-Stream; charset=utf-8, application/fhir+json;q=0.5", None, true);
        check("application/fhir+json, text/event-stream", None, false);
        check("text/event-stream;q=0, application/fhir+json", None, false);
        check("text/event-stream", Some("_format=json"), false);
        check("*/*", None, false);
        assert!(!wants_stream(&HeaderMap::new(), None));
        let xml = r4_answer(&headers(header::ACCEPT, "application/fhir+xml"), None).unwrap_err();
        assert!(xml.text.contains("XML"));
    }

    #[test]
    fn only_json_is_taken() {
        for bad in ["application/fhir+xml", "application/json; charset=latin1", "*/*", ""] {
            let problem = r4_body(&headers(header::CONTENT_TYPE, bad)).unwrap_err();
            assert_eq!(problem.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{bad}");
        }
        assert!(r4_body(&HeaderMap::new()).is_err());
        for good in [
            "application/fhir+json;charset=utf-8",
            "application/json",
            "Application/FHIR+JSON; charset=\"UTF-8\"",
        ] {
            assert!(r4_body(&headers(header::CONTENT_TYPE, good)).is_ok(), "{good}");
        }
        assert!(stu3_body(&headers(header::CONTENT_TYPE, "application/fhir+json; fhirVersion=4.0")).is_err());
    }

    #[track_caller]
    fn check_format(query: Option<&str>, accept: &str, body: &str, expected: Option<Format>) {
        let named = [(header::ACCEPT, accept), (header::CONTENT_TYPE, body)];
        let given = named.into_iter().filter(|(_, value)| !value.is_empty());
        let headers = given.map(|(name, value)| (name, HeaderValue::from_str(value).unwrap())).collect();
        let found = stu3_answer(&headers, query, true);
        assert_eq!(found.as_ref().ok().copied(), expected, "{query:?} {accept} {body}");
        if let Err(problem) = found {
            assert_eq!(problem.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
    }

    #[test]
    fn the_format_is_decided_by_query_then_accept_then_body() {
        const JSON: &str = "application/fhir+json;charset=utf-8";
        const XML: &str = "application/fhir+xml; charset=utf-8";
        let (json, xml) = (Some(Format::Json), Some(Format::Xml));
        check_format(Some("_format=application%2Ffhir%2Bxml"), JSON, JSON, xml);
        check_format(Some("a=1&_format=application/fhir+json"), XML, XML, json);
        check_format(Some("_format=xml"), JSON, "", xml);
        check_format(Some("_format=text/turtle"), JSON, JSON, None);
        check_format(None, XML, JSON, xml);
        check_format(None, JSON, XML, json);
        check_format(None, "text/html", JSON, None);
        check_format(None, "text/html, application/fhir+xml", JSON, xml);
        check_format(None, "*/*", XML, json);
        check_format(None, "", XML, xml);
        check_format(None, "", "text/plain", None);
        check_format(None, "", "", json);
    }

    #[test]
    fn records_are_given_in_json_only() {
        let xml = headers(header::ACCEPT, "application/fhir+xml");
        assert!(stu3_answer(&xml, None, false).unwrap_err().text.contains("application/fhir+json only"));
        assert!(stu3_answer(&xml, Some("_format=json"), false).is_ok());
        assert!(stu3_answer(&HeaderMap::new(), Some("_format=xml"), false).is_err());
        let both = headers(header::ACCEPT, "application/fhir+xml, application/fhir+json;q=0.5");
        assert_eq!(stu3_answer(&both, None, false), Ok(Format::Json));
        assert_eq!(stu3_answer(&both, None, true), Ok(Format::Xml));
    }
}
