//! The command line: what is taken, what is refused, and the codes that programs rely on.

use clap::CommandFactory as _;
use tributary_model::Completeness;

use super::*;

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[track_caller]
fn check(line: &str, is_taken: bool) {
    let words = std::iter::once("tributary").chain(line.split_whitespace());
    assert_eq!(Cli::try_parse_from(words).is_ok(), is_taken, "{line}");
}

#[test]
fn what_is_promised_is_taken() {
    for line in [
        "serve --config a.toml",
        "check --config a.toml",
        "doctor --config a.toml",
        "doctor --config a.toml --source gp-a99901 --json",
        "query 9990000107",
        "query 9990000107 --section plans --section allergies --format fhir",
        "query 9990000107 --json --url http://127.0.0.1:1 --deadline-ms 300",
        "query 9990000107 --since 2024-03 --purpose urgentcare --break-glass unconscious --strict --no-cache",
        "query 9990000107 --token-file t --cert c --key k --ca-file a",
        "audit verify var/audit",
        "audit verify var/audit --json",
        "audit verify var/audit --head 17",
        "audit verify var/audit --head local-17",
        "audit replay local-17 --dir var/audit --config a.toml --case IG-7 --as privacy-officer --json",
    ] {
        check(line, true);
    }
}

#[cfg(feature = "demo")]
#[test]
fn the_demo_is_taken() {
    check("demo", true);
    check("demo --once --patient 9990000204", true);
    check("demo --patient 9990000019", false);
}

#[test]
fn what_is_not_offered_is_refused() {
    for line in [
        "",
        "serve",
        "check",
        "query",
        "query 9990000019",
        "query 9990000107 --section toes",
        "query 9990000107 --since yesterday",
        "query 9990000107 --since 2024-03-01T00:00:00Z",
        "query 9990000107 --purpose gossip",
        "query 9990000107 --break-glass",
        "query 9990000107 --cert c",
        "query 9990000107 --key k",
        "query 9990000107 --stream",
        "query 9990000107 --deadline-ms 299",
        "query 9990000107 --json --format fhir",
        "audit",
        "audit search",
        "audit replay local-17 --dir var/audit --config a.toml --case IG-7",
        "audit replay local-17 --dir var/audit --config a.toml --as somebody",
        "audit replay x --dir var/audit --config a.toml --case IG-7 --as somebody",
        "audit verify var/audit --head Other-17",
        "audit verify var/audit --head local-",
        "audit verify var/audit --head +17",
        "doctor",
        "doctor --config a.toml --source GP_1",
        "policy explain",
    ] {
        check(line, false);
    }
}

#[test]
fn a_wrong_command_line_never_looks_like_a_tampered_log() {
    let code = |line: &str| {
        let words = std::iter::once("tributary").chain(line.split_whitespace());
        usage_code(&Cli::try_parse_from(words).unwrap_err())
    };
    for wrong in
        ["", "audit", "audit verify", "audit verify x --head -1", "query", "query 9990000019", "serve"]
    {
        assert_eq!(code(wrong), FAILED, "{wrong}");
    }
    for told in ["--help", "--version", "audit verify --help", "query --help"] {
        assert_eq!(code(told), 0, "{told}");
    }
}

#[test]
fn a_partial_record_is_told_by_the_exit_code() {
    let codes = Completeness::ALL.iter().map(|completeness| query::exit_code(*completeness));
    assert_eq!(codes.collect::<Vec<_>>(), [0, 0, 3, 1]);
}

#[test]
fn an_error_is_told_with_its_causes() {
    let cause = io::Error::new(io::ErrorKind::AddrInUse, "address in use");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 8443));
    let error = crate::StartError::Listen(address, cause);
    assert_eq!(chain(&error), "cannot listen on 127.0.0.1:8443: address in use");
}

#[test]
fn mistakes_end_serve_and_check_with_two() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "[server]\nlisten = 1\n").unwrap();
    let missing = dir.path().join("missing.toml");
    for config in [&bad, &missing] {
        for command in ["serve", "check"] {
            let words = ["tributary", command, "--config", config.to_str().unwrap()];
            let cli = Cli::try_parse_from(words).unwrap();
            assert_eq!(
                runtime.block_on(cli.command.run(&Hardening::default(), None)).unwrap(),
                2,
                "{command}"
            );
        }
    }
}

#[test]
fn verify_tells_a_sound_log_from_a_broken_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |dir: &std::path::Path, more: &[&str]| {
        let words = ["tributary", "audit", "verify", dir.to_str().unwrap()];
        let cli = Cli::try_parse_from(words.iter().chain(more)).unwrap();
        let Command::Audit(action) = cli.command else { panic!("parsed as something else") };
        let mut out = Vec::new();
        let code = runtime.block_on(audit::run(action, &Hardening::default(), &mut out)).unwrap();
        (code, out)
    };
    let verify = |dir: &std::path::Path| {
        let (code, out) = run(dir, &["--json"]);
        let report: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&out).unwrap();
        (code, report["verdict"].as_str().unwrap().to_owned())
    };
    let dir = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(tributary_model::SystemClock);
    let settings = tributary_audit::Settings::default();
    let trail = tributary_audit::Trail::open(dir.path(), settings, clock).unwrap();
    runtime.block_on(trail.close()).unwrap();
    assert_eq!(verify(dir.path()), (0, "ok".to_owned()));
    assert_eq!(run(dir.path(), &["--head", "local-3"]).0, 0);
    assert_eq!(run(dir.path(), &["--head", "4"]).0, 3);
    let empty = tempfile::tempdir().unwrap();
    let (code, out) = run(empty.path(), &[]);
    assert_eq!((code, out.ends_with(b"  there is no audit log here\n")), (5, true));

    let unfinished = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(dir.path().join("00000001.log")).unwrap();
    bytes.truncate(bytes.len() - 3);
    std::fs::write(unfinished.path().join("00000001.log"), bytes).unwrap();
    let (code, out) = run(unfinished.path(), &[]);
    assert_eq!((code, out.starts_with(b"ok, but the last record is unfinished\n")), (0, true));

    let segment = dir.path().join("00000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    assert_eq!(verify(dir.path()), (2, "tampered".to_owned()));
    assert_eq!(verify(&dir.path().join("missing")), (5, "unreadable".to_owned()));
}
