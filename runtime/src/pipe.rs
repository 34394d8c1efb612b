//! Pipes: bytes in one direction, within a process, to and from a child, or through a name in the file system.
//!
//! [`pipe`] makes one; [`PipeReader::open`] and [`PipeWriter::open`] take an end of one that has a name (`mkfifo`, fifo(7));
//! [`PipeReader::from_fd`] and [`PipeWriter::from_fd`] take one that is open. What a child is talked to with are pipes too.
//!
//! Non-blocking (`O_NONBLOCK`) is a property of what is open, and whoever shares it sees it. The two ends of a pipe are open
//! each by itself, so it is not seen at the other end: a child whose output is read here writes to a pipe that blocks, as it
//! expects.

use crate::io::{AsyncRead, AsyncWrite};
use crate::registered::Registered;
use crate::sys::source::FdSource;
use crate::trace::{Side, charge_bytes};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::ioctl_fionbio;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::OpenOptions;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

/// A new pipe: what is written to the one end comes out of the other.
///
/// # Errors
/// When there are no descriptors.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
/// use evloop_runtime::pipe::pipe;
///
/// evloop_runtime::block_on(async {
///     let (mut reader, mut writer) = pipe()?;
///     writer.write_all(b"hello").await?;
///     drop(writer);
///     let mut all = Vec::new();
///     reader.read_to_end(&mut all).await?;
///     assert_eq!(all, b"hello");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    Ok((PipeReader::register(reading)?, PipeWriter::register(writing)?))
}

/// The end of a pipe that is read from.
///
/// It is at its end when all has been read and nobody has the other end open.
#[derive(Debug)]
pub struct PipeReader {
    io: Registered<FdSource<OwnedFd>>,
}

impl PipeReader {
    /// Opens a named pipe, whether or not anybody writes to it yet: the first read waits for the first writer. The stream
    /// ends when the last writer has gone, and goes on when another one comes.
    ///
    /// # Errors
    /// What `open` says, and `InvalidInput` when it is not a pipe.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> io::Result<PipeReader> {
        let reader = PipeReader::register(open(path.as_ref(), OpenOptions::new().read(true))?)?;
        // Where there was no writer yet, the kernel calls that the end, but does not tell of it. If there is anything to be
        // had, the registration brings an edge.
        reader.io.spend(Side::Read);
        Ok(reader)
    }

    /// Opens a named pipe for a stream that never ends: this reader counts as a writer, so that others may come and go. It
    /// is for servers that are talked to through a pipe; fifo(7) has it as Linux's own.
    ///
    /// # Errors
    /// As [`open`](PipeReader::open).
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn open_endless(path: impl AsRef<Path>) -> io::Result<PipeReader> {
        PipeReader::register(open(path.as_ref(), OpenOptions::new().read(true).write(true))?)
    }

    /// Takes over the end of a pipe that is open, and makes it non-blocking for all who share it.
    ///
    /// # Errors
    /// `InvalidInput` when it is not a pipe, cannot be read, or carries packets (`O_DIRECT`), for which
    /// [`AsyncFd`](crate::fd::AsyncFd) is; what the system says.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<PipeReader> {
        let fd = fd.into();
        check(&fd, OFlags::WRONLY, "reading")?;
        PipeReader::from_new(fd)
    }

    /// As [`from_fd`](PipeReader::from_fd), for what is known to be such an end.
    #[track_caller]
    pub(crate) fn from_new(fd: OwnedFd) -> io::Result<PipeReader> {
        ioctl_fionbio(&fd, true)?;
        PipeReader::register(fd)
    }

    #[track_caller]
    fn register(fd: OwnedFd) -> io::Result<PipeReader> {
        Ok(PipeReader { io: Registered::new(FdSource(fd))? })
    }

    /// Gives its descriptor, blocking again: for another process, which expects that, or for std.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        blocking(self.io)
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }
}

impl AsyncRead for PipeReader {
    /// A short read does not spend the edge: whoever writes may have made packets of it (`O_DIRECT`), which is seen at his
    /// end alone, and what is behind a packet would bring no edge.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(self.io.poll_io(Side::Read, cx, |mut source| io::Read::read(&mut source, buf)))?;
        charge_bytes(read);
        Poll::Ready(Ok(read))
    }
}

/// For a child's input: what this end has not read, the child reads.
impl TryFrom<PipeReader> for Stdio {
    type Error = io::Error;

