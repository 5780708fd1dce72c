//! A file system that is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of half a megabyte.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one below `dir`; `None` where nothing can be mounted.
    pub fn mount(dir: &Path) -> Option<Self> {
        let place = dir.join("small");
        std::fs::create_dir(&place).ok()?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(&place).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(place))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes until not one byte more fits.
    pub fn fill(&self) {
        for size in [1 << 19, 1 << 16, 1 << 14, 1 << 12, 1 << 9, 1 << 6, 1] {
            for name in 0..2_000 {
                let file = self.0.join(format!("fill-{size}-{name}"));
                if std::fs::write(&file, vec![b'x'; size]).is_err() {
                    break;
                }
                if size < 1 << 12 && name > 64 {
                    break;
                }
            }
        }
    }

    /// Takes away what filled it.
    pub fn empty(&self) {
        for entry in
            std::fs::read_dir(&self.0).expect("an entry").map(|entry| entry.expect("an entry").path())
        {
            if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fill-")) {
                std::fs::remove_file(entry).expect("an entry");
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
