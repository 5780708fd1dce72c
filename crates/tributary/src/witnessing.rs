//! Sends the checkpoints of the audit log to its witnesses, and keeps what they sign.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tributary_audit::{AuditError, Notary, SigningKey, Standing, Submission, Trail, kept_size, probe};
use tributary_client::{WitnessClient, WitnessReply};
use tributary_ledger::postgres;
use tributary_telemetry::{Metrics, WitnessOutcome};

use crate::error::StartError;
use tributary_settings::secrets::exposure;
use tributary_settings::{AuditSettings, WitnessEntry};

/// A log in which nothing happens is cosigned again so often: a witness that is gone shows soon.
const REPEAT: Duration = Duration::from_mins(1);
/// How often the age of the last cosignature is told.
const TELL: Duration = Duration::from_secs(5);
/// A witness that has not seen the log for a while names its size, and is asked once more.
const TRIES: usize = 2;

/// Reads the key of the log, if there is to be one.
pub(crate) fn notary(settings: &AuditSettings) -> Result<Notary, StartError> {
    Ok(Notary {
        key: settings.key_file.as_deref().map(key).transpose()?,
        witnesses: settings.witnesses.iter().map(|witness| witness.key.clone()).collect(),
        policy: settings.policy,
    })
}

/// Reads a key from a file that nobody else may read.
pub(crate) fn key(file: &Path) -> Result<SigningKey, StartError> {
    let wrong = |says: String| StartError::AuditKey { file: file.to_owned(), says };
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    if let Some(how) = exposure(file) {
        return Err(wrong(how.of(file)));
    }
    SigningKey::parse(&text).map_err(|error| wrong(error.to_string()))
}

/// One witness, as the broker sees it.
pub(crate) struct Courier {
    entry: WitnessEntry,
    client: WitnessClient,
    /// How many records it has seen, as far as that is known.
    seen: u64,
}

/// One for each witness.
pub(crate) fn couriers(settings: &AuditSettings) -> Result<Vec<Courier>, StartError> {
    let courier = |entry: &WitnessEntry| {
        let client = WitnessClient::new(&entry.url).map_err(StartError::Witness)?;
        Ok(Courier { entry: entry.clone(), client, seen: 0 })
    };
    settings.witnesses.iter().map(courier).collect()
}

/// How many records the checkpoints of the log speak of, wherever it is kept.
async fn kept(settings: &AuditSettings) -> Result<u64, StartError> {
    let Some(postgres) = &settings.postgres else {
        let failed = |error: AuditError| StartError::Audit(settings.dir.clone(), error);
        return kept_size(&settings.dir).map_err(failed);
    };
    let store = postgres.store().map_err(StartError::AuditFile)?;
    Ok(postgres::kept_size(&store).await?)
}

/// Asks every witness how much it has seen of the log, before that is opened: a log that was put back to an older
/// state is never written to. Who cannot be reached is asked again while the broker runs.
pub(crate) async fn stand_behind(
    couriers: &mut [Courier],
    settings: &AuditSettings,
    notary: &Notary,
) -> Result<(), StartError> {
    let Some(key) = notary.key.as_ref().filter(|_| !couriers.is_empty()) else { return Ok(()) };
    let kept = kept(settings).await?;
    for courier in couriers {
        let witness = courier.entry.key.name();
        let Ok(reply) = courier.client.add_checkpoint(probe(key)).await else {
            tracing::warn!("a witness of the audit log cannot be reached");
            continue;
        };
        courier.seen = if reply.status == 409 { size(&reply).unwrap_or_default() } else { 0 };
        if courier.seen > kept {
            let (witness, seen) = (witness.to_owned(), courier.seen);
            return Err(StartError::BehindWitness { witness, seen, kept });
        }
    }
    Ok(())
}

