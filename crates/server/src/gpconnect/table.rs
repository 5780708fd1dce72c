//! Every GP Connect interaction: its verb, its address below the service root, and its id.

use http::Method;
use tributary_bounds::Problem;
use tributary_model::{Capability, Interaction};

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) method: Method,
    /// The whole address as logs, metrics and the description name it.
    pub(crate) pattern: &'static str,
    capability: Capability,
    tail: &'static str,
    does: Does,
}

/// What a row does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// It is served.
    Serve(Interaction),
    /// It is known and not offered; its id begins where those of all interactions do.
    NotOffered(&'static str),
}

/// A row that fits a request, with the id in its address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit<'p> {
    pub(crate) does: Does,
    /// The part of the path that stands for a resource.
    pub(crate) id: Option<&'p str>,
}

const PREFIX: &str = "urn:nhs:names:services:gpconnect:";

macro_rules! row {
    ($method:ident, $capability:ident, $root:literal, $tail:literal, $does:expr) => {
        Row {
            method: Method::$method,
            pattern: concat!("/{ods}/STU3/1/gpconnect/", $root, "fhir/", $tail),
            capability: Capability::$capability,
            tail: $tail,
            does: $does,
        }
    };
}

use Does::{NotOffered, Serve};

/// The table. What is not offered is named, so that a caller learns so and not that the address is wrong.
pub(crate) const TABLE: &[Row] = &[
    row!(
        POST,
        Structured,
        "structured/",
        "Patient/$gpc.getstructuredrecord",
        Serve(Interaction::GetStructuredRecord)
    ),
    row!(GET, Structured, "structured/", "metadata", Serve(Interaction::StructuredMetadata)),
    row!(
        POST,
        Structured,
        "structured/",
        "Patient/$gpc.migratestructuredrecord",
        NotOffered("fhir:operation:gpc.migratestructuredrecord-1")
    ),
    row!(GET, Documents, "documents/", "metadata", Serve(Interaction::DocumentsMetadata)),
    row!(GET, Documents, "documents/", "Patient", Serve(Interaction::DocumentsFindPatient)),
    row!(GET, Documents, "documents/", "Patient/{id}/DocumentReference", Serve(Interaction::SearchDocuments)),
    row!(GET, Documents, "documents/", "Binary/{id}", Serve(Interaction::ReadBinary)),
    row!(GET, Documents, "documents/", "Binary/{id}", NotOffered("documents:fhir:rest:migrate:binary-1")),
    row!(GET, Foundations, "", "metadata", Serve(Interaction::FoundationsMetadata)),
    row!(GET, Foundations, "", "Patient", Serve(Interaction::FindPatient)),
    row!(GET, Foundations, "", "Patient/{id}", Serve(Interaction::ReadPatient)),
    row!(GET, Foundations, "", "Practitioner", Serve(Interaction::FindPractitioner)),
    row!(GET, Foundations, "", "Practitioner/{id}", Serve(Interaction::ReadPractitioner)),
    row!(GET, Foundations, "", "Organization", Serve(Interaction::FindOrganization)),
    row!(GET, Foundations, "", "Organization/{id}", Serve(Interaction::ReadOrganization)),
    row!(GET, Foundations, "", "Location/{id}", Serve(Interaction::ReadLocation)),
    row!(
        POST,
        Foundations,
        "",
        "Patient/$gpc.registerpatient",
        NotOffered("fhir:operation:gpc.registerpatient-1")
    ),
    row!(GET, Foundations, "", "Slot", NotOffered("fhir:rest:search:slot-1")),
    row!(
        GET,
        Foundations,
        "",
        "Patient/{id}/Appointment",
        NotOffered("fhir:rest:search:patient_appointments-1")
    ),
    row!(POST, Foundations, "", "Appointment", NotOffered("fhir:rest:create:appointment-1")),
    row!(GET, Foundations, "", "Appointment/{id}", NotOffered("fhir:rest:read:appointment-1")),
    row!(PUT, Foundations, "", "Appointment/{id}", NotOffered("fhir:rest:update:appointment-1")),
    row!(PUT, Foundations, "", "Appointment/{id}", NotOffered("fhir:rest:cancel:appointment-1")),
];

impl Row {
    /// Whether its interaction is offered.
    #[cfg(test)]
    pub(crate) const fn is_offered(&self) -> bool {
        matches!(self.does, Serve(_))
    }

