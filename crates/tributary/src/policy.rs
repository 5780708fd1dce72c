//! The policy that a configuration names, or the one that is part of the product.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tributary_audit::Digest;
use tributary_broker::Policy;
use tributary_policy::Diff;

use tributary_settings::{Mistake, PolicySettings, read_table};

/// The policy that is part of the product.
pub const SHIPPED: &str = include_str!("../../../config/policy.toml");

/// Reads a policy file, or takes the shipped one. Every mistake is told, under the file's name.
pub fn load(file: Option<&Path>) -> Result<Policy, Vec<Mistake>> {
    let Some(file) = file else { return parse(SHIPPED) };
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = fs::read_to_string(file).map_err(|error| {
        vec![Mistake {
            path: "policy.file".to_owned(),
            line: None,
            says: format!("cannot be read: {}", error.kind()),
        }]
    })?;
    let under = |mistake: Mistake| Mistake { path: format!("{name}: {}", mistake.path), ..mistake };
    parse(&text).map_err(|mistakes| mistakes.into_iter().map(under).collect())
}

/// Reads the text of a policy.
pub(crate) fn parse(text: &str) -> Result<Policy, Vec<Mistake>> {
    let table = Arc::new(read_table(text)?);
    Ok(Policy { table, digest: Digest::of(text.as_bytes()) })
}

/// What somebody signs for who lets a policy widen access.
pub(crate) fn approval(diff: &Diff) -> Digest {
    Digest::of(diff.gains().as_bytes())
}

/// What keeps another policy from taking the place of the one in force while the broker runs: that it lets somebody
/// see more, and nobody signed for exactly that.
pub(crate) fn unapproved(now: &Policy, next: &Policy, settings: &PolicySettings) -> Option<Mistake> {
    if now.digest == next.digest {
        return None;
    }
    let diff = Diff::between(&now.table, &next.table);
    let wanted = approval(&diff);
    if !diff.widens() || settings.approved == Some(wanted) {
        return None;
    }
    let cells = diff.gained.len();
    let says = format!(
        "widens access in {cells} cells, and nobody signed for that: look at `tributary policy diff`, then set \
         [policy] approved = \"{wanted}\""
    );
    Some(Mistake { path: "policy.approved".to_owned(), line: None, says })
}
