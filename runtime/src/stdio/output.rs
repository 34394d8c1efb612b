//! What is written: the standard output, or any descriptor that others share.

use super::{Kind, is_never_awaited, reopen};
use crate::io::AsyncWrite;
use crate::registered::Registered;
use crate::sys::source::FdSource;
use crate::trace::{Side, charge_bytes, poll_budget};
use rustix::fs::OFlags;
use rustix::io::retry_on_intr;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

/// A stream to be written that others share, as the standard output; see [`stdout`](super::stdout).
///
/// It keeps nothing back: there is nothing to flush, and its drop loses nothing.
#[derive(Debug)]
pub struct Output {
    kind: Kind,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Awaited(Registered<FdSource<OwnedFd>>),
    /// What epoll does not take: a file.
    AtOnce(OwnedFd),
}

impl Output {
    /// Writes to what is behind a descriptor, which is left as it is: it may be shared with other processes, and waits or does
    /// not. The position in a file is shared, too.
    ///
    /// # Errors
    /// When it is closed, or there are no descriptors.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_fd(fd: impl AsFd) -> io::Result<Output> {
        let fd = fd.as_fd();
        let kind = Kind::of(fd)?;
        let own = match kind {
            Kind::Terminal | Kind::Pipe => reopen(fd, OFlags::WRONLY).ok(),
            Kind::Socket | Kind::File | Kind::Other => None,
        };
        let source = match own {
            Some(own) => own,
            None => fd.try_clone_to_owned()?,
        };
        let way = match Registered::new(FdSource(source)) {
            Ok(source) => Way::Awaited(source),
            Err(error) if is_never_awaited(&error) => Way::AtOnce(fd.try_clone_to_owned()?),
            Err(error) => return Err(error),
        };
        Ok(Output { kind, way })
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

    fn write(fd: impl AsFd, kind: Kind, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if kind == Kind::Socket {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            return Ok(sendmsg(fd, bufs, &mut SendAncillaryBuffer::default(), flags)?);
        }
        Ok(rustix::io::writev(fd, bufs)?)
    }
}

impl AsyncWrite for Output {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let written = match &self.way {
            Way::Awaited(source) => ready!(source.poll_io(Side::Write, cx, |fd| Output::write(fd, self.kind, bufs)))?,
            Way::AtOnce(fd) => {
                ready!(poll_budget(cx));
                retry_on_intr(|| rustix::io::writev(fd, bufs))?
            }
        };
        charge_bytes(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // what is written is the kernel's
    }

    /// Does nothing: others write there, too. It ends when all have closed it.
    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
