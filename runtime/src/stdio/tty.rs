//! A terminal: its size, its keys, what it shows.

use super::raw::{RawKind, RawMode};
use super::{Kind, reopen};
use crate::io::{AsyncRead, AsyncWrite};
use crate::registered::Registered;
use crate::sys::source::FdSource;
use crate::trace::{Side, charge_bytes};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

/// A terminal, to be read and written by a description of our own; libuv's `uv_tty_t`.
///
/// # Examples
/// Waits for one key:
/// ```no_run
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
/// use evloop_runtime::stdio::{RawKind, Tty};
///
/// evloop_runtime::block_on(async {
///     let mut tty = Tty::open()?;
///     let raw = tty.raw_mode(RawKind::Keys)?;
///     tty.write_all(b"press any key\n").await?;
///     tty.read(&mut [0; 16]).await?; // an arrow key is three bytes
///     drop(raw); // the terminal is as it was
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Tty {
    io: Registered<FdSource<OwnedFd>>,
}

/// What a terminal shows at once. `SIGWINCH` tells of a change:
/// [`SignalKind::WINDOW_CHANGE`](crate::signal::SignalKind::WINDOW_CHANGE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

impl Tty {
    /// The terminal that controls this process, wherever its standard streams lead.
    ///
    /// # Errors
    /// When there is none (`ENXIO`).
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn open() -> io::Result<Tty> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Tty::register(rustix::fs::open("/dev/tty", flags, Mode::empty())?)
    }

    /// The terminal behind a descriptor, which is left as it is.
    ///
    /// # Errors
    /// When there is no terminal behind it; when that may not be opened anew, as one of another user's, and the master of a
    /// pseudo-terminal.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_fd(fd: impl AsFd) -> io::Result<Tty> {
        let fd = fd.as_fd();
        match Kind::of(fd)? {
            Kind::Terminal => Tty::register(reopen(fd, OFlags::RDWR)?),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no terminal")),
        }
    }

    #[track_caller]
    fn register(own: OwnedFd) -> io::Result<Tty> {
        Ok(Tty { io: Registered::new(FdSource(own))? })
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.io.set_referenced(referenced);
    }

    /// How much it shows at once; all zero where that is not known.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn size(&self) -> io::Result<WindowSize> {
        let size = tcgetwinsize(self)?;
        Ok(WindowSize { columns: size.ws_col, rows: size.ws_row })
    }

    /// Tells the terminal, and who runs in its foreground, how much it shows. It does not make its window larger.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn set_size(&self, size: WindowSize) -> io::Result<()> {
        let size = Winsize { ws_col: size.columns, ws_row: size.rows, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(self, size)?)
    }

    /// Has the terminal give each key at once and show none by itself, until what this returns is dropped. Several raw modes
    /// may be in force: the last one counts, and the terminal is as it was when all are gone, in whichever order.
    ///
    /// # Errors
    /// When the terminal is gone, or there are no descriptors.
    pub fn raw_mode(&self, kind: RawKind) -> io::Result<RawMode> {
        RawMode::enter(self.as_fd(), kind)
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get().as_fd()
    }
}

impl AsyncRead for Tty {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (&*self).poll_read(cx, buf)
    }
}

impl AsyncRead for &Tty {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // A short read does not mean that nothing is left: a line at a time is given.
        let read = ready!(self.io.poll_io(Side::Read, cx, |fd| Ok(rustix::io::read(fd, &mut *buf)?)))?;
        charge_bytes(read);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for &Tty {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = ready!(self.io.poll_io(Side::Write, cx, |fd| Ok(rustix::io::writev(fd, bufs)?)))?;
        charge_bytes(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // what is written is the kernel's
    }

    /// Does nothing: a terminal does not end by that.
    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tty {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (&*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        (&*self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (&*self).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (&*self).poll_shutdown(cx)
    }
}
