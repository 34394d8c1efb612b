//! A file with the number of the process that is to be told by signals.
//!
//! A number in a file outlives its process, and the kernel gives numbers anew, in a container mostly the same ones. So it is not
//! the number that says whether a server lives, but a lock on its file (`flock(2)`), which the kernel takes back when the
//! process ends, however that happens. A file that nobody has locked is *stale* and replaced; one with anything but a number in
//! it is somebody's by mistake, and left alone.
//!
//! Whoever reads the file sees a whole one: it is written under another name, locked, and then renamed.

use super::Error;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{self, Path, PathBuf};
use std::process;
use tempfile::{Builder, NamedTempFile};

/// A number and a line's end have no more.
const BYTES_MAX: u64 = 32;

/// The file of this process, which is removed with this.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
    /// It holds the lock.
    file: File,
}

impl PidFile {
    /// Writes the number of this process to the path.
    ///
    /// # Errors
    /// With status 1: when a live server has the file, when it is no such file, and what the system says. Each tells the path.
    pub(super) fn create(path: &Path) -> Result<PidFile, Error> {
        PidFile::write(path, None)
    }

    /// As [`create`](PidFile::create), in place of the server with that number, which hands its sockets over to this process and
    /// may live still.
    ///
    /// # Errors
    /// As [`create`](PidFile::create), but for that server.
    pub(super) fn take_over(path: &Path, from: Option<u32>) -> Result<PidFile, Error> {
        PidFile::write(path, from)
    }

    fn write(path: &Path, from: Option<u32>) -> Result<PidFile, Error> {
        let named = |error: io::Error| {
            Error::from(io::Error::new(error.kind(), format!("cannot write the pid file {}: {error}", path.display())))
        };
        let path = path::absolute(path).map_err(named)?; // the process may go to another folder
        loop {
            let stale = stale(&path, from).map_err(named)?;
            let own = own(&path).map_err(named)?;
            let written = match stale {
                Some(_locked) => own.persist(&path),
                None => own.persist_noclobber(&path),
            };
            match written {
                Ok(file) => return Ok(PidFile { path, file }),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {} // another was faster
                Err(error) => return Err(named(error.error)),
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // As long as it is locked, nobody but a successor that was told to takes its place.
        if is_at(&self.file, &self.path).unwrap_or(false)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// A file beside the path with the number of this process, locked.
fn own(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display())));
    }
    let mut file =
        Builder::new().prefix(".evloop-pid").permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    file.as_file().try_lock()?;
    writeln!(file, "{}", process::id())?;
    Ok(file)
}

/// What is at the path and may be replaced, locked if it is not that living server's; `None` when there is nothing.
fn stale(path: &Path, from: Option<u32>) -> io::Result<Option<File>> {
    let refused = |kind, text: String| Err(io::Error::new(kind, text));
    loop {
        match fs::symlink_metadata(path) {
            Ok(there) if there.is_file() => {}
            Ok(_) => return refused(io::ErrorKind::AlreadyExists, "there is something that is no file".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        (&mut file).take(BYTES_MAX).read_to_end(&mut text)?;
        let number: Option<u32> = str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        if number.is_none() && !text.is_empty() {
            return refused(io::ErrorKind::AlreadyExists, "there is a file with something else in it".to_owned());
        }
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if number.is_none() || number != from => {
                let by = number.map_or_else(|| "a server".to_owned(), |number| format!("process {number}"));
                return refused(io::ErrorKind::AddrInUse, format!("{by} has it, and lives"));
            }
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Until it was locked, another may have replaced it.
        if is_at(&file, path)? {
            return Ok(Some(file));
        }
    }
}

/// Whether this is the file at the path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
