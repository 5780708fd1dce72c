//! Why a source did not contribute, as a value: facts, not sentences.

use std::time::Duration;

use crate::status::SourceStatus;

/// May the ask be tried again, and where?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Another attempt cannot help.
    Never,
    /// A new connection may help: nothing of the answer was read.
    Elsewhere,
    /// The source asks to wait.
    Later(Duration),
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $status:ident;)*) => {
        /// What exactly went wrong: a closed set for metrics, audit and logs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultClass { $($(#[$doc])* $name,)* }

        impl FaultClass {
            /// Every class.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code in metrics, audit and logs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status a reader sees.
            pub const fn status(self) -> SourceStatus {
                match self { $(Self::$name => SourceStatus::$status,)* }
            }
        }
    };
}

classes! {
    /// No connection within its budget.
    ConnectTimeout, "connect_timeout", Unavailable;
    /// Refused or unreachable.
    Connect, "connect", Unavailable;
    /// Its name could not be resolved.
    Dns, "dns", Unavailable;
    /// Its name leads to an address that no source may have: nothing was sent there.
    AddressBlocked, "address_blocked", Unavailable;
    /// No TLS handshake within its budget.
    TlsTimeout, "tls_timeout", Unavailable;
    /// Its certificate has expired.
    TlsExpired, "tls_expired", Unavailable;
    /// Its certificate is not valid yet.
    TlsNotYetValid, "tls_not_yet_valid", Unavailable;
    /// Its certificate names somebody else.
    TlsName, "tls_name", Unavailable;
    /// Its certificate comes from no authority that is believed.
    TlsUntrusted, "tls_untrusted", Unavailable;
    /// Its certificate was called back, or nobody knows whether it was.
    TlsRevoked, "tls_revoked", Unavailable;
    /// It speaks no version or suite of TLS that we speak.
    TlsVersion, "tls_version", Unavailable;
    /// It does not accept our certificate.
    TlsClientRejected, "tls_client_rejected", Unavailable;
    /// The TLS handshake failed for another reason.
    Tls, "tls", Unavailable;
    /// The connection broke before the answer was whole.
    Reset, "reset", Unavailable;
    /// 5xx.
    ServerError, "http_5xx", Unavailable;
    /// A redirect: never followed.
    Redirect, "redirect", Unavailable;
    /// 404 without a FHIR outcome: the address is wrong, not the patient.
    BadEndpoint, "bad_endpoint", Unavailable;
    /// 200 with an outcome that says the source failed.
    OutcomeError, "outcome_error", Unavailable;
    /// No response head by the deadline.
    NoHead, "no_head", Timeout;
    /// Head, but no whole body by the deadline.
    SlowBody, "slow_body", Timeout;
    /// 429 or 503 with `Retry-After`.
    Throttled, "throttled", Shed;
    /// It has as many requests of ours as it may have, and none ended in time.
    Guard, "guard", Shed;
    /// Its breaker is shut: it failed too often just now.
    Breaker, "breaker", Shed;
    /// The memory budget of this broker is spent.
    Memory, "memory", Shed;
    /// 401 or 403 without a consent code.
    Denied, "denied", Denied;
    /// The Spine proxy knows no agreement to share between the two organisations.
    NoAgreement, "no_agreement", Denied;
    /// The Spine proxy does not know the sender, or not the receiver for this interaction.
    AsidCheck, "asid_check", Denied;
    /// The Spine proxy has another address for the source than we have.
    EndpointVaries, "endpoint_varies", Unavailable;
    /// 403 with a consent code.
    Consent, "consent", WithheldConsent;
    /// 404 `PATIENT_NOT_FOUND` or its like.
    NoRecord, "no_record", NoRecord;
    /// 400 or 422: our request was at fault.
    OurRequest, "our_request", Invalid;
    /// An unexpected success or informational status.
    UnexpectedStatus, "unexpected_status", Invalid;
    /// 204, or 200 without a body.
    EmptyBody, "empty_body", Invalid;
    /// The body ended before its declared length.
    Truncated, "truncated", Invalid;
    /// Body, string, entry or token count above the limit.
    TooLarge, "too_large", Invalid;
    /// A content encoding that was not offered, or that does not decode.
    Encoding, "encoding", Invalid;
    /// A media type that is not FHIR JSON.
    MediaType, "media_type", Invalid;
    /// Not UTF-8.
    Utf8, "utf8", Invalid;
    /// Not JSON.
    JsonSyntax, "json_syntax", Invalid;
    /// Nested deeper than the limit.
    JsonDepth, "json_depth", Invalid;
    /// The same key twice in one object.
    JsonDuplicate, "json_duplicate", Invalid;
    /// JSON, but not the FHIR shape that was asked for.
    Shape, "shape", Invalid;
    /// Another FHIR version than the source is registered with.
    Version, "version", Invalid;
    /// No Patient to prove whose record this is.
    IdentityUnproven, "identity_unproven", Invalid;
    /// Another patient's NHS number, or none where one is needed.
    IdentityNumber, "identity_number", IdentityMismatch;
    /// The number fits, the demographics do not.
    IdentityDemographics, "identity_demographics", IdentityMismatch;
    /// Statements of another patient among this patient's.
    IdentityMixed, "identity_mixed", IdentityMismatch;
    /// The source is switched off by configuration.
    SwitchedOff, "switched_off", NotQueried;
    /// The source was disabled after proven mix-ups.
    IdentitySwitch, "identity_switch", NotQueried;
    /// The caller's organisation has no system id registered here, and a source is never asked in another's name.
    NoAsid, "no_asid", NotQueried;
    /// The source does not offer what was asked, by its registration.
    NotOffered, "not_offered", NotQueried;
    /// It could not be found out where the source is: nothing was sent anywhere.
    Unlocated, "unlocated", Unavailable;
    /// Nothing it serves was asked for.
    NothingAsked, "nothing_asked", NotQueried;
    /// It answered, and nothing can be taken out of its answer for a role that sees a part of the record.
    NotScreened, "not_screened", WithheldPolicy;
    /// The policy lets the requester see nothing of what this kind of source serves: it was not asked.
    NotPermitted, "not_permitted", WithheldPolicy;
    /// The ask panicked or was lost: our fault.
    Internal, "internal", Unavailable;
    /// The national demographics service knows no practice that the patient is registered with now.
    NoPractice, "no_practice", NotQueried;
    /// The patient's practice is known, and nothing here can ask it.
    PracticeNotServed, "practice_not_served", NotQueried;
}

