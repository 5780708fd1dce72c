//! The national check: does a source describe the person that was traced?

use jiff::civil::Date;
use tributary_fhir::Json;
use tributary_model::{Demographics, FaultClass, NhsNumber};

use crate::person::{self, Person};

/// Whom every answer must be about.
#[derive(Clone, Copy, Debug)]
pub struct Whom<'a> {
    /// The patient's number.
    pub number: NhsNumber,
    /// Who that is, where the national service was asked and answered.
    pub traced: Option<&'a Demographics>,
    /// The day on which names and addresses must hold.
    pub today: Date,
}

/// Holds a Patient, whose number fits, against the traced person (GPC-CORE02).
///
/// The date of birth decides: it is the traced one, or two of its three parts are and the names are alike. A part
/// that the service does not know need not be met; a part that only the source leaves out is not met. A Patient
/// without a date of birth passes on its number alone, and so does everybody where the service knows none.
pub fn check(patient: Json<'_>, whom: Whom<'_>) -> Result<(), FaultClass> {
    let Some(traced) = whom.traced.map(Person::of_service) else { return Ok(()) };
    let (Some(expected), Some(stated)) = (&traced.birth, person::birth(patient)) else { return Ok(()) };
    if expected.is_met_by(&stated) {
        return Ok(());
    }
    let are_alike = || {
        let stated = person::names(patient, whom.today);
        traced.names.iter().any(|own| stated.iter().any(|other| own.is_like(other)))
    };
    if expected.shared_parts(&stated) >= 2 && are_alike() {
        Ok(())
    } else {
        Err(FaultClass::IdentityDemographics)
    }
}

#[cfg(test)]
mod tests;