    fn try_from(reader: PipeReader) -> io::Result<Stdio> {
        reader.into_fd().map(Stdio::from)
    }
}

/// The end of a pipe that is written to.
///
/// Dropping it, or [`shutdown`](AsyncWrite::shutdown), ends what the other end reads, if nobody else has it open. When
/// nobody has the other end open any more, writing fails with `BrokenPipe`.
#[derive(Debug)]
pub struct PipeWriter {
    /// There until it is shut down: the end of a pipe is told by closing it.
    io: Option<Registered<FdSource<OwnedFd>>>,
}

impl PipeWriter {
    /// Opens a named pipe that somebody reads from.
    ///
    /// # Errors
    /// What `open` says; `ConnectionRefused` when nobody has it open for reading (`ENXIO`), and `InvalidInput` when it is not
    /// a pipe.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> io::Result<PipeWriter> {
        PipeWriter::register(open(path.as_ref(), OpenOptions::new().write(true))?)
    }

    /// Takes over the end of a pipe that is open, and makes it non-blocking for all who share it.
    ///
    /// # Errors
    /// `InvalidInput` when it is not a pipe, or cannot be written; what the system says.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_fd(fd: impl Into<OwnedFd>) -> io::Result<PipeWriter> {
        let fd = fd.into();
        check(&fd, OFlags::RDONLY, "writing")?;
        PipeWriter::from_new(fd)
    }

    /// As [`from_fd`](PipeWriter::from_fd), for what is known to be such an end.
    #[track_caller]
    pub(crate) fn from_new(fd: OwnedFd) -> io::Result<PipeWriter> {
        ioctl_fionbio(&fd, true)?;
        PipeWriter::register(fd)
    }

    #[track_caller]
    fn register(fd: OwnedFd) -> io::Result<PipeWriter> {
        Ok(PipeWriter { io: Some(Registered::new(FdSource(fd))?) })
    }

    /// Gives its descriptor, blocking again: for another process, which expects that, or for std.
    ///
    /// # Errors
    /// `BrokenPipe` after it was shut down; what the system says when it is deregistered.
    pub fn into_fd(self) -> io::Result<OwnedFd> {
        blocking(self.io.ok_or(io::ErrorKind::BrokenPipe)?)
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        if let Some(io) = &self.io {
            io.set_referenced(referenced);
        }
    }
}

impl AsyncWrite for PipeWriter {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &self.io {
            Some(io) => io.poll_write(cx, bufs),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // what is written is the kernel's
    }

    /// Closes it: the other end reads to its end.
    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io = None;
        Poll::Ready(Ok(()))
    }
}

/// For a child's output: what the child writes comes out of the other end.
impl TryFrom<PipeWriter> for Stdio {
    type Error = io::Error;

    fn try_from(writer: PipeWriter) -> io::Result<Stdio> {
        writer.into_fd().map(Stdio::from)
    }
}

/// Opens a named pipe, and nothing else. That it is non-blocking has the kernel not wait for the other end.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<OwnedFd> {
    let opened = options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let failed = |kind, why: &dyn std::fmt::Display| {
        io::Error::new(kind, format!("cannot open the pipe {}: {why}", path.display()))
    };
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => failed(io::ErrorKind::ConnectionRefused, &"nobody has it open for reading"),
        _ => failed(error.kind(), &error),
    })?;
    let fd = OwnedFd::from(file);
    if !is_pipe(&fd)? {
        return Err(failed(io::ErrorKind::InvalidInput, &"it is something else"));
    }
    Ok(fd)
}

/// Refuses what is not the end of a pipe that can be used in that way. `other` is how the other end is open.
fn check(fd: &OwnedFd, other: OFlags, what: &str) -> io::Result<()> {
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if !is_pipe(fd)? {
        return refused("the descriptor is not a pipe".to_owned());
    }
    let flags = fcntl_getfl(fd)?;
    if flags & OFlags::RWMODE == other {
        return refused(format!("this end of the pipe is not for {what}"));
    }
    if flags.contains(OFlags::DIRECT) {
        return refused("the pipe carries packets, not a stream".to_owned());
    }
    Ok(())
}

fn is_pipe(fd: impl AsFd) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::Fifo)
}

fn blocking(io: Registered<FdSource<OwnedFd>>) -> io::Result<OwnedFd> {
    let fd = io.into_inner()?.0;
    ioctl_fionbio(&fd, false)?;
    Ok(fd)
}