/// Spine error codes a source may send and a reader may see. Closed, so that no free text passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpineCode(&'static str);

impl SpineCode {
    const KNOWN: &[&str] = &[
        "ACCESS DENIED",
        "ACCESS_DENIED",
        "BAD_REQUEST",
        "CONFLICTING_VALUES",
        "INTERNAL_SERVER_ERROR",
        "INVALID_IDENTIFIER_SYSTEM",
        "INVALID_IDENTIFIER_VALUE",
        "INVALID_NHS_NUMBER",
        "INVALID_PARAMETER",
        "INVALID_PATIENT_DEMOGRAPHICS",
        "INVALID_RESOURCE",
        "NOT_IMPLEMENTED",
        "NO_ORGANISATIONAL_CONSENT",
        "NO_ORGANISATION_CONSENT",
        "NO_PATIENT_CONSENT",
        "NO_RECORD_FOUND",
        "NO_RELATIONSHIP",
        "ORGANISATION_NOT_FOUND",
        "PATIENT_NOT_FOUND",
        "PRACTITIONER_NOT_FOUND",
        "REFERENCE_NOT_FOUND",
    ];

    /// The code, if it is one of the published ones.
    pub fn parse(text: &str) -> Option<Self> {
        Self::KNOWN.iter().find(|known| **known == text).copied().map(Self)
    }

    /// The code as published.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// A source's failure in one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("source fault {}", .class.code())]
pub struct SourceFault {
    /// What went wrong.
    pub class: FaultClass,
    /// The HTTP status, if one was read.
    pub http: Option<u16>,
    /// The Spine code, if the source sent a published one.
    pub spine: Option<SpineCode>,
    /// Whether another attempt could help.
    pub retry: Retry,
}

impl SourceFault {
    /// A fault that another attempt cannot help.
    pub const fn new(class: FaultClass) -> Self {
        Self { class, http: None, spine: None, retry: Retry::Never }
    }

    /// The same fault with the HTTP status that was read.
    #[must_use]
    pub const fn with_http(mut self, status: u16) -> Self {
        self.http = Some(status);
        self
    }

    /// The same fault with a Spine code.
    #[must_use]
    pub const fn with_spine(mut self, spine: Option<SpineCode>) -> Self {
        self.spine = spine;
        self
    }

    /// The same fault with another verdict on retrying.
    #[must_use]
    pub const fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The status a reader sees.
    pub const fn status(&self) -> SourceStatus {
        self.class.status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_published_spine_codes_pass() {
        assert_eq!(SpineCode::parse("PATIENT_NOT_FOUND").map(SpineCode::as_str), Some("PATIENT_NOT_FOUND"));
        assert_eq!(SpineCode::parse("Patient 9990000107 unknown"), None);
    }
}
