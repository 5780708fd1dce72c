//! Who looked, for the patient: the log that this broker writes is read while it runs.

use std::sync::Arc;

use tokio::sync::{Semaphore, TryAcquireError};
use tributary_audit::{AuditRead, AuditReadKind, Event, Trail};
use tributary_broker::Policy;
use tributary_ledger::report::{LookOutcome, Looks, Names};
use tributary_ledger::{Found, LedgerError, Query, Stored, in_directory_up_to, in_postgres};
use tributary_model::{Requester, Role};
use tributary_server::{LookAside, LookRow, Looked, LookedRequest, NotLooked, WhoLooked};

use crate::wire::Ground;
use tributary_settings::Settings;

/// Readers at once: each goes through the whole log.
const READERS: usize = 1;
/// Records that are told of at most, the newest.
const MOST_ROWS: usize = 500;

/// What is read, and what tells who reads it.
struct Desk {
    stored: Stored,
    names: Names,
    trail: Trail,
    places: Arc<Semaphore>,
}

/// The function that the edge asks; `None` where the database of the log is none that can be used.
pub(crate) fn who_looked(settings: &Settings, policy: &Policy, ground: &Ground) -> Option<WhoLooked> {
    let stored = match &settings.audit.postgres {
        Some(postgres) => Stored::Postgres(Box::new(postgres.store().ok()?)),
        None => Stored::Directory(settings.audit.dir.clone()),
    };
    let places = Arc::new(Semaphore::new(READERS));
    let desk =
        Arc::new(Desk { stored, names: names(settings, Some(policy)), trail: ground.trail.clone(), places });
    Some(WhoLooked::new(move |request| {
        let desk = Arc::clone(&desk);
        async move { desk.tell(request).await }
    }))
}

impl Desk {
    async fn tell(&self, request: LookedRequest) -> Result<Looked, NotLooked> {
        let query = Query {
            patient: Some(request.patient),
            since: request.since,
            until: request.until,
            newest: Some(MOST_ROWS),
            ..Query::default()
        };
        let found = self.search(&query).await?;
        let looks = Looks::of(found, &self.names);
        let event = read(&request, &query, looks.rows.len() + looks.asides.len());
        // On record before anything is told.
        let receipt =
            self.trail.record(Event::AuditRead(event)).await.map_err(|_told| NotLooked::Unrecorded)?;
        let covers = match self.stored {
            Stored::Directory(_) => "It covers the log of this service's own computer.",
            Stored::Postgres(_) => {
                "It covers the logs of all computers of this service that share its database."
            }
        };
        Ok(in_rows(looks, covers, receipt.to_string()))
    }

    /// What there is, up to what is durable. A scan that was begun keeps its place until its end, though whoever asked
    /// may be gone.
    async fn search(&self, query: &Query) -> Result<Found, NotLooked> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_: TryAcquireError| NotLooked::Busy)?;
        let durable = *self.trail.durable().borrow();
        let (stored, query) = (self.stored.clone(), query.clone());
        let search = tokio::spawn(async move {
            let found = search(stored, query, durable).await;
            drop(place);
            found
        });
        let found = search.await.ok().ok_or(NotLooked::Unreadable)?;
        found.map_err(|error| {
            tracing::error!({ error.kind = %error }, "the audit log could not be read for a patient");
            NotLooked::Unreadable
        })
    }
}

async fn search(stored: Stored, query: Query, durable: u64) -> Result<Found, LedgerError> {
    match stored {
        Stored::Postgres(store) => in_postgres(&store, &query).await,
        Stored::Directory(dir) => {
            let scan = tokio::task::spawn_blocking(move || in_directory_up_to(&dir, &query, durable));
            scan.await.unwrap_or_else(|ended| Err(std::io::Error::other(ended).into()))
        }
    }
}

/// The record of this reading.
fn read(request: &LookedRequest, query: &Query, records: usize) -> AuditRead {
    AuditRead {
        what: AuditReadKind::PatientReport,
        reader: reader(&request.requester),
        organisation: Some(request.requester.organisation.clone()),
        request: Some(request.id),
        patient: Some(request.patient),
        query: None,
        records: Some(records as u64),
        case: None,
        question: Some(query.in_words()),
    }
}

fn reader(requester: &Requester) -> String {
    let Requester { given, family, user_id, .. } = requester;
    if requester.role == Role::Patient {
        return format!("the patient (user {user_id})");
    }
    format!("{given} {family} (user {user_id})").trim().to_owned()
}

fn in_rows(looks: Looks, covers: &str, audit: String) -> Looked {
    let row = |look: tributary_ledger::report::Look| LookRow {
        at: look.at,
        when: look.when,
        who: look.who,
        role: look.role,
        organisation: look.organisation,
        why: look.why,
        outcome: match look.outcome {
            LookOutcome::Shown => "shown",
            LookOutcome::Nothing => "nothing-shown",
            LookOutcome::Refused => "refused",
        },
        because: look.because,
        asked: look.asked,
        sources: look.sources,
        not_shown: look.not_shown,
        emergency: look.emergency,
        reached: look.reached,
        entry: look.entry,
    };
    let aside = |aside: tributary_ledger::report::Aside| LookAside {
        at: aside.at,
        when: aside.when,
        says: aside.says,
        entry: aside.entry,
    };
    Looked {
        rows: looks.rows.into_iter().map(row).collect(),
        asides: looks.asides.into_iter().map(aside).collect(),
        older: looks.older,
        warnings: looks.warnings,
        covers: covers.to_owned(),
        audit,
    }
}

/// What things in the log are called.
pub(crate) fn names(settings: &Settings, policy: Option<&Policy>) -> Names {
    let mut names = Names::default();
    // A policy that cannot be read leaves the ids of its rules.
    for rule in policy.into_iter().flat_map(|policy| policy.table.rules()) {
        let says = format!("of this rule: {}", rule.says.trim_end_matches('.'));
        names.rules.insert(rule.id.to_string(), says);
    }
    for source in &settings.sources {
        names.sources.insert(source.id.to_string(), source.name.clone());
        if let Some(ods) = &source.ods {
            names.organisations.insert(ods.as_str().to_owned(), source.name.clone());
        }
    }
    names
}
