//! The container image: its recipe, the root that is put together for it, and the broker inside.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tributary_tests::{GEORGE, Plan, audit, configuration, federation, http, parameters};

use crate::product::{Running, binary, did, is_nobody, is_root, is_shut_in, is_there, ran, repository, text};

/// As the recipe says.
const USER: u32 = 10_001;
/// What is left for the way into the root: to go there and to become that user. No process without them has more.
const WAY_IN: &str = "00000000000400c0";
const RECIPE: &str = "deploy/container/Containerfile";

/// The instructions of a recipe, each with its words; continued lines put together.
fn instructions(recipe: &str) -> Vec<(String, String)> {
    let lines = recipe.lines().filter(|line| !line.trim_start().starts_with('#'));
    let whole = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let each = whole.lines().filter_map(|line| line.trim().split_once(' '));
    each.map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).collect()
}

/// What is wrong with a recipe, seen from the folder that it is built in.
fn faults(recipe: &str, context: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let all = instructions(recipe);
    for (name, rest) in &all {
        match name.as_str() {
            "FROM" if rest != "scratch" && !rest.contains("@sha256:") => {
                faults.push(format!("{rest} is not pinned"));
            }
            "ADD" | "RUN" | "ENV" | "ARG" => faults.push(format!("{name} {rest}")),
            "COPY" => {
                let mut words: Vec<&str> =
                    rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
                words.pop();
                let missing = words.into_iter().filter(|source| !context.join(source).exists());
                faults.extend(missing.map(|source| format!("COPY {source}: there is none")));
            }
            "ENTRYPOINT" | "CMD" if serde_json::from_str::<Vec<String>>(rest).is_err() => {
                faults.push(format!("{name} needs a shell"));
            }
            _ => {}
        }
    }
    let user = all.iter().rev().find(|(name, _)| name == "USER").map(|(_, user)| user.as_str());
    let ids: Vec<u32> = user.into_iter().flat_map(|user| user.split(':')).flat_map(str::parse).collect();
    if ids.len() != 2 || ids.contains(&0) {
        faults.push(format!("USER {user:?} is no number, or root"));
    }
    faults
}

/// The root of the image, in a folder with its recipe.
fn assembled() -> Option<tempfile::TempDir> {
    if !Path::new("/etc/ssl/certs/ca-certificates.crt").is_file() {
        println!("NOT RUN: this machine has no ca-certificates");
        return None;
    }
    // Seen by another user too.
    let context = tempfile::Builder::new()
        .prefix("image")
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir();
    let context = context.unwrap();
    std::fs::write(context.path().join("Containerfile"), text(RECIPE)).unwrap();
    let root = context.path().join("root");
    did(Command::new(repository().join("deploy/container/assemble")).arg(binary()).arg(root));
    Some(context)
}

#[test]
fn the_recipe_takes_what_is_there_and_runs_as_nobody() {
    let Some(context) = assembled() else { return };
    assert_eq!(faults(&text(RECIPE), context.path()), [""; 0]);
    for (wrong, says) in [
        ("FROM debian:12\nUSER 1:1\n", "not pinned"),
        ("FROM scratch\nUSER tributary\n", "is no number"),
        ("FROM scratch\nUSER 0:0\n", "or root"),
        ("FROM scratch\nADD https://example.test/x /x\nUSER 1:1\n", "ADD"),
        ("FROM scratch\nCOPY --chown=1:1 nothing \\\n  /x\nUSER 1:1\n", "there is none"),
        ("FROM scratch\nCMD serve\nUSER 1:1\n", "needs a shell"),
    ] {
        let found = faults(wrong, context.path());
        assert!(found.len() == 1 && found[0].contains(says), "{wrong}: {found:?}");
    }
    let built = all_below(&context.path().join("root"));
    let is_code = |file: &&PathBuf| std::fs::metadata(file).unwrap().permissions().mode() & 0o111 != 0;
    let is_library = |file: &PathBuf| file.to_string_lossy().contains(".so");
    let programs: Vec<_> = built.iter().filter(is_code).filter(|file| !is_library(file)).collect();
    assert_eq!(
        programs,
        [&context.path().join("root/usr/bin/tributary")],
        "no shell, and nothing else to run"
    );
    for file in &built {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o6022, 0, "{}", file.display());
    }
}

fn all_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|entry| if entry.is_dir() { all_below(&entry) } else { vec![entry] }).collect()
}

/// The image built by an engine; gives its root, and what it runs.
struct Built {
    store: tempfile::TempDir,
    root: PathBuf,
    command: Vec<String>,
}

