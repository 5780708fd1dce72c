//! Capability statements of the three GP Connect capabilities, as this broker answers for a practice.

use http::StatusCode;
use tributary_bounds::Problem;
use tributary_fhir::Writer;
use tributary_model::{Capability, Interaction};

use super::in_format;
use crate::exchange::{Exchange, Reply, reply};
use crate::handlers::metadata::{DATE, security, software};
use crate::negotiate::Format;
use crate::render::outcome::respond_as;

const PROFILES: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/";
const UK_PROFILES: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition/";
const OPERATIONS: &str = "https://fhir.nhs.uk/STU3/OperationDefinition/";
const EXPECTATION: &str = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-expectation";

/// What one statement says.
struct Statement {
    name: &'static str,
    /// The specification's version.
    version: &'static str,
    profiles: &'static [&'static str],
    /// Named by the specification's statement, and not offered here: marked so.
    profiles_not_offered: &'static [&'static str],
    operations: &'static [Operation],
    resources: &'static [Resource],
}

struct Operation {
    name: &'static str,
    definition: &'static str,
    is_offered: bool,
}

struct Resource {
    kind: &'static str,
    interactions: &'static [&'static str],
    includes: &'static [&'static str],
    parameters: &'static [(&'static str, &'static str)],
}

const fn plain(kind: &'static str, interactions: &'static [&'static str]) -> Resource {
    Resource { kind, interactions, includes: &[], parameters: &[] }
}

const fn by_identifier(kind: &'static str, interactions: &'static [&'static str]) -> Resource {
    Resource { kind, interactions, includes: &[], parameters: &[("identifier", "token")] }
}

const FOUNDATIONS: Statement = Statement {
    name: "GP Connect API - Foundations",
    version: "1.5.0",
    profiles: &[
        "CareConnect-GPC-Patient-1",
        "CareConnect-GPC-Organization-1",
        "CareConnect-GPC-Practitioner-1",
        "CareConnect-GPC-PractitionerRole-1",
        "CareConnect-GPC-Location-1",
        "GPConnect-OperationOutcome-1",
        "CareConnect-GPC-AllergyIntolerance-1",
        "CareConnect-GPC-Medication-1",
        "CareConnect-GPC-MedicationStatement-1",
        "CareConnect-GPC-MedicationRequest-1",
        "CareConnect-GPC-List-1",
        "GPConnect-StructuredRecord-Bundle-1",
        "GPConnect-Searchset-Bundle-1",
        "CareConnect-GPC-Immunization-1",
        "CareConnect-GPC-ProblemHeader-Condition-1",
        "CareConnect-GPC-Encounter-1",
        "CareConnect-GPC-Observation-1",
        "CareConnect-GPC-DiagnosticReport-1",
        "CareConnect-GPC-Specimen-1",
        "CareConnect-GPC-ProcedureRequest-1",
        "CareConnect-GPC-ReferralRequest-1",
    ],
    profiles_not_offered: &["GPConnect-Appointment-1", "GPConnect-Schedule-1", "GPConnect-Slot-1"],
    operations: &[
        Operation {
            name: "gpc.registerpatient",
            definition: "GPConnect-RegisterPatient-Operation-1/_history/1.9",
            is_offered: false,
        },
        Operation {
            name: "gpc.getstructuredrecord",
            definition: "GPConnect-GetStructuredRecord-Operation-1/_history/1.15",
            is_offered: true,
        },
    ],
    resources: &[
        by_identifier("Patient", &["read", "search-type"]),
        by_identifier("Practitioner", &["read", "search-type"]),
        by_identifier("Organization", &["read", "search-type"]),
        plain("Location", &["read"]),
    ],
};

const STRUCTURED: Statement = Statement {
    name: "GP Connect API - Access Record Structured",
    version: "1.6.0",
    profiles: &[
        "CareConnect-GPC-Patient-1/_history/1.8",
        "CareConnect-GPC-Organization-1/_history/1.4",
        "CareConnect-GPC-Practitioner-1/_history/1.2",
        "CareConnect-GPC-PractitionerRole-1/_history/1.2",
        "CareConnect-GPC-AllergyIntolerance-1/_history/1.7",
        "CareConnect-GPC-Medication-1/_history/1.2",
        "CareConnect-GPC-MedicationStatement-1/_history/1.7",
        "CareConnect-GPC-MedicationRequest-1/_history/1.6",
        "CareConnect-GPC-List-1/_history/1.7",
        "GPConnect-StructuredRecord-Bundle-1/_history/1.3",
        "GPConnect-OperationOutcome-1/_history/1.2",
        "CareConnect-GPC-Immunization-1/_history/1.5",
        "CareConnect-GPC-ProblemHeader-Condition-1/_history/1.7",
        "CareConnect-GPC-Encounter-1/_history/1.5",
        "CareConnect-GPC-Observation-1/_history/1.6",
        "CareConnect-GPC-DiagnosticReport-1/_history/1.3",
        "CareConnect-GPC-Specimen-1/_history/1.3",
        "CareConnect-GPC-ProcedureRequest-1/_history/1.3",
        "CareConnect-GPC-ReferralRequest-1/_history/1.2",
        "CareConnect-GPC-DocumentReference-1/_history/1.3",
        "CareConnect-HealthcareService-1/_history/1.0",
    ],
    profiles_not_offered: &[],
    operations: &[
        Operation {
            name: "gpc.getstructuredrecord",
            definition: "GPConnect-GetStructuredRecord-Operation-1/_history/1.16",
            is_offered: true,
        },
        Operation {
            name: "gpc.migratestructuredrecord",
            definition: "GPConnect-MigrateStructuredRecord-Operation-1/_history/1.1",
            is_offered: false,
        },
    ],
    resources: &[],
};

const DOCUMENTS: Statement = Statement {
    name: "GP Connect API - Access Document",
    version: "1.6.0",
    profiles: &[
        "CareConnect-GPC-Patient-1/_history/1.8",
        "CareConnect-GPC-Organization-1/_history/1.4",
        "CareConnect-GPC-Practitioner-1/_history/1.2",
        "CareConnect-GPC-PractitionerRole-1/_history/1.2",
        "GPConnect-OperationOutcome-1/_history/1.2",
        "CareConnect-GPC-DocumentReference-1/_history/1.3",
        "GPConnect-Searchset-Bundle-1/_history/1.3",
    ],
    profiles_not_offered: &[],
    operations: &[],
    resources: &[
        by_identifier("Patient", &["search-type"]),
        Resource {
            kind: "DocumentReference",
            interactions: &["search-type"],
            includes: &[
                "DocumentReference:subject:Patient",
                "DocumentReference:custodian:Organization",
                "DocumentReference:author:Organization",
                "DocumentReference:author:Practitioner",
            ],
            parameters: &[("created", "date"), ("author", "token"), ("description", "string")],
        },
        plain("Binary", &["read"]),
    ],
};

/// The statement of a capability.
pub(super) fn statement(exchange: &Exchange, interaction: Interaction, format: Format) -> Reply {
    let capability = interaction.capability();
    let settings = &exchange.edge.settings;
    let text = written(capability, &settings.public_base_url, security(&settings.callers));
    let Ok((media, body)) = in_format(text.into(), format) else {
        return respond_as(Format::Json, Problem::internal());
    };
    reply(StatusCode::OK, media, body)
}

fn written(capability: Capability, base: &str, security: &str) -> String {
    let statement = match capability {
        Capability::Structured => &STRUCTURED,
        Capability::Documents => &DOCUMENTS,
        Capability::Foundations => &FOUNDATIONS,
    };
    let mut json = Writer::with_capacity(8 << 10);
    json.object(|out| {
        out.text("resourceType", "CapabilityStatement");
        out.text("version", statement.version);
        out.text("name", statement.name);
        out.text("status", "active");
        out.text("date", DATE);
        out.text("publisher", "Tributary");
        out.text("description", DESCRIPTION);
        out.text("kind", "instance");
        software(out);
        out.key("implementation").object(|implementation| {
            implementation.text("description", "The GP systems behind a broker; each answers for itself");
            implementation.text("url", base);
        });
        out.text("fhirVersion", "3.0.1");
        out.text("acceptUnknown", "both");
        out.key("format").array(|formats| {
            formats.string("application/fhir+json");
            formats.string("application/fhir+xml");
        });
        write_profiles(out, statement);
        out.key("rest").array(|rest| rest.object(|server| write_server(server, statement, security)));
    });
    json.finish()
}

const DESCRIPTION: &str = "What this broker passes on to the GP system of a practice. An entry marked SHOULD-NOT \
    is named because the GP Connect statement names it, and is not offered: its requests are answered with 501. \
    XML is given for this statement, for patients, practitioners, organisations, locations and searches; \
    structured records and documents are given in JSON only.";

fn write_profiles(out: &mut Writer, statement: &Statement) {
    out.key("profile").array(|profiles| {
        for profile in statement.profiles {
            let is_uk = profile.starts_with("CareConnect-HealthcareService");
            let base = if is_uk { UK_PROFILES } else { PROFILES };
            profiles.object(|one| one.text("reference", &format!("{base}{profile}")));
        }
        for profile in statement.profiles_not_offered {
            profiles.object(|one| {
                mark_not_offered(one);
                one.text("reference", &format!("{PROFILES}{profile}"));
            });
        }
    });
}

fn write_server(server: &mut Writer, statement: &Statement, security: &str) {
    server.text("mode", "server");
    server.key("security").object(|told| {
        told.key("cors").truth(false);
        told.text("description", security);
    });
    if !statement.resources.is_empty() {
        server.key("resource").array(|resources| {
            for resource in statement.resources {
                resources.object(|one| write_resource(one, resource));
            }
        });
    }
    if !statement.operations.is_empty() {
        server.key("operation").array(|operations| {
            for operation in statement.operations {
                operations.object(|one| write_operation(one, operation));
            }
        });
    }
}

fn write_resource(out: &mut Writer, resource: &Resource) {
    out.text("type", resource.kind);
    out.key("interaction").array(|interactions| {
        for code in resource.interactions {
            interactions.object(|one| one.text("code", code));
        }
    });
    if !resource.includes.is_empty() {
        out.key("searchInclude").array(|list| resource.includes.iter().for_each(|one| list.string(one)));
    }
    if !resource.parameters.is_empty() {
        out.key("searchParam").array(|list| {
            for (name, kind) in resource.parameters {
                list.record([("name", name), ("type", kind)]);
            }
        });
    }
}

fn write_operation(out: &mut Writer, operation: &Operation) {
    if !operation.is_offered {
        mark_not_offered(out);
    }
    out.text("name", operation.name);
    let reference = format!("{OPERATIONS}{}", operation.definition);
    out.key("definition").object(|definition| definition.text("reference", &reference));
}

fn mark_not_offered(out: &mut Writer) {
    out.key("extension").array(|list| list.record([("url", EXPECTATION), ("valueCode", "SHOULD-NOT")]));
}
