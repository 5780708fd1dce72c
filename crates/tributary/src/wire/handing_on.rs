//! The audit log on its way to others: feeds that follow it and gate nothing.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tributary_audit::Trail;
use tributary_ledger::export::{EventFile, ExportObserver, Feed, Patience, Repository, Tap, Target};
use tributary_telemetry::Metrics;

use crate::error::StartError;
use tributary_settings::{PostgresSettings, Settings};

struct Counts(Arc<Metrics>);

impl ExportObserver for Counts {
    fn backlog(&self, target: &'static str, records: u64) {
        self.0.audit_export().backlog(target, records);
    }

    fn oldest(&self, target: &'static str, made: Option<jiff::Timestamp>) {
        self.0.audit_export().oldest(target, made.map_or(0, jiff::Timestamp::as_second));
    }

    fn taken(&self, target: &'static str) {
        self.0.audit_export().taken(target);
    }

    fn failed(&self, target: &'static str) {
        self.0.audit_export().failed(target);
    }

    fn put_aside(&self, target: &'static str) {
        self.0.audit_export().put_aside(target);
    }
}

/// Starts a feed for each place that the settings name. They end with the log.
pub(crate) fn hand_on(
    settings: &Settings,
    trail: &Trail,
    metrics: &Arc<Metrics>,
    address: &str,
) -> Result<Vec<JoinHandle<()>>, StartError> {
    let mut feeds = Vec::new();
    let Some(export) = &settings.audit.export else { return Ok(Vec::new()) };
    let mut targets = Vec::new();
    if let Some(url) = &export.url {
        let (tls, bearer) = (export.tls(), export.bearer());
        let (tls, bearer) = (tls.map_err(StartError::AuditFile)?, bearer.map_err(StartError::AuditFile)?);
        let repository = Repository::new(url.clone(), tls, bearer, export.timeout);
        targets.push(Target::Repository(Box::new(repository)));
    }
    if let Some(file) = &export.file {
        let file = EventFile::open(file).map_err(tributary_ledger::LedgerError::from)?;
        targets.push(Target::File(file));
    }
    for target in targets {
        metrics.audit_export().begin(target.name());
        let store = settings.audit.postgres.as_ref().map(PostgresSettings::store).transpose();
        let store = store.map_err(StartError::AuditFile)?;
        let node = store.as_ref().map_or_else(|| "local".to_owned(), |store| store.node.to_string());
        let feed = Feed {
            tap: store.map_or_else(
                || Tap::Directory(settings.audit.dir.clone()),
                |store| Tap::Postgres(Box::new(store)),
            ),
            node,
            address: address.to_owned(),
            target,
            patience: Patience {
                state_dir: export.state_dir.clone(),
                pause_max: export.pause_max,
                tries: export.tries,
            },
            observer: Arc::new(Counts(Arc::clone(metrics))),
        };
        feeds.push(feed);
    }
    // Only once all of them can be made.
    Ok(feeds.into_iter().map(|feed| tokio::spawn(Feed::run(feed, trail.durable()))).collect())
}
