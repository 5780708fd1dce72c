//! `OperationOutcome`s in the manner of the system that sends them.

use serde_json::{Value, json};

use crate::wire::Reply;

pub(crate) const SPINE_SYSTEM: &str = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1";
pub(crate) const GP_OUTCOME_PROFILE: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-OperationOutcome-1";

/// Which way of speaking a provider has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// GP Connect, STU3.
    GpConnect,
    /// FHIR R4, UK Core.
    R4,
    /// FHIR STU3, Care Connect.
    Stu3,
}

/// One row of the error table of GP Connect (`Spine-ErrorOrWarningCode-1`).
#[derive(Clone, Copy, Debug)]
struct Row {
    status: u16,
    issue: &'static str,
    code: &'static str,
    display: &'static str,
}

const fn row(status: u16, issue: &'static str, code: &'static str, display: &'static str) -> Row {
    Row { status, issue, code, display }
}

/// The first row of a status is the one used when only the status is known.
const ROWS: &[Row] = &[
    row(400, "invalid", "BAD_REQUEST", "Bad request"),
    row(400, "value", "INVALID_IDENTIFIER_SYSTEM", "Invalid identifier system"),
    row(400, "value", "INVALID_IDENTIFIER_VALUE", "Invalid identifier value"),
    row(400, "value", "INVALID_NHS_NUMBER", "Invalid NHS number"),
    row(400, "invalid", "CONFLICTING_VALUES", "Conflicting values have been specified in different fields"),
    row(403, "forbidden", "ACCESS DENIED", "Access denied"),
    row(403, "forbidden", "ACCESS_DENIED", "Access denied"),
    row(403, "forbidden", "NO_PATIENT_CONSENT", "Patient has not provided consent to share data"),
    row(403, "forbidden", "NO_ORGANISATION_CONSENT", "Organisation has not provided consent to share data"),
    row(403, "forbidden", "NO_ORGANISATIONAL_CONSENT", "Organisation has not provided consent to share data"),
    row(403, "forbidden", "NO_RELATIONSHIP", "No legitimate relationship exists with this patient"),
    row(404, "not-found", "PATIENT_NOT_FOUND", "Patient not found"),
    row(404, "not-found", "ORGANISATION_NOT_FOUND", "Organisation not found"),
    row(404, "not-found", "PRACTITIONER_NOT_FOUND", "Practitioner not found"),
    row(404, "not-found", "NO_RECORD_FOUND", "No record found"),
    row(409, "duplicate", "DUPLICATE_REJECTED", "Create would lead to creation of a duplicate resource"),
    row(415, "invalid", "BAD_REQUEST", "Bad request"),
    row(422, "invalid", "INVALID_PARAMETER", "Invalid parameter"),
    row(422, "invalid", "INVALID_RESOURCE", "Invalid validation of resource"),
    row(422, "invalid", "REFERENCE_NOT_FOUND", "Reference not found"),
    row(500, "processing", "INTERNAL_SERVER_ERROR", "Internal server error"),
    row(501, "not-supported", "NOT_IMPLEMENTED", "Not implemented"),
];

/// The status that goes with a Spine code.
pub(crate) fn status_of(code: &str) -> Option<u16> {
    ROWS.iter().find(|row| row.code == code).map(|row| row.status)
}

/// A refusal: a status, a Spine code, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) diagnostics: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, diagnostics: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), diagnostics: diagnostics.into() }
    }

    pub(crate) fn bad_request(diagnostics: impl Into<String>) -> Self {
        Self::new(400, "BAD_REQUEST", diagnostics)
    }

    /// The refusal for a status, with the code given or the usual one.
    pub(crate) fn of_status(status: u16, code: Option<&str>) -> Self {
        let usual = ROWS.iter().find(|row| row.status == status);
        let code = code.unwrap_or_else(|| usual.map_or("INTERNAL_SERVER_ERROR", |row| row.code));
        Self::new(status, code, "made to fail")
    }

    pub(crate) fn outcome(&self, dialect: Dialect) -> Value {
        let row = ROWS
            .iter()
            .find(|row| row.code == self.code && row.status == self.status)
            .or_else(|| ROWS.iter().find(|row| row.code == self.code));
        let (issue, display) = row.map_or(("processing", "Unexpected"), |row| (row.issue, row.display));
        let mut outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": issue,
                "details": {"coding": [{"system": SPINE_SYSTEM, "code": self.code, "display": display}]},
                "diagnostics": self.diagnostics,
            }],
        });
        if dialect == Dialect::GpConnect
            && let Some(fields) = outcome.as_object_mut()
        {
            fields.insert("meta".to_owned(), json!({"profile": [GP_OUTCOME_PROFILE]}));
        }
        outcome
    }

    pub(crate) fn reply(&self, dialect: Dialect) -> Reply {
        Reply::fhir(self.status, self.outcome(dialect).to_string())
    }
}
