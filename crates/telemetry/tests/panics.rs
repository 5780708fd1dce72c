//! A panic is told by its place, never by its message, which may hold clinical text.

use std::process::Command;

const CANARY: &str = "allergic to penicillin";
/// Set in the process that is to panic.
const CHILD: &str = "TRIBUTARY_TEST_PANICS";

/// In a process of its own: what a panic prints goes to the whole process.
#[test]
fn a_panic_is_told_by_its_place_alone() {
    if std::env::var_os(CHILD).is_some() {
        tributary_telemetry::quiet_panics();
        let lost: Result<u8, _> = CANARY.parse();
        lost.expect(CANARY);
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--exact", "a_panic_is_told_by_its_place_alone"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(!child.status.success());
    let said = [child.stdout, child.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("panicked at crates/telemetry/tests/panics.rs:"), "{said}");
    assert!(!said.contains("penicillin"), "{said}");
}