    fn has_id(&self, urn: &str) -> bool {
        match self.does {
            Serve(interaction) => interaction.urn() == urn,
            NotOffered(rest) => urn.strip_prefix(PREFIX) == Some(rest),
        }
    }

    /// Whether a path below the service root is this row's; the id in it, if it has one.
    #[expect(clippy::option_option, reason = "no match, a match without an id, a match with one")]
    fn fits<'p>(&self, capability: Capability, tail: &'p str) -> Option<Option<&'p str>> {
        if capability != self.capability {
            return None;
        }
        let (mut wanted, mut found, mut id) = (self.tail.split('/'), tail.split('/'), None);
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return Some(id),
                (Some("{id}"), Some(part)) if !part.is_empty() && !part.starts_with('$') => id = Some(part),
                (Some(one), Some(other)) if one == other => {}
                _ => return None,
            }
        }
    }
}

/// The row that a request means: its id must be known, and fit verb and address.
pub(crate) fn find<'p>(
    method: &Method,
    capability: Capability,
    tail: &'p str,
    urn: &str,
) -> Result<Fit<'p>, Problem> {
    let named = |text: &str| Problem::bad(text).naming("Ssp-InteractionID");
    if !TABLE.iter().any(|row| row.has_id(urn)) {
        return Err(named("There is no such interaction."));
    }
    let at_address = || TABLE.iter().filter_map(|row| Some((row, row.fits(capability, tail)?)));
    if at_address().next().is_none() {
        return Err(Problem::bad("There is no such address below this service root."));
    }
    if !at_address().any(|(row, _)| row.method == *method) {
        return Err(Problem::bad("This address does not take this method."));
    }
    let fit = at_address().find(|(row, _)| row.method == *method && row.has_id(urn));
    let (row, id) = fit.ok_or_else(|| named("The interaction does not fit the method and the address."))?;
    Ok(Fit { does: row.does, id })
}

/// The methods that are taken at an address, offered or not.
pub(crate) fn methods(capability: Capability, tail: &str) -> Vec<&'static str> {
    let mut methods: Vec<_> = TABLE
        .iter()
        .filter(|row| row.fits(capability, tail).is_some())
        .map(|row| row.method.as_str())
        .collect();
    methods.dedup();
    methods
}

/// What logs and metrics call a path below a service root.
pub(crate) fn template(capability: Capability, tail: &str) -> Option<&'static str> {
    TABLE.iter().find(|row| row.fits(capability, tail).is_some()).map(|row| row.pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(method: &Method, capability: Capability, tail: &str, urn: &str) -> String {
        find(method, capability, tail, urn).unwrap_err().text.into_string()
    }

    #[test]
    fn every_interaction_has_its_row() {
        for interaction in Interaction::ALL {
            let rows = TABLE.iter().filter(|row| row.does == Serve(*interaction));
            let rows: Vec<_> = rows.map(|row| row.capability).collect();
            assert_eq!(rows, [interaction.capability()], "{interaction:?}");
        }
    }

    #[test]
    fn the_id_must_fit_verb_and_address() {
        let foundations = Capability::Foundations;
        let urn = Interaction::ReadPatient.urn();
        let fit = find(&Method::GET, foundations, "Patient/17", urn).unwrap();
        assert_eq!((fit.does, fit.id), (Serve(Interaction::ReadPatient), Some("17")));
        assert_eq!(
            refused(&Method::GET, foundations, "Patient/17", "urn:other"),
            "There is no such interaction."
        );
        let fits_not = "The interaction does not fit the method and the address.";
        assert_eq!(refused(&Method::GET, foundations, "Patient", urn), fits_not);
        assert_eq!(refused(&Method::GET, foundations, "Location/17", urn), fits_not);
        let no_method = "This address does not take this method.";
        assert_eq!(refused(&Method::DELETE, foundations, "Patient/17", urn), no_method);
        for tail in ["patient/17", "Patient/17/", "Patient//", "", "Metadata", "Patient/17/Slot"] {
            let words = refused(&Method::GET, foundations, tail, urn);
            assert_eq!(words, "There is no such address below this service root.", "{tail}");
        }
        assert!(find(&Method::GET, Capability::Documents, "Patient/17", urn).is_err());
    }

    #[test]
    fn what_is_not_offered_is_known() {
        let urn = format!("{PREFIX}fhir:rest:cancel:appointment-1");
        let fit = find(&Method::PUT, Capability::Foundations, "Appointment/9", &urn).unwrap();
        assert_eq!(fit.does, NotOffered("fhir:rest:cancel:appointment-1"));
    }
}
