//! Practices that no entry registers: each found through the directory and asked as one template says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tower::util::BoxCloneSyncService;
use tower::{ServiceExt as _, service_fn};
use tributary_fhir::{Relayed, Reply};
use tributary_model::{
    Ask, Capability, Deadline, FaultClass, Freshness, Interaction, NhsNumber, OdsCode, RelayAsk, Requester,
    SectionSet, SourceFault, SourceId, SourceKind,
};

use super::sds::{RECORD, Sds};
use crate::directory::{Endpoint, LookUp};
use crate::egress::Egress;
use crate::egress::{EgressError, SourceTls};
use crate::registry::{Context, Protocol, Route, SourceEntry};
use crate::source::{AskService, RelayService, Source};

/// Most endpoints of one practice whose stacks are kept: one for each of its systems, and some to spare.
const ENDPOINTS_EACH: usize = 4;

/// How a practice without an entry of its own is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PracticeTemplate {
    /// What people call it, before its code.
    pub name: String,
    /// Its place among the sources.
    pub rank: u32,
    /// The sections it is asked for; `None` means all that its protocol can.
    pub sections: Option<SectionSet>,
    /// Longest time for one ask.
    pub timeout: Duration,
    /// How long its replies may be kept; `None` means never.
    pub cache_ttl: Option<Duration>,
    /// Most bytes of one reply.
    pub max_body_bytes: u64,
    /// Most asks at a time, of each practice.
    pub max_in_flight: usize,
    /// Most practices whose limits and connections are remembered.
    pub max_practices: usize,
    /// How practices are reached.
    pub route: Route,
    /// What they demand of TLS, or what the Spine proxy before them does.
    pub tls: Option<SourceTls>,
}

/// Service roots by capability, as far as they were found.
pub type FoundRoots = Arc<Mutex<BTreeMap<Capability, String>>>;

impl Default for PracticeTemplate {
    fn default() -> Self {
        Self {
            name: "GP practice".to_owned(),
            rank: 1,
            sections: None,
            timeout: Duration::from_secs(3),
            cache_ttl: None,
            max_body_bytes: 16 << 20,
            max_in_flight: 32,
            max_practices: 1000,
            route: Route::Direct,
            tls: None,
        }
    }
}

impl PracticeTemplate {
    fn serves(&self) -> SectionSet {
        let able = Protocol::GpConnectStructured.can_serve();
        self.sections.map_or(able, |sections| sections.and(able))
    }
}

/// A practice's source that is in no registry.
#[derive(Clone)]
pub struct PracticeSource {
    /// Its id: `gp-` and the code of the practice in lower case.
    pub id: SourceId,
    /// What people call it.
    pub name: String,
    /// The practice; `None` when it could not be found out which it is.
    pub ods: Option<OdsCode>,
    /// Its place among the sources.
    pub rank: u32,
    /// The sections it is asked for.
    pub serves: SectionSet,
    /// Longest time for one ask.
    pub timeout: Duration,
    /// How long its replies may be kept.
    pub cache_ttl: Option<Duration>,
    /// Asks it.
    pub service: AskService,
    /// Passes GP Connect requests to it; `None` when there is nobody to pass them to.
    pub relay: Option<RelayService>,
    /// Its service roots, each known once it was asked there.
    pub roots: FoundRoots,
}

impl fmt::Debug for PracticeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PracticeSource").field("id", &self.id).finish_non_exhaustive()
    }
}

impl PracticeSource {
    /// Stands for a practice that nobody can ask, and says why.
    pub(crate) fn silent(
        names: &Names,
        ods: Option<OdsCode>,
        template: &PracticeTemplate,
        why: FaultClass,
    ) -> Self {
        let service = service_fn(move |_ask: Ask| std::future::ready(Err(SourceFault::new(why))));
        Self {
            id: names.of(ods.as_ref()),
            name: name(template, ods.as_ref()),
            ods,
            rank: template.rank,
            serves: template.serves(),
            timeout: template.timeout,
            cache_ttl: None,
            service: BoxCloneSyncService::new(service),
            relay: None,
            roots: Arc::default(),
        }
    }
}

fn name(template: &PracticeTemplate, ods: Option<&OdsCode>) -> String {
    match ods {
        Some(ods) => format!("{} {ods}", template.name),
        None => "The patient's GP practice".to_owned(),
    }
}

