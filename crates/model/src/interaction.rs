//! The interactions of GP Connect: what each is called on the wire and where it belongs.

/// A part of GP Connect with a service root of its own. A root of one is never used for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Access Record: Structured.
    Structured,
    /// Access Document.
    Documents,
    /// Foundations: patients, practitioners, organisations and locations.
    Foundations,
}

impl Capability {
    /// Every capability.
    pub const ALL: &[Self] = &[Self::Structured, Self::Documents, Self::Foundations];

    /// The code in logs and configuration.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Structured => "structured",
            Self::Documents => "documents",
            Self::Foundations => "foundations",
        }
    }
}

/// What a token must permit for an interaction: the claim `requested_scope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Reads about a patient.
    Patient,
    /// Reads about the practice.
    Organisation,
}

impl Scope {
    /// The claim's word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Patient => "patient/*.read",
            Self::Organisation => "organization/*.read",
        }
    }
}

macro_rules! interactions {
    ($($(#[$doc:meta])* $name:ident, $capability:ident, $scope:ident, $suffix:literal;)*) => {
        /// One interaction with a GP system.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Interaction { $($(#[$doc])* $name,)* }

        impl Interaction {
            /// Every interaction that is offered.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The interaction id: `Ssp-InteractionID`, and what the Spine directory is asked for.
            pub const fn urn(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("urn:nhs:names:services:gpconnect:", $suffix),)*
                }
            }

            /// Whose service root it is below.
            pub const fn capability(self) -> Capability {
                match self { $(Self::$name => Capability::$capability,)* }
            }

            /// What its token must permit.
            pub const fn scope(self) -> Scope {
                match self { $(Self::$name => Scope::$scope,)* }
            }
        }
    };
}

interactions! {
    /// `POST Patient/$gpc.getstructuredrecord`.
    GetStructuredRecord, Structured, Patient, "fhir:operation:gpc.getstructuredrecord-1";
    /// `GET metadata` of Structured.
    StructuredMetadata, Structured, Organisation, "structured:fhir:rest:read:metadata-1";
    /// `GET metadata` of Documents.
    DocumentsMetadata, Documents, Organisation, "documents:fhir:rest:read:metadata-1";
    /// `GET Patient?identifier=` of Documents.
    DocumentsFindPatient, Documents, Patient, "documents:fhir:rest:search:patient-1";
    /// `GET Patient/{id}/DocumentReference`.
    SearchDocuments, Documents, Patient, "documents:fhir:rest:search:documentreference-1";
    /// `GET Binary/{id}`.
    ReadBinary, Documents, Patient, "documents:fhir:rest:read:binary-1";
    /// `GET metadata` of Foundations.
    FoundationsMetadata, Foundations, Organisation, "fhir:rest:read:metadata-1";
    /// `GET Patient?identifier=` of Foundations.
    FindPatient, Foundations, Patient, "fhir:rest:search:patient-1";
    /// `GET Patient/{id}`.
    ReadPatient, Foundations, Patient, "fhir:rest:read:patient-1";
    /// `GET Practitioner?identifier=`.
    FindPractitioner, Foundations, Organisation, "fhir:rest:search:practitioner-1";
    /// `GET Practitioner/{id}`.
    ReadPractitioner, Foundations, Organisation, "fhir:rest:read:practitioner-1";
    /// `GET Organization?identifier=`.
    FindOrganization, Foundations, Organisation, "fhir:rest:search:organization-1";
    /// `GET Organization/{id}`.
    ReadOrganization, Foundations, Organisation, "fhir:rest:read:organization-1";
    /// `GET Location/{id}`.
    ReadLocation, Foundations, Organisation, "fhir:rest:read:location-1";
}

impl Interaction {
    /// The interaction with this id.
    pub fn from_urn(urn: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.urn() == urn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_interactions_have_one_name() {
        for one in Interaction::ALL {
            assert_eq!(Interaction::from_urn(one.urn()), Some(*one));
        }
    }

    #[test]
    fn names_are_matched_whole_and_in_their_case() {
        let urn = Interaction::ReadPatient.urn();
        assert_eq!(Interaction::from_urn(&urn.to_uppercase()), None);
        assert_eq!(Interaction::from_urn(urn.trim_end_matches("-1")), None);
    }
}
