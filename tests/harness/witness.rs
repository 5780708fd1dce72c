//! A witness of audit logs as a process of its own, and keys.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::process::{binary, run};

/// A witness in a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct WitnessProcess {
    child: Child,
    /// What its address begins with.
    pub url: String,
}

impl WitnessProcess {
    /// Starts it with the key `witness.key` of this folder, for the log of this key.
    pub fn start(dir: &Path, listen: &str, log: &str) -> Self {
        let mut child = Command::new(binary())
            .args(["witness", "--listen", listen, "--log", log, "--dir"])
            .arg(dir.join("witness"))
            .arg("--key-file")
            .arg(dir.join("witness.key"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("a witness");
        let mut first = String::new();
        BufReader::new(child.stderr.take().expect("a witness")).read_line(&mut first).expect("a witness");
        let url = first.trim_start_matches("witness").trim().to_owned();
        assert!(url.starts_with("http://"), "{first}");
        Self { child, url }
    }
}

impl Drop for WitnessProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes a key by the command; gives its public part.
pub fn keygen(file: &Path, origin: &str, more: &[&str]) -> String {
    let file = file.to_str().expect("a witness");
    let (code, out, error) = run(&[&["audit", "keygen", file, "--origin", origin], more].concat());
    assert_eq!(code, 0, "{error}");
    out.trim().to_owned()
}
