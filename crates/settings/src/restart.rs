//! What of a configuration takes effect only at a restart.

use std::net::SocketAddr;

use super::{Mistake, SecondListener, ServerSettings, Settings};

impl Settings {
    /// What another configuration would change that a broker that runs cannot change, by its keys.
    ///
    /// Sockets, the audit log and the log are open; limits of connections and of requests at once are shared by all
    /// that is in flight; a clock that jumps would date one record by two days.
    pub fn needs_restart(&self, next: &Self) -> Vec<Mistake> {
        let (demo, next_demo) = (self.demo.as_ref(), next.demo.as_ref());
        let as_of = |demo: Option<&super::DemoSettings>| demo.and_then(|demo| demo.as_of);
        let keys = [
            ("log.format", self.log.format != next.log.format),
            ("log.level", self.log.level != next.log.level),
            ("telemetry.otlp", self.telemetry != next.telemetry),
            ("audit.dir", self.audit.dir != next.audit.dir),
            ("audit.segment_bytes", self.audit.segment_bytes != next.audit.segment_bytes),
            (
                "audit",
                self.audit != next.audit
                    && self.audit.dir == next.audit.dir
                    && self.audit.segment_bytes == next.audit.segment_bytes
                    && self.audit.postgres == next.audit.postgres
                    && self.audit.export == next.audit.export,
            ),
            ("audit.postgres", self.audit.postgres != next.audit.postgres),
            ("audit.export", self.audit.export != next.audit.export),
            ("limits.memory_bytes", self.limits.memory_bytes != next.limits.memory_bytes),
            ("process", self.process != next.process),
            ("demo", demo.is_some() != next_demo.is_some()),
            ("demo.as_of", as_of(demo) != as_of(next_demo)),
        ];
        let changed = keys.into_iter().filter_map(|(key, is_changed)| is_changed.then_some(key));
        let keys = self.server.needs_restart(&next.server).into_iter().chain(changed);
        keys.map(|key| Mistake {
            path: key.to_owned(),
            line: None,
            says: "cannot change while the broker runs: restart it, or leave this as it was".to_owned(),
        })
        .collect()
    }
}

impl ServerSettings {
    fn gpconnect_listen(&self) -> Option<SocketAddr> {
        self.gpconnect.as_ref().map(|gpconnect| gpconnect.listen)
    }

    fn launch_listen(&self) -> Option<SocketAddr> {
        self.launch.as_ref().map(|launch| launch.listen)
    }

    fn needs_restart(&self, next: &Self) -> Vec<&'static str> {
        let settled = Self {
            public_base_url: next.public_base_url.clone(),
            spine_position: next.spine_position,
            link_key_file: next.link_key_file.clone(),
            // Certificates change while we run; whether there is TLS at all does not.
            tls: if self.tls.is_some() == next.tls.is_some() { next.tls.clone() } else { self.tls.clone() },
            gpconnect: settled(self.gpconnect.as_ref(), next.gpconnect.as_ref()),
            launch: settled(self.launch.as_ref(), next.launch.as_ref()),
            ..self.clone()
        };
        if settled == *next {
            return Vec::new();
        }
        let keys = [
            ("server.listen", self.listen != next.listen),
            ("server.admin_listen", self.admin_listen != next.admin_listen),
            ("server.tls", self.tls.is_some() != next.tls.is_some()),
            ("server.gpconnect", self.gpconnect_listen() != next.gpconnect_listen()),
            ("server.launch", self.launch_listen() != next.launch_listen()),
            ("server.lame_duck_secs", self.lame_duck != next.lame_duck),
            ("server.drain_secs", self.drain != next.drain),
            ("server.max_in_flight", self.max_in_flight != next.max_in_flight),
            ("server.max_behind_ms", self.max_behind != next.max_behind),
            ("server.max_connections", self.max_connections != next.max_connections),
            (
                "server.max_connections_per_address",
                self.max_connections_per_address != next.max_connections_per_address,
            ),
            (
                "server.max_requests_per_connection",
                self.max_requests_per_connection != next.max_requests_per_connection,
            ),
        ];
        let named: Vec<_> = keys.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect();
        // Whatever is not known to be swapped is not swapped.
        if named.is_empty() { vec!["server"] } else { named }
    }
}

/// What a listener becomes without a restart: all but where it listens, and whether it is there.
fn settled(now: Option<&SecondListener>, next: Option<&SecondListener>) -> Option<SecondListener> {
    match (now, next) {
        (Some(now), Some(next)) => Some(SecondListener { listen: now.listen, ..next.clone() }),
        (now, _) => now.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\n[log]\n[audit]\n[limits]\n\
                         [demo]\ninsecure = true\n";

    #[track_caller]
    fn check(next: &str, expected: &[&str]) {
        let [first, next] = [FIRST, next].map(|text| Settings::parse(text).unwrap());
        let found: Vec<_> = first.needs_restart(&next).into_iter().map(|one| one.path).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_cannot_change_is_named() {
        let with = |block: &str, key: &str| FIRST.replace(block, &format!("{block}\n{key}"));
        check(FIRST, &[]);
        check(&with("[limits]", "deadline_default_ms = 900"), &[]);
        check(&with("[server]", "public_base_url = \"https://a.example\"\nspine_position = true"), &[]);
        check(&with("[server]", "link_key_file = \"key\""), &[]);
        check(&FIRST.replace(":1\"", ":3\""), &["server.listen"]);
        check(&FIRST.replace(":2\"", ":3\""), &["server.admin_listen"]);
        for key in ["drain_secs = 1", "max_in_flight = 1", "max_connections = 1"] {
            let name = key.split(' ').next().unwrap();
            check(&with("[server]", key), &[format!("server.{name}").as_str()]);
        }
        check(&with("[log]", "format = \"json\"\nlevel = \"warn\""), &["log.format", "log.level"]);
        check(
            &format!("{FIRST}[telemetry.otlp]\nendpoint = \"http://127.0.0.1:4318/v1/traces\"\n"),
            &["telemetry.otlp"],
        );
        check(
            &with("[audit]", "dir = \"x\"\nsegment_bytes = 1048576"),
            &["audit.dir", "audit.segment_bytes"],
        );
        check(&with("[demo]", "as_of = \"2026-03-10T02:10:00Z\""), &["demo.as_of"]);
        check(FIRST.split("[demo]").next().unwrap(), &["demo"]);
    }
}