/// Has the log cosigned once by whoever answers; then for as long as the process lives.
pub(crate) async fn witness(
    mut couriers: Vec<Courier>,
    settings: &AuditSettings,
    trail: &Trail,
    metrics: &Arc<Metrics>,
) -> Result<(), StartError> {
    for courier in &mut couriers {
        let outcome = courier.submit(trail).await;
        metrics.audit_witnessed(outcome);
        if outcome == WitnessOutcome::Contradicted {
            return Err(StartError::Forked);
        }
    }
    if !couriers.is_empty() {
        tokio::spawn(tell(trail.clone(), Arc::clone(metrics)));
    }
    for courier in couriers {
        let (trail, metrics) = (trail.clone(), Arc::clone(metrics));
        tokio::spawn(courier.carry(trail, metrics, settings.witness_interval));
    }
    Ok(())
}

impl Courier {
    /// Sends checkpoints as they come, until the log is closed or contradicted.
    async fn carry(mut self, trail: Trail, metrics: Arc<Metrics>, interval: Duration) {
        let mut checkpoints = trail.checkpoints();
        // The first one may not have been cosigned.
        let mut last = WitnessOutcome::Unreachable;
        while !trail.is_closed() {
            tokio::time::sleep(interval).await;
            // A repeat is due, or there is a new one. What was not cosigned is sent again without waiting for more:
            // where nothing may be disclosed, there may be nothing more to record.
            if last == WitnessOutcome::Cosigned {
                let _either = tokio::time::timeout(REPEAT, checkpoints.changed()).await;
            }
            let outcome = self.submit(&trail).await;
            last = outcome;
            metrics.audit_witnessed(outcome);
            if outcome == WitnessOutcome::Contradicted {
                trail.contradict();
                tracing::error!("a witness has seen another audit log under this name; nothing is disclosed");
                return;
            }
        }
    }

    async fn submit(&mut self, trail: &Trail) -> WitnessOutcome {
        for _ in 0..TRIES {
            let Some(submission) = submission(trail, self.seen).await else {
                return WitnessOutcome::Refused;
            };
            let Ok(reply) = self.client.add_checkpoint(submission.body.clone()).await else {
                return WitnessOutcome::Unreachable;
            };
            let ours = submission.checkpoint.size;
            match reply.status {
                200 => return self.keep(trail, submission, reply.body).await,
                409 => match size(&reply) {
                    // It has seen more than there is, or the same size with another root.
                    Some(seen) if seen > ours || seen == self.seen => return WitnessOutcome::Contradicted,
                    Some(seen) => self.seen = seen,
                    None => return WitnessOutcome::Refused,
                },
                422 => return WitnessOutcome::Contradicted,
                500.. => return WitnessOutcome::Unreachable,
                _ => return WitnessOutcome::Refused,
            }
        }
        WitnessOutcome::Refused
    }

    async fn keep(&mut self, trail: &Trail, submission: Submission, body: String) -> WitnessOutcome {
        let (trail, size) = (trail.clone(), submission.checkpoint.size);
        let kept = tokio::task::spawn_blocking(move || trail.cosigned(&submission, &body)).await;
        match kept {
            Ok(Ok(())) => {
                self.seen = size;
                WitnessOutcome::Cosigned
            }
            Ok(Err(_)) | Err(_) => WitnessOutcome::Refused,
        }
    }
}

async fn submission(trail: &Trail, seen: u64) -> Option<Submission> {
    let trail = trail.clone();
    tokio::task::spawn_blocking(move || trail.submission(seen)).await.ok()?.ok()?
}

/// The size in a 409.
fn size(reply: &WitnessReply) -> Option<u64> {
    reply.body.trim_end().parse().ok()
}

/// Tells people how the log stands with its witnesses.
async fn tell(trail: Trail, metrics: Arc<Metrics>) {
    let mut was_well = true;
    while !trail.is_closed() {
        let standing = trail.standing();
        let age = match standing {
            Standing::Witnessed(age) | Standing::Late(age) | Standing::Lapsed(Some(age)) => {
                Some(age.as_secs())
            }
            Standing::Alone | Standing::Lapsed(None) | Standing::Contradicted => None,
        };
        metrics.audit_cosigned(age);
        let is_well = matches!(standing, Standing::Witnessed(_) | Standing::Alone);
        if was_well && !is_well {
            tracing::warn!("too few witnesses cosign the audit log; if that lasts, nothing is disclosed");
        }
        was_well = is_well;
        tokio::time::sleep(TELL).await;
    }
}
