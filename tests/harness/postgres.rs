//! A PostgreSQL of our own: started in a folder of its own, by a user that it accepts, and gone with the test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::audit::records;
use crate::process::run;
use crate::tls::Issued;

/// The database of the audit log.
pub const DATABASE: &str = "tributary";
/// Who owns its tables.
pub const OWNER: &str = "keeper";
/// Who adds records.
pub const BROKER: &str = "broker";

/// A server that runs. Stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    dir: tempfile::TempDir,
    programs: PathBuf,
    /// Where it listens besides its socket.
    port: Option<u16>,
}

/// A broker's configuration that keeps its log in this database.
pub fn in_database(base: &str, postgres: &Postgres, node: &str) -> String {
    with_sink(base, &postgres.table(node))
}

/// A broker's configuration with this in its `[audit]` table.
pub fn with_sink(base: &str, table: &str) -> String {
    let (before, after) = base.split_once("[maps]").expect("a table of maps");
    format!("{before}{table}[maps]{after}")
}

/// Writes a configuration down and makes the tables.
pub fn made(dir: &Path, text: &str) -> PathBuf {
    let config = dir.join("init.toml");
    std::fs::write(&config, text).expect("written");
    let (code, out, error) = run(&["audit", "init", "--config", &config.to_string_lossy(), "--owner", OWNER]);
    assert_eq!(code, 0, "{out}{error}");
    config
}

/// Copies a node's log out of the database, has it verified, and gives the names of its disclosures.
pub fn exported(config: &Path, dir: &Path, node: &str) -> BTreeSet<String> {
    let to = dir.join(format!("copy-of-{node}"));
    let (config, out_dir) = (config.to_string_lossy(), to.to_string_lossy());
    let (code, out, error) =
        run(&["audit", "export", "--config", &config, "--node", node, "--out", &out_dir, "--case", "T-1"]);
    assert_eq!(code, 0, "{out}{error}");
    let (code, out, error) = run(&["audit", "verify", &out_dir]);
    assert_eq!(code, 0, "{out}{error}");
    let found = records(&to);
    for (place, record) in (1_u64..).zip(&found) {
        assert_eq!(record["seq"], place, "the log of {node} has a gap");
    }
    let of_disclosure = |record: &&serde_json::Value| record["kind"] == "disclosure";
    found.iter().filter(of_disclosure).map(|record| format!("{node}-{}", record["seq"])).collect()
}

impl Postgres {
    /// Starts a server with an empty database, its owner and the broker's user; `None`, with a word, where it is not
    /// installed.
    #[expect(clippy::print_stdout, reason = "whoever runs the tests must hear what was not looked at")]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            println!("NOT RUN: there is no PostgreSQL here; install Debian's postgresql package");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("pg").tempdir().expect("a folder");
        let server = Self { dir, programs, port: None };
        if is_root() {
            let owner = format!("{}:", server_user());
            let given = Command::new("chown").arg(owner).arg(server.dir.path()).status();
            assert!(given.expect("chown runs").success());
        }
        let data = server.data();
        server.must(&["initdb", "-D", &data, "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"]);
        server.begin();
        for statement in [
            format!("CREATE ROLE {OWNER} LOGIN"),
            format!("CREATE ROLE {BROKER} LOGIN"),
            format!("CREATE DATABASE {DATABASE} OWNER {OWNER}"),
        ] {
            let (done, said) = server.sql("postgres", "postgres", &statement);
            assert!(done, "{said}");
        }
        Some(server)
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    /// The folder of its socket.
    pub fn socket_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Listens on this port of loopback too, to whoever comes over TLS and knows the password of the broker's user.
    pub fn listen(&mut self, port: u16, shown: &Issued, password: &str) {
        let file = |name: &str, text: &str| {
            let file = self.dir.path().join(name);
            std::fs::write(&file, text).expect("written");
            if is_root() {
                let given = Command::new("chown").arg(format!("{}:", server_user())).arg(&file).status();
                assert!(given.expect("chown runs").success());
            }
            let closed = Command::new("chmod").arg("600").arg(&file).status();
            assert!(closed.expect("chmod runs").success());
            file.display().to_string()
        };
        let (certificate, key) = (file("server.pem", &shown.certificate), file("server.key", &shown.key));
        let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        file("data/pg_hba.conf", rules);
        for statement in [
            format!("ALTER ROLE {BROKER} PASSWORD '{password}'"),
            "ALTER SYSTEM SET ssl TO on".to_owned(),
            format!("ALTER SYSTEM SET ssl_cert_file TO '{certificate}'"),
            format!("ALTER SYSTEM SET ssl_key_file TO '{key}'"),
        ] {
            let (done, said) = self.sql("postgres", "postgres", &statement);
            assert!(done, "{said}");
        }
        self.crash();
        self.port = Some(port);
        self.begin();
    }

    /// Starts it.
    pub fn begin(&self) {
        let listens = self.port.map_or_else(
            || "-c listen_addresses=''".to_owned(),
            |port| format!("-c listen_addresses=127.0.0.1 -p {port}"),
        );
        let options = format!("-k {} {listens}", self.dir.path().display());
        let log = self.dir.path().join("log").display().to_string();
        self.must(&["pg_ctl", "start", "-w", "-D", &self.data(), "-l", &log, "-o", &options]);
    }

    /// Ends it as a power cut would: nothing is written any more.
    pub fn crash(&self) {
        self.must(&["pg_ctl", "stop", "-m", "immediate", "-w", "-D", &self.data()]);
    }

    /// Says something to it: whether it was done, and what it said.
    pub fn sql(&self, user: &str, database: &str, statement: &str) -> (bool, String) {
        let dir = self.dir.path().display().to_string();
        let port = self.port.unwrap_or(5432).to_string();
        let output =
            self.run(&["psql", "-h", &dir, "-p", &port, "-U", user, "-d", database, "-Atqc", statement]);
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// What a configuration says of it.
    pub fn table(&self, node: &str) -> String {
        format!(
            "sink = \"postgres\"\n[audit.postgres]\nsocket_dir = \"{}\"\ndatabase = \"{DATABASE}\"\nuser = \"{BROKER}\"\n\
             node = \"{node}\"\nport = {}\n",
            self.dir.path().display(),
            self.port.unwrap_or(5432)
        )
    }

    fn must(&self, words: &[&str]) {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr);
        let log = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        assert!(output.status.success(), "{words:?}: {said}{log}");
    }

    /// Runs one of its programs; the server does not run as root.
    fn run(&self, words: &[&str]) -> Output {
        let program = self.programs.join(words[0]);
        let mut command = if is_root() {
            let user = server_user();
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        // `pg_ctl` leaves the server with its own output: a pipe would never end.
        let out = self.dir.path().join("said");
        if words[0] == "pg_ctl" {
            let file = std::fs::File::create(&out).expect("a file");
            command.stdout(file.try_clone().expect("a file")).stderr(file);
        }
        command.args(&words[1..]).current_dir(self.dir.path()).output().expect("PostgreSQL's programs run")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.run(&["pg_ctl", "stop", "-m", "immediate", "-w", "-D", &self.data()]));
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}

/// Debian's user for it, or one that owns nothing.
fn server_user() -> &'static str {
    let has = Command::new("id").arg("postgres").output().is_ok_and(|output| output.status.success());
    if has { "postgres" } else { "nobody" }
}

/// Where its programs are: the newest of Debian's, or wherever the path leads.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    found.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    let has = |folder: &PathBuf| ["initdb", "pg_ctl", "psql"].iter().all(|name| folder.join(name).is_file());
    found.into_iter().find(has)
}
