//! The folder: what is opened, is opened below it.
//!
//! Everything is opened relative to one descriptor, and it is the kernel that sees to it, while it walks the path, that
//! neither `..` nor a symbolic link leads out (`openat2` with `RESOLVE_BENEATH`, Linux 5.6). A check of ours before the
//! opening would leave a gap in which somebody changes what was checked.
//!
//! Where there is no `openat2`, because the kernel is older or a sandbox forbids it, the path is walked here, name by
//! name and without following links: then no symbolic link is served at all, also none that stays inside.

use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};
use std::fs::{File, Metadata};
use std::os::fd::OwnedFd;
use std::path::Path;

/// How often an opening is tried again that somebody's renaming has disturbed.
const TRIES_MAX: usize = 16;

/// A FIFO or a device that is opened so neither waits nor becomes our terminal.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Enough to ask what something is, or to go on from there.
const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Magic links are those in `/proc` that lead to what a process has open.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Folder {
    root: OwnedFd,
    kernel_walks: bool,
}

/// What was found under a path.
#[derive(Debug)]
pub(super) enum Found {
    /// A regular file.
    File(File, Metadata),
    /// A folder.
    Folder,
    /// A FIFO, a socket or a device: nothing to be served.
    Other,
}

impl Folder {
    /// Opens a folder. `path` itself may contain symbolic links.
    pub(super) fn new(path: &Path) -> Result<Folder> {
        let root = openat(CWD, path, PATH | OFlags::DIRECTORY, Mode::empty())?;
        // Sandboxes that do not know the call forbid it, instead of saying that it is not there.
        let probed = openat2(&root, c".", PATH, Mode::empty(), INSIDE);
        let kernel_walks = !matches!(probed, Err(Errno::NOSYS | Errno::PERM));
        Ok(Folder { root, kernel_walks })
    }

    /// The same folder, without the help of `openat2`.
    #[cfg(test)]
    pub(super) fn without_openat2(path: &Path) -> Result<Folder> {
        Ok(Folder { kernel_walks: false, ..Folder::new(path)? })
    }

    /// Opens what is there to be read.
    pub(super) fn find(&self, path: &[u8]) -> Result<Found> {
        let found = match self.open(path, READ) {
            Err(Errno::NXIO) => return Ok(Found::Other), // a socket, or a device that is not there
            found => File::from(found?),
        };
        let metadata = metadata(&found)?;
        Ok(match metadata.file_type() {
            kind if kind.is_file() => Found::File(found, metadata),
            kind if kind.is_dir() => Found::Folder,
            _ => Found::Other,
        })
    }

    /// Opens a folder to be listed.
    pub(super) fn list(&self, path: &[u8]) -> Result<Dir> {
        Dir::new(self.open(path, READ | OFlags::DIRECTORY)?)
    }

    /// Looks at what is there, without opening it. A link is followed, as it would be to open it.
    pub(super) fn look(&self, path: &[u8]) -> Result<Metadata> {
        metadata(&File::from(self.open(path, PATH)?))
    }

    fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        if self.kernel_walks { self.open_at_once(path, flags) } else { self.walk(path, flags) }
    }

    fn open_at_once(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        for _ in 0..TRIES_MAX {
            // EAGAIN: something was renamed while a `..` in a link was followed, so that it is not sure where that
            // leads.
            match openat2(&self.root, path, flags, Mode::empty(), INSIDE) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
        Err(Errno::AGAIN)
    }

    /// By the invariant of [`Target`](super::path::Target) no name is `..`, so each step goes down.
    fn walk(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let step = |from: &OwnedFd, name: &[u8], flags: OFlags| {
            rustix::io::retry_on_intr(|| openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty()))
        };
        let mut at = None;
        let mut names = path.split(|byte| *byte == b'/').peekable();
        loop {
            let name = names.next().expect("the loop ends at the last name, and a split has one");
            let from = at.as_ref().unwrap_or(&self.root);
            if names.peek().is_none() {
                let opened = step(from, name, flags)?;
                // With O_PATH, a link that is not followed is opened itself.
                return if is_link(&opened)? { Err(Errno::LOOP) } else { Ok(opened) };
            }
            at = Some(step(from, name, PATH | OFlags::DIRECTORY)?);
        }
    }
}

fn metadata(file: &File) -> Result<Metadata> {
    file.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn is_link(descriptor: &OwnedFd) -> Result<bool> {
    let mode = rustix::fs::fstat(descriptor)?.st_mode;
    Ok(rustix::fs::FileType::from_raw_mode(mode).is_symlink())
}
