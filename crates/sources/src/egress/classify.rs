//! Which fault a transport error is. The error is looked into, never printed: its text may hold an address.

use std::error::Error;
use std::io;

use h2::Reason;
use hyper_util::client::legacy;
use rustls::{AlertDescription, CertificateError};
use tributary_model::{FaultClass, Retry, SourceFault};

use super::connect::NoConnection;
use super::tls::Asked;

/// One thing known of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    NoConnection(SourceFault),
    Tls(FaultClass),
    /// The HTTP/2 connection or stream was ended before our request was looked at.
    Unheard,
    Overrun,
    Silence,
    HeadTooLarge,
    NotHttp,
    EndedEarly,
    Reset,
}

/// Walks the causes of an error.
fn causes_of(error: &(dyn Error + 'static)) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        note(cause, &mut causes);
        next = cause.source();
    }
    causes
}

fn note(cause: &(dyn Error + 'static), causes: &mut Vec<Cause>) {
    causes.extend(cause.downcast_ref::<NoConnection>().map(|none| Cause::NoConnection(none.0)));
    causes.extend(cause.downcast_ref::<rustls::Error>().map(|error| Cause::Tls(of_tls(error, Asked::Yes))));
    causes.extend(cause.downcast_ref::<h2::Error>().and_then(of_h2));
    if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
        causes.extend(hyper.is_timeout().then_some(Cause::Silence));
        causes.extend(hyper.is_parse_too_large().then_some(Cause::HeadTooLarge));
        causes.extend(hyper.is_parse().then_some(Cause::NotHttp));
        causes.extend(hyper.is_incomplete_message().then_some(Cause::EndedEarly));
    }
    if let Some(io) = cause.downcast_ref::<io::Error>() {
        causes.extend(of_io(io.kind()));
        // The error inside an io error is no source of it: `source()` steps over it.
        if let Some(inner) = io.get_ref() {
            note(inner, causes);
        }
    }
}

fn of_io(kind: io::ErrorKind) -> Option<Cause> {
    let broken =
        [io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionAborted, io::ErrorKind::BrokenPipe];
    if kind == io::ErrorKind::UnexpectedEof {
        Some(Cause::EndedEarly)
    } else if kind == io::ErrorKind::TimedOut {
        // The peer stopped acknowledging.
        Some(Cause::Silence)
    } else {
        broken.contains(&kind).then_some(Cause::Reset)
    }
}

fn of_h2(error: &h2::Error) -> Option<Cause> {
    match error.reason()? {
        Reason::REFUSED_STREAM => Some(Cause::Unheard),
        Reason::ENHANCE_YOUR_CALM if error.is_remote() => Some(Cause::Overrun),
        _ if error.is_go_away() && error.is_remote() => Some(Cause::Unheard),
        // We found fault with what it sent.
        _ if error.is_library() && !error.is_remote() => Some(Cause::NotHttp),
        _ => None,
    }
}

/// The fault of an attempt that got no response head.
pub(super) fn before_head(error: &legacy::Error) -> SourceFault {
    let causes = causes_of(error);
    let again = SourceFault::new(FaultClass::Reset).with_retry(Retry::Elsewhere);
    for cause in &causes {
        match cause {
            Cause::NoConnection(fault) => return *fault,
            Cause::Tls(class) => return SourceFault::new(*class),
            Cause::Unheard => return again,
            Cause::Overrun => return SourceFault::new(FaultClass::Throttled),
            Cause::Silence => return SourceFault::new(FaultClass::NoHead),
            Cause::HeadTooLarge => return SourceFault::new(FaultClass::TooLarge),
            Cause::NotHttp => return SourceFault::new(FaultClass::Shape),
            Cause::EndedEarly | Cause::Reset => {}
        }
    }
    again
}

/// The fault of a body that broke.
pub(super) fn in_body(error: &hyper::Error) -> FaultClass {
    let causes = causes_of(error);
    if causes.contains(&Cause::Reset) {
        FaultClass::Reset
    } else if causes.contains(&Cause::EndedEarly) {
        FaultClass::Truncated
    } else if causes.contains(&Cause::Silence) {
        FaultClass::SlowBody
    } else {
        FaultClass::Reset
    }
}

/// The fault of a handshake that failed.
pub(super) fn in_handshake(error: &io::Error, asked: Asked) -> NoConnection {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    NoConnection(match tls {
        Some(tls) => SourceFault::new(of_tls(tls, asked)),
        None if error.kind() == io::ErrorKind::TimedOut => SourceFault::new(FaultClass::TlsTimeout),
        // The connection broke: a proxy that restarts, or a source that is too full.
        None => SourceFault::new(FaultClass::Reset).with_retry(Retry::Elsewhere),
    })
}

/// The fault that an error of the TLS library stands for.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever has no class of its own is a handshake that failed"
)]
fn of_tls(error: &rustls::Error, asked: Asked) -> FaultClass {
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        // A list that cannot be used leaves open who was called back.
        rustls::Error::InvalidCertRevocationList(_) => FaultClass::TlsRevoked,
        rustls::Error::PeerIncompatible(_) => FaultClass::TlsVersion,
        rustls::Error::AlertReceived(alert) => of_alert(*alert, asked),
        _ => FaultClass::Tls,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever has no class of its own is a handshake that failed"
)]
fn of_certificate(error: &CertificateError) -> FaultClass {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => FaultClass::TlsExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            FaultClass::TlsNotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            FaultClass::TlsName
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => FaultClass::TlsUntrusted,
        CertificateError::Revoked
        | CertificateError::UnknownRevocationStatus
        | CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => FaultClass::TlsRevoked,
        _ => FaultClass::Tls,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever has no class of its own is a handshake that failed"
)]
fn of_alert(alert: AlertDescription, asked: Asked) -> FaultClass {
    match alert {
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => FaultClass::TlsVersion,
        // What a server says that has no suite in common with us, and what many say in TLS 1.2 to a caller
        // without a certificate. They ask for one only after a suite was agreed on.
        AlertDescription::HandshakeFailure if asked == Asked::No => FaultClass::TlsVersion,
        // A signature in or by our certificate does not hold.
        AlertDescription::DecryptError if asked == Asked::No => FaultClass::Tls,
        AlertDescription::HandshakeFailure
        | AlertDescription::DecryptError
        | AlertDescription::NoCertificate
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRequired
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => FaultClass::TlsClientRejected,
        _ => FaultClass::Tls,
    }
}
