//! An audit repository of our own, which takes events over HTTP.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An audit repository: takes what it does not refuse.
#[derive(Debug, Default)]
pub struct Repository {
    taken: Mutex<Vec<Value>>,
    /// The head of the last request.
    head: Mutex<String>,
    /// The record that it refuses.
    pub refuses: Mutex<Option<String>>,
}

/// Name of the record that an event tells of.
fn record(event: &Value) -> String {
    let entities = event["entity"].as_array().expect("entities");
    let named = entities.iter().rev().find(|entity| entity["type"]["code"] == "record").expect("a record");
    named["what"]["identifier"]["value"].as_str().expect("a name").to_owned()
}

fn number(name: &str) -> u64 {
    name.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number")
}

impl Repository {
    /// Takes events from whoever comes here.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&self).converse(stream));
        }
    }

    async fn converse(self: Arc<Self>, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let whole = text.split_once("\r\n\r\n").and_then(|(head, body)| {
                let head = head.to_ascii_lowercase();
                let length: usize = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
                (body.len() >= length).then(|| body.to_owned())
            });
            let Some(body) = whole else {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    return;
                }
                continue;
            };
            *self.head.lock().expect("not poisoned") = text.replace(&body, "");
            bytes.clear();
            let event: Value = serde_json::from_str(&body).expect("an event");
            let is_refused = self.refuses.lock().expect("not poisoned").as_ref() == Some(&record(&event));
            let status = if is_refused { "400 Bad Request" } else { "201 Created" };
            if !is_refused {
                self.taken.lock().expect("not poisoned").push(event);
            }
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// The head of the last request.
    pub fn head(&self) -> String {
        self.head.lock().expect("not poisoned").clone()
    }

    /// The numbers of the records that were handed on, in the order in which they came.
    pub fn records(&self) -> Vec<u64> {
        self.taken.lock().expect("not poisoned").iter().map(|event| number(&record(event))).collect()
    }
}
