//! Watching by looking again and again, as libuv's `uv_fs_poll_t` does.

use crate::fs::metadata;
use crate::time::sleep;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Looks at one path at intervals, and tells when what is there is not what was there.
///
/// It compares length, times, permissions, owner and inode. What changes and changes back between two looks is not seen, nor
/// what happens within the tick of the file system's clock and leaves the length as it was.
///
/// # Examples
/// ```
/// use evloop_runtime::fs::{self, TempDir, watch::Poller};
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     let folder = TempDir::new().await?;
///     let path = folder.path().join("later");
///     let mut poller = Poller::new(&path, Duration::from_millis(5)).await?;
///     fs::write(&path, "it has come").await?;
///     let (before, now) = poller.changed().await?;
///     assert!(before.is_none() && now.is_some());
///     folder.close().await
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct Poller {
    path: PathBuf,
    interval: Duration,
    last: Option<Metadata>,
}

impl Poller {
    /// Looks for the first time.
    ///
    /// # Errors
    /// What `stat(2)` says, but that there is nothing.
    pub async fn new(path: impl Into<PathBuf>, interval: Duration) -> io::Result<Poller> {
        let path = path.into();
        let last = look(&path).await?;
        Ok(Poller { path, interval, last })
    }

    /// The path it looks at.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the interval and looks, until something has changed: what was there, and what is there now. `None` is
    /// nothing.
    ///
    /// # Errors
    /// What `stat(2)` says, but that there is nothing. The next call looks again.
    ///
    /// # Cancel safety
    /// No change is lost; the interval begins anew.
    pub async fn changed(&mut self) -> io::Result<(Option<Metadata>, Option<Metadata>)> {
        loop {
            sleep(self.interval).await;
            let now = look(&self.path).await?;
            if self.last.as_ref().map(Seen::of) != now.as_ref().map(Seen::of) {
                let before = std::mem::replace(&mut self.last, now.clone());
                return Ok((before, now));
            }
        }
    }
}

async fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match metadata(path).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What makes a difference.
#[derive(PartialEq)]
struct Seen {
    inode: (u64, u64),
    mode: u32,
    owner: (u32, u32),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    fn of(found: &Metadata) -> Seen {
        Seen {
            inode: (found.dev(), found.ino()),
            mode: found.mode(),
            owner: (found.uid(), found.gid()),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}
