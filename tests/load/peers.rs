//! Programs that other people would use instead: they make the same requests, and parse and concatenate.
//!
//! Their sources are in `tests/load/peers/`, and `tests/load/peers/install` fetches what they need.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Done;
use crate::federation::Federation;
use crate::servers::{Server, free};
use crate::stage::Stage;

/// A program in the broker's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// nginx with Lua and cjson: parses every answer, concatenates the entries, prints one Bundle.
    Lua,
    /// nginx with Lua: puts the texts side by side, unread.
    Concat,
    /// Go, standard library alone: entries as raw JSON.
    Go,
    /// Node with fastify and undici, or with its own http where they are absent.
    Node,
    /// `FastAPI`, aiohttp and orjson.
    Python,
}

/// How nginx names a source and keeps its connections.
const SOURCE: &str = include_str!("peers/source.conf");
const MODULES: &str = "/usr/lib/nginx/modules";

impl Peer {
    /// All, in the order of the tables.
    pub(crate) const ALL: [Self; 5] = [Self::Lua, Self::Concat, Self::Go, Self::Node, Self::Python];

    /// What the tables call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lua => "nginx+lua+cjson",
            Self::Concat => "nginx+lua, blind concatenation",
            Self::Go => "Go net/http, RawMessage",
            Self::Node => "Node",
            Self::Python => "FastAPI+aiohttp+orjson",
        }
    }

    /// Whether the machine has it; if not, it is said.
    pub(crate) fn is_there(self) -> bool {
        let has = |path: PathBuf| path.exists();
        let runs = |program: &str| {
            let mut command = Command::new(program);
            command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        match self {
            Self::Lua | Self::Concat => {
                has(Path::new(MODULES).join("ngx_http_lua_module.so")) && runs("nginx")
            }
            Self::Go => has(home().join("go-merge")),
            Self::Node => runs("node"),
            Self::Python => has(home().join("venv/bin/uvicorn")),
        }
    }

    /// Starts it before these sources.
    pub(crate) fn start(self, stage: &Stage, dir: &Path, federation: &Federation) -> Done<Server> {
        let dir = dir.join(format!("{self:?}"));
        fs::create_dir_all(&dir)?;
        let address = free()?;
        let plan = federation.plan();
        let mut command = match self {
            Self::Lua => return nginx(stage, &dir, &merging(&plan, "merge.lua")?),
            Self::Concat => return nginx(stage, &dir, &merging(&plan, "concat.lua")?),
            Self::Go => stage.cores.server(&home().join("go-merge")),
            Self::Node => {
                // Beside the modules that it needs: Node looks for them from where the program lies.
                fs::create_dir_all(home())?;
                let program = home().join("merge.js");
                fs::copy(programs().join("merge.js"), &program)?;
                let mut command = stage.cores.server(Path::new("node"));
                command.arg(program);
                command
            }
            Self::Python => {
                let mut command = stage.cores.server(&home().join("venv/bin/python"));
                command.arg(programs().join("merge.py"));
                command
            }
        };
        command.env("PLAN", plan.to_string()).env("PORT", address.port().to_string());
        Server::listening(command, &dir.join("log"), address)
    }
}

/// Those of the wished ones that the machine has; the others are named.
pub(crate) fn present(wished: &[Peer]) -> Vec<Peer> {
    let all = if wished.is_empty() { &Peer::ALL[..] } else { wished };
    let (there, absent): (Vec<Peer>, Vec<Peer>) = all.iter().partition(|peer| peer.is_there());
    for peer in absent {
        crate::told(&format!("{} IS ABSENT and left out (tests/load/peers/install).\n", peer.name()));
    }
    there
}

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("load/peers")
}

/// What `install` fetched.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/load-peers")
}

/// What an nginx is to do: Lua files of its own, and its `http` section.
#[derive(Debug)]
pub(crate) struct Nginx {
    files: Vec<(&'static str, String)>,
    http: String,
}

/// One process, one thread, no log, connections kept: the broker's placement.
pub(crate) fn nginx(stage: &Stage, dir: &Path, what: &Nginx) -> Done<Server> {
    let address = free()?;
    for (name, text) in &what.files {
        fs::write(dir.join(name), text)?;
    }
    let conf = dir.join("nginx.conf");
    let lua = format!("{}/?.lua;{}/?.lua;;", dir.display(), programs().display());
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(temporary, "  {kind}_temp_path {};", dir.join(kind).display())?;
    }
    fs::write(
        &conf,
        format!(
            "load_module {MODULES}/ndk_http_module.so;\nload_module {MODULES}/ngx_http_lua_module.so;\n\
             daemon off;\nmaster_process off;\npid {dir}/pid;\nerror_log stderr error;\n\
             worker_rlimit_nofile 20000;\nevents {{ worker_connections 16000; }}\nhttp {{\n  access_log off;\n\
             {temporary}  lua_package_path \"{lua}\";\n  keepalive_requests 100000000;\n  tcp_nodelay on;\n\
             {}\n}}\n",
            what.http.replace("@listen", &address.to_string()),
            dir = dir.display(),
        ),
    )?;
    let mut command = stage.cores.server(Path::new("nginx"));
    command.arg("-p").arg(dir).arg("-c").arg(&conf).args(["-e", "stderr"]);
    Server::listening(command, &dir.join("log"), address)
}

/// Serves one file, with or without `sendfile`.
pub(crate) fn serving(dir: &Path, has_sendfile: bool) -> Nginx {
    let sendfile = if has_sendfile { "on" } else { "off" };
    let http = format!(
        "  sendfile {sendfile};\n  tcp_nopush on;\n  open_file_cache max=10;\n  default_type application/fhir+json;\n\
         \x20 server {{ listen @listen; root {}; }}",
        dir.display()
    );
    Nginx { files: Vec::new(), http }
}

fn merging(plan: &Value, program: &str) -> Done<Nginx> {
    let text = |pointer: &str| plan.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let sources = plan.get("sources").and_then(Value::as_array).ok_or("a plan without sources")?;
    let mut http = String::new();
    let mut list = String::new();
    let mut locations = String::new();
    for (at, source) in (1_usize..).zip(sources) {
        let said = |name: &str| source.get(name).and_then(Value::as_str).unwrap_or_default();
        let media =
            if said("kind") == "gp" { "application/fhir+json" } else { "application/x-www-form-urlencoded" };
        write!(list, "{{ kind = \"{}\" }}, ", said("kind"))?;
        http.push_str(&SOURCE.replace("@at", &at.to_string()).replace("@address", said("address")));
        writeln!(
            locations,
            "    location /source/{at}/ {{ internal; proxy_pass http://up{at}{}/; proxy_http_version 1.1;\n\
             \x20     proxy_set_header Connection \"\"; proxy_set_header Content-Type {media};\n\
             \x20     proxy_buffer_size 64k; proxy_buffers 64 64k; proxy_busy_buffers_size 128k;\n\
             \x20     proxy_max_temp_file_size 0; }}",
            said("root")
        )?;
    }
    let own = format!(
        "return {{ operation = \"{}\", parameters = [==[{}]==], identifier = \"{}\", list = {{ {list}}} }}\n",
        text("/operation"),
        text("/parameters"),
        text("/identifier")
    );
    let program = programs().join(program);
    writeln!(
        http,
        "  server {{ listen @listen backlog=4096;\n{locations}    location / {{ content_by_lua_file {}; }}\n  }}",
        program.display()
    )?;
    Ok(Nginx { files: vec![("sources.lua", own)], http })
}
