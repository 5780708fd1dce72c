//! What the edge must be told.

use std::sync::Arc;
use std::time::Duration;

use tributary_bounds::Waits;
use tributary_identity::{Gate, Tls};
use tributary_model::requester::Assurance;
use tributary_model::{Clock, OdsCode, Priority, Requester, Role, SpineIds, SystemClock};

use crate::desk::WhoLooked;
use crate::layers::HEALTH;
use crate::tour::Tour;

/// Settings of both listeners.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every link we write begins with this, never with the caller's `Host`. No slash at its end.
    pub public_base_url: String,
    /// Who may call, and how they prove it.
    pub callers: Callers,
    /// In a demo: who asks when a request carries no token. Its role is also the role of an unsigned token's user,
    /// since GP Connect tokens name none.
    pub demo_requester: Requester,
    /// NHS number and title of the patients that the viewer offers.
    pub demo_patients: Vec<(String, String)>,
    /// What addresses begin with that open a page for somebody; absent: nobody is sent here.
    pub launch_base_url: Option<String>,
    /// Origins whose pages may show ours inside them.
    pub frame_ancestors: Vec<String>,
    /// What a demo shows beside its records; nothing anywhere else.
    pub tour: Option<Tour>,
    /// Bounds on everything a caller can send or hold.
    pub limits: Limits,
    /// Whether whole addresses are taken as paths, as the Spine Secure Proxy takes them.
    pub spine_position: bool,
    /// How long requests are still taken once shutdown began, so that whoever sends them to us can learn of it.
    pub lame_duck: Duration,
    /// How long requests in flight may take after that.
    pub drain: Duration,
    /// Names the configuration: the `Tributary-Config` of every record.
    pub config: String,
    /// How the process is protected, in lines for operators: told after "ready".
    pub posture: String,
    /// TLS on the data listener; absent for plain HTTP/1.1.
    pub tls: Option<Tls>,
    /// Tells who looked at a record; absent: nobody is told here.
    pub who_looked: Option<WhoLooked>,
    /// The clock that tokens are judged by. It tells the true time even where records are dated by a fixed
    /// clock.
    pub clock: Arc<dyn Clock>,
}

/// Who may call a listener, and how they prove it.
#[derive(Clone, Debug)]
pub enum Callers {
    /// A demo: anybody, as whom they say they are.
    Believed,
    /// A system that shows its certificate and a token that it signed. GP Connect is not spoken here.
    Proven(Arc<Gate>),
    /// A system that shows its certificate; its unsigned token says for whom. Nothing but GP Connect is spoken
    /// here.
    GpConnect(Arc<Gate>),
    /// A browser, which another system sends to one patient's pages: with a sealed address, or a form that it signed.
    /// Nothing but those pages is to be had here.
    Launched(Arc<Gate>),
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaks {
    /// The paths of GP Connect.
    pub(crate) gp_connect: bool,
    /// Our own.
    pub(crate) ours: bool,
    /// What browsers that were sent here ask for.
    pub(crate) pages: bool,
}

/// What a browser that another system sends here asks for: the first of them by nobody else.
const SENT: &[&str] = &["/launch/{visit}", "/document", "/refused/{why}"];
const SENT_TOO: &[&str] = &["/launch", "/record", "/print", "/viewer/{asset}", "/sign-out", "/"];

impl Speaks {
    /// Whether this route is there. Whether we live is told everywhere.
    pub(crate) fn has(self, pattern: &str) -> bool {
        let of_visits = self.pages && (SENT.contains(&pattern) || SENT_TOO.contains(&pattern));
        HEALTH.contains(&pattern) || of_visits || self.ours && !SENT.contains(&pattern)
    }
}

impl Callers {
    pub(crate) const fn speaks(&self) -> Speaks {
        match self {
            Self::Believed => Speaks { gp_connect: true, ours: true, pages: true },
            Self::Proven(_) => Speaks { gp_connect: false, ours: true, pages: false },
            Self::GpConnect(_) => Speaks { gp_connect: true, ours: false, pages: false },
            Self::Launched(_) => Speaks { gp_connect: false, ours: false, pages: true },
        }
    }
}

/// Bounds on what callers can send or hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, per listener. Further ones are closed as soon as they come.
    pub connections: usize,
    /// Connections at once from one address, or one IPv6 network of 64 bits. Further ones likewise.
    pub connections_per_address: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// TLS handshakes at once. Further ones wait, within that time.
    pub handshakes: usize,
    /// Requests of one connection; the answer to the last says that it is closed.
    pub requests_per_connection: u64,
    /// Age at which a connection is closed after the answer it has, a fifth more or less: those that were
    /// opened together are not closed together.
    pub connection_age: Duration,
    /// Requests at once on one connection of HTTP/2.
    pub streams: u32,
    /// Requests at once on the data listener. Further ones are refused.
    pub in_flight: usize,
    /// How far behind our own work may be before fewer are let in.
    pub behind: Duration,
    /// From a new connection, or the first byte of a later request, to the end of the request head.
    pub first_head: Duration,
    /// How long a connection may rest between requests.
    pub keep_alive_idle: Duration,
    /// How long a caller may refuse to read.
    pub write_stall: Duration,
    /// What a caller must read every second from then on, on average.
    pub write_bytes_per_sec: u64,
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

/// A handshake is work for the processor: more at once only makes all of them late.
fn handshakes() -> usize {
    256 * std::thread::available_parallelism().map_or(1, usize::from)
}

impl Limits {
    /// How long a connection may be silent.
    pub(crate) const fn waits(&self) -> Waits {
        Waits {
            first_head: self.first_head,
            keep_alive_idle: self.keep_alive_idle,
            write_stall: self.write_stall,
            write_bytes_per_sec: self.write_bytes_per_sec,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            connections_per_address: 200,
            handshake: Duration::from_secs(3),
            handshakes: handshakes(),
            requests_per_connection: 1_000,
            connection_age: Duration::from_mins(5),
            streams: 32,
            in_flight: 256,
            behind: Duration::from_millis(5),
            first_head: Duration::from_secs(5),
            keep_alive_idle: Duration::from_mins(1),
            write_stall: Duration::from_secs(10),
            write_bytes_per_sec: 16 << 10,
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
            callers: Callers::Believed,
            demo_requester: demo_requester(),
            demo_patients: Vec::new(),
            launch_base_url: None,
            frame_ancestors: Vec::new(),
            tour: None,
            spine_position: false,
            limits: Limits::default(),
            lame_duck: Duration::from_secs(2),
            drain: Duration::from_secs(10),
            config: "none".to_owned(),
            posture: String::new(),
            who_looked: None,
            tls: None,
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
        role: Role::Demo,
        organisation: OdsCode::parse("RX9DEM").expect("six upper-case letters and digits"),
        organisation_name: "Demonstration Ambulance Service".to_owned(),
        asid: None,
        spine: SpineIds::default(),
        assurance: Assurance::Demo,
        proof: None,
        priority: Priority::of(Role::Demo),
    }
}
