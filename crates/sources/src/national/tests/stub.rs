//! A service in the hands of a test: no socket, so that the clock can stand still.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use futures_util::future::BoxFuture;
use tributary_model::requester::Assurance;
use tributary_model::{Deadline, FixedClock, Locate, NhsNumber, OdsCode, Requester, Role, SourceFault};

use super::oauth::{ClientKey, OauthSettings, Tokens};
use super::{Carry, Make};
use crate::egress::{Bounds, Outgoing, Received};

type Script = dyn Fn(usize, &Outgoing) -> Result<Received, SourceFault> + Send + Sync;

/// Answers each request, after a while, as its script says.
#[derive(Clone)]
pub(crate) struct Stub {
    script: Arc<Script>,
    wait: Duration,
    seen: Arc<Mutex<Vec<Outgoing>>>,
}

impl Stub {
    pub(crate) fn new(
        wait: Duration,
        script: impl Fn(usize, &Outgoing) -> Result<Received, SourceFault> + Send + Sync + 'static,
    ) -> Self {
        Self { script: Arc::new(script), wait, seen: Arc::default() }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Outgoing> {
        self.seen.lock().unwrap().clone()
    }

    /// A header of each request so far.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let text =
            |one: &Outgoing| one.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        self.seen().iter().map(text).collect()
    }
}

impl Carry for Stub {
    fn grants_another(&self) -> bool {
        true
    }

    fn carry(&self, _bounds: Bounds, make: Make) -> BoxFuture<'static, Result<Received, SourceFault>> {
        let stub = self.clone();
        Box::pin(async move {
            let outgoing = make()?;
            let number = {
                let mut seen = stub.seen.lock().unwrap();
                seen.push(outgoing.clone());
                seen.len() - 1
            };
            tokio::time::sleep(stub.wait).await;
            (stub.script)(number, &outgoing)
        })
    }
}

/// An answer.
pub(crate) fn received(status: u16, body: &str) -> Received {
    Received {
        status,
        media_type: Some("application/fhir+json".into()),
        retry_after: None,
        etag: None,
        body: body.as_bytes().to_vec(),
        held: tributary_model::Lease::default(),
        attempts: 1,
    }
}

/// A body of `OperationOutcome` with this code.
pub(crate) fn outcome(code: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"x","details":{{"coding":[{{"code":"{code}"}}]}}}}]}}"#
    )
}

pub(crate) fn number(text: &str) -> NhsNumber {
    NhsNumber::parse(text).unwrap()
}

pub(crate) fn requester(user: &str) -> Arc<Requester> {
    Arc::new(Requester {
        user_id: user.into(),
        family: "Okoro".into(),
        given: "Ada".into(),
        role: Role::CommunityNurse,
        organisation: OdsCode::parse("RXX01").unwrap(),
        organisation_name: "Community Trust".into(),
        asid: None,
        spine: tributary_model::SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: tributary_model::Priority::Interactive,
    })
}

/// A question about a patient, on the tenth of March 2026, with five seconds to answer.
pub(crate) fn question(patient: &str) -> Locate {
    Locate {
        patient: number(patient),
        requester: requester("u-17"),
        at: "2026-03-10T02:10:00Z".parse().unwrap(),
        deadline: Deadline::after(Duration::from_secs(5)),
    }
}

/// A Patient as the demographics service gives it; `more` are further members.
pub(crate) fn patient(id: &str, label: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","meta":{{"security":[{{"code":"{label}"}}]}},
        "identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"{id}","extension":[{{
        "url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
        "valueCodeableConcept":{{"coding":[{{"code":"01"}}]}}}}]}}]{more}}}"#
    )
}

/// A registration with a practice.
pub(crate) fn registered(ods: &str, period: &str) -> String {
    format!(
        r#","generalPractitioner":[{{"type":"Organization","identifier":{{
        "system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"{ods}","period":{period}}}}}]"#
    )
}

/// A key made once; making one takes a while.
pub(crate) static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

pub(crate) fn key() -> ClientKey {
    let der: Pkcs8V1Der<'_> = KEY.as_der().unwrap();
    ClientKey::read(der.as_ref()).unwrap()
}

/// Tokens from a service that grants one, called by its number, for each request.
pub(crate) fn tokens(carrier: Stub) -> Tokens {
    let settings = OauthSettings {
        token_url: "https://token.example.test/oauth2/token".parse().unwrap(),
        client_id: "client-1".into(),
        kid: "kid-1".into(),
        timeout: Duration::from_secs(2),
    };
    let clock = FixedClock("2026-03-10T02:10:00Z".parse().unwrap());
    Tokens::over(settings, key(), Arc::new(carrier), Arc::new(clock))
}

/// A token service that answers after a tenth of a second.
pub(crate) fn granting() -> Stub {
    Stub::new(Duration::from_millis(100), |number, _| Ok(received(200, &granted(number))))
}

pub(crate) fn granted(number: usize) -> String {
    format!(r#"{{"access_token":"t-{number}","expires_in":"3599","token_type":"Bearer"}}"#)
}
