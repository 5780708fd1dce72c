//! What a broker with these settings must be able to open, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tributary_guard::Reach;
use tributary_model::{Capability, SourceId};
use url::Url;

use super::{KeysFrom, LedgerFiles, ListenerTls, Mistake, Settings, TlsFiles};

/// What the resolver and the C library read when a name is looked up, the authorities of the machine, and whether it
/// swaps. Modules of the resolver are loaded from the libraries.
const OF_THE_MACHINE: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/ld.so.cache",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/proc/swaps",
];

/// Names over TCP, and https: a source that comes with a reload is most likely there.
const USUAL_PORTS: &[u16] = &[53, 443];

/// Something that the settings name.
struct Named<'s> {
    key: String,
    path: &'s Path,
    is_dir: bool,
}

impl Named<'_> {
    /// The directories in which it must be found, whatever takes its place there: as written, and where links lead.
    fn dirs(&self) -> Vec<PathBuf> {
        let dir = |path: &Path| if self.is_dir { path.to_owned() } else { folder_of(path) };
        let written = dir(self.path);
        let real = self.path.canonicalize().ok().map(|real| dir(&real));
        std::iter::once(written).chain(real).collect()
    }
}

/// What the settings name at a port: a key, or one of thousands of sources.
#[derive(Clone, Copy)]
enum Place<'s> {
    Key(&'static str),
    Source(&'s SourceId),
}

impl Place<'_> {
    fn key(self) -> String {
        match self {
            Self::Key(key) => key.to_owned(),
            Self::Source(id) => format!("source.{id}"),
        }
    }
}

/// The folder of a file; of one at the root, which would be everything, the file alone.
fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| folder.parent().is_some());
    folder.unwrap_or(file).to_owned()
}

impl Settings {
    /// What a broker with these settings may reach; `config` is their file.
    pub fn reach(&self, config: &Path) -> Reach {
        let config = std::path::absolute(config).unwrap_or_else(|_no_folder| config.to_owned());
        let own = Named { key: String::new(), path: &config, is_dir: false };
        let named = self.named();
        let dirs: BTreeSet<PathBuf> = named.iter().chain([&own]).flat_map(Named::dirs).collect();
        Reach {
            read: dirs.into_iter().chain(OF_THE_MACHINE.iter().map(PathBuf::from)).collect(),
            write: self.written(),
            bind: self.bound(),
            connect: self.ports().map(|ports| {
                // Thousands of sources are at one port, and each rule is a call of the kernel.
                let ports: BTreeSet<u16> = ports.into_iter().map(|(_, port)| port).collect();
                ports.into_iter().collect()
            }),
        }
    }

    /// The folders that are written to.
    fn written(&self) -> Vec<PathBuf> {
        let export = self.audit.export.iter();
        let handed_on = export.flat_map(|export| {
            let file = export.file.as_deref().map(folder_of);
            std::iter::once(export.state_dir.clone()).chain(file)
        });
        std::iter::once(self.audit.dir.clone()).chain(handed_on).collect()
    }

    fn bound(&self) -> Vec<u16> {
        let gpconnect = self.server.gpconnect.as_ref().map(|section| section.listen.port());
        let launch = self.server.launch.as_ref().map(|section| section.listen.port());
        let usual = [self.server.listen.port(), self.server.admin_listen.port()];
        usual.into_iter().chain(gpconnect).chain(launch).collect()
    }

    /// What of these settings a process that is shut in this far could not open.
    pub fn beyond(&self, reach: &Reach) -> Vec<Mistake> {
        let reads = |dir: &PathBuf| {
            let real = |granted: &PathBuf| granted.canonicalize().is_ok_and(|real| dir.starts_with(real));
            reach.read.iter().any(|granted| dir.starts_with(granted) || real(granted))
        };
        let told = |path: String, says: &str| Mistake { path, line: None, says: says.to_owned() };
        let files = self.named().into_iter().filter(|named| !named.dirs().iter().all(reads)).map(|named| {
            told(named.key, "is in a folder that this process may not read: restart it, or use one that it read at its start")
        });
        let Some(known) = &reach.connect else { return files.collect() };
        let ports = match self.ports() {
            None => vec![told("sds.practice".to_owned(), "may lead to any port, which needs a restart")],
            Some(ports) => {
                let unknown = ports.into_iter().filter(|(_, port)| !known.contains(port));
                unknown
                    .map(|(place, _)| {
                        told(place.key(), "leads to a port that this process may not connect to: restart it")
                    })
                    .collect()
            }
        };
        files.chain(ports).collect()
    }

