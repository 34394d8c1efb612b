//! The file of a Unix socket: when it may be replaced, and when it is removed.
//!
//! A socket's file outlives the socket. When a server was killed, its file lies there, nobody can be reached by it, and
//! nobody can be bound to it. So a server that is bound removes such a *stale* file first: a socket that nobody listens on,
//! which is what `ECONNREFUSED` says. Anything else that is there is left alone.
//!
//! # Two servers at once
//! To look and to remove are two calls; the kernel has none that does both. Two servers that start at once could both find
//! the stale file, and the slower one would remove what the faster one has just made, and be reached in its place. Nor does
//! a socket listen from the moment at which it is bound: in between it looks stale as well. Hence all of it, from the look
//! to `listen`, is done under a [`Lock`], a file beside that is locked with `flock`. Who finds it locked is not made to wait,
//! but told that the path is in use, as it would be a moment later. The kernel unlocks what a dead process has locked.
//!
//! The other way would be to listen under a name of its own, and to move that to the path by `rename`. But `rename`
//! replaces whatever is there by now, the socket of a faster server included; and a socket bears the name that it was bound
//! to for ever, so everybody who asks for its address (clients, `ss`) would be told of a file that is no more.
//!
//! # In somebody else's folder
//! Who may write to a folder, or to one above it, may put something else at a path at any moment: a server that runs as root
//! and looks at a path in a user's folder does not remove what it has looked at if the folder is another one by then. So the
//! folder is opened once, and what is removed is removed from that folder by its name, if it is still the socket that was
//! found stale. What such a user can bring about then is the removal of an entry of that folder, and those are their own to
//! remove. Links are not followed at the last name, neither here nor by `bind`. All the same, a path is better kept where
//! only those can write who run the server.
//!
//! # Is it still ours?
//! When the listener goes, its file goes, if it is the one that was made: it has the same device and inode. The inode
//! cannot have been given to another file in the meantime, because a bound socket holds on to it; so this is to be asked
//! while the socket is open. A server that keeps to the lock does not replace the file between that question and the
//! removal, for it would find that the socket is alive.

use crate::net::failed;
use crate::sys::fork::Generation;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{self, Path, PathBuf};

/// Removes a socket that `probe` finds nobody at from the path. All is well, too, if nothing is there.
pub(super) fn remove_stale(path: &Path, probe: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let (folder, name) = folder_of(path)?;
    let look = || statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
    let found = match look() {
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if FileType::from_raw_mode(found.st_mode) != FileType::Socket => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "it is a file, and no socket; another path, or remove it",
            ));
        }
        Ok(found) => found,
    };
    let in_use = |text| Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    match probe() {
        Ok(()) => in_use("somebody listens there"),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => in_use("somebody listens there, and is busy"),
        Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
            in_use("a socket of another type is open there")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()), // somebody else has removed it
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => match look() {
            Ok(there) if (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino) => {
                Ok(unlinkat(&folder, name, AtFlags::empty())?)
            }
            Ok(_) => in_use("somebody has replaced the file"),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}

/// The folder of that path, opened, whatever becomes of its name; and the name in it.
fn folder_of(path: &Path) -> io::Result<(OwnedFd, &OsStr)> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a name");
    let name = path.file_name().ok_or_else(no_name)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let opened = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok((opened, name))
}

/// The right to replace what is at a path, among all who ask for it. Its file is there no longer than that.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock for that path.
    ///
    /// # Errors
    /// `AddrInUse` when somebody holds it; what the system says, as that the folder does not exist.
    pub(super) fn take(socket: &Path) -> io::Result<Lock> {
        let Some(name) = socket.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a name"));
        };
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(".evloop-lock");
        let path = socket.with_file_name(beside);
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK) // whatever somebody may have put there
                .open(&path)
                .map_err(|error| not_made(error, &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody is about to listen there"));
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", path.display())(error)),
            }
            // Only who holds the lock removes the file. If it was removed after it was opened here, this lock is one that
            // nobody else will come across.
            let id = Id::of(&file.metadata()?);
            if fs::symlink_metadata(&path).is_ok_and(|there| Id::of(&there) == id) {
                return Ok(Lock { file, path });
            }
        }
    }
}

/// Why there is no lock. It is the folder of the socket that may be missing; of a lock its user knows nothing.
fn not_made(error: io::Error, path: &Path) -> io::Error {
    match (error.kind(), path.parent()) {
        (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, Some(folder)) => {
            io::Error::new(error.kind(), format!("there is no folder {}", folder.display()))
        }
        _ => failed("lock", path.display())(error),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What is left behind is an empty file, of use to the next.
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
        // Closing would not be enough: a child that is just being started may have the file open, too.
        if let Err(error) = self.file.unlock() {
            log::warn!("cannot unlock {}: {error}", self.path.display());
        }
    }
}

/// The file of a Unix socket that listens, which is removed when this is dropped, unless another has taken its place by then.
///
/// A [`UnixListener`](super::UnixListener) has its own. Who [parts](super::UnixListener::into_std_and_file) the two keeps a
/// descriptor of the socket open for as long as this lives, so that a successor's file is never taken for this one.
#[derive(Debug)]
#[must_use = "dropping it removes the file"]
pub struct SocketFile {
    path: PathBuf,
    /// `None` when it is left where it is.
    id: Option<Id>,
    /// In a forked process the file is the parent's.
    made_in: Generation,
}

impl SocketFile {
    /// The file that is at the path now: for who was handed a listening socket together with the duty to remove its file.
    ///
    /// # Errors
    /// What the system says when it looks for the file.
    pub fn made_at(path: &Path) -> io::Result<SocketFile> {
        let id = Id::of(&fs::symlink_metadata(path)?);
        let path = path::absolute(path)?; // the process may go to another folder
        Ok(SocketFile { path, id: Some(id), made_in: Generation::current() })
    }

    /// Gives the file what the umask has taken away of these permissions.
    ///
    /// Somebody who may write to the folder could have put another file there by now, or a link to one. So it is opened, which
    /// says for good which file it is, and changed only if it is the one that was made. The permissions of what is open at a
    /// path and nothing more (`O_PATH`, open(2)) are changed by way of `/proc`, as the C library does it.
    pub(super) fn grant(&self, mode: u32) -> io::Result<()> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(&self.path)?;
        let there = file.metadata()?;
        if self.id != Some(Id::of(&there)) || !there.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody has replaced the file"));
        }
        if there.mode() & 0o7777 == mode {
            return Ok(());
        }
        fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), Permissions::from_mode(mode))
    }

    /// Leaves the file where it is.
    pub fn leave(mut self) {
        self.id = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Some(id) = self.id.filter(|_| !self.made_in.is_past()) else { return };
        if fs::symlink_metadata(&self.path).is_ok_and(|there| Id::of(&there) == id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Id {
    device: u64,
    inode: u64,
}

impl Id {
    fn of(file: &Metadata) -> Id {
        Id { device: file.dev(), inode: file.ino() }
    }
}
