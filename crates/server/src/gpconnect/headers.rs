//! The headers of the Spine, in the order in which consumers know them to be checked.

use http::HeaderMap;
use tributary_bounds::Problem;
use tributary_broker::Practice;

use crate::exchange::text;

/// What the Spine headers say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spine<'h> {
    /// Names the request; it becomes the id of the Bundle.
    pub(super) trace: &'h str,
    /// The caller's system.
    pub(super) from: &'h str,
    /// The interaction that is meant.
    pub(super) interaction: &'h str,
}

/// Reads them. `practice` is the one in the address, when it names one that is served here.
pub(super) fn read<'h>(headers: &'h HeaderMap, practice: Option<&Practice>) -> Result<Spine<'h>, Problem> {
    // Many servers behind us read "Ssp_From" and "Ssp-From" as one; which of the two counts is then anybody's guess.
    if headers.keys().any(|name| name.as_str().contains('_')) {
        return Err(Problem::bad("The name of a header may not hold an underscore here."));
    }
    let trace = named(headers, "Ssp-TraceID", is_id)?;
    let from = named(headers, "Ssp-From", is_asid)?;
    let to = named(headers, "Ssp-To", is_asid)?;
    let own = practice.and_then(|practice| practice.asid.as_deref());
    if own.is_some_and(|own| own != to) {
        return Err(Problem::bad("It is not the system id of the practice in the address.").naming("Ssp-To"));
    }
    let interaction = named(headers, "Ssp-InteractionID", |id| !id.trim().is_empty())?;
    Ok(Spine { trace, from, interaction })
}

/// A header is missing, or not what it should be.
pub(super) fn problem(name: &str) -> Problem {
    Problem::bad("The header is missing or not what it should be.").naming(name)
}

fn named<'h>(headers: &'h HeaderMap, name: &str, fits: impl Fn(&str) -> bool) -> Result<&'h str, Problem> {
    text(headers, name).filter(|value| fits(value)).ok_or_else(|| problem(name))
}

fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn is_asid(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
