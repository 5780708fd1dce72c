//! Which fault a transport error is. The error is looked into, never printed: its text may hold an address.

use std::error::Error;
use std::io;

use tributary_model::{FaultClass, Retry, SourceFault};

/// One thing known of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Tls,
    HeadTooLarge,
    NotHttp,
    EndedEarly,
    Reset,
}

/// Walks the causes of an error.
fn causes_of(error: &reqwest::Error) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        note(cause, &mut causes);
        next = cause.source();
    }
    causes
}

fn note(cause: &(dyn Error + 'static), causes: &mut Vec<Cause>) {
    causes.extend(cause.is::<rustls::Error>().then_some(Cause::Tls));
    if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
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
    } else {
        broken.contains(&kind).then_some(Cause::Reset)
    }
}

/// The fault of an attempt that got no response head.
pub(super) fn before_head(error: &reqwest::Error) -> SourceFault {
    let causes = causes_of(error);
    if causes.contains(&Cause::Tls) {
        SourceFault::new(FaultClass::Tls)
    } else if error.is_connect() && error.is_timeout() {
        SourceFault::new(FaultClass::ConnectTimeout)
    } else if error.is_connect() {
        SourceFault::new(FaultClass::Connect).with_retry(Retry::Elsewhere)
    } else if error.is_builder() {
        SourceFault::new(FaultClass::OurRequest)
    } else if error.is_timeout() {
        // The connection stopped acknowledging, or a keep-alive ping was not answered.
        SourceFault::new(FaultClass::NoHead)
    } else if causes.contains(&Cause::HeadTooLarge) {
        SourceFault::new(FaultClass::TooLarge)
    } else if causes.contains(&Cause::NotHttp) {
        SourceFault::new(FaultClass::Shape)
    } else {
        SourceFault::new(FaultClass::Reset).with_retry(Retry::Elsewhere)
    }
}

/// The fault of a body that broke.
pub(super) fn in_body(error: &reqwest::Error) -> FaultClass {
    let causes = causes_of(error);
    if causes.contains(&Cause::Reset) {
        FaultClass::Reset
    } else if causes.contains(&Cause::EndedEarly) {
        FaultClass::Truncated
    } else if error.is_timeout() {
        FaultClass::SlowBody
    } else {
        FaultClass::Reset
    }
}
