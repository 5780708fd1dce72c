//! What is left of an answer in this process once nobody needs it: nothing, though its connection lives on.
//!
//! Three processes, so that no copy of the test's own is found: one serves a record with a word made up there, one
//! asks for it, drops it and searches its own memory for the word, which it knows in disguise only. The third
//! starts the two. The allocator of the searching one overwrites what is freed, as the product's does.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test with a main function of its own"
)]

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "residue/asker.rs"]
mod asker;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "residue/memory.rs"]
mod memory;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "residue/server.rs"]
mod server;

/// Says what the process is to do.
const ROLE: &str = "RESIDUE_ROLE";
/// Makes the allocator of the C library overwrite everything that is freed.
const OVERWRITE: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0");

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn main() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let role = std::env::var(ROLE).unwrap_or_default();
    if role == "serve" {
        return server::run();
    }
    if let Some(told) = role.strip_prefix("ask ") {
        return asker::run(told);
    }
    let own = std::env::current_exe().unwrap();
    let mut server = Command::new(&own).env(ROLE, "serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut told).unwrap();
    let mut asker = Command::new(&own);
    asker.env(ROLE, format!("ask {}", told.trim())).env(OVERWRITE.0, OVERWRITE.1);
    let passed = asker.status().unwrap().success();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(passed, "see above");
}
