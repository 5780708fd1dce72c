//! Another configuration for a broker that runs: read, checked and built whole, then swapped in one step.

use std::path::Path;
use std::sync::Arc;

use tributary_audit::{ConfigChange, ConfigEvent, Digest, Event};
use tributary_broker::{Broker, Policy};
use tributary_guard::Reach;
use tributary_telemetry::{Listener, Metrics, ReloadOutcome};

use crate::callers::{KeptCallers, Registered};
use crate::certificates;
use crate::checked::{self, Asked, Checked, Reading, Refused};
use crate::error::StartError;
use crate::looked::who_looked;
use crate::observe::MapRows;
use crate::policy;
use crate::running::{Identities, Running, SecondFront, gpconnect_edge, launch_edge};
use crate::wire::{Ground, Kept, announced, counted, wire};
use tributary_settings::{Mistake, Settings};

/// A configuration that is built and not yet in force.
struct Next {
    settings: Settings,
    maps: MapRows,
    policy: Policy,
    broker: Broker,
    kept: Kept,
    /// Who we are to callers from now on.
    identities: Identities,
    /// Who they are.
    callers: Registered,
    /// When our certificates end.
    ends: Vec<(String, i64)>,
    /// Of when the revocation lists are.
    lists: Vec<(Listener, i64, i64)>,
}

impl Running {
    /// Reads the configuration again and puts it in force whole, or leaves the present one as it is. Which of the two
    /// is counted, on record, and told in the log, with every mistake; on success gives the digest of the file.
    ///
    /// What is in force is on record before it takes effect. Requests that are at work end on the configuration that
    /// they began with; dropping the future before it is done leaves the present one in force.
    pub async fn reload(&mut self, config: &Path) -> Result<Digest, Vec<Mistake>> {
        let (config, now) = (config.to_owned(), Arc::clone(&self.settings));
        let (ground, kept, policy) = (self.ground.clone(), Arc::clone(&self.kept), self.policy.clone());
        let callers = self.kept_callers.clone();
        let standing = Standing { settings: now, policy, ground, kept, callers };
        let reach = self.shelter.reach.clone();
        let built = tokio::task::spawn_blocking(move || {
            let reading = Reading::of(&config);
            let beyond = beyond(&reading, reach.as_ref());
            match build(reading, &standing) {
                Ok(next) if beyond.is_empty() => Ok(next),
                Ok(next) => Err(Refused { digest: next.settings.digest, mistakes: beyond }),
                Err(Refused { digest, mistakes }) => {
                    Err(Refused { digest, mistakes: beyond.into_iter().chain(mistakes).collect() })
                }
            }
        });
        let built = built.await;
        let unbuilt = |_panicked| {
            Err(Refused { digest: Digest::of(b""), mistakes: vec![at_large("it could not be built")] })
        };
        let next = match built.unwrap_or_else(unbuilt) {
            Ok(next) => next,
            Err(refused) => return Err(self.refuse(refused).await),
        };
        let digest = next.settings.digest;
        let event = Event::Config(ConfigEvent { change: ConfigChange::Reloaded, digest });
        if self.ground.trail.record(event).await.is_err() {
            let mistakes = vec![at_large("the audit log cannot be written")];
            return Err(self.refuse(Refused { digest, mistakes }).await);
        }
        self.put_in_force(next);
        Ok(digest)
    }

