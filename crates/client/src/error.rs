//! Why there is no record, by who is at fault. No text here holds an address or anything of a patient.

use tributary_model::FaultClass;

use crate::table::SourceRow;

/// Why a question got no record.
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
    /// An answer that is no FHIR document of the kind that was asked for.
    #[error("the answer cannot be read: {}", .0.code())]
    Unreadable(FaultClass),
    /// The broker answered with an error.
    #[error("the broker answered with status {}", .0.status)]
    Refused(Box<Refusal>),
}

/// What the broker said instead of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The broker's reasons in its own words; no statement of any source.
    pub reasons: Vec<String>,
    /// What became of each source, when they were asked.
    pub sources: Vec<SourceRow>,
}