/// The ids of practices, none of them that of a registered source.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    taken: Arc<BTreeSet<SourceId>>,
}

impl Names {
    pub(crate) fn beside(taken: impl IntoIterator<Item = SourceId>) -> Self {
        Self { taken: Arc::new(taken.into_iter().collect()) }
    }

    fn of(&self, ods: Option<&OdsCode>) -> SourceId {
        let code = ods.map_or_else(|| "unlocated".to_owned(), |ods| ods.as_str().to_lowercase());
        let with = |prefix: &str| SourceId::parse(&format!("{prefix}-{code}")).ok();
        let free = ["gp", "practice", "gp-practice"]
            .into_iter()
            .filter_map(with)
            .find(|id| !self.taken.contains(id));
        // Three prefixes and a shape that always fits: the last resort is never reached in practice.
        free.unwrap_or_else(SourceId::unlocated)
    }
}

/// Every practice that the directory knows.
#[derive(Clone)]
pub struct Practices {
    inner: Arc<Inner>,
}

impl fmt::Debug for Practices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Practices").field("template", &self.inner.template).finish_non_exhaustive()
    }
}

struct Inner {
    template: PracticeTemplate,
    sds: Sds,
    egress: Egress,
    context: Context,
    stacks: Mutex<Stacks>,
    names: Names,
}

/// The stacks of the practices that were asked last.
#[derive(Default)]
struct Stacks {
    by_practice: BTreeMap<OdsCode, Known>,
    asks: u64,
}

/// A practice that was asked.
#[derive(Default)]
struct Known {
    /// Its endpoints, the last found at the end. A root is never used for another capability.
    sources: Vec<((Capability, Endpoint), Source)>,
    last_used: u64,
}

impl Practices {
    /// Practices found through this directory, beside the registered sources.
    pub fn new(
        template: PracticeTemplate,
        sds: Sds,
        egress: &Egress,
        context: &Context,
        registered: &[SourceEntry],
    ) -> Result<Self, EgressError> {
        let egress = template.tls.as_ref().map_or_else(|| Ok(egress.clone()), |tls| egress.with_tls(tls))?;
        let names = Names::beside(registered.iter().map(|entry| entry.id.clone()));
        let (context, stacks) = (context.clone(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { template, sds, egress, context, stacks, names }) })
    }

    /// The source of one practice. It is looked up when it is asked, so that it keeps nobody else waiting.
    pub fn source(&self, ods: &OdsCode) -> PracticeSource {
        let template = &self.inner.template;
        let id = self.inner.names.of(Some(ods));
        let roots = FoundRoots::default();
        let one =
            Arc::new(One { all: self.clone(), id: id.clone(), ods: ods.clone(), roots: Arc::clone(&roots) });
        let relayed = Arc::clone(&one);
        let service = service_fn(move |ask: Ask| Arc::clone(&one).ask(ask));
        let relay = service_fn(move |ask: RelayAsk| Arc::clone(&relayed).pass(ask));
        PracticeSource {
            id,
            name: name(template, Some(ods)),
            ods: Some(ods.clone()),
            rank: template.rank,
            serves: template.serves(),
            timeout: template.timeout,
            cache_ttl: template.cache_ttl,
            service: BoxCloneSyncService::new(service),
            relay: Some(BoxCloneSyncService::new(relay)),
            roots,
        }
    }

    pub(crate) fn template(&self) -> &PracticeTemplate {
        &self.inner.template
    }
}

/// One practice, for one request.
struct One {
    all: Practices,
    id: SourceId,
    ods: OdsCode,
    roots: FoundRoots,
}

impl One {
    async fn ask(self: Arc<Self>, ask: Ask) -> Result<Reply, SourceFault> {
        let look_up = self.look_up(RECORD, &ask.requester, Some(ask.patient));
        self.reach(&look_up, ask.deadline, |source| source.service.oneshot(ask.clone())).await
    }

    async fn pass(self: Arc<Self>, ask: RelayAsk) -> Result<Relayed, SourceFault> {
        let look_up = self.look_up(ask.interaction, &ask.requester, ask.patient);
        let passed = |source: Source| {
            let ask = ask.clone();
            async move {
                let relay = source.relay.ok_or_else(|| SourceFault::new(FaultClass::NotOffered))?;
                relay.oneshot(ask).await
            }
        };
        self.reach(&look_up, ask.deadline, passed).await
    }