    fn put_in_force(&mut self, next: Next) {
        let Next { settings, maps, policy, broker, kept, identities, callers, ends, lists } = next;
        let metrics = &self.ground.metrics;
        metrics.sources().register(&counted(&settings));
        metrics.sources().maintenance(&announced(&settings));
        show_limits(&broker, metrics);
        maps.note(metrics);
        metrics.certificates_end(&ends);
        metrics.revocation_lists(&lists);
        if let (Some(tls), Some(identity)) = (&self.tls, identities.data) {
            tls.swap(identity);
        }
        self.who_looked = who_looked(&settings, &policy, &self.ground);
        self.front.swap(broker.clone(), self.edge(&settings, callers.data.clone()));
        if let (Some(SecondFront { address, tls, front }), Some(callers)) =
            (&self.gpconnect, callers.gpconnect)
        {
            if let Some(identity) = identities.gpconnect {
                tls.swap(identity);
            }
            front.swap(broker.clone(), gpconnect_edge(&settings, *address, tls.clone(), callers));
        }
        if let (Some(SecondFront { address, tls, front }), Some(callers)) = (&self.launch, callers.launch) {
            if let Some(identity) = identities.launch {
                tls.swap(identity);
            }
            let edge = launch_edge(&settings, self.who_looked.clone(), (*address, tls.clone()), callers);
            front.swap(broker.clone(), edge);
        }
        (self.callers, self.kept_callers) = (callers.data, callers.kept);
        std::mem::replace(&mut self.broker, broker).retire();
        self.kept = Arc::new(kept);
        self.policy = policy;
        self.settings = Arc::new(settings);
        metrics.reloaded(ReloadOutcome::Applied);
        tracing::info!({ config.digest = self.settings.name() }, "configuration in force");
    }

    /// Tells why, and leaves everything as it is.
    async fn refuse(&self, refused: Refused) -> Vec<Mistake> {
        let Refused { digest, mistakes } = refused;
        for mistake in &mistakes {
            let Mistake { path, line, says } = mistake;
            let place = line.map(|line| format!(" (line {line})")).unwrap_or_default();
            tracing::error!({ config.key = path.as_str() }, "configuration refused{place}: {says}");
        }
        let in_force = self.settings.name();
        let count = mistakes.len();
        tracing::warn!({ config.digest = in_force, failed = count }, "the configuration in force is kept");
        show_limits(&self.broker, &self.ground.metrics);
        self.ground.metrics.reloaded(ReloadOutcome::Rejected);
        let event = ConfigEvent { change: ConfigChange::Refused, digest };
        // The trail's observer tells of one that cannot be written; the refusal stands either way.
        let _stands = self.ground.trail.record(Event::Config(event)).await;
        mistakes
    }
}

/// Stacks tell of their limits when they are built: before their source is counted, or for nothing.
fn show_limits(broker: &Broker, metrics: &Metrics) {
    for source in broker.sources() {
        let Some(pulse) = source.pulse else { continue };
        metrics.sources().breaker(&source.id, pulse.breaker);
        metrics.sources().limit(&source.id, pulse.limit);
    }
}

/// What is wrong with a configuration as a whole.
fn at_large(says: &str) -> Mistake {
    Mistake { path: String::new(), line: None, says: says.to_owned() }
}

/// What stands when another configuration comes.
struct Standing {
    settings: Arc<Settings>,
    policy: Policy,
    ground: Ground,
    kept: Arc<Kept>,
    callers: KeptCallers,
}

/// What the process could not open, by its key: "permission denied" alone would not say why.
fn beyond(reading: &Reading, reach: Option<&Reach>) -> Vec<Mistake> {
    reach.zip(reading.settings()).map(|(reach, settings)| settings.beyond(reach)).unwrap_or_default()
}

/// Everything that can go wrong goes wrong here, where nothing has changed yet.
fn build(reading: Reading, standing: &Standing) -> Result<Next, Refused> {
    let Standing { settings: now, policy: in_force, ground, kept, callers } = standing;
    let Checked { settings, rules } = checked::check(reading, Asked::when(now))?;
    let policy = rules.policy.clone();
    let refused = |mistakes| Refused { digest: settings.digest, mistakes };
    let fixed = now.needs_restart(&settings);
    if !fixed.is_empty() {
        return Err(refused(fixed));
    }
    if let Some(unapproved) = policy::unapproved(in_force, &policy, &settings.policy) {
        return Err(refused(vec![unapproved]));
    }
    let unfit = |error: StartError| refused(vec![error.mistake(&settings)]);
    let rows = MapRows::of(&rules.maps);
    let (broker, kept) = wire(&settings, rules, ground, Some(kept)).map_err(unfit)?;
    kept.make_ready();
    let identities = Identities::load(&settings).map_err(unfit)?;
    let callers = Registered::by(&settings, callers, &ground.metrics).map_err(unfit)?;
    let (ends, lists) = (certificates::ends(&settings), certificates::lists(&settings));
    Ok(Next { settings, maps: rows, policy, broker, kept, identities, callers, ends, lists })
}
