//! FHIR versions.

/// A FHIR version that a source or a caller speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FhirVersion {
    /// 3.0.x
    Stu3,
    /// 4.0.x
    R4,
}

impl FhirVersion {
    /// The version as metadata prints it.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Stu3 => "3.0.1",
            Self::R4 => "4.0.1",
        }
    }
}