    /// Every file and folder that is read, with its key.
    fn named(&self) -> Vec<Named<'_>> {
        fn file<'s>(key: &str, path: &'s Path) -> Named<'s> {
            Named { key: key.to_owned(), path, is_dir: false }
        }
        let folders = [("maps.dir", &self.maps), ("codelists.dir", &self.codelists)];
        let folders = folders.into_iter().filter_map(|(key, dir)| {
            Some(Named { key: key.to_owned(), path: dir.as_deref()?, is_dir: true })
        });
        let national = &self.national;
        let oauth = national.oauth.iter().map(|oauth| file("oauth.key_file", &oauth.key_file));
        let sds = national.sds.iter().map(|sds| file("sds.api_key_file", &sds.api_key_file));
        let link = self.server.link_key_file.iter().map(|path| file("server.link_key_file", path));
        let policy = self.policy.file.iter().map(|path| file("policy.file", path));
        let listeners = self.server.tls.iter().chain(self.server.others_tls()).flat_map(of_listener);
        let fetched = self.callers.issuers.iter().filter_map(|issuer| match &issuer.keys {
            KeysFrom::File(_) => None,
            KeysFrom::Url(address) => address.tls.as_ref(),
        });
        let keys = self.callers.issuers.iter().filter_map(|issuer| match &issuer.keys {
            KeysFrom::File(path) => Some(file("issuer.jwks_file", path)),
            KeysFrom::Url(_) => None,
        });
        let spine = self.spine.iter().filter_map(|spine| spine.tls.as_ref());
        let otlp = self.telemetry.otlp.iter();
        let headers = otlp.clone().filter_map(|otlp| otlp.headers_file.as_deref());
        let headers = headers.map(|path| file("telemetry.otlp.headers_file", path));
        let traces = otlp.map(|otlp| &otlp.tls);
        let outward = self.source_tls.values().chain(spine).chain(fetched).chain(traces).flat_map(of_tls);
        let signing = self.audit.key_file.iter().map(|path| file("audit.key_file", path));
        let postgres = self.audit.postgres.iter().map(|postgres| &postgres.files);
        let export = self.audit.export.iter().map(|export| &export.files);
        let ledger = postgres.chain(export).flat_map(of_ledger);
        let inward = link.chain(policy).chain(listeners).chain(keys).chain(headers);
        folders.chain(oauth).chain(sds).chain(inward).chain(outward).chain(signing).chain(ledger).collect()
    }

    /// The ports that are connected to, with the keys of what is there; `None` where they are not known beforehand,
    /// since a directory tells them.
    fn ports(&self) -> Option<Vec<(Place<'_>, u16)>> {
        let national = &self.national;
        if national.sds.as_ref().is_some_and(|sds| sds.practice.is_some()) {
            return None;
        }
        let of = |key, url: &str| Some((Place::Key(key), Url::parse(url).ok()?.port_or_known_default()?));
        let sources = self.sources.iter().flat_map(|entry| {
            let roots = Capability::ALL.iter().filter_map(|one| entry.root(*one));
            roots.map(|root| (Place::Source(&entry.id), root.port()))
        });
        let others = [
            ("spine.proxy_url", self.spine.as_ref().map(|spine| spine.proxy_url.as_str())),
            ("oauth.token_url", national.oauth.as_ref().map(|oauth| oauth.settings.token_url.as_str())),
            ("pds.base_url", national.pds.as_ref().map(|pds| pds.base_url.as_str())),
            ("sds.base_url", national.sds.as_ref().map(|sds| sds.base_url.as_str())),
        ];
        let others = others.into_iter().filter_map(|(key, url)| of(key, url?));
        let witnesses = self.audit.witnesses.iter();
        let witnesses = witnesses.filter_map(|witness| of("audit.witness", &witness.url));
        let export = self.audit.export.iter().filter_map(|export| export.url.as_ref());
        let export = export.filter_map(|url| of("audit.export.url", url.as_str()));
        let issuers = self.callers.issuers.iter().filter_map(|issuer| match &issuer.keys {
            KeysFrom::File(_) => None,
            KeysFrom::Url(address) => of("issuer.jwks_url", address.url.as_str()),
        });
        let postgres = self.audit.postgres.iter();
        let postgres = postgres.map(|postgres| (Place::Key("audit.postgres.port"), postgres.port));
        let traces = self.telemetry.otlp.iter();
        let traces = traces.filter_map(|otlp| of("telemetry.otlp.endpoint", otlp.endpoint.as_str()));
        let others = others.chain(traces).chain(witnesses).chain(export).chain(issuers).chain(postgres);
        let usual = USUAL_PORTS.iter().map(|port| (Place::Key(""), *port));
        Some(usual.chain(sources).chain(others).collect())
    }
}

