//! An error on its way to the caller: what is wrong, in words that name no host and no patient.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, header};

/// A Spine error code with the words published for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spine(pub(crate) &'static str, pub(crate) &'static str);

impl Spine {
    pub(crate) const BAD_REQUEST: Self = Self("BAD_REQUEST", "Bad request");
    pub(crate) const NHS_NUMBER: Self = Self("INVALID_NHS_NUMBER", "Invalid NHS number");
    pub(crate) const IDENTIFIER_SYSTEM: Self = Self("INVALID_IDENTIFIER_SYSTEM", "Invalid identifier system");
    pub(crate) const PARAMETER: Self = Self("INVALID_PARAMETER", "Invalid parameter");
    pub(crate) const RESOURCE: Self = Self("INVALID_RESOURCE", "Invalid validation of resource");
    pub(crate) const NO_RECORD: Self = Self("NO_RECORD_FOUND", "No record found");
    pub(crate) const PRACTITIONER: Self = Self("PRACTITIONER_NOT_FOUND", "Practitioner not found");
    pub(crate) const PATIENT: Self = Self("PATIENT_NOT_FOUND", "Patient not found");
    pub(crate) const CONSENT: Self =
        Self("NO_PATIENT_CONSENT", "Patient has not provided consent to share data");
    pub(crate) const ORGANISATION: Self = Self("ORGANISATION_NOT_FOUND", "Organisation not found");
    pub(crate) const DENIED: Self = Self("ACCESS DENIED", "Access has been denied to process this request");
    pub(crate) const UNIMPLEMENTED: Self = Self("NOT_IMPLEMENTED", "Not implemented");
    pub(crate) const INTERNAL: Self = Self("INTERNAL_SERVER_ERROR", "Unexpected internal server error");
}

/// An error response before it has a shape.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// FHIR issue type.
    pub(crate) code: &'static str,
    pub(crate) spine: Option<Spine>,
    pub(crate) text: Box<str>,
    /// The header or parameter at fault; never its value.
    pub(crate) element: Option<Box<str>>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, text: impl Into<Box<str>>) -> Self {
        Self { status, code, spine: None, text: text.into(), element: None, headers: Vec::new() }
    }

    /// 400.
    pub(crate) fn bad(text: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", text).coded(Spine::BAD_REQUEST)
    }

    /// 415.
    pub(crate) fn media(text: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", text).coded(Spine::BAD_REQUEST)
    }

    /// 422: a parameter is wrong.
    pub(crate) fn parameter(name: &str, text: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", text).coded(Spine::PARAMETER).naming(name)
    }

    /// 422: the resource as a whole is wrong.
    pub(crate) fn resource(name: &str, text: impl Into<Box<str>>) -> Self {
        Self::parameter(name, text).coded(Spine::RESOURCE)
    }

    /// 500, without detail.
    pub(crate) fn internal() -> Self {
        let text = "Something went wrong here. Nothing was disclosed.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", text).coded(Spine::INTERNAL)
    }

    #[must_use]
    pub(crate) const fn coded(mut self, spine: Spine) -> Self {
        self.spine = Some(spine);
        self
    }

    #[must_use]
    pub(crate) fn naming(mut self, element: &str) -> Self {
        self.element = Some(element.into());
        self
    }

    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Asks the caller to come back later.
    #[must_use]
    pub(crate) fn after(self, wait: Duration) -> Self {
        let seconds = retry_seconds(wait);
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Ends the connection: what follows on it cannot be trusted.
    #[must_use]
    pub(crate) fn closing(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }
}

/// Whole seconds, at least one: `Retry-After: 0` would ask for a storm.
pub(crate) fn retry_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
}
