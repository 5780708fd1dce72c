//! What the edge must be told.

use std::sync::Arc;
use std::time::Duration;

use tributary_model::requester::Assurance;
use tributary_model::{Clock, OdsCode, Priority, Requester, Role, SpineIds, SystemClock};

/// Settings of both listeners.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every link we write begins with this, never with the caller's `Host`. No slash at its end.
    pub public_base_url: String,
    /// Who asks when a request carries no token. Its role is also the role of an unsigned token's user,
    /// since GP Connect tokens name none.
    pub demo_requester: Requester,
    /// NHS number and title of the patients that the viewer offers.
    pub demo_patients: Vec<(String, String)>,
    /// Bounds on everything a caller can send or hold.
    pub limits: Limits,
    /// Whether whole addresses are taken as paths, as the Spine Secure Proxy takes them.
    pub spine_position: bool,
    /// How long requests in flight may take once shutdown began.
    pub drain: Duration,
    /// Names the configuration: the `Tributary-Config` of every record.
    pub config: String,
    /// The clock that tokens are judged by. It tells the true time even where records are dated by a fixed
    /// clock.
    pub clock: Arc<dyn Clock>,
}

/// Bounds on what callers can send or hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, per listener. Further ones wait to be accepted.
    pub connections: usize,
    /// Requests at once on the data listener. Further ones are refused.
    pub in_flight: usize,
    /// From a new connection, or the first byte of a later request, to the end of the request head.
    pub first_head: Duration,
    /// How long a connection may rest between requests.
    pub keep_alive_idle: Duration,
    /// How long a caller may refuse to read.
    pub write_stall: Duration,
    /// Header fields of a request.
    pub head_fields: usize,
    /// Bytes of a request head.
    pub head_bytes: usize,
    /// Bytes of the request target.
    pub uri_bytes: usize,
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// How long a request body may take to arrive.
    pub body_read: Duration,
    /// The deadline of a caller who names none.
    pub deadline_default: Duration,
    /// The shortest and the longest deadline a caller can have.
    pub deadline_range: (Duration, Duration),
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            in_flight: 256,
            first_head: Duration::from_secs(5),
            keep_alive_idle: Duration::from_mins(1),
            write_stall: Duration::from_secs(30),
            head_fields: 64,
            head_bytes: 16 << 10,
            uri_bytes: 2 << 10,
            body_bytes: 64 << 10,
            body_read: Duration::from_secs(5),
            deadline_default: Duration::from_secs(8),
            deadline_range: (Duration::from_millis(300), Duration::from_secs(30)),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_base_url: "http://127.0.0.1:8443".to_owned(),
            demo_requester: demo_requester(),
            demo_patients: Vec::new(),
            spine_position: false,
            limits: Limits::default(),
            drain: Duration::from_secs(10),
            config: "none".to_owned(),
            clock: Arc::new(SystemClock),
        }
    }
}

#[expect(clippy::expect_used, reason = "the code is a constant of six upper-case characters")]
fn demo_requester() -> Requester {
    Requester {
        user_id: "demo-user".to_owned(),
        family: "Demo".to_owned(),
        given: "Requester".to_owned(),
        role: Role::Ambulance,
        organisation: OdsCode::parse("RX9DEM").expect("six upper-case letters and digits"),
        organisation_name: "Demonstration Ambulance Service".to_owned(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        priority: Priority::of(Role::Ambulance),
    }
}
