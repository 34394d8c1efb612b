//! What is open.

use super::stream::{Buffer, Stream};
use super::{OpenOptions, Shown};
use crate::failed::failed;
use crate::io::{AsyncRead, AsyncWrite};
use crate::spawn::blocking_io;
use std::fmt;
use std::fs::{self, FileTimes, Metadata, Permissions, TryLockError};
use std::io::{self, IoSlice, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

/// An open file.
///
/// It is used in one of two ways:
///
/// - **In order,** by `&mut File`: [`AsyncRead`], [`AsyncWrite`] and [`seek`](File::seek). There is one buffer of 64 KiB,
///   allocated when it is first used: a read fetches as much ahead, and writes are collected until there is as much, or
///   [`flush`](AsyncWrite::flush) is called. A job of the pool for each 64 KiB, then, and one copy.
/// - **At a position,** by `&File`: [`read_at`](File::read_at), [`write_at`](File::write_at) and their like. The job works
///   with the caller's own buffer, and any number of them may be under way. They see of what was written in order only what
///   was flushed.
///
/// A file that is dropped while bytes are unwritten has them written by the pool, some time later, and an error of that is only
/// logged: call [`flush`](AsyncWrite::flush), [`sync_all`](File::sync_all) or [`close`](File::close) before. (With tokio a write
/// is under way when its future is done, and an error is the next operation's; here nothing is written behind one's back,
/// and an error is told to who waits for the write.)
///
/// # Examples
/// ```
/// use evloop_runtime::fs::{File, TempDir};
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
///
/// evloop_runtime::block_on(async {
///     let folder = TempDir::new().await?;
///     let mut file = File::create_new(folder.path().join("notes")).await?;
///     file.write_all(b"to be continued").await?;
///     file.rewind().await?;
///     let mut bytes = [0; 5];
///     file.read_exact(&mut bytes).await?;
///     assert_eq!(&bytes, b"to be");
///     file.close().await?;
///     folder.close().await
/// }).unwrap();
/// ```
///
/// # Cancel safety
/// An operation in order that is dropped half-way ends before the next one begins: what it has read is the next read's, what
/// it was to write is written, and an error that nobody was told of is the next operation's.
pub struct File {
    stream: Stream,
}

impl File {
    pub(super) fn new(file: fs::File, path: Arc<Path>) -> File {
        File { stream: Stream::new(Arc::new(file), path) }
    }

    /// Opens to read.
    ///
    /// # Errors
    /// What `open(2)` says.
    ///
    /// # Cancel safety
    /// A file that is opened for nobody is closed.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens to write: the file is made, or emptied.
    ///
    /// # Errors
    /// What `open(2)` says.
    ///
    /// # Cancel safety
    /// A file that is opened for nobody is closed; made or emptied it may be.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Makes the file, to read and to write; it is an error if there is one.
    ///
    /// # Errors
    /// What `open(2)` says.
    ///
    /// # Cancel safety
    /// A file that is opened for nobody is closed, and stays.
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).await
    }

    /// No option set; see [`OpenOptions`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// A file that was opened elsewhere. Its errors call it by the number of its descriptor.
    pub fn from_std(file: fs::File) -> File {
        let name = PathBuf::from(format!("descriptor {}", file.as_raw_fd()));
        File::new(file, name.into())
    }

    /// The file for std, at the position where this one is. It is a duplicate where a job of a future that was dropped still
    /// has the file.
    ///
    /// # Errors
    /// What writing what is unwritten says, or `lseek(2)` and `fcntl(2)`.
    pub async fn into_std(mut self) -> io::Result<fs::File> {
        self.settle().await?;
        let file = Arc::clone(self.stream.file());
        drop(self);
        Arc::try_unwrap(file).or_else(|shared| shared.try_clone())
    }

    /// The same open file under another descriptor; both have one position.
    ///
    /// # Errors
    /// What writing what is unwritten says, or `lseek(2)` and `fcntl(2)`.
    pub async fn try_clone(&mut self) -> io::Result<File> {
        self.settle().await?;
        let file = self.file().try_clone().map_err(failed("duplicate", Shown(self.path())))?;
        Ok(File::new(file, Arc::clone(self.path())))
    }

    /// Sets the position, and tells it from the file's beginning.
    ///
    /// # Errors
    /// What writing what is unwritten says, or `lseek(2)`: a position before the beginning.
    ///
    /// # Cancel safety
    /// The position is the old or the new one.
    pub async fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.stream.run(move |buffer| buffer.seek(to)).await
    }

    /// Sets the position to the beginning.
    ///
    /// # Errors
    /// As [`seek`](File::seek).
    pub async fn rewind(&mut self) -> io::Result<()> {
        self.seek(SeekFrom::Start(0)).await.map(drop)
    }

    /// The position.
    ///
    /// # Errors
    /// As [`seek`](File::seek).
    pub async fn stream_position(&mut self) -> io::Result<u64> {
        self.seek(SeekFrom::Current(0)).await
    }

    /// Writes what is unwritten, and returns when file and metadata are on the disk (`fsync(2)`).
    ///
    /// # Errors
    /// What writing says, or `fsync(2)`. After such an error, what has reached the disk is not known, and a second call
    /// that succeeds proves nothing.
    pub async fn sync_all(&mut self) -> io::Result<()> {
        self.run("sync", fs::File::sync_all, Buffer::write_out).await
    }

    /// As [`sync_all`](File::sync_all), but for metadata that reading does not need, as times (`fdatasync(2)`).
    ///
    /// # Errors
    /// As [`sync_all`](File::sync_all).
    pub async fn sync_data(&mut self) -> io::Result<()> {
        self.run("sync", fs::File::sync_data, Buffer::write_out).await
    }

    /// Writes what is unwritten, and cuts the file to that length, or extends it with zeros.
    ///
    /// # Errors
    /// What writing says, or `ftruncate(2)`.
    pub async fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        self.run("set the length of", move |file| file.set_len(bytes), Buffer::settle).await
    }

    /// Writes what is unwritten, and closes on the pool: closing may take long, on a network's file system.
    ///
    /// # Errors
    /// What writing says.
    ///
    /// # Cancel safety
    /// The file is closed, and what is unwritten is written.
    pub async fn close(mut self) -> io::Result<()> {
        self.stream.run(Buffer::write_out).await?;
        let file = Arc::clone(self.file());
        drop(self);
        blocking_io(move || {
            drop(file);
            Ok(())
        })
        .await
    }

    /// Length, permissions, times and more. What is unwritten is not in it.
    ///
    /// # Errors
    /// What `fstat(2)` says.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.look("look at", fs::File::metadata).await
    }

    /// Sets the permissions.
    ///
    /// # Errors
    /// What `fchmod(2)` says.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.look("set the permissions of", move |file| file.set_permissions(permissions)).await
    }

    /// Sets the times of the last access and of the last change.
    ///
    /// # Errors
    /// What `futimens(2)` says.
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.look("set the times of", move |file| file.set_times(times)).await
    }

    /// Sets owner and group; `None` leaves one as it is.
    ///
    /// # Errors
    /// What `fchown(2)` says.
    pub async fn chown(&self, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
        self.look("change the owner of", move |file| std::os::unix::fs::fchown(file, user, group)).await
    }

    /// Waits until the file is locked for this one alone (`flock(2)`), against all others who lock it.
    ///
    /// While it waits, it holds a thread of the pool: where many may wait for long, try and come back.
    ///
    /// # Errors
    /// What `flock(2)` says.
    ///
    /// # Cancel safety
    /// A lock that is got for nobody is given back. Until it is got, the thread waits on.
    pub async fn lock(&self) -> io::Result<()> {
        self.take_lock(|file| file.lock().map(|()| true)).await.map(drop)
    }

    /// As [`lock`](File::lock), for all who lock it shared.
    ///
    /// # Errors
    /// What `flock(2)` says.
    ///
    /// # Cancel safety
    /// As [`lock`](File::lock).
    pub async fn lock_shared(&self) -> io::Result<()> {
        self.take_lock(|file| file.lock_shared().map(|()| true)).await.map(drop)
    }

    /// As [`lock`](File::lock), but does not wait: whether the lock was got.
    ///
    /// # Errors
    /// What `flock(2)` says, but that somebody else has the lock.
    ///
    /// # Cancel safety
    /// A lock that is got for nobody is given back.
    pub async fn try_lock(&self) -> io::Result<bool> {
        self.take_lock(|file| tried(file.try_lock())).await
    }

    /// As [`lock_shared`](File::lock_shared), but does not wait: whether the lock was got.
    ///
    /// # Errors
    /// What `flock(2)` says, but that somebody else has the lock.
    ///
    /// # Cancel safety
    /// A lock that is got for nobody is given back.
    pub async fn try_lock_shared(&self) -> io::Result<bool> {
        self.take_lock(|file| tried(file.try_lock_shared())).await
    }

    /// Gives the lock back. Closing the file does, too.
    ///
    /// # Errors
    /// What `flock(2)` says.
    pub async fn unlock(&self) -> io::Result<()> {
        self.look("unlock", fs::File::unlock).await
    }

    pub(super) fn file(&self) -> &Arc<fs::File> {
        self.stream.file()
    }

    pub(super) fn path(&self) -> &Arc<Path> {
        self.stream.path()
    }

    /// Writes what is unwritten.
    pub(super) async fn settle(&mut self) -> io::Result<()> {
        self.stream.run(Buffer::settle).await.map(drop)
    }

    /// The file under its new path; to be called when it is settled.
    pub(super) fn renamed(self, path: &Path) -> File {
        let file = Arc::clone(self.file());
        drop(self);
        File { stream: Stream::new(file, path.into()) }
    }

    /// Something that needs the buffer to be brought in order before.
    async fn run(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&fs::File) -> io::Result<()> + Send + 'static,
        before: fn(&mut Buffer) -> io::Result<u64>,
    ) -> io::Result<()> {
        let path = Arc::clone(self.path());
        let work = move |buffer: &mut Buffer| {
            before(buffer)?;
            work(buffer.file()).map_err(failed(action, Shown(&path)))?;
            Ok(0)
        };
        self.stream.run(work).await.map(drop)
    }

    /// Something that needs neither buffer nor position.
    async fn look<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&fs::File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (file, path) = (Arc::clone(self.file()), Arc::clone(self.path()));
        blocking_io(move || work(&file).map_err(failed(action, Shown(&path)))).await
    }

    async fn take_lock(&self, lock: impl FnOnce(&fs::File) -> io::Result<bool> + Send + 'static) -> io::Result<bool> {
        let file = Arc::clone(self.file());
        let taken = self.look("lock", move |shared| Ok(lock(shared)?.then_some(Taken(Some(file))))).await?;
        Ok(taken.is_some_and(|mut taken| taken.0.take().is_some()))
    }
}

fn tried(lock: Result<(), TryLockError>) -> io::Result<bool> {
    match lock {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A lock on its way to who asked for it. Dropped on the way, it is given back.
struct Taken(Option<Arc<fs::File>>);

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(file) = &self.0
            && let Err(error) = file.unlock()
        {
            log::warn!("cannot unlock a file: {error}");
        }
    }
}

impl AsyncRead for File {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_read(cx, buf)
    }
}

/// Writes are collected, up to 64 KiB: [`flush`](AsyncWrite::flush) has the kernel take them. Ending it is flushing it.
impl AsyncWrite for File {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.stream.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}

/// For system calls that have no door here. Whoever moves the position by it finds that a read has fetched ahead.
impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> File {
        File::from_std(file)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("path", self.path()).field("fd", &self.file().as_raw_fd()).finish_non_exhaustive()
    }
}
