//! Which trace a request belongs to.

use tributary_model::TraceContext;

use crate::labels::TraceOutcome;

impl TraceOutcome {
    /// The trace of a request with these values of `traceparent`: the caller's, under a span of our own; a new one
    /// where there is none, or what is none. `tracestate` is not read: it is other systems' own, and nothing is done
    /// with it here.
    pub fn of<'h>(mut parents: impl Iterator<Item = &'h [u8]>) -> (TraceContext, Self) {
        let (first, second) = (parents.next(), parents.next());
        let read = |one| TraceContext::parse(std::str::from_utf8(one).ok()?);
        match (first.filter(|_| second.is_none()).and_then(read), first) {
            (Some(parent), _) => (parent.child(), Self::Continued),
            (None, None) => (TraceContext::begin(), Self::Begun),
            (None, Some(_)) => (TraceContext::begin(), Self::Refused),
        }
    }
}
