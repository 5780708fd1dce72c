//! A PostgreSQL of our own: started in a folder of its own, by a user that it accepts, and gone with the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
        let server = Self { dir, programs };
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

    /// Starts it.
    pub fn begin(&self) {
        let options = format!("-k {} -c listen_addresses=''", self.dir.path().display());
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
        let output = self.run(&["psql", "-h", &dir, "-U", user, "-d", database, "-Atqc", statement]);
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// What a configuration says of it.
    pub fn table(&self, node: &str) -> String {
        format!(
            "sink = \"postgres\"\n[audit.postgres]\nsocket_dir = \"{}\"\ndatabase = \"{DATABASE}\"\nuser = \"{BROKER}\"\n\
             node = \"{node}\"\n",
            self.dir.path().display()
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
