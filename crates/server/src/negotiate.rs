//! Which media types are taken and given: FHIR JSON, and nothing else yet.

use http::{HeaderMap, StatusCode, header};

use crate::exchange::text;
use crate::problem::Problem;

/// Whether R4 JSON may be answered; 406 if not.
pub(crate) fn r4_answer(headers: &HeaderMap, query: Option<&str>) -> Result<(), Problem> {
    if accepts(headers, query, "4.0") {
        return Ok(());
    }
    let wants_stream =
        headers.get_all(header::ACCEPT).iter().any(|value| contains(value.as_bytes(), b"text/event-stream"));
    let words = if wants_stream {
        "The event stream is not offered yet; ask for application/fhir+json."
    } else {
        "Answers are given as application/fhir+json in FHIR 4.0 only. Records are not offered as XML, because \
         converting them could change clinical values."
    };
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not-supported", words).naming("Accept"))
}

/// Whether the body is R4 JSON; 415 if not.
pub(crate) fn r4_body(headers: &HeaderMap) -> Result<(), Problem> {
    body(headers, "4.0")
}

/// Whether STU3 JSON may be answered. GP Connect answers 415 here, not 406.
pub(crate) fn stu3_answer(headers: &HeaderMap, query: Option<&str>) -> Result<(), Problem> {
    if accepts(headers, query, "3.0") {
        return Ok(());
    }
    Err(Problem::media("Answers are given as application/fhir+json only.").naming("Accept"))
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
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    if let Some((_, format)) = pairs.into_iter().find(|(key, _)| key == "_format") {
        // An unescaped plus sign arrives as a space.
        let format = format.replace(' ', "+");
        return format.eq_ignore_ascii_case("json") || Media::read(&format).is_json(version);
    }
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(Media::read)
        .any(|media| media.is_json(version) && !media.refused)
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

    fn is_json(self, version: &str) -> bool {
        const KNOWN: &[&str] = &["application/fhir+json", "application/json", "application/*", "*/*"];
        KNOWN.iter().any(|known| known.eq_ignore_ascii_case(self.essence))
            && self.charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
            && self.version.is_none_or(|asked| asked == version)
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
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
    fn streams_are_told_apart_from_xml() {
        let stream = r4_answer(&headers(header::ACCEPT, "text/event-stream"), None).unwrap_err();
        assert!(stream.text.contains("not offered yet"));
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
}
