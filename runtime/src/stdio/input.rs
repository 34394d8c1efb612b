//! What is read: the standard input, or any descriptor that others share.

use super::{Kind, is_never_awaited, reopen};
use crate::io::AsyncRead;
use crate::registered::Registered;
use crate::spawn::{Blocking, spawn_blocking};
use crate::sys::source::FdSource;
use crate::trace::{Side, charge_bytes, poll_budget};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::net::RecvFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// So much is read from a file at once, at most.
const BYTES_PER_JOB: usize = 64 * 1024;

/// A stream to be read that others share, as the standard input; see [`stdin`](super::stdin).
///
/// Two of them on one descriptor take turns at what comes, as two processes do.
///
/// # Cancel safety
/// A read that is given up loses nothing. Dropping the whole stream while a read of a file is given up and under way loses what
/// that has read.
#[derive(Debug)]
pub struct Input {
    kind: Kind,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Awaited(Registered<FdSource<OwnedFd>>, Call),
    Pool(PoolReads),
}

/// How a read is kept from waiting.
#[derive(Debug, Clone, Copy)]
enum Call {
    /// The description is our own.
    Plain,
    /// By a flag of the call's.
    Socket,
    /// By asking before.
    Asked,
}

impl Input {
    /// Reads what is behind a descriptor, which is left as it is: it may be shared with other processes, and waits or does not.
    /// The position in a file is shared, too.
    ///
    /// # Errors
    /// When it is closed, or there are no descriptors.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_fd(fd: impl AsFd) -> io::Result<Input> {
        let fd = fd.as_fd();
        let kind = Kind::of(fd)?;
        let own = match kind {
            Kind::Terminal | Kind::Pipe => reopen(fd, OFlags::RDONLY).ok(),
            Kind::Socket | Kind::File | Kind::Other => None,
        };
        let (source, call) = match own {
            Some(own) => (own, Call::Plain),
            None if kind == Kind::Socket => (fd.try_clone_to_owned()?, Call::Socket),
            None => (fd.try_clone_to_owned()?, Call::Asked),
        };
        let way = match Registered::new(FdSource(source)) {
            Ok(source) => Way::Awaited(source, call),
            Err(error) if is_never_awaited(&error) => Way::Pool(PoolReads::new(fd.try_clone_to_owned()?)),
            Err(error) => return Err(error),
        };
        Ok(Input { kind, way })
    }

    /// What is behind it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a person may be at the other end.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.kind == Kind::Terminal
    }
}

impl AsyncRead for Input {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let (source, call) = match &mut self.way {
            Way::Awaited(source, call) => (source, *call),
            Way::Pool(pool) => return pool.poll_read(cx, buf),
        };
        // A short read does not mean that nothing is left: a terminal gives a line at a time. So the side is spent by
        // `WouldBlock` alone.
        let read = ready!(source.poll_io(Side::Read, cx, |fd| call.read(fd, buf)))?;
        charge_bytes(read);
        Poll::Ready(Ok(read))
    }
}

impl Call {
    fn read(self, fd: &FdSource<OwnedFd>, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Call::Plain => Ok(rustix::io::read(fd, buf)?),
            Call::Socket => Ok(rustix::net::recv(fd, buf, RecvFlags::DONTWAIT)?.0),
            Call::Asked => match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&Timespec::default()))? {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(rustix::io::read(fd, buf)?),
            },
        }
    }
}

/// Reads of what is always ready by the kernel's word, and may take long for all that: on the pool, one after the other.
#[derive(Debug)]
struct PoolReads {
    file: Arc<OwnedFd>,
    job: Option<Blocking<io::Result<Vec<u8>>>>,
    /// What a job has read and nobody has taken; before that place, it has been.
    bytes: Vec<u8>,
    taken: usize,
}

impl PoolReads {
    fn new(file: OwnedFd) -> PoolReads {
        PoolReads { file: Arc::new(file), job: None, bytes: Vec::new(), taken: 0 }
    }

    /// A read that is given up goes on, and what it finds is there for the next. No more is read than was asked for, since
    /// the position in the file is shared.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(poll_budget(cx));
        loop {
            let left = &self.bytes[self.taken..];
            if !left.is_empty() {
                let length = left.len().min(buf.len());
                buf[..length].copy_from_slice(&left[..length]);
                self.taken += length;
                charge_bytes(length);
                return Poll::Ready(Ok(length));
            }
            let job = self.job.get_or_insert_with(|| {
                let (file, mut bytes) = (Arc::clone(&self.file), std::mem::take(&mut self.bytes));
                self.taken = 0;
                bytes.resize(buf.len().min(BYTES_PER_JOB), 0);
                spawn_blocking(move || {
                    let read = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut *bytes))?;
                    bytes.truncate(read);
                    Ok(bytes)
                })
            });
            let read = ready!(Pin::new(job).poll(cx));
            self.job = None;
            self.bytes = read.map_err(io::Error::from)??;
            if self.bytes.is_empty() {
                return Poll::Ready(Ok(0));
            }
        }
    }
}
