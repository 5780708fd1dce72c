//! What one broker leaves to the one that takes its place, and what it is built on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tributary_audit::{Digest, Trail};
use tributary_broker::{Lasting, LinkKey};
use tributary_model::{Clock, MemoryBudget, SourceId};
use tributary_sources::national::practice::{PracticeTemplate, Practices};
use tributary_sources::{BrokerIdentity, EgressSettings, Registry, ServiceRoot};
use tributary_telemetry::Metrics;

use super::{Outward, egress_settings, identity, outward, practices_id};
use crate::error::StartError;
use crate::observe::LimitCounts;
use tributary_settings::secrets;
use tributary_settings::{NationalSettings, Settings};

/// What every broker of this process is built on, whatever its configuration says.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) trail: Trail,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) lasting: Lasting,
    /// The clock of dated rules.
    pub(crate) clock: Arc<dyn Clock>,
    /// What all requests may hold together, whatever the configuration they began on.
    pub(crate) memory: MemoryBudget,
    /// Where records are asked for.
    pub(crate) data: SocketAddr,
}

impl Ground {
    fn limit_counts(&self) -> LimitCounts {
        LimitCounts { metrics: Arc::clone(&self.metrics), others: practices_id() }
    }
}

/// What the next broker may take over.
pub(crate) struct Kept {
    pub(super) outward: Outward,
    pub(super) registry: Registry,
    pub(super) practices: Option<Practices>,
    pub(super) link_key: SealedBy,
    roots: Roots,
    practices_of: Option<PracticesOf>,
}

/// The key of the addresses of documents, and where it came from.
#[derive(Clone)]
pub(super) struct SealedBy {
    pub(super) key: LinkKey,
    pub(super) file: Option<PathBuf>,
}

/// What everything that looks outward was made from: as long as this is equal, what was made is kept, with its
/// connections, tokens and quotas.
#[derive(PartialEq, Eq)]
struct Roots {
    egress: EgressSettings,
    identity: BrokerIdentity,
    proxy: Option<ServiceRoot>,
    national: NationalSettings,
    secrets: Vec<Digest>,
}

/// What the practices without an entry were made from.
type PracticesOf = (PracticeTemplate, Vec<SourceId>);

/// Everything outward for these settings: of the last broker as far as it is the same, or anew.
pub(super) struct Gathered {
    pub(super) outward: Outward,
    pub(super) registry: Registry,
    pub(super) practices: Option<Practices>,
    roots: Roots,
    practices_of: Option<PracticesOf>,
}

impl Gathered {
    pub(super) fn by(
        settings: &Settings,
        ground: &Ground,
        before: Option<&Kept>,
    ) -> Result<Self, StartError> {
        let base_url = settings.server.base_url(ground.data);
        let roots = Roots::of(settings, &base_url, &ground.memory)?;
        let before = before.filter(|before| before.roots == roots);
        let anew = || {
            let mut outward = outward(settings, &base_url, &ground.memory)?;
            outward.context.observers = Arc::new(ground.limit_counts());
            Ok::<_, StartError>(outward)
        };
        let outward = before.map_or_else(anew, |before| Ok(before.outward.clone()))?;
        let entries = super::entries(settings)?;
        let registry = match before {
            Some(before) => before.registry.followed_by(entries, &outward.egress, &outward.context),
            None => Registry::build(entries, &outward.egress, &outward.context),
        }?;
        let ids = settings.sources.iter().map(|entry| entry.id.clone()).collect();
        let practices_of = super::national::template(settings)?.map(|template| (template, ids));
        let practices = match before.filter(|before| before.practices_of == practices_of) {
            Some(before) => before.practices.clone(),
            None => outward.practices(settings)?,
        };
        Ok(Self { outward, registry, practices, roots, practices_of })
    }

    pub(super) fn kept(self, link_key: SealedBy) -> Kept {
        let Self { outward, registry, practices, roots, practices_of } = self;
        Kept { outward, registry, practices, link_key, roots, practices_of }
    }
}

impl Kept {
    /// Makes ready for the first source with a certificate, beside everything else that is done.
    pub(crate) fn make_ready(&self) {
        let egress = self.outward.egress.clone();
        // Whoever needs it earlier does it, so nobody waits for this to end.
        drop(tokio::task::spawn_blocking(move || egress.make_ready()));
    }
}

impl Roots {
    fn of(settings: &Settings, base_url: &str, memory: &MemoryBudget) -> Result<Self, StartError> {
        let mut national = settings.national.clone();
        // Practices are compared by themselves: another template is no reason to forget tokens and quotas.
        if let Some(sds) = &mut national.sds {
            sds.practice = None;
        }
        Ok(Self {
            egress: egress_settings(settings, memory),
            identity: identity(settings, base_url),
            proxy: settings.spine.as_ref().map(|spine| spine.proxy_url.clone()),
            secrets: secrets::digests(&national)?,
            national,
        })
    }
}

impl SealedBy {
    /// The key from its file; or the one of the last broker, as long as there is no file; or a new one.
    pub(super) fn of(settings: &Settings, before: Option<&Kept>) -> Result<Self, StartError> {
        let Some(file) = &settings.server.link_key_file else {
            let kept = before.map(|before| &before.link_key).filter(|key| key.file.is_none());
            let random =
                || LinkKey::random().map(|key| Self { key, file: None }).map_err(StartError::Randomness);
            return kept.map_or_else(random, |key| Ok(key.clone()));
        };
        let bytes = std::fs::read(file).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = bytes.map(LinkKey::of).ok_or_else(|| StartError::LinkKey(file.clone()))?;
        Ok(Self { key, file: Some(file.clone()) })
    }
}
