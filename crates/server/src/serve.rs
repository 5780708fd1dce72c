//! The listeners, from start to the end of the drain.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tributary_telemetry::Listener;

use crate::admin;
use crate::front::Front;
use crate::house::Standing;
use crate::listener::{Answering, Port};
use crate::settings::Limits;

/// The admin listener is for one scraper and one operator.
const ADMIN_CONNECTIONS: usize = 32;
/// They ask seldom, and a resting connection keeps one of few places.
const ADMIN_IDLE: Duration = Duration::from_secs(5);

/// The bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// For callers: records, the relay, the viewer.
    pub data: TcpListener,
    /// For operators: metrics, health, sources. No patient data can reach it.
    pub admin: TcpListener,
    /// For systems that speak GP Connect, with the front that answers them ([`Front::beside`]).
    pub gpconnect: Option<(TcpListener, Front)>,
    /// For browsers that another system sends here, with the front that answers them.
    pub launch: Option<(TcpListener, Front)>,
}

/// Serves every listener until `shutdown`. Then it leaves: it is not ready, and every answer asks its caller to
/// go elsewhere, but whoever comes is served. Then it drains: whoever has come is let in and nobody after that,
/// and what is in flight has at most the drain time of the settings. The admin listener ends last.
///
/// Each request is answered by the edge that the front has when its head is complete. Limits of connections and the
/// drain time are those of the first.
///
/// Needs a tokio runtime with time and network enabled.
pub async fn serve(listeners: Listeners, front: Front, shutdown: impl Future<Output = ()> + Send) {
    // Not kept: what a swap replaces must be able to go.
    let (house, metrics, settings) = front.bounds();
    let standing = Arc::clone(&house.standing);
    let admin_standing = Arc::<Standing>::default();
    let data = Port {
        name: Listener::Data,
        limits: settings.limits.clone(),
        tls: settings.tls.clone(),
        answer: answering(&front),
        standing: Arc::clone(&standing),
        metrics: Arc::clone(&metrics),
    };
    let beside = |name: Listener, listener: Option<(TcpListener, Front)>| {
        let serving = listener.map(|(listener, front)| {
            let settings = front.bounds().2;
            let port = Port {
                name,
                limits: settings.limits.clone(),
                tls: settings.tls.clone(),
                answer: answering(&front),
                standing: Arc::clone(&standing),
                metrics: Arc::clone(&metrics),
            };
            port.serve(listener, settings.drain)
        });
        async move {
            if let Some(serving) = serving {
                serving.await;
            }
        }
    };
    let gpconnect = beside(Listener::GpConnect, listeners.gpconnect);
    let launch = beside(Listener::Launch, listeners.launch);
    let admin = Port {
        name: Listener::Admin,
        limits: admin_limits(&settings.limits),
        tls: None,
        answer: admin::answering(&front),
        standing: Arc::clone(&admin_standing),
        metrics: Arc::clone(&metrics),
    };
    let desk = front.clone();
    let pace = Arc::clone(&house.admission).keep_pace(move || desk.edge().desk.behind());
    let pace = tokio::spawn(pace);
    let data = data.serve(listeners.data, settings.drain);
    let admin = admin.serve(listeners.admin, settings.drain);
    let ending = async {
        shutdown.await;
        tracing::info!("leaving");
        standing.leave();
        tokio::time::sleep(settings.lame_duck).await;
        tracing::info!("draining");
        standing.drain();
    };
    let work = async {
        tokio::join!(data, gpconnect, launch, ending);
        admin_standing.drain();
    };
    tokio::join!(work, admin);
    pace.abort();
}

pub(crate) fn admin_limits(limits: &Limits) -> Limits {
    Limits { connections: ADMIN_CONNECTIONS, keep_alive_idle: ADMIN_IDLE, ..limits.clone() }
}

fn answering(front: &Front) -> Answering {
    let front = front.clone();
    Arc::new(move |request| front.answer(request))
}
