//! The control port: the faults and the asks of running providers, over HTTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fault::FaultRule;
use crate::provider::ProviderHandle;
use crate::wire::{Connection, Keep, Reply, Request};

/// A running control port; it ends with this value.
#[derive(Debug)]
pub(crate) struct ControlPort {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

pub(crate) async fn start(at: Option<SocketAddr>, providers: Vec<ProviderHandle>) -> io::Result<ControlPort> {
    let at = at.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let listener = TcpListener::bind(at).await?;
    let address = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(accept_all(listener, providers.into()));
    Ok(ControlPort { address, _tasks: tasks })
}

async fn accept_all(listener: TcpListener, providers: Arc<[ProviderHandle]>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(stream, Arc::clone(&providers)));
    }
}

async fn serve(stream: TcpStream, providers: Arc<[ProviderHandle]>) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.next().await {
        let reply = answer(&providers, &request);
        if connection.send(&reply).await.is_err() || connection.keep() == Keep::Close {
            return;
        }
    }
}

fn answer(providers: &[ProviderHandle], request: &Request) -> Reply {
    let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["providers"] if request.method == "GET" => {
            let all: Vec<Value> = providers.iter().map(described).collect();
            told(200, &Value::from(all))
        }
        ["providers", id, what] => match providers.iter().find(|one| one.id == *id) {
            Some(provider) => change(provider, what, request),
            None => told(404, &json!({"error": "no such provider"})),
        },
        _ => told(404, &json!({"error": "no such path"})),
    }
}

fn change(provider: &ProviderHandle, what: &str, request: &Request) -> Reply {
    match (request.method.as_str(), what) {
        ("GET", "fault") => told(200, &json!(provider.faults())),
        ("PUT", "fault") => match serde_json::from_slice::<FaultRule>(&request.body) {
            Ok(rule) => {
                provider.set_fault(rule);
                told(200, &json!(provider.faults()))
            }
            Err(mistake) => told(400, &json!({"error": mistake.to_string()})),
        },
        ("DELETE", "fault") => match provider.clear_fault() {
            Ok(()) => told(200, &json!([])),
            Err(mistake) => told(500, &json!({"error": mistake.to_string()})),
        },
        ("GET", "asks") => told(200, &json!(provider.asks())),
        ("DELETE", "asks") => {
            provider.clear_asks();
            told(200, &json!([]))
        }
        _ => told(405, &json!({"error": "fault: GET, PUT, DELETE; asks: GET, DELETE"})),
    }
}

fn described(provider: &ProviderHandle) -> Value {
    json!({
        "id": provider.id,
        "base_url": provider.base_url,
        "faults": provider.faults(),
        "ask_count": provider.ask_count(),
        "open_count": provider.open_count(),
        "most_open_count": provider.most_open_count(),
    })
}

fn told(status: u16, body: &Value) -> Reply {
    Reply::typed(status, "application/json", body.to_string())
}
