//! Which practice, which capability and what below its root a path means.

use tributary_model::{Capability, OdsCode};

/// A path below a GP Connect service root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address<'p> {
    /// The practice in the path, where it names one.
    pub(crate) practice: Option<&'p str>,
    pub(crate) capability: Capability,
    /// What follows the service root, without a slash in front.
    pub(crate) tail: &'p str,
}

impl<'p> Address<'p> {
    /// Takes a path apart: `[/{ODS}]/STU3/1/gpconnect[/structured|/documents][/fhir]/…`. Every part is
    /// case-sensitive, and nothing is normalised.
    pub(crate) fn of(path: &'p str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (practice, rest) = if let Some(rest) = below(path, "STU3/1/gpconnect") {
            (None, rest)
        } else {
            let (practice, path) = path.split_once('/')?;
            (Some(practice), below(path, "STU3/1/gpconnect")?)
        };
        let named = [(Capability::Structured, "structured"), (Capability::Documents, "documents")];
        let found = named.into_iter().find_map(|(capability, word)| Some((capability, below(rest, word)?)));
        let (capability, rest) = found.unwrap_or((Capability::Foundations, rest));
        Some(Self { practice, capability, tail: below(rest, "fhir").unwrap_or(rest) })
    }

    /// The practice, if it can be one.
    pub(crate) fn ods(&self) -> Option<Result<OdsCode, ()>> {
        self.practice.map(|code| OdsCode::parse(code).map_err(drop))
    }
}

/// What follows a whole piece of a path.
fn below<'p>(path: &'p str, piece: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(piece)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<(Option<&str>, Capability, &str)>) {
        let found = Address::of(path).map(|one| (one.practice, one.capability, one.tail));
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn roots_come_with_and_without_the_practice_and_the_suffix() {
        let (structured, documents) = (Capability::Structured, Capability::Documents);
        check(
            "/A99901/STU3/1/gpconnect/structured/fhir/metadata",
            Some((Some("A99901"), structured, "metadata")),
        );
        check("/STU3/1/gpconnect/structured/metadata", Some((None, structured, "metadata")));
        check(
            "/A99901/STU3/1/gpconnect/documents/fhir/Binary/1",
            Some((Some("A99901"), documents, "Binary/1")),
        );
        check(
            "/A99901/STU3/1/gpconnect/fhir/Patient",
            Some((Some("A99901"), Capability::Foundations, "Patient")),
        );
        check(
            "/A99901/STU3/1/gpconnect/Patient/1",
            Some((Some("A99901"), Capability::Foundations, "Patient/1")),
        );
        check("/A99901/STU3/1/gpconnect", Some((Some("A99901"), Capability::Foundations, "")));
    }

    #[test]
    fn every_part_is_case_sensitive() {
        for path in [
            "/A99901/stu3/1/gpconnect/structured/metadata",
            "/A99901/STU3/2/gpconnect/metadata",
            "/A99901/STU3/1/GPConnect/metadata",
            "//STU3/1/gpconnectx/metadata",
            "/a/b/STU3/1/gpconnect/metadata",
            "/",
            "",
        ] {
            check(path, None);
        }
        let capability = Capability::Foundations;
        check(
            "/A/STU3/1/gpconnect/Structured/metadata",
            Some((Some("A"), capability, "Structured/metadata")),
        );
    }
}
