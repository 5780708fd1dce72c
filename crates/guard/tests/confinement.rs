//! A thread that is shut in: what it cannot do any more, and that it could before.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "there is no safe way to trace, which is the point")]
#![expect(clippy::unwrap_used, reason = "this is a test outside of its functions, too")]

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command};

use tributary_guard::{Reach, Sandbox, Wall, confine};

/// What a thread tried, and whether it could.
#[derive(Debug, PartialEq, Eq)]
struct Tried {
    reads_outside: Result<(), ErrorKind>,
    reads_inside: Result<(), ErrorKind>,
    reads_through_a_link: Result<(), ErrorKind>,
    writes_inside: Result<(), ErrorKind>,
    writes_where_it_reads: Result<(), ErrorKind>,
    starts_a_program: Result<(), ErrorKind>,
    traces: bool,
    listens: Result<(), ErrorKind>,
    connects: Result<(), ErrorKind>,
    starts_a_thread: bool,
    finds_names: bool,
}

struct Stage {
    dir: tempfile::TempDir,
    outside: tempfile::TempDir,
    other: Child,
    listener: TcpListener,
}

impl Stage {
    fn new() -> Self {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["read", "write"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("read/file"), "x").unwrap();
        fs::write(outside.path().join("file"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path().join("file"), dir.path().join("read/link")).unwrap();
        let other = Command::new("sleep").arg("60").spawn().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { dir, outside, other, listener }
    }

    fn reach(&self, connect: Option<Vec<u16>>) -> Reach {
        let inside = |name| self.dir.path().join(name);
        Reach { read: vec![inside("read")], write: vec![inside("write")], bind: vec![], connect }
    }

    fn tried(&self) -> Tried {
        let (dir, outside) = (self.dir.path(), self.outside.path());
        let kind = |result: std::io::Result<()>| result.map_err(|error| error.kind());
        let opens = |path: &Path| kind(File::open(path).map(drop));
        Tried {
            reads_outside: opens(&outside.join("file")),
            reads_inside: opens(&dir.join("read/file")),
            reads_through_a_link: opens(&dir.join("read/link")),
            writes_inside: kind(fs::write(dir.join("write/new"), "x")),
            writes_where_it_reads: kind(fs::write(dir.join("read/new"), "x")),
            starts_a_program: kind(Command::new("/bin/true").status().map(drop)),
            traces: self.traces(),
            listens: kind(TcpListener::bind("127.0.0.1:0").map(drop)),
            connects: kind(TcpStream::connect(self.listener.local_addr().unwrap()).map(drop)),
            starts_a_thread: std::thread::Builder::new().spawn(|| ()).is_ok_and(|one| one.join().is_ok()),
            finds_names: UdpSocket::bind("127.0.0.1:0").is_ok(),
        }
    }

    fn traces(&self) -> bool {
        let pid = libc::pid_t::try_from(self.other.id()).unwrap();
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: takes no memory of ours; the other process is our own child.
        let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, nothing, nothing) };
        seized == 0
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.other.kill());
        drop(self.other.wait());
    }
}

/// Tries on a thread of its own: what is shut stays shut.
fn on_a_thread(stage: &Stage, before: impl FnOnce() -> Option<Sandbox> + Send) -> (Option<Sandbox>, Tried) {
    std::thread::scope(|scope| scope.spawn(|| (before(), stage.tried())).join().unwrap())
}

#[test]
fn a_thread_that_is_not_shut_in_can_do_all_of_it() {
    let stage = Stage::new();
    let (_none, tried) = on_a_thread(&stage, || None);
    let all = Tried {
        reads_outside: Ok(()),
        reads_inside: Ok(()),
        reads_through_a_link: Ok(()),
        writes_inside: Ok(()),
        writes_where_it_reads: Ok(()),
        starts_a_program: Ok(()),
        traces: true,
        listens: Ok(()),
        connects: Ok(()),
        starts_a_thread: true,
        finds_names: true,
    };
    assert_eq!(tried, all);
}

#[test]
fn a_thread_that_is_shut_in_reaches_what_it_named_and_nothing_else() {
    let stage = Stage::new();
    let port = stage.listener.local_addr().unwrap().port();
    let (sandbox, tried) = on_a_thread(&stage, || Some(confine(&stage.reach(Some(vec![port])))));
    let sandbox = sandbox.unwrap();
    if !Wall::ALL.iter().all(|wall| sandbox.has(*wall)) {
        println!("NOT RUN: this kernel does not offer all of it: {:?}", sandbox.missing());
        return;
    }
    let denied = Err(ErrorKind::PermissionDenied);
    let expected = Tried {
        reads_outside: denied,
        reads_inside: Ok(()),
        reads_through_a_link: denied,
        writes_inside: Ok(()),
        writes_where_it_reads: denied,
        starts_a_program: denied,
        traces: false,
        listens: denied,
        connects: Ok(()),
        starts_a_thread: true,
        finds_names: true,
    };
    assert_eq!(tried, expected);
    assert_eq!(sandbox.gap(), None);
}

#[test]
fn a_port_that_was_not_named_is_not_connected_to() {
    let stage = Stage::new();
    let (sandbox, tried) = on_a_thread(&stage, || Some(confine(&stage.reach(Some(vec![1])))));
    if !sandbox.unwrap().has(Wall::Ports) {
        println!("NOT RUN: this kernel keeps no ports");
        return;
    }
    assert_eq!(tried.connects, Err(ErrorKind::PermissionDenied));
}

#[test]
fn other_networks_and_new_processes_are_refused_by_their_arguments() {
    let tried = || {
        // SAFETY: neither call takes memory of ours; a process that comes to be ends at once.
        let packet = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
        // SAFETY: as above; nothing runs in the child but its end.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            // SAFETY: ends the child without running anything of the parent's.
            unsafe { libc::_exit(0) };
        }
        (packet >= 0, child > 0)
    };
    let stage = Stage::new();
    let free = std::thread::scope(|scope| scope.spawn(tried).join().unwrap());
    let shut = std::thread::scope(|scope| {
        scope.spawn(|| confine(&stage.reach(None)).has(Wall::Calls).then(tried)).join().unwrap()
    });
    assert!(free.1, "a process can be made without the sandbox");
    assert_eq!(shut.unwrap_or((false, false)), (false, false));
}
