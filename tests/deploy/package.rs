//! The Debian package: what is in it, and what becomes of a machine that it is installed on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tributary_tests::{GEORGE, audit, http, parameters};

use crate::product::{NO_RIGHT, Running, workshop};
use crate::product::{binary, did, found, is_nobody, is_root, is_shut_in, is_there, ran, repository, text};

/// As systemd would choose one for `DynamicUser`.
const USER: u32 = 61_184;
const DATA: &str = "127.0.0.1:8443";
const ADMIN: &str = "127.0.0.1:9464";
const AUDIT: &str = "/var/lib/tributary/audit";
/// All that the package may leave anything at. Slim machines leave out manuals and other papers of every package.
const PLACES: [&str; 7] = [
    "/usr/bin/tributary",
    "/etc/tributary",
    "/lib/systemd/system/tributary.service",
    "/usr/share/doc/tributary",
    "/usr/share/man/man8/tributary.8.gz",
    "/etc/systemd/system/multi-user.target.wants/tributary.service",
    "/var/lib/tributary",
];

/// Makes the package, of the binary that the tests have; `None`, with a word, where it cannot be made.
pub(crate) fn package() -> Option<&'static Path> {
    static PACKAGE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let maker = found("cargo-deb")?;
        binary();
        let to = workshop().join("tributary.deb");
        did(Command::new(maker)
            .args(["-p", "tributary", "--no-build", "--fast", "--offline", "--locked", "--output"])
            .arg(&to)
            .env("CARGO_TARGET_DIR", workshop())
            .current_dir(repository()));
        Some(to)
    });
    if PACKAGE.is_none() {
        println!("NOT RUN: there is no cargo-deb here; tests/run installs it");
    }
    PACKAGE.as_deref()
}

#[test]
fn the_package_is_as_debian_wants_it_and_its_scripts_start_nothing() {
    for script in ["postinst", "prerm", "postrm"] {
        let script = text(&format!("deploy/debian/{script}"));
        for line in script.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let starts = ["start tributary", "start \"$unit\"", "enable", "systemctl start"];
            let is_upgrade = line.starts_with("deb-systemd-invoke try-restart");
            assert!(is_upgrade || !starts.iter().any(|word| line.contains(word)), "{line}");
        }
    }
    let Some(package) = package() else { return };
    let field = |name: &str| did(Command::new("dpkg-deb").arg("-f").arg(package).arg(name)).trim().to_owned();
    assert_eq!(field("Package"), "tributary");
    assert!(text("deploy/debian/changelog").starts_with(&format!("tributary ({})", field("Version"))));
    assert!(field("Depends").contains("libc6 (>= "), "{}", field("Depends"));
    let listed = did(Command::new("dpkg-deb").arg("-c").arg(package));
    let files: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(5)).collect();
    for line in listed.lines() {
        assert!(!line.chars().take(10).any(|letter| letter == 's') && line.as_bytes()[8] != b'w', "{line}");
    }
    for code_map in
        std::fs::read_dir(repository().join("config/maps")).unwrap().map(|entry| entry.unwrap().path())
    {
        let name = code_map.file_name().unwrap().to_string_lossy().into_owned();
        let is_there = files.contains(&format!("./etc/tributary/maps/{name}").as_str());
        assert_eq!(is_there, Path::new(&name).extension().is_some_and(|end| end == "csv"), "{name}");
    }
    let kept = did(Command::new("dpkg-deb").arg("-I").arg(package).arg("conffiles"));
    for file in ["/etc/tributary/tributary.toml", "/etc/tributary/policy.toml"] {
        assert!(kept.lines().any(|line| line == file), "{file} is no conffile");
    }
    let binary = did(Command::new(binary()).arg("--help"));
    assert!(!binary.contains("\n  demo"), "the demo is in the package: {binary}");
    if !is_there("lintian", "install Debian's lintian package") {
        return;
    }
    let (output, said) = ran(Command::new("lintian").args(["--fail-on", "error"]).arg(package));
    assert!(output.status.success(), "{said}");
}

/// An installed package. Purged when dropped, with all that its service left.
struct Installed;

impl Installed {
    fn of(package: &Path) -> Self {
        let installed = Self;
        let words = ["install", "-y", "-qq", "--no-install-recommends", "--allow-downgrades"];
        did(apt().args(words).arg(package));
        installed
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        drop(apt().args(["purge", "-y", "-qq", "tributary"]).output());
        drop(std::fs::remove_dir_all("/var/lib/tributary"));
    }
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn purge() -> String {
    let (output, said) = ran(apt().args(["purge", "-y", "-qq", "tributary"]));
    assert!(output.status.success(), "{said}");
    said
}

/// What there is of the package.
fn left() -> Vec<&'static str> {
    PLACES.into_iter().filter(|place| std::fs::symlink_metadata(place).is_ok()).collect()
}

