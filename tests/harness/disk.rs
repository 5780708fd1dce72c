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

/// A file system in a file, whose power can be cut: what its disk has received is copied, what only the memory of
/// the machine holds is not.
///
/// The file lies on a second file system of its own. While that one is frozen, its disk stands still, and the copy
/// is of one instant.
#[derive(Debug)]
pub struct Powered {
    /// Where the file system is mounted.
    place: PathBuf,
    /// The file system that holds its file.
    below: Option<PathBuf>,
}

fn done(program: &str, arguments: &[&std::ffi::OsStr]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn made(image: &Path, size: u64) -> Option<()> {
    std::fs::File::create(image).ok()?.set_len(size).ok()?;
    done("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), image.as_os_str()]).then_some(())
}

fn mounted(image: &Path, place: &Path) -> Option<()> {
    std::fs::create_dir_all(place).ok()?;
    let options = ["-o".as_ref(), "loop".as_ref(), image.as_os_str(), place.as_os_str()];
    done("mount", &options).then_some(())
}

impl Powered {
    /// Mounts one below `dir`; `None` where that cannot be done.
    pub fn mount(dir: &Path) -> Option<Self> {
        let (below, place) = (dir.join("below"), dir.join("powered"));
        made(&dir.join("below.img"), 192 << 20)?;
        mounted(&dir.join("below.img"), &below)?;
        let disk = Self { place, below: Some(below.clone()) };
        made(&below.join("disk.img"), 96 << 20)?;
        mounted(&below.join("disk.img"), &disk.place)?;
        let can_freeze = done("fsfreeze", &["-f".as_ref(), below.as_os_str()])
            && done("fsfreeze", &["-u".as_ref(), below.as_os_str()]);
        can_freeze.then_some(disk)
    }

    /// Mounts what a cut left behind: the machine starts again.
    pub fn remount(dir: &Path, image: &Path) -> Option<Self> {
        let place = dir.join("after");
        mounted(image, &place)?;
        Some(Self { place, below: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.place
    }

    /// Copies what the disk holds at this instant.
    pub fn cut(&self, copy: &Path) {
        let below = self.below.as_deref().expect("a disk, and no copy of one");
        assert!(done("fsfreeze", &["-f".as_ref(), below.as_os_str()]), "cannot be frozen");
        let image = below.join("disk.img");
        let copied = done("cp", &["--sparse=always".as_ref(), image.as_os_str(), copy.as_os_str()]);
        assert!(done("fsfreeze", &["-u".as_ref(), below.as_os_str()]), "cannot be thawed");
        assert!(copied, "cannot be copied");
    }
}

impl Drop for Powered {
    fn drop(&mut self) {
        for place in [Some(&self.place), self.below.as_ref()].into_iter().flatten() {
            // A file system that is still used goes once it no longer is.
            let _gone =
                done("umount", &[place.as_os_str()]) || done("umount", &["-l".as_ref(), place.as_os_str()]);
        }
    }
}
