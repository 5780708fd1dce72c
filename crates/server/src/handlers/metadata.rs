//! Capability statements: exactly what works, and nothing else.

use http::StatusCode;
use tributary_fhir::{FhirVersion, Writer};

use crate::exchange::{Exchange, FHIR_JSON, Reply, reply};
use crate::negotiate;
use crate::render::outcome::{Dialect, respond};
use crate::settings::Callers;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The day the statements last changed.
pub(crate) const DATE: &str = "2026-11-21";
/// Who may ask, as capability statements say it.
pub(crate) const fn security(callers: &Callers) -> &'static str {
    match callers {
        Callers::Believed => BELIEVED,
        // Where browsers are sent there is no such statement.
        Callers::Proven(_) | Callers::Launched(_) => PROVEN,
        Callers::GpConnect(_) => ASSERTED,
    }
}

const PROVEN: &str = "Mutual TLS with the certificate of a registered system, and a bearer token (JWT) that it signed, \
    which names user and organisation.";
const ASSERTED: &str = "Mutual TLS with the certificate of a registered system; its unsigned GP Connect token says for \
    whom it asks.";
const BELIEVED: &str = "Demonstration only: callers are named, not proven. An unsigned GP Connect style bearer \
    names user and organisation; without one the built-in demo requester asks.";
/// The summary operation of the International Patient Summary guide.
const SUMMARY: &str = "http://hl7.org/fhir/uv/ips/OperationDefinition/summary";

/// `GET /fhir/R4/metadata`.
pub(crate) fn r4(exchange: &Exchange) -> Reply {
    if let Err(problem) = negotiate::r4_answer(&exchange.headers, exchange.query.as_deref()) {
        return respond(Dialect::R4, problem);
    }
    let base = &exchange.edge.settings.public_base_url;
    reply(StatusCode::OK, FHIR_JSON, r4_statement(base, security(&exchange.edge.settings.callers)))
}

/// `GET /fhir/STU3/metadata`.
pub(crate) fn stu3(exchange: &Exchange) -> Reply {
    if let Err(problem) = negotiate::stu3_record_answer(&exchange.headers, exchange.query.as_deref()) {
        return respond(Dialect::R4, problem);
    }
    let base = &exchange.edge.settings.public_base_url;
    reply(StatusCode::OK, FHIR_JSON, stu3_statement(base, security(&exchange.edge.settings.callers)))
}

/// STU3 wants to know what becomes of unknown elements, and names operations beside the resources.
fn stu3_statement(base: &str, security: &str) -> String {
    let mut json = Writer::with_capacity(2_048);
    json.object(|statement| {
        head(FhirVersion::Stu3, statement);
        statement.text("acceptUnknown", "no");
        implementation(statement, &format!("{base}/fhir/STU3"));
        formats(statement);
        let definition = format!("{base}/fhir/STU3/OperationDefinition/record");
        statement.key("rest").array(|rest| {
            rest.object(|server| {
                server.text("mode", "server");
                server.key("security").object(|told| told.text("description", security));
                let record = |operation: &mut Writer| {
                    operation.text("name", "record");
                    operation.key("definition").record([("reference", definition.as_str())]);
                };
                server.key("operation").array(|list| list.object(record));
            });
        });
    });
    json.finish()
}

fn implementation(statement: &mut Writer, url: &str) {
    statement.key("implementation").object(|implementation| {
        implementation.text("description", "Federated care record: many sources, one answer");
        implementation.text("url", url);
    });
}

fn r4_statement(base: &str, security: &str) -> String {
    let mut json = Writer::with_capacity(2_048);
    json.object(|statement| {
        head(FhirVersion::R4, statement);
        implementation(statement, &format!("{base}/fhir/R4"));
        formats(statement);
        statement.key("rest").array(|rest| rest.object(|server| r4_server(server, base, security)));
    });
    json.finish()
}

fn r4_server(server: &mut Writer, base: &str, security: &str) {
    server.text("mode", "server");
    server.key("security").object(|told| told.text("description", security));
    let definition = format!("{base}/fhir/R4/OperationDefinition/record");
    let patient = |patient: &mut Writer| {
        patient.text("type", "Patient");
        let operations = [("record", definition.as_str()), ("summary", SUMMARY)];
        patient.key("operation").array(|list| {
            for (name, definition) in operations {
                list.record([("name", name), ("definition", definition)]);
            }
        });
    };
    let binary = |binary: &mut Writer| {
        binary.text("type", "Binary");
        binary.key("interaction").array(|list| list.record([("code", "read")]));
        binary.text("documentation", "By the address in a record's attachment.url, for twelve hours.");
    };
    server.key("resource").array(|resources| {
        resources.object(patient);
        resources.object(binary);
    });
}

/// What this program is.
pub(crate) fn software(statement: &mut Writer) {
    statement.key("software").object(|software| {
        software.text("name", "Tributary");
        software.text("version", VERSION);
    });
}

fn head(version: FhirVersion, statement: &mut Writer) {
    statement.text("resourceType", "CapabilityStatement");
    statement.text("status", "active");
    statement.text("date", DATE);
    statement.text("kind", "instance");
    software(statement);
    statement.text("fhirVersion", version.number());
}

fn formats(statement: &mut Writer) {
    statement.key("format").array(|formats| formats.string("application/fhir+json"));
}
