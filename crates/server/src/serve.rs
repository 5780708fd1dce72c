//! Both listeners, from start to the end of the drain.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::admin;
use crate::front::Front;
use crate::listener::{Answering, run};
use crate::settings::Limits;

/// The admin listener is for one scraper and one operator.
const ADMIN_CONNECTIONS: usize = 32;
/// They ask seldom, and a resting connection keeps one of few places.
const ADMIN_IDLE: Duration = Duration::from_secs(5);

/// The two bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// For callers: records, the relay, the viewer.
    pub data: TcpListener,
    /// For operators: metrics, health, sources. No patient data can reach it.
    pub admin: TcpListener,
}

/// Serves both listeners until `shutdown`, then drains: first not ready, then no new connections, then at most
/// the drain time of the settings for what is in flight. The admin listener ends last.
///
/// Each request is answered by the edge that the front has when its head is complete. Limits of connections and the
/// drain time are those of the first.
///
/// Needs a tokio runtime with time and network enabled.
pub async fn serve(listeners: Listeners, front: Front, shutdown: impl Future<Output = ()> + Send) {
    let (stop, stop_admin) = (CancellationToken::new(), CancellationToken::new());
    // Not kept: what a swap replaces must be able to go.
    let (limits, drain) = front.bounds();
    let admin_limits = admin_limits(&limits);
    let data = run(listeners.data, limits, answering(&front), stop.clone(), drain);
    let admin = run(listeners.admin, admin_limits, admin::answering(&front), stop_admin.clone(), drain);
    let ending = async {
        shutdown.await;
        tracing::info!("draining");
        front.edge().drain();
        stop.cancel();
    };
    let work = async {
        tokio::join!(data, ending);
        stop_admin.cancel();
    };
    tokio::join!(work, admin);
}

pub(crate) fn admin_limits(limits: &Limits) -> Limits {
    Limits { connections: ADMIN_CONNECTIONS, keep_alive_idle: ADMIN_IDLE, ..limits.clone() }
}

fn answering(front: &Front) -> Answering {
    let front = front.clone();
    Arc::new(move |request| {
        // Taken once, with the head: what follows is of one configuration.
        let onion = front.onion();
        Box::pin(async move {
            let Ok(reply) = onion.oneshot(request).await;
            reply
        })
    })
}
