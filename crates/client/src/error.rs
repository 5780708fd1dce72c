//! Why there is no record, by who is at fault. No text here holds an address or anything of a patient.

use std::fmt;
use std::time::Duration;

use tributary_model::FaultClass;

use crate::table::SourceRow;

/// Why a question got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address given for the broker is not one.
    #[error("the address of the broker is not an http or https address")]
    Address,
    /// The address would send a number, and a record back, in the clear over a network.
    #[error("the address of the broker begins with http://, which is accepted for loopback addresses only")]
    Plain,
    /// What should be authorities to believe is none.
    #[error("no authority in pem form was given")]
    Authorities,
    /// What should be a certificate and its key is none, or one is not the other's.
    #[error("the client certificate and its key in pem form cannot be used")]
    Certificate,
    /// The token cannot stand in a header.
    #[error("the bearer token holds what no token holds")]
    Token,
    /// What should lead to an attachment was not given out by a broker.
    #[error("the address of the attachment is not one that a broker gives out")]
    Link,
    /// TLS cannot be set up on this machine.
    #[error("tls cannot be set up on this machine")]
    Tls,
    /// Nobody answers there.
    #[error("the broker cannot be reached")]
    Unreachable,
    /// No answer by the deadline, with time to spare.
    #[error("the broker did not answer in time")]
    TimedOut,
    /// The answer ended before it was whole.
    #[error("the answer broke off")]
    BrokenOff,
    /// The answer is longer than any record.
    #[error("the answer is too long")]
    TooLarge,
    /// An answer that is not of the kind that was asked for.
    #[error("the answer cannot be read: {}", .0.code())]
    Unreadable(FaultClass),
    /// The broker answered with an error.
    #[error("the broker answered with status {}", .0.status)]
    Refused(Box<Refusal>),
}

/// Who has to do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Whoever asks: the question, the token or the certificate is not one that is answered.
    Caller,
    /// This machine.
    Machine,
    /// What lies between.
    Network,
    /// The broker, or who runs it.
    Broker,
    /// Nobody: there is too much to do, and it passes.
    Load,
    /// The sources: the broker asked, and none of them gave anything.
    Sources,
}

impl ClientError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Address
            | Self::Plain
            | Self::Authorities
            | Self::Certificate
            | Self::Token
            | Self::Link => Fault::Caller,
            Self::Tls => Fault::Machine,
            Self::Unreachable | Self::TimedOut | Self::BrokenOff => Fault::Network,
            Self::TooLarge | Self::Unreadable(_) => Fault::Broker,
            Self::Refused(refusal) => refusal.fault(),
        }
    }

    /// After which time the same may be asked again. `None`: never, or only by somebody who decides it. What may
    /// have been answered counts as a disclosure, and is not asked for a second time unasked.
    pub fn repeat_after(&self) -> Option<Duration> {
        /// Long enough for a node to be replaced by its neighbour, short enough not to be noticed.
        const UNREACHED: Duration = Duration::from_millis(200);
        match self {
            Self::Unreachable => Some(UNREACHED),
            Self::Refused(refusal) if matches!(refusal.status, 429 | 503) => refusal.retry_after,
            Self::Address
            | Self::Plain
            | Self::Authorities
            | Self::Certificate
            | Self::Token
            | Self::Link
            | Self::Tls
            | Self::TimedOut
            | Self::BrokenOff
            | Self::TooLarge
            | Self::Unreadable(_)
            | Self::Refused(_) => None,
        }
    }
}

/// What the broker said instead of a record.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The broker's reasons in its own words; no statement of any source.
    pub reasons: Vec<String>,
    /// What became of each source, when they were asked.
    pub sources: Vec<SourceRow>,
    /// When the broker wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The broker's id of the request, by which its operators find it.
    pub request_id: Option<String>,
}

impl Refusal {
    fn fault(&self) -> Fault {
        let were_asked = !self.sources.is_empty();
        match self.status {
            404 | 502..=504 if were_asked => Fault::Sources,
            429 | 503 => Fault::Load,
            400..=499 => Fault::Caller,
            _ => Fault::Broker,
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its words are the broker's if a broker answered; who else may have is not known.
        let statuses: Vec<_> = self.sources.iter().map(|row| (&row.id, &row.status)).collect();
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("reasons", &self.reasons.len())
            .field("sources", &statuses)
            .field("retry_after", &self.retry_after)
            .field("request_id", &self.request_id)
            .finish()
    }
}
