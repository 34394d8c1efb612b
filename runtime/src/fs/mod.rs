//! Files and folders, without the loop waiting for a disk.
//!
//! The kernel has no way to wait for a regular file: it is always "ready", and then the call blocks. So each call here is a
//! job of the pool, and the loop turns meanwhile. A job costs some microseconds, a cached read less than one; what belongs
//! together is therefore done in one job: [`read`](read()) opens, reads and closes in one, [`read_dir`] fetches entries by the
//! batch, and a [`File`] that is read or written as a stream moves 64 KiB at a time.
//!
//! ```text
//!  file.rs     File       what is open: seek, sync, lock, metadata
//!  open.rs     OpenOptions
//!  stream.rs   Stream     the one buffer of a file that is read or written in order, and the job that has it
//!  at.rs                  reading and writing at a position, with buffers that are lent to the job: no copy
//!  whole.rs               whole files by their path
//!  path.rs                everything else that is done to a path
//!  dir.rs      ReadDir    the entries of a folder
//!  walk.rs     Walk       those of the folders in it, too
//!  temp.rs     TempFile   files and folders that go when their owner goes
//!  watch/      Watcher    what happens to files, by inotify
//! ```
//! As for the order: what takes `&mut File` happens one after the other, also where the future of the one before was
//! dropped half-way; what takes `&File` happens in any order, and at the same time.
//!
//! Errors tell what was tried, on which path. They have the [kind](std::io::Error::kind) that the system's own error has,
//! which is their source.
//!
//! # Cancel safety
//! A job that has not begun when its future is dropped does not happen. One that has begun runs to its end, and what it
//! opened is closed. Where more is to be said, it is said there.
//!
//! # Examples
//! ```
//! use evloop_runtime::fs;
//!
//! evloop_runtime::block_on(async {
//!     let folder = fs::TempDir::new().await?;
//!     let path = folder.path().join("greeting");
//!     fs::write(&path, "hello").await?;
//!     assert_eq!(fs::read_to_string(&path).await?, "hello");
//!     assert_eq!(fs::metadata(&path).await?.len(), 5);
//!     folder.close().await
//! }).unwrap();
//! ```

mod at;
mod dir;
mod file;
mod open;
mod path;
mod stream;
mod temp;
mod walk;
pub mod watch;
mod whole;

pub use dir::{DirEntry, ReadDir, read_dir};
pub use file::File;
pub use open::OpenOptions;
pub use path::{
    Access, Space, access, canonicalize, chown, create_dir, create_dir_all, create_dir_with_mode, hard_link, lchown,
    metadata, mkfifo, read_link, remove_dir, remove_dir_all, remove_file, rename, set_permissions, set_symlink_times,
    set_times, space, symlink, symlink_metadata, try_exists,
};
pub use std::fs::{FileTimes, FileType, Metadata, Permissions};
pub use temp::{TempDir, TempFile, temp_file};
pub use walk::{Walk, WalkEntry, walk};
pub use whole::{append, copy, read, read_to_string, replace, write};

use crate::context;
use crate::failed::failed;
use crate::pool::JobClass;
use crate::spawn::{blocking_io, spawn_blocking_in};
use std::path::Path;
use std::pin::Pin;
use std::{fmt, io};

/// A job that belongs to a value, and not to the future that has begun it: dropping that one does not touch it.
type Job<T> = Pin<Box<dyn Future<Output = io::Result<T>>>>;

/// Does something to a path on the pool; its error tells both.
async fn on_path<T, W>(action: &'static str, path: &Path, work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: FnOnce(&Path) -> io::Result<T> + Send + 'static,
{
    let path = path.to_owned();
    blocking_io(move || work(&path).map_err(failed(action, Shown(&path)))).await
}

/// Does something to two paths on the pool; its error tells all three.
async fn on_paths<T, W>(action: &'static str, from: &Path, to: &Path, work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: FnOnce(&Path, &Path) -> io::Result<T> + Send + 'static,
{
    let (from, to) = (from.to_owned(), to.to_owned());
    let work = move || work(&from, &to).map_err(failed(action, format_args!("{} to {}", Shown(&from), Shown(&to))));
    blocking_io(work).await
}

/// Drops a value whose end takes system calls on a thread of the pool; here and now, where there is no loop or no place.
fn drop_on_pool<T: Send + 'static>(value: T) {
    if context::is_entered() {
        spawn_blocking_in(JobClass::Files, move || drop(value)).detach();
    }
}

/// A path in an error: as it is, unless it would break the line or the terminal it is shown in.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string_lossy();
        if text.is_empty() || text.chars().any(char::is_control) {
            return fmt::Debug::fmt(self.0, f);
        }
        f.write_str(&text)
    }
}
