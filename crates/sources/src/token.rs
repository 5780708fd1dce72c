//! The unsigned token that tells a source on whose behalf we ask (GP Connect 1.x).
//!
//! It is an assertion for the source's audit, not a proof: nobody verifies it. One is made for each attempt.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tributary_fhir::Writer;
use tributary_model::{Purpose, Requester, Scope};

use crate::identity::BrokerIdentity;

const SCHEME: &str = "Bearer ";
/// `{"alg":"none","typ":"JWT"}`, the first part of every token.
const HEADER: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
/// A token is valid for exactly this long: providers refuse any other span.
const LIFETIME_SECS: u64 = 300;
const ODS_SYSTEM: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const USER_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-user-id";
const ROLE_SYSTEM: &str = "https://fhir.nhs.uk/Id/sds-role-profile-id";

/// What a token says.
pub(crate) struct Claims<'a> {
    pub(crate) identity: &'a BrokerIdentity,
    pub(crate) requester: &'a Requester,
    /// Service root of the source, as the directory gave it.
    pub(crate) audience: &'a str,
    /// What is asked for.
    pub(crate) scope: Scope,
    /// Now, in Unix seconds.
    pub(crate) issued_at: u64,
    /// The attempt that it is for: no two tokens are alike, though one person asks twice in a second.
    pub(crate) trace: &'a str,
}

/// The value of the header `Authorization`: the token has three parts, the third empty.
pub(crate) fn bearer(claims: &Claims<'_>) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload(claims));
    // Put together without room to spare: it is held for as long as the source is awaited.
    [SCHEME, HEADER, ".", &payload, "."].concat()
}

fn payload(claims: &Claims<'_>) -> String {
    let Claims { identity, requester, audience, scope, issued_at, trace } = *claims;
    let mut json = Writer::with_capacity(1024);
    json.object(|token| {
        token.text("iss", &identity.iss);
        token.text("sub", &requester.user_id);
        token.text("aud", audience);
        token.key("iat").number(issued_at);
        token.key("exp").number(issued_at + LIFETIME_SECS);
        token.text("reason_for_request", Purpose::DirectCare.code());
        token.text("requested_scope", scope.code());
        token.key("requesting_device").object(|device| write_device(device, identity, trace));
        token
            .key("requesting_organization")
            .object(|organisation| write_organisation(organisation, requester));
        token
            .key("requesting_practitioner")
            .object(|practitioner| write_practitioner(practitioner, requester, identity));
    });
    json.finish()
}

/// The node that asks, and for which attempt. The published claims have no place for a number of their own, and
/// a claim that is not among them might be refused; a device may have several identifiers.
fn write_device(device: &mut Writer, identity: &BrokerIdentity, trace: &str) {
    device.text("resourceType", "Device");
    let node = (identity.device_system.as_str(), identity.device_value.as_str());
    let trace_system = [base(identity), "/Id/trace"].concat();
    write_identifiers(device, &[node, (&trace_system, trace)]);
    device.text("model", &identity.model);
    device.text("version", &identity.version);
}

fn write_organisation(organisation: &mut Writer, requester: &Requester) {
    organisation.text("resourceType", "Organization");
    write_identifiers(organisation, &[(ODS_SYSTEM, requester.organisation.as_str())]);
    organisation.text("name", &requester.organisation_name);
}

fn write_practitioner(practitioner: &mut Writer, requester: &Requester, identity: &BrokerIdentity) {
    practitioner.text("resourceType", "Practitioner");
    practitioner.text("id", &requester.user_id);
    let local_system = [base(identity), "/Id/user"].concat();
    let identifiers = [
        // A person without a smartcard is known by the local id only; `UNK` is the published word for that.
        (USER_SYSTEM, requester.spine.user.as_deref().unwrap_or("UNK")),
        (ROLE_SYSTEM, requester.spine.role_profile.as_deref().unwrap_or("UNK")),
        (local_system.as_str(), requester.user_id.as_str()),
    ];
    write_identifiers(practitioner, &identifiers);
    practitioner.key("name").array(|names| {
        names.object(|name| {
            name.text("family", &requester.family);
            name.key("given").array(|given| given.string(&requester.given));
        });
    });
}

/// What our own identifier systems begin with.
fn base(identity: &BrokerIdentity) -> &str {
    identity.iss.trim_end_matches('/')
}

fn write_identifiers(resource: &mut Writer, identifiers: &[(&str, &str)]) {
    resource.key("identifier").array(|list| {
        for (system, value) in identifiers {
            list.object(|identifier| {
                identifier.text("system", system);
                identifier.text("value", value);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeMap;
    use tributary_fhir::{Document, Limits};
    use tributary_model::requester::Assurance;

    use crate::identity::{Asids, Others};
    use tributary_model::{OdsCode, Role, SpineIds};

    fn decoded(token: &str) -> Document {
        let parts: Vec<_> = token.split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(URL_SAFE_NO_PAD.decode(parts[0]).unwrap(), br#"{"alg":"none","typ":"JWT"}"#);
        assert_eq!(parts[2], "");
        let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        Document::scan(payload, &Limits::default()).unwrap()
    }

    #[test]
    fn a_token_has_exactly_the_published_claims() {
        let identity = BrokerIdentity {
            iss: "https://broker.example.test/".into(),
            device_system: "https://broker.example.test/Id/device".into(),
            device_value: "node-1".into(),
            model: "Tributary".into(),
            version: "0.1.0".into(),
            asids: Asids { by_organisation: BTreeMap::new(), others: Others::Refused },
        };
        let requester = Requester {
            user_id: "u-17".into(),
            family: "Okoro \"quoted\"".into(),
            given: "Ada".into(),
            role: Role::CommunityNurse,
            organisation: OdsCode::parse("RXX01").unwrap(),
            organisation_name: "Community Trust".into(),
            asid: None,
            spine: SpineIds { user: Some("555021935107".into()), role_profile: None },
            assurance: Assurance::Demo,
            proof: None,
            priority: tributary_model::Priority::Interactive,
        };
        let claims = Claims {
            identity: &identity,
            requester: &requester,
            audience: "https://gp.example.test/A99901/STU3/1/gpconnect/structured",
            scope: Scope::Organisation,
            trace: "0d3f1c5e-6a0f-4f3e-9c57-1f0a6e1c2b3d",
            issued_at: 1_767_225_600,
        };
        let bearer = bearer(&claims);
        assert_eq!(bearer.len(), bearer.capacity());
        let doc = decoded(bearer.strip_prefix("Bearer ").unwrap());
        let claims = doc.root();
        let names: Vec<_> = claims.members().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "iss",
                "sub",
                "aud",
                "iat",
                "exp",
                "reason_for_request",
                "requested_scope",
                "requesting_device",
                "requesting_organization",
                "requesting_practitioner",
            ]
        );
        assert_eq!(claims.get("iat").unwrap().raw(), "1767225600");
        assert_eq!(claims.get("exp").unwrap().raw(), "1767225900");
        let device = claims.path(&["requesting_device", "identifier"]).unwrap();
        assert!(device.says("value", "node-1"));
        let practitioner = claims.get("requesting_practitioner").unwrap();
        assert_eq!(practitioner.text_at("id"), claims.text_at("sub"));
        let identifiers = practitioner.get("identifier").unwrap().items();
        let values: Vec<_> = identifiers.filter_map(|one| one.text_at("value")).collect();
        assert_eq!(values, ["555021935107", "UNK", "u-17"]);
        assert!(claims.says("requested_scope", "organization/*.read"));
        assert!(practitioner.path(&["name"]).unwrap().says("family", "Okoro \"quoted\""));
    }
}
