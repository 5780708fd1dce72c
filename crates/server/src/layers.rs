//! The onion around every request of the data listener, outside in.
//!
//! Before it stands [`turned_back`]: what would be refused for load whoever asks never gets as far as the onion.

mod admit;
mod around;
mod bounds;
mod compress;
mod head;
mod observe;
mod turned_back;

use std::sync::Arc;

use bytes::Bytes;
use tower::ServiceBuilder;
use tower::util::service_fn;

use crate::exchange::{Edge, Inbound, Next};
use crate::{identity, routes};
use around::layer;

pub(crate) use admit::Asked;
pub(crate) use bounds::HEALTH;
pub(crate) use head::refused;
pub(crate) use observe::Watch;
pub(crate) use turned_back::turned_back;

/// The whole edge as one service. The order is the safety of it: each line says why it stands where it does.
pub(crate) fn onion(edge: &Arc<Edge>) -> Next<Inbound> {
    let routed = Arc::clone(edge);
    let onion = ServiceBuilder::new()
        // An id before anything else: even a panic has one, and every answer has the headers.
        .layer(layer::<Inbound, _>(edge, observe::identified))
        // Every request is logged and counted, also one whose caller hangs up early.
        .layer(layer::<Inbound, _>(edge, observe::watched))
        // Outside of everything that could panic.
        .layer(layer::<Inbound, _>(edge, observe::unpanicked))
        // Before any work, and before identity: strangers cannot buy time.
        .layer(layer::<Inbound, _>(edge, bounds::in_flight))
        // Inside the cap, since it costs time, and outside of everything that writes an answer.
        .layer(layer::<Inbound, _>(edge, compress::gzipped))
        // Before a byte of the body is read: a head that two readers could read differently ends here.
        .layer(layer::<Inbound, _>(edge, head::strict))
        // The body is small and arrives soon, or not at all; behind this line it is bytes.
        .layer(layer::<Bytes, _>(edge, bounds::whole_body))
        // Before identity, so that looking up who asks counts too.
        .layer(layer::<Bytes, _>(edge, bounds::deadline))
        // Who asks, before what is asked.
        .layer(layer::<Bytes, _>(edge, identity::identified))
        // After identity, since shares are those of organisations, and before the policy and any audit: what is
        // too much is refused while it has cost nothing.
        .layer(layer::<Bytes, _>(edge, admit::admitted))
        .service(service_fn(move |request| routes::dispatch(Arc::clone(&routed), request)));
    Next::new(onion)
}
