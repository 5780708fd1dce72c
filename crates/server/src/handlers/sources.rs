//! `GET /sources`: what is registered, for callers and for operators.

use http::StatusCode;
use tributary_broker::SourceSummary;
use tributary_fhir::Writer;

use crate::exchange::{Exchange, JSON, Reply, reply};

/// For this requester.
pub(crate) fn sources(exchange: &Exchange) -> Reply {
    list(&exchange.edge.desk.sources(), |_, _| {})
}

/// With what an operator needs besides.
pub(crate) fn for_operators(sources: &[SourceSummary]) -> Reply {
    list(sources, |entry, source| {
        let in_flight = source.in_flight.try_into().unwrap_or(u64::MAX);
        entry.key("inFlight").number(in_flight);
        let Some(pulse) = source.pulse else { return };
        entry.text("breaker", pulse.breaker.code());
        for (name, requests) in [("limit", pulse.limit), ("used", pulse.used), ("waiting", pulse.waiting)] {
            entry.key(name).number(requests.try_into().unwrap_or(u64::MAX));
        }
    })
}

fn list(sources: &[SourceSummary], more: impl Fn(&mut Writer, &SourceSummary)) -> Reply {
    let mut json = Writer::default();
    json.object(|document| {
        document.key("sources").array(|list| {
            for source in sources {
                list.object(|entry| {
                    write(entry, source);
                    more(entry, source);
                });
            }
        });
    });
    reply(StatusCode::OK, JSON, json.finish())
}

fn write(entry: &mut Writer, source: &SourceSummary) {
    entry.text("id", source.id.as_str());
    entry.text("name", &source.name);
    entry.text("kind", source.kind.code());
    entry.key("sections").array(|sections| {
        for section in source.sections.iter() {
            sections.string(section.code());
        }
    });
    entry.text_if("lastAnswered", source.last_answered.as_deref());
    if let Some(announced) = &source.maintenance {
        let told = announced.told();
        entry.key("maintenance").object(|one| told.iter().for_each(|(key, words)| one.text(key, words)));
    }
}
