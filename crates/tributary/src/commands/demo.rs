//! `tributary demo`: mock sources, broker and page in one process, and one merged record.

pub(crate) mod story;
mod tour;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use mock_providers::{Federation, FederationOptions, start_story_federation};
use tokio::net::TcpListener;
use tributary_client::{Client, Query, Terms};
use tributary_model::{FixedClock, NhsNumber, RequestId, SectionSet, SystemClock};
use tributary_server::Listeners;
use tributary_telemetry::{LevelFilter, LogFormat};

use super::{Done, FAILED, query, say, serve};
use crate::rules::Rules;
use crate::running::Running;
use crate::show::{self, Colour};
use tributary_settings::Settings;

/// The story that is told when none is asked for.
const GEORGE_ASHWORTH: &str = "9990000107";

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Stop after printing.
    #[arg(long)]
    once: bool,
    /// Which invented patient: 9990000107, 9990000204, 9990000301, 9990000409 or 9990000514.
    #[arg(long, value_name = "NHS", value_parser = NhsNumber::parse, default_value = GEORGE_ASHWORTH)]
    patient: NhsNumber,
    /// Keep the audit log in this directory; it is removed otherwise.
    #[arg(long, value_name = "DIR")]
    audit_dir: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Done {
    let story = story::of(arguments.patient).ok_or("no story is told of this patient")?;
    tributary_telemetry::init_logs(LogFormat::Text, LevelFilter::WARN, Arc::new(SystemClock))?;
    let stopped = serve::stop_signal()?;
    let federation = start_story_federation(FederationOptions::default()).await?;
    let audit = AuditDir::of(arguments.audit_dir);
    let settings = story::settings(&federation, audit.path());
    let listeners = listeners(&settings).await?;
    let rules = Rules { maps: story::maps()?, ..Rules::load(&settings)? };
    let running = Running::start_on(listeners, settings, rules, Arc::new(FixedClock(story.as_of))).await?;
    let client = Client::new(&format!("http://{}", running.data_addr()))?;
    tour::lead(&running, &federation, client.clone());
    if !arguments.once {
        say(format_args!("Open http://{}/demo in a browser.", running.data_addr()));
    }
    say("Every patient is invented.\n");
    say(format_args!("Asking {} sources …\n", story.sources.len()));
    let code = ask(&client, arguments.patient, story::sections(story)).await?;
    if !arguments.once {
        addresses(&running, &federation, arguments.patient);
        stopped.await;
        say("Draining.");
    }
    running.stop().await?;
    Ok(code)
}

/// Asks over HTTP, as any other program would, and prints what came.
async fn ask(client: &Client, patient: NhsNumber, sections: SectionSet) -> Done {
    let deadline = Duration::from_secs(8);
    let terms = Terms { deadline, ..Terms::default() };
    let query = Query { sections, terms, ..Query::of(patient) };
    let answer = match client.record(&query).await {
        Ok(answer) => answer,
        Err(error) => return query::refused(error),
    };
    let stdout = io::stdout();
    show::record(&mut stdout.lock(), &answer, Colour::of(&stdout))?;
    // A partial record is what some stories are about; only no record at all is a failure.
    let is_record = query::exit_code(answer.completeness) != FAILED;
    Ok(if is_record { 0 } else { FAILED })
}

/// The usual ports where they are free, any others where they are not.
async fn listeners(settings: &Settings) -> io::Result<Listeners> {
    Ok(Listeners {
        data: usual_or_any(settings.server.listen).await?,
        admin: usual_or_any(settings.server.admin_listen).await?,
        gpconnect: None,
        launch: None,
    })
}

async fn usual_or_any(usual: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(usual).await {
        Ok(listener) => Ok(listener),
        Err(_taken) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
    }
}

fn addresses(running: &Running, federation: &Federation, patient: NhsNumber) {
    let (data, admin, mocks) = (running.data_addr(), running.admin_addr(), federation.control_address());
    let number = patient.expose();
    say(format_args!(
        "
Serving until Ctrl-C:
  tour      http://{data}/demo
  page      http://{data}/
  record    curl -s 'http://{data}/fhir/R4/Patient/$record' -H 'Content-Type: application/fhir+json' \\
              -d '{{\"resourceType\":\"Parameters\",\"parameter\":[{{\"name\":\"patient\",\"valueIdentifier\":\
{{\"system\":\"https://fhir.nhs.uk/Id/nhs-number\",\"value\":\"{number}\"}}}}]}}'
  gpconnect http://{data}/A99901/STU3/1/gpconnect/structured/fhir (…/documents/fhir, …/gpconnect/fhir)
  metrics   http://{admin}/metrics
  mocks     curl -s http://{mocks}/providers
            curl -X PUT http://{mocks}/providers/gp/fault -d '{{\"fault\":{{\"kind\":\"delay\",\"ms\":9000}}}}'
"
    ));
}

/// Where the audit log is kept: a place of its own, removed at the end unless it was asked for.
struct AuditDir {
    path: PathBuf,
    is_passing: bool,
}

impl AuditDir {
    fn of(asked_for: Option<PathBuf>) -> Self {
        let is_passing = asked_for.is_none();
        let own = || std::env::temp_dir().join(format!("tributary-demo-{}", RequestId::random()));
        Self { path: asked_for.unwrap_or_else(own), is_passing }
    }

    fn path(&self) -> PathBuf {
        self.path.clone()
    }
}

impl Drop for AuditDir {
    fn drop(&mut self) {
        if self.is_passing {
            // What cannot be removed is left to whoever cleans the temporary directory.
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}