fn of_listener(tls: &ListenerTls) -> Vec<Named<'_>> {
    let all = [
        ("cert_file", Some(tls.cert_file.as_path())),
        ("key_file", Some(tls.key_file.as_path())),
        ("client_ca_file", tls.client_ca_file.as_deref()),
        ("client_crl_file", tls.client_crl.file()),
    ];
    let named = all.into_iter().filter_map(|(key, path)| {
        Some(Named { key: format!("{}.{key}", tls.path), path: path?, is_dir: false })
    });
    named.collect()
}

fn of_ledger(files: &LedgerFiles) -> Vec<Named<'_>> {
    let all = [("ca_file", &files.ca_file), ("cert_file", &files.cert_file), ("key_file", &files.key_file)];
    let named = all.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?)));
    let secret = files.secret.as_ref().map(|(key, path)| (*key, path.as_path()));
    let path = |(key, path)| Named { key: format!("{}.{key}", files.path), path, is_dir: false };
    named.chain(secret).map(path).collect()
}

fn of_tls(files: &TlsFiles) -> Vec<Named<'_>> {
    let all = [
        ("ca_file", &files.ca_file),
        ("crl_file", &files.crl_file),
        ("cert_file", &files.cert_file),
        ("key_file", &files.key_file),
    ];
    let named = all.into_iter().filter_map(|(key, path)| {
        Some(Named { key: format!("{}.{key}", files.path), path: path.as_deref()?, is_dir: false })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[server]\nlisten = \"127.0.0.1:7001\"\nadmin_listen = \"127.0.0.1:7002\"\n\
                        link_key_file = \"secrets/link\"\n[audit]\ndir = \"log\"\n[maps]\ndir = \"maps\"\n\
                        [[source]]\nid = \"a\"\nkind = \"acute\"\nprotocol = \"fhir-r4\"\nods = \"RA001\"\n\
                        base_url = \"https://a.example:7003/r4\"\n[source.tls]\nca_file = \"/srv/tls/ca.pem\"\n\
                        [demo]\ninsecure = true\n";

    fn settings(text: &str) -> Settings {
        Settings::parse_at(text, Path::new("/etc/tributary/tributary.toml")).unwrap()
    }

    #[test]
    fn a_broker_reaches_what_its_settings_name() {
        let reach = settings(TEXT).reach(Path::new("/etc/tributary/tributary.toml"));
        let named: Vec<_> =
            reach.read.iter().filter(|path| !OF_THE_MACHINE.contains(&path.to_str().unwrap())).collect();
        let expected = ["/etc/tributary", "/etc/tributary/maps", "/etc/tributary/secrets", "/srv/tls"]
            .map(PathBuf::from);
        assert_eq!(named, expected.iter().collect::<Vec<_>>());
        assert_eq!(reach.write, [PathBuf::from("/etc/tributary/log")]);
        assert_eq!((reach.bind, reach.connect), (vec![7001, 7002], Some(vec![53, 443, 7003])));
        assert_eq!(folder_of(Path::new("/key.pem")), Path::new("/key.pem"), "the root is not opened");
    }

    #[test]
    fn what_lies_beyond_is_named() {
        let reach = settings(TEXT).reach(Path::new("/etc/tributary/tributary.toml"));
        let beyond = |text: &str| {
            let found = settings(text).beyond(&reach);
            found.into_iter().map(|one| one.path).collect::<Vec<_>>()
        };
        assert_eq!(beyond(TEXT), [""; 0]);
        assert_eq!(beyond(&TEXT.replace("secrets/link", "secrets/new/link")), [""; 0]);
        assert_eq!(beyond(&TEXT.replace("secrets/link", "/srv/other/link")), ["server.link_key_file"]);
        assert_eq!(beyond(&TEXT.replace("\"maps\"", "\"/srv/maps\"")), ["maps.dir"]);
        assert_eq!(beyond(&TEXT.replace("/srv/tls/ca.pem", "/srv/ca.pem")), ["source[1].tls.ca_file"]);
        assert_eq!(beyond(&TEXT.replace(":7003/", "/")), [""; 0]);
        assert_eq!(beyond(&TEXT.replace(":7003/", ":7004/")), ["source.a"]);
    }
}
