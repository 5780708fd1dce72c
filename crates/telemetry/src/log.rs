//! Logs: one line an event, on standard error, from our own crates only below a warning.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tributary_model::Clock;

use crate::redact::Allowed;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// Words for a person.
    Text,
}

/// Logs were set up twice: ours to fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logs are already set up")]
pub struct LogError;

/// Sends the process's logs to standard error.
pub fn init_logs(format: LogFormat, filter: LevelFilter, clock: Arc<dyn Clock>) -> Result<(), LogError> {
    let layer = LogLayer::new(format, filter, clock, io::stderr);
    tracing_subscriber::registry().with(layer).try_init().map_err(|_| LogError)?;
    quiet_panics();
    Ok(())
}

/// From now on a panic is told with its place and without its message, which may hold clinical text: in the log
/// where there is one, on standard error before.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let place = place.unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            tracing::error!({ panic.at = place }, "panicked");
        } else {
            // Where nobody listens, it is lost.
            drop(writeln!(io::stderr().lock(), "panicked at {place}"));
        }
    }));
}

/// Writes events. Of our own crates: message and listed fields. Of libraries, whose messages may hold anything:
/// that they warned, and nothing of what.
pub struct LogLayer<W> {
    format: LogFormat,
    filter: LevelFilter,
    clock: Arc<dyn Clock>,
    writer: W,
}

impl<W: for<'w> MakeWriter<'w> + 'static> LogLayer<W> {
    /// A layer that writes to `writer`, one call a line.
    pub fn new(format: LogFormat, filter: LevelFilter, clock: Arc<dyn Clock>, writer: W) -> Self {
        Self { format, filter, clock, writer }
    }

    fn line(&self, metadata: &Metadata<'_>, message: &str, fields: Map<String, Value>) -> String {
        let time = format!("{:.6}", self.clock.now());
        let (level, target) = (metadata.level(), metadata.target());
        match self.format {
            LogFormat::Json => {
                let mut line = Map::new();
                line.insert("time".to_owned(), time.into());
                line.insert("level".to_owned(), level.as_str().into());
                line.insert("target".to_owned(), target.into());
                line.insert("message".to_owned(), message.into());
                line.extend(fields);
                format!("{}\n", Value::Object(line))
            }
            LogFormat::Text => {
                let message = message.escape_debug();
                let pairs: String = fields.iter().flat_map(pair).collect();
                format!("{time} {level:>5} {target}: {message}{pairs}\n")
            }
        }
    }
}

impl<W> fmt::Debug for LogLayer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLayer").finish_non_exhaustive()
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        let is_wanted = *metadata.level() <= self.filter;
        is_wanted && (is_ours(metadata.target()) || *metadata.level() <= Level::WARN)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut allowed = Allowed::default();
        if is_ours(attributes.metadata().target()) {
            attributes.record(&mut allowed);
        }
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(allowed);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| is_ours(span.metadata().target())) else {
            return;
        };
        if let Some(allowed) = span.extensions_mut().get_mut::<Allowed>() {
            values.record(allowed);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(allowed) = span.extensions().get::<Allowed>() {
                for (name, value) in &allowed.fields {
                    fields.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        let mut message = "a library reports; its words are withheld".to_owned();
        if is_ours(event.metadata().target()) {
            let mut allowed = Allowed::default();
            event.record(&mut allowed);
            fields.extend(allowed.fields);
            message = allowed.message.unwrap_or_default();
        }
        let line = self.line(event.metadata(), &message, fields);
        // A log that cannot be written has nowhere to say so.
        drop(self.writer.make_writer().write_all(line.as_bytes()));
    }
}

fn pair((name, value): (&String, &Value)) -> [String; 4] {
    [" ".to_owned(), name.clone(), "=".to_owned(), value.to_string()]
}

/// Whether a target is one of our crates: `tributary`, or `tributary_` and a room.
fn is_ours(target: &str) -> bool {
    target
        .strip_prefix("tributary")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('_'))
}
