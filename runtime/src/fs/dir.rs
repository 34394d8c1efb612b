//! The entries of a folder.

use super::{Job, Shown, on_path};
use crate::failed::failed;
use crate::spawn::blocking_io;
use crate::trace::poll_budget;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::FileType;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The entries that one job fetches: a batch bounds what is held, and lets other jobs through between two.
const BATCH: usize = 64;

/// Opens a folder to read its entries, in the order in which the file system has them, without `.` and `..`.
///
/// # Examples
/// ```
/// use evloop_runtime::fs;
///
/// evloop_runtime::block_on(async {
///     let mut entries = fs::read_dir("/").await?;
///     while let Some(entry) = entries.next_entry().await? {
///         println!("{} {:?}", entry.path().display(), entry.file_type());
///     }
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
///
/// # Errors
/// What `open(2)` says.
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let open = |path: &Path| {
        let entries = std::fs::read_dir(path)?;
        Ok(Reading { folder: path.into(), entries, batch: VecDeque::new(), ended: false })
    };
    let reading = on_path("read", path.as_ref(), open).await?;
    Ok(ReadDir { state: State::Idle(reading) })
}

/// The entries of a folder; see [`read_dir`]. It holds a descriptor.
pub struct ReadDir {
    state: State,
}

enum State {
    Idle(Reading),
    Busy(Job<Reading>),
    /// Between two others; and for good, when the loop has ended before the job.
    Gone,
}

/// What a job reads on with.
struct Reading {
    folder: Arc<Path>,
    entries: std::fs::ReadDir,
    batch: VecDeque<io::Result<DirEntry>>,
    ended: bool,
}

impl ReadDir {
    /// The next entry; `None` at the end. A job of the pool for each 64.
    ///
    /// # Errors
    /// What `getdents(2)` says; and, for file systems that do not tell what an entry is, `lstat(2)`. The rest follows all the
    /// same.
    ///
    /// # Cancel safety
    /// No entry is lost.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// Polls for the next entry; see [`next_entry`](ReadDir::next_entry).
    ///
    /// # Errors
    /// As [`next_entry`](ReadDir::next_entry).
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        ready!(poll_budget(cx));
        loop {
            match std::mem::replace(&mut self.state, State::Gone) {
                State::Gone => return Poll::Ready(Ok(None)),
                State::Busy(mut job) => match job.as_mut().poll(cx) {
                    Poll::Ready(reading) => self.state = State::Idle(reading?),
                    Poll::Pending => {
                        self.state = State::Busy(job);
                        return Poll::Pending;
                    }
                },
                State::Idle(mut reading) => {
                    let entry = reading.batch.pop_front();
                    if entry.is_some() || reading.ended {
                        self.state = State::Idle(reading);
                        return Poll::Ready(entry.transpose());
                    }
                    self.state = State::Busy(Box::pin(blocking_io(move || Ok(reading.read_batch()))));
                }
            }
        }
    }
}

impl std::fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadDir").finish_non_exhaustive()
    }
}

impl Reading {
    fn read_batch(mut self) -> Reading {
        while self.batch.len() < BATCH {
            let Some(entry) = self.entries.next() else {
                self.ended = true;
                break;
            };
            let entry = entry.map_err(failed("read", Shown(&self.folder)));
            match entry.and_then(|entry| DirEntry::new(&self.folder, &entry)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // removed meanwhile: it is no entry any more
                known => self.batch.push_back(known),
            }
        }
        self
    }
}

/// Something in a folder.
#[derive(Debug, Clone)]
pub struct DirEntry {
    folder: Arc<Path>,
    name: OsString,
    file_type: FileType,
    inode: u64,
}

impl DirEntry {
    fn new(folder: &Arc<Path>, entry: &std::fs::DirEntry) -> io::Result<DirEntry> {
        let (folder, name, inode) = (Arc::clone(folder), entry.file_name(), entry.ino());
        let file_type = entry.file_type().map_err(failed("look at", Shown(&entry.path())))?;
        Ok(DirEntry { folder, name, file_type, inode })
    }

    /// Its name, in the folder.
    pub fn file_name(&self) -> &OsStr {
        &self.name
    }

    /// Its path: the folder's, as it was given, and its name.
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// What it is, of a symbolic link that it is one. This was learnt with the name, and costs nothing more.
    pub fn file_type(&self) -> FileType {
        self.file_type
    }

    /// The number of its inode.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Length, permissions, times and more; of a symbolic link itself.
    ///
    /// # Errors
    /// What `lstat(2)` says.
    pub async fn metadata(&self) -> io::Result<std::fs::Metadata> {
        super::symlink_metadata(self.path()).await
    }
}