    fn look_up(
        &self,
        interaction: Interaction,
        requester: &Arc<Requester>,
        patient: Option<NhsNumber>,
    ) -> LookUp {
        LookUp { ods: self.ods.clone(), interaction, requester: Arc::clone(requester), patient }
    }

    /// Asks where the directory says; where nobody is there any more, asks the directory once again.
    async fn reach<R, F>(
        &self,
        look_up: &LookUp,
        deadline: Deadline,
        ask: impl Fn(Source) -> F,
    ) -> Result<R, SourceFault>
    where
        F: Future<Output = Result<R, SourceFault>>,
    {
        let inner = &self.all.inner;
        let deadline = deadline.capped(inner.template.timeout);
        let first = inner.sds.find(look_up, Freshness::Allowed, deadline).await?;
        let fault = match ask(self.at(look_up, &first)).await {
            Err(fault) if is_dead(fault.class) => fault,
            heard => return heard,
        };
        match inner.sds.find(look_up, Freshness::FetchNow, deadline).await {
            Ok(second) if second != first => ask(self.at(look_up, &second)).await,
            Ok(_) | Err(_) => Err(fault),
        }
    }

    /// The source at an endpoint, whose root is known from now on.
    fn at(&self, look_up: &LookUp, endpoint: &Endpoint) -> Source {
        let capability = look_up.interaction.capability();
        let root = endpoint.root.as_str().to_owned();
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).insert(capability, root);
        self.all.inner.stack(self, capability, endpoint)
    }
}

/// Whether nobody listens at an address, as far as one can see.
fn is_dead(class: FaultClass) -> bool {
    matches!(
        class,
        FaultClass::Connect
            | FaultClass::ConnectTimeout
            | FaultClass::Dns
            | FaultClass::TlsTimeout
            | FaultClass::TlsExpired
            | FaultClass::TlsNotYetValid
            | FaultClass::TlsName
            | FaultClass::TlsUntrusted
            | FaultClass::TlsRevoked
            | FaultClass::TlsVersion
            | FaultClass::TlsClientRejected
            | FaultClass::Tls
    )
}

impl Inner {
    /// The stack of an endpoint, built once, so that its limits remember.
    fn stack(&self, one: &One, capability: Capability, endpoint: &Endpoint) -> Source {
        let ods = &one.ods;
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        stacks.asks += 1;
        let now = stacks.asks;
        if !stacks.by_practice.contains_key(ods) && stacks.by_practice.len() >= self.template.max_practices {
            stacks.forget_oldest();
        }
        let known = stacks.by_practice.entry(ods.clone()).or_default();
        known.last_used = now;
        if let Some((_, source)) =
            known.sources.iter().find(|((of, at), _)| *of == capability && at == endpoint)
        {
            return source.clone();
        }
        if known.sources.len() >= ENDPOINTS_EACH {
            known.sources.remove(0);
        }
        let context = Arc::new(self.context.clone());
        let source = Source::build(self.entry(one, capability, endpoint), &self.egress, &context);
        known.sources.push(((capability, endpoint.clone()), source.clone()));
        source
    }

    fn entry(&self, one: &One, capability: Capability, endpoint: &Endpoint) -> SourceEntry {
        let template = &self.template;
        SourceEntry {
            id: one.id.clone(),
            name: name(template, Some(&one.ods)),
            kind: SourceKind::Gp,
            protocol: Protocol::GpConnectStructured,
            ods: Some(one.ods.clone()),
            asid: Some(endpoint.asid.clone()),
            // Used for nothing but the capability it was looked up for.
            base_url: endpoint.root.clone(),
            more_roots: BTreeMap::from([(capability, endpoint.root.clone())]),
            route: template.route,
            tls: template.tls.clone(),
            sections: template.sections,
            owns: Vec::new(),
            rank: template.rank,
            timeout: template.timeout,
            cache_ttl: template.cache_ttl,
            max_body_bytes: template.max_body_bytes,
            max_in_flight: template.max_in_flight,
            sends_deadline: false,
        }
    }
}

impl Stacks {
    fn forget_oldest(&mut self) {
        let oldest = self.by_practice.iter().min_by_key(|(_, known)| known.last_used);
        if let Some(ods) = oldest.map(|(ods, _)| ods.clone()) {
            self.by_practice.remove(&ods);
        }
    }
}
