//! Which trace a piece of work belongs to: W3C Trace Context, level 1.
//!
//! A trace is for operators. It decides nothing, and it names nobody: an id that could hold a number of a patient
//! is not taken over from a caller.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::hex::{Hex, read_hex as hex};
use crate::ids::TraceId;

/// `00-` 32 digits `-` 16 digits `-` 2 digits.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

tokio::task_local! {
    static CURRENT: TraceContext;
    static REQUESTS: Requests;
}

/// A trace, and the span in it that work is part of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    /// The span that this one is part of; zeros for the first of a trace.
    parent: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// A new trace.
    pub fn begin() -> Self {
        Self { trace: TraceId::random().bytes(), span: [0; 8], parent: [0; 8], flags: SAMPLED }.child()
    }

    /// Reads a `traceparent`. Of a later version the first four fields are read, as W3C Trace Context has it; `None`
    /// for anything else, and for an id of decimal digits alone, which a caller may have made of an NHS number.
    pub fn parse(text: &str) -> Option<Self> {
        let (known, later) = text.split_at_checked(LENGTH)?;
        let mut fields = known.split('-');
        let (version, trace) = (hex::<1>(fields.next()?)?, fields.next()?);
        let (span, flags) = (hex::<8>(fields.next()?)?, hex::<1>(fields.next()?)?);
        let is_version = match version {
            [0] => later.is_empty(),
            [0xff] => false,
            [_] => later.is_empty() || later.starts_with('-'),
        };
        let is_whole = fields.next().is_none() && is_version && span != [0; 8] && Self::is_id(trace);
        let trace = hex::<16>(trace)?;
        is_whole.then(|| Self { trace, span, parent: [0; 8], flags: flags[0] & SAMPLED })
    }

    /// Whether this is the id of a trace as it is written here. One of decimal digits alone is none: by chance it
    /// comes once in three million.
    pub fn is_id(text: &str) -> bool {
        text.len() == 32 && hex::<16>(text).is_some() && text.bytes().any(|byte| byte.is_ascii_alphabetic())
    }

    /// A span within this one.
    #[must_use]
    pub fn child(self) -> Self {
        let chance = TraceId::random().bytes();
        let mut span = [0; 8];
        for (to, from) in span.iter_mut().zip(chance) {
            *to = from;
        }
        // It begins with a letter, so that nobody takes it for a number.
        span[0] |= 0xa0;
        Self { span, parent: self.span, ..self }
    }

    /// The same, kept or not.
    #[must_use]
    pub const fn kept(self, is_kept: bool) -> Self {
        Self { flags: if is_kept { SAMPLED } else { 0 }, ..self }
    }

    /// Seven bytes of the id, which are drawn evenly: whoever keeps a share of all traces goes by them, and so keeps
    /// the same ones everywhere (W3C Trace Context, level 2, random trace ids).
    pub fn lot(self) -> u64 {
        self.trace.iter().skip(9).fold(0, |lot, byte| lot << 8 | u64::from(*byte))
    }

    /// The id of the trace: 32 hexadecimal digits.
    pub fn trace_id(self) -> String {
        Hex(&self.trace).to_string()
    }

    /// The id of the span: 16 hexadecimal digits.
    pub fn span_id(self) -> String {
        Hex(&self.span).to_string()
    }

    /// The id of the span that this one is part of. A caller's may be of decimal digits alone, which could be an NHS
    /// number: that one is told to nobody.
    pub fn parent_id(self) -> Option<String> {
        let id = Hex(&self.parent).to_string();
        id.bytes().any(|byte| byte.is_ascii_alphabetic()).then_some(id)
    }

    /// Whether the caller, if there was one, keeps the trace.
    pub const fn is_sampled(self) -> bool {
        self.flags & SAMPLED == SAMPLED
    }

    /// The trace that the running task works for, if any.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|context| *context).ok()
    }

    /// Does work as part of this trace. A task that is spawned within is not; see [`TraceContext::carried`].
    pub async fn within<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Work for another task, as part of the trace of this one.
    pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let context = Self::current();
        async move {
            match context {
                Some(context) => context.within(work).await,
                None => work.await,
            }
        }
    }
}

/// How many requests left within a piece of work. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Requests(Arc<AtomicU32>);

impl Requests {
    /// A request leaves.
    pub fn note() {
        // Where nobody counts there is nothing to do.
        let _uncounted = REQUESTS.try_with(|requests| requests.0.fetch_add(1, Ordering::Relaxed));
    }

    /// Does work whose requests are counted here.
    pub async fn of<F: Future>(&self, work: F) -> F::Output {
        REQUESTS.scope(self.clone(), work).await
    }

    /// How many have left by now.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// As the header `traceparent` has it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{}", Hex(&self.trace), Hex(&self.span), Hex(&[self.flags]))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_reads_back() {
        let context = TraceContext::parse(GOOD).unwrap();
        assert_eq!(context.to_string(), GOOD);
        let child = context.child();
        assert_eq!(child.trace_id(), context.trace_id());
        assert_ne!(child.span_id(), context.span_id());
        assert_eq!((child.parent_id(), context.parent_id()), (Some(context.span_id()), None));
        assert!(child.span_id().starts_with(['a', 'b', 'e', 'f']));
        let own = TraceContext::begin();
        assert_eq!(TraceContext::parse(&own.to_string()), Some(own));
        let later = format!("01{}-more", GOOD.strip_prefix("00").unwrap());
        assert_eq!(TraceContext::parse(&later), Some(context));
    }

    #[test]
    fn what_is_no_trace_is_none() {
        let number = "00-00000000000000000000009990000107-00f067aa0ba902b7-01";
        let nothing = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let no_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
        let wrong = [
            "",
            "00",
            number,
            nothing,
            no_span,
            &GOOD.to_uppercase(),
            &format!("{GOOD}-more"),
            &format!("ff{}", GOOD.strip_prefix("00").unwrap()),
            &GOOD.replace('-', "_"),
            &"é".repeat(55),
        ];
        for text in wrong {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_that_may_be_a_number_is_no_parent_that_is_told() {
        let parent = |span: &str| {
            let text = GOOD.replace("00f067aa0ba902b7", span);
            TraceContext::parse(&text).unwrap().child().parent_id()
        };
        assert_eq!(parent("0000009990000107"), None);
        assert_eq!(parent("000000999000010a").as_deref(), Some("000000999000010a"));
    }

    #[test]
    fn lots_are_drawn_from_the_end_of_the_id() {
        assert_eq!(TraceContext::parse(GOOD).unwrap().lot(), 0x00ce_929d_0e0e_4736 & 0x00ff_ffff_ffff_ffff);
        let context = TraceContext::begin();
        assert!(
            context.is_sampled()
                && !context.kept(false).is_sampled()
                && context.kept(false).kept(true).is_sampled()
        );
    }

    #[tokio::test]
    async fn requests_are_counted_where_somebody_counts() {
        let requests = Requests::default();
        Requests::note();
        requests.of(async { Requests::note() }).await;
        assert_eq!(requests.count(), 1);
    }

    #[tokio::test]
    async fn a_trace_goes_along_to_another_task() {
        let context = TraceContext::begin();
        assert_eq!(TraceContext::current(), None);
        let seen = context.within(async {
            let carried = TraceContext::carried(async { TraceContext::current() });
            (TraceContext::current(), tokio::spawn(carried).await.unwrap())
        });
        assert_eq!(seen.await, (Some(context), Some(context)));
    }
}
