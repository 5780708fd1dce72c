//! An error on its way to the caller: what is wrong, in words that name no host and no patient.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, header};

/// A Spine error code with the words published for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spine(
    /// The code.
    pub &'static str,
    /// Its words.
    pub &'static str,
);

impl Spine {
    /// The request cannot be read.
    pub const BAD_REQUEST: Self = Self("BAD_REQUEST", "Bad request");
    /// It is no NHS number.
    pub const NHS_NUMBER: Self = Self("INVALID_NHS_NUMBER", "Invalid NHS number");
    /// The number is of another system.
    pub const IDENTIFIER_SYSTEM: Self = Self("INVALID_IDENTIFIER_SYSTEM", "Invalid identifier system");
    /// A parameter is wrong.
    pub const PARAMETER: Self = Self("INVALID_PARAMETER", "Invalid parameter");
    /// A resource is wrong as a whole.
    pub const RESOURCE: Self = Self("INVALID_RESOURCE", "Invalid validation of resource");
    /// Nobody holds it.
    pub const NO_RECORD: Self = Self("NO_RECORD_FOUND", "No record found");
    /// There is no such practitioner.
    pub const PRACTITIONER: Self = Self("PRACTITIONER_NOT_FOUND", "Practitioner not found");
    /// There is no such patient.
    pub const PATIENT: Self = Self("PATIENT_NOT_FOUND", "Patient not found");
    /// The patient does not want it shared.
    pub const CONSENT: Self = Self("NO_PATIENT_CONSENT", "Patient has not provided consent to share data");
    /// There is no such organisation.
    pub const ORGANISATION: Self = Self("ORGANISATION_NOT_FOUND", "Organisation not found");
    /// The policy says no.
    pub const DENIED: Self = Self("ACCESS DENIED", "Access has been denied to process this request");
    /// It is not done here.
    pub const UNIMPLEMENTED: Self = Self("NOT_IMPLEMENTED", "Not implemented");
    /// It is our fault.
    pub const INTERNAL: Self = Self("INTERNAL_SERVER_ERROR", "Unexpected internal server error");
}

/// An error response before it has a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// FHIR issue type.
    pub code: &'static str,
    /// The Spine's code for it.
    pub spine: Option<Spine>,
    /// What is wrong, for people.
    pub text: Box<str>,
    /// The header or parameter at fault; never its value.
    pub element: Option<Box<str>>,
    /// What else the answer says.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Without more than a status, an issue type and words.
    pub fn new(status: StatusCode, code: &'static str, text: impl Into<Box<str>>) -> Self {
        Self { status, code, spine: None, text: text.into(), element: None, headers: Vec::new() }
    }

    /// 400.
    pub fn bad(text: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", text).coded(Spine::BAD_REQUEST)
    }

    /// 415.
    pub fn media(text: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", text).coded(Spine::BAD_REQUEST)
    }

    /// 422: a parameter is wrong.
    pub fn parameter(name: &str, text: impl Into<Box<str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", text).coded(Spine::PARAMETER).naming(name)
    }

    /// 422: the resource as a whole is wrong.
    pub fn resource(name: &str, text: impl Into<Box<str>>) -> Self {
        Self::parameter(name, text).coded(Spine::RESOURCE)
    }

    /// 500, without detail.
    pub fn internal() -> Self {
        let text = "Something went wrong here. Nothing was disclosed.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "exception", text).coded(Spine::INTERNAL)
    }

    /// With a Spine code.
    #[must_use]
    pub const fn coded(mut self, spine: Spine) -> Self {
        self.spine = Some(spine);
        self
    }

    /// With the header or parameter at fault.
    #[must_use]
    pub fn naming(mut self, element: &str) -> Self {
        self.element = Some(element.into());
        self
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Asks the caller to come back later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let seconds = retry_seconds(wait);
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Ends the connection: what follows on it cannot be trusted.
    #[must_use]
    pub fn closing(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }
}

/// Whole seconds, at least one: `Retry-After: 0` would ask for a storm.
pub fn retry_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
}