/// The values of a key of the unit.
fn unit(key: &str) -> Vec<String> {
    let unit = std::fs::read_to_string("/lib/systemd/system/tributary.service").unwrap();
    let values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

/// Starts what the unit starts, as the unit says, as far as that goes without systemd: the user, no capabilities, no
/// new privileges, limits, an empty environment, nothing to write but its state, no homes, a `/tmp` of its own.
fn as_the_unit_says(log: PathBuf) -> Running {
    let only = |key: &str| unit(key).into_iter().next().unwrap_or_else(|| panic!("{key} is missing"));
    let (command, umask, files) = (only("ExecStart"), only("UMask"), only("LimitNOFILE"));
    let (state, mode) = (only("StateDirectory"), only("StateDirectoryMode"));
    assert_eq!([only("CapabilityBoundingSet"), only("AmbientCapabilities")], ["", ""]);
    let wanted = ["DynamicUser", "NoNewPrivileges", "PrivateTmp", "ProtectHome"];
    assert!(wanted.iter().all(|key| only(key) == "yes") && only("ProtectSystem") == "strict");
    let script = format!(
        "set -e\n\
         mkdir -p -m {mode} /var/lib/{state}\n\
         chown {USER}:{USER} /var/lib/{state}\n\
         mount --make-rprivate /\n\
         mount --bind /var/lib/{state} /var/lib/{state}\n\
         mount -t tmpfs -o mode=0755 none /home\n\
         mount -t tmpfs -o mode=0755 none /root\n\
         mount -t tmpfs -o mode=1777 none /tmp\n\
         mount -o remount,bind,ro /\n\
         cd /\n\
         umask {umask}\n\
         exec prlimit --core={core} --nofile={files} setpriv --reuid={USER} --regid={USER} --clear-groups \
         --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs \
         env -i STATE_DIRECTORY=/var/lib/{state} {command}\n",
        core = only("LimitCORE"),
    );
    Running::start(Command::new("unshare").args(["--mount", "--ipc", "--", "sh", "-c", &script]), log)
}

/// Why this machine cannot show what becomes of it.
fn unfit() -> Option<&'static str> {
    let is_installed = did(Command::new("dpkg-query").args(["-W", "-f", "${Package}\n"]));
    if is_installed.lines().any(|name| name == "tributary") || !left().is_empty() {
        return Some("there is a Tributary on this machine already");
    }
    if [DATA, ADMIN].iter().any(|address| std::net::TcpListener::bind(address).is_err()) {
        return Some("its ports are taken");
    }
    let may_mount = ran(Command::new("unshare").args(["--mount", "mount", "--make-rprivate", "/"])).0;
    (!may_mount.status.success()).then_some("mounts are not allowed")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_installs_serves_as_the_unit_says_and_leaves_nothing_but_the_audit_log() {
    if !is_root() || !is_there("apt-get", "this is no Debian") {
        return;
    }
    let Some(package) = package() else { return };
    if let Some(why) = unfit() {
        println!("NOT RUN: {why}");
        return;
    }
    let installed = Installed::of(package);
    let is_optional = |place: &&str| place.starts_with("/usr/share/");
    let needed: Vec<_> = left().into_iter().filter(|place| !is_optional(place)).collect();
    assert_eq!(needed, PLACES[..3], "installed, not enabled, and nothing has run");
    assert!(http::get(DATA.parse().unwrap(), "/_ping").await.status == 0, "it was started");
    let (checked, said) =
        ran(Command::new("tributary").args(["check", "--config", "/etc/tributary/tributary.toml"]));
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("/etc/tributary/policy.toml") && said.contains(AUDIT), "{said}");
    // Another maintainer script for each: an upgrade to itself, a removal, a purge.
    did(apt().args(["install", "-y", "-qq", "--reinstall", "--no-install-recommends"]).arg(package));
    did(apt().args(["remove", "-y", "-qq", "tributary"]));
    assert_eq!(left(), ["/etc/tributary"], "a removal keeps the configuration");
    purge();
    assert_eq!(left(), [""; 0]);
    drop(installed);

    let _installed = Installed::of(package);
    let log = tempfile::tempdir().unwrap();
    let mut broker = as_the_unit_says(log.path().join("log"));
    broker.says(&format!("http://{ADMIN}")).await;
    broker.until(ADMIN, "/health/ready", 200).await;
    let ping = broker.until(DATA, "/_ping", 200).await;
    assert!(ping.body.contains("\"pass\""), "{}", ping.body);
    is_nobody(&broker, USER, NO_RIGHT);
    is_shut_in(&http::get(ADMIN.parse().unwrap(), "/metrics").await.body);
    // As it is installed there is nobody to disclose anything of, and the answer says so.
    let path = "/fhir/R4/Patient/$record";
    let body = parameters(GEORGE, &[]);
    let reply = http::post(DATA.parse().unwrap(), path, "application/fhir+json", &body, &[]).await;
    assert!(reply.status == 502 && reply.body.contains("No source is configured yet"), "{}", reply.body);
    broker.signal("TERM");
    assert_eq!(broker.end(), Some(0), "{}", broker.log());
    let kinds: Vec<String> =
        audit::records(Path::new(AUDIT)).iter().map(|one| one["kind"].to_string()).collect();
    assert!(kinds.contains(&"\"disclosure\"".to_owned()), "{kinds:?}");
    assert!(kinds.last().is_some_and(|last| last == "\"lifecycle\""), "it did not end in order: {kinds:?}");

    let said = purge();
    assert!(said.contains("kept /var/lib/tributary, which holds the audit log"), "{said}");
    assert_eq!(left(), ["/var/lib/tributary"]);
    let (verified, said) = ran(Command::new(binary()).args(["audit", "verify", AUDIT]));
    assert!(verified.status.success(), "{said}");
}
