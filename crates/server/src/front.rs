//! What stands between the listeners and the edge that answers now, so that another can take its place.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use http::Request;
use tower::ServiceExt as _;
use tributary_broker::Broker;
use tributary_telemetry::Metrics;

use crate::desk::Desk;
use crate::exchange::{BoxFuture, Edge, Inbound, Next, Reply};
use crate::house::House;
use crate::layers;
use crate::settings::Settings;

/// The edge that answers now. Clones are the same front.
///
/// A request is answered by the edge that was there when its head was complete, to its last byte. Connections, the
/// cap on requests at once and the drain belong to no edge: they are the same before and after a swap.
#[derive(Clone)]
pub struct Front {
    now: Arc<RwLock<Present>>,
}

/// An edge, with the onion around its requests.
#[derive(Clone)]
struct Present {
    edge: Arc<Edge>,
    onion: Next<Inbound>,
}

impl Present {
    fn of(edge: Arc<Edge>) -> Self {
        Self { onion: layers::onion(&edge), edge }
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Front {
    /// The front of a broker.
    pub fn new(broker: Broker, metrics: Arc<Metrics>, settings: Settings) -> Self {
        Self::of(Edge::new(Arc::new(broker), metrics, settings))
    }

    /// The front of another listener of the same node: it shares what belongs to no edge.
    #[must_use]
    pub fn beside(&self, broker: Broker, settings: Settings) -> Self {
        Self::of(self.edge().followed_by(Arc::new(broker), settings))
    }

    /// The same for any desk.
    pub(crate) fn of(edge: Arc<Edge>) -> Self {
        Self { now: Arc::new(RwLock::new(Present::of(edge))) }
    }

    /// Lets another broker answer, with other settings, whatever comes from now on. What belongs to no edge (its
    /// limits, the drain time) stays as it was, whatever the settings say.
    pub fn swap(&self, broker: Broker, settings: Settings) {
        self.swap_desk(Arc::new(broker), settings);
    }

    pub(crate) fn swap_desk(&self, desk: Arc<dyn Desk>, settings: Settings) {
        let next = Present::of(self.edge().followed_by(desk, settings));
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *now, next);
        drop(now);
        // Perhaps the last of it goes here, and nobody needs to wait for that.
        drop(before);
    }

    /// What bounds connections, requests and the drain.
    pub(crate) fn bounds(&self) -> (Arc<House>, Arc<Metrics>, Settings) {
        let edge = self.edge();
        (Arc::clone(&edge.house), Arc::clone(&edge.metrics), edge.settings.clone())
    }

    /// The edge that answers now.
    pub(crate) fn edge(&self) -> Arc<Edge> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner).edge)
    }

    /// Answers a request. The edge is taken once, with the head: what follows is of one configuration.
    pub(crate) fn answer(&self, request: Request<Inbound>) -> BoxFuture<Reply> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(turned_back) = layers::turned_back(&now.edge, &request) {
            return turned_back.told(&now.edge, request);
        }
        let onion = now.onion.clone();
        drop(now);
        Box::pin(async move {
            let Ok(reply) = onion.oneshot(request).await;
            reply
        })
    }
}