impl Built {
    fn of(context: &Path) -> Self {
        let store = tempfile::Builder::new().prefix("store").tempdir().unwrap();
        let recipe = context.join("Containerfile");
        let image = ["bud", "--isolation", "chroot", "-q", "-t", "tributary", "-f"];
        did(engine(store.path()).args(image).arg(recipe).arg(context));
        let told = did(engine(store.path()).args(["inspect", "--type", "image", "tributary"]));
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let config = &told["OCIv1"]["config"];
        assert_eq!(config["User"], format!("{USER}:{USER}"));
        assert_eq!(config["StopSignal"], "SIGTERM");
        let words = |key: &str| serde_json::from_value::<Vec<String>>(config[key].clone()).unwrap();
        let command = [words("Entrypoint"), words("Cmd")].concat();
        let container = did(engine(store.path()).args(["from", "--pull-never", "tributary"]));
        let container = container.trim();
        let version = ["run", "--isolation", "chroot", container, "--", "/usr/bin/tributary", "--version"];
        assert!(did(engine(store.path()).args(version)).starts_with("tributary "));
        let root = PathBuf::from(did(engine(store.path()).args(["mount", container])).trim());
        Self { store, root, command }
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        drop(engine(self.store.path()).args(["umount", "--all"]).output());
    }
}

/// An engine with a store of its own.
fn engine(store: &Path) -> Command {
    let mut command = Command::new("buildah");
    command.arg("--root").arg(store.join("root")).arg("--runroot").arg(store.join("run"));
    command.args(["--storage-driver", "vfs"]);
    command
}

/// The way into a root: read-only, its configuration read-only in it, and one folder to write; as that user, without
/// rights.
fn inside(root: &Path, config: &Path, state: &Path, command: &[String]) -> Command {
    let [root, config, state] = [root, config, state].map(|path| path.display().to_string());
    let script = format!(
        "set -e\n\
         mount --make-rprivate /\n\
         mount --bind {root} {root}\n\
         mount -o remount,bind,ro {root}\n\
         mount --bind {config} {root}/etc/tributary\n\
         mount -o remount,bind,ro {root}/etc/tributary\n\
         mount --bind {state} {root}/var/lib/tributary\n\
         mount --rbind /proc {root}/proc\n\
         exec setpriv --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all --ambient-caps=-all \
         --no-new-privs env -i /usr/sbin/chroot --userspec={USER}:{USER} --groups= {root} {}\n",
        command.join(" "),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", &script]);
    command
}

/// The address after this word of the log.
fn address(log: &str, word: &str) -> Option<SocketAddr> {
    let line = log.lines().find_map(|line| line.strip_prefix(word))?;
    line.trim().strip_prefix("http://")?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_the_image_the_broker_answers_shut_in_and_on_record() {
    if !is_root() {
        return;
    }
    let Some(context) = assembled() else { return };
    let built = is_there("buildah", "install Debian's buildah package").then(|| Built::of(context.path()));
    let serve =
        ["/usr/bin/tributary", "serve", "--config", "/etc/tributary/tributary.toml"].map(str::to_owned);
    let own = (context.path().join("root"), serve.to_vec());
    let (root, command) = built.as_ref().map_or(own, |built| (built.root.clone(), built.command.clone()));
    assert_eq!(command, serve);
    let plan = Plan { expected: vec!["specialist"], ..Plan::default() };
    let federation = federation(&plan).await;
    let base = configuration(federation.source_facts(), &plan, Path::new("/var/lib/tributary/audit"));
    let (before, after) = base.split_once("[maps]\n").unwrap();
    let text = format!("{before}{}", after.split_once('\n').unwrap().1);
    let [config, state] = [0o755, 0o700].map(|mode| {
        let made = tempfile::Builder::new()
            .prefix("mounted")
            .permissions(std::fs::Permissions::from_mode(mode))
            .tempdir();
        made.unwrap()
    });
    std::fs::write(config.path().join("tributary.toml"), text).unwrap();
    std::os::unix::fs::chown(state.path(), Some(USER), Some(USER)).unwrap();
    let check: Vec<String> = command.iter().map(|word| word.replace("serve", "check")).collect();
    let (checked, said) = ran(&mut inside(&root, config.path(), state.path(), &check));
    if said.contains("mount") && said.contains("permission denied") {
        println!("NOT RUN: mounts are not allowed");
        return;
    }
    assert!(checked.status.success(), "{said}");

    let log = tempfile::NamedTempFile::new().unwrap();
    let way_in = &mut inside(&root, config.path(), state.path(), &command);
    let mut broker = Running::start(way_in, log.path().to_owned());
    let (data, admin) = loop {
        let text = broker.log();
        if let (Some(data), Some(admin)) = (address(&text, "records"), address(&text, "admin")) {
            break (data, admin);
        }
        assert!(!broker.has_ended(), "{text}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    broker.until(&admin.to_string(), "/health/ready", 200).await;
    is_nobody(&broker, USER, WAY_IN);
    is_shut_in(&http::get(admin, "/metrics").await.body);
    let body = parameters(GEORGE, &["flags"]);
    let reply = http::post(data, "/fhir/R4/Patient/$record", "application/fhir+json", &body, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    broker.signal("TERM");
    assert_eq!(broker.end(), Some(0), "{}", broker.log());
    let disclosed = reply.header("Tributary-Audit").unwrap();
    let on_record = audit::records(&state.path().join("audit"));
    let is_there = on_record
        .iter()
        .any(|one| one["kind"] == "disclosure" && format!("local-{}", one["seq"]) == disclosed);
    assert!(is_there, "{disclosed} is not on record");
}
