//! Nobody but the broker's own user reads the log.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tributary_audit::{AuditError, Trail};
use tributary_model::SystemClock;

use crate::samples::{SMALL, block_on, write_log};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn new_directories_and_files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("var/audit");
    block_on(write_log(&log, SMALL, 8));
    assert_eq!((mode(&log), mode(log.parent().unwrap())), (0o700, 0o700));
    let files: Vec<_> = fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 2);
    for file in files {
        let wanted = if file.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&file), wanted, "{}", file.display());
    }
}

#[test]
fn an_open_directory_is_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    for loose in [0o755, 0o777, 0o710] {
        fs::set_permissions(dir.path(), Permissions::from_mode(loose)).unwrap();
        block_on(write_log(dir.path(), SMALL, 1));
        assert_eq!(mode(dir.path()), 0o700);
    }
}

#[test]
fn a_directory_shared_by_all_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
    let refused = Trail::open(dir.path(), SMALL, Arc::new(SystemClock)).unwrap_err();
    assert_eq!(refused, AuditError::Exposed { mode: 0o1777 });
    assert_eq!(mode(dir.path()), 0o1777);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
