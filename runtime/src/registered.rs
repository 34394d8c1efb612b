//! A source tied to its key for as long as it lives: what sockets, signals, pipes and any other descriptor are built on.

use crate::arena::Key;
use crate::board::Number;
use crate::context;
use crate::core::Core;
use crate::trace::{Side, charge_bytes, poll_budget};
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// How many slices the kernel takes in one call (`IOV_MAX`); std and rustix offer it no more.
const SLICES_MAX: usize = libc::UIO_MAXIOV as usize;

/// An I/O object of mio's, registered with the loop of its thread.
///
/// One task may wait on each side at a time; another that waits on the same side takes its place.
pub(crate) struct Registered<S: mio::event::Source> {
    /// There until [`into_inner`](Registered::into_inner).
    io: Option<S>,
    key: Key,
    /// Its loop, which it belongs to the thread of.
    core: Rc<Core>,
}

impl<S: mio::event::Source> Registered<S> {
    /// Registers with the loop of this thread.
    ///
    /// # Errors
    /// What `epoll_ctl` says.
    ///
    /// # Panics
    /// When there is no loop.
    #[track_caller]
    pub(crate) fn new(mut io: S) -> io::Result<Registered<S>>
    where
        S: AsRawFd,
    {
        let core = context::current();
        core.check_process()?;
        let key = core.reactor.borrow_mut().register(&mut io)?;
        count_sources(&core);
        Ok(Registered { io: Some(io), key, core })
    }

    /// The object itself, for what needs no waiting.
    #[inline]
    pub(crate) fn get(&self) -> &S {
        self.io.as_ref().expect("only `into_inner` takes it, and this with it")
    }

    /// Its loop, also when that is not the thread's current one.
    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Ends the registration and gives the object back.
    ///
    /// # Errors
    /// What `epoll_ctl` says.
    pub(crate) fn into_inner(mut self) -> io::Result<S> {
        self.deregister()?;
        Ok(self.io.take().expect("taken here alone"))
    }

    /// Tries `operate`, and waits for the next edge of that side while the answer is `WouldBlock`.
    ///
    /// # Errors
    /// What `operate` says, or that the loop has ended.
    pub(crate) fn poll_io<R>(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        mut operate: impl FnMut(&S) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        ready!(poll_budget(cx));
        loop {
            if !self.is_ready(side) {
                ready!(self.poll_ready(side, cx))?;
            }
            match operate(self.get()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.refuse(side),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Tries `operate` once, and only if that side may be ready; does not wait. It costs no system call where an earlier
    /// attempt has found that there is nothing to be had.
    ///
    /// # Errors
    /// `WouldBlock`, and what `operate` says.
    pub(crate) fn try_io<R>(&self, side: Side, operate: impl FnOnce(&S) -> io::Result<R>) -> io::Result<R> {
        if !self.is_ready(side) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let done = operate(self.get());
        if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.refuse(side);
        }
        done
    }

    /// Waits until that side may be ready.
    pub(crate) fn ready(&self, side: Side) -> Ready<'_> {
        Ready { core: &self.core, key: self.key, side, waits: None }
    }

    /// Reads into `buf` by that operation. A short read spends the edge: the socket was drained, and the next bytes bring the
    /// next edge.
    #[inline]
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
        read: impl Fn(&S, &mut [u8]) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let read = ready!(self.poll_io(Side::Read, cx, |io| read(io, buf)))?;
        charge_bytes(read);
        if 0 < read && read < buf.len() {
            self.spend(Side::Read);
        }
        Poll::Ready(Ok(read))
    }

    /// Writes from `bufs`; nothing is written at once. A short write spends the edge: the socket's buffer is full.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>>
    where
        for<'a> &'a S: io::Write,
    {
        let bufs = &bufs[..bufs.len().min(SLICES_MAX)]; // what is behind them is not offered, so its lack is not short
        let offered: usize = bufs.iter().map(|buf| buf.len()).sum();
        if offered == 0 {
            return Poll::Ready(Ok(0));
        }
        let written = ready!(self.poll_io(Side::Write, cx, |mut io| match bufs {
            [buf] => io::Write::write(&mut io, buf), // a cheaper call in the kernel
            bufs => io::Write::write_vectored(&mut io, bufs),
        }))?;
        self.note_written(written, offered);
        Poll::Ready(Ok(written))
    }

    /// As [`poll_write`](Registered::poll_write), of one piece and by that operation.
    #[inline]
    pub(crate) fn poll_write_by(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        write: impl Fn(&S, &[u8]) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let written = ready!(self.poll_io(Side::Write, cx, |io| write(io, buf)))?;
        self.note_written(written, buf.len());
        Poll::Ready(Ok(written))
    }

    #[inline]
    fn note_written(&self, written: usize, offered: usize) {
        charge_bytes(written);
        if written < offered {
            self.spend(Side::Write);
        }
    }

    /// Whether that side may be tried, as far as is known: mostly it may, and then nothing else is asked.
    #[inline]
    fn is_ready(&self, side: Side) -> bool {
        self.core.reactor.borrow_mut().is_ready(self.key, side)
    }

    /// Whether that side may be tried; if not, the task is woken at its next edge.
    ///
    /// # Errors
    /// That the loop has ended.
    #[inline]
    pub(crate) fn poll_ready(&self, side: Side, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.core, self.key, side, cx)
    }

    /// Lets the source count, or not, when the loop asks whether anything keeps it alive.
    pub(crate) fn set_referenced(&self, referenced: bool) {
        self.core.reactor.borrow_mut().set_referenced(self.key, referenced);
    }

    /// Names the last wait for that side: what a poll that was `Pending` has begun.
    pub(crate) fn last_wait(&self, side: Side) -> u32 {
        self.core.reactor.borrow_mut().last_wait(self.key, side)
    }

    /// A future that waited for that side is dropped. If another has taken its place, that one waits on.
    pub(crate) fn give_up(&self, side: Side, wait: u32) {
        give_up(&self.core, self.key, side, wait);
    }

    /// As [`give_up`](Registered::give_up), by a future that has its source to itself: nobody can have taken its place.
    pub(crate) fn give_up_last(&self, side: Side) {
        self.give_up(side, self.last_wait(side));
    }

    /// An operation would have had to wait.
    #[inline]
    pub(crate) fn refuse(&self, side: Side) {
        self.core.reactor.borrow_mut().refuse(self.key, side);
    }

    /// An operation has found that side not ready.
    #[inline]
    pub(crate) fn spend(&self, side: Side) {
        self.core.reactor.borrow_mut().spend(self.key, side);
    }

    fn deregister(&mut self) -> io::Result<()> {
        let Some(io) = &mut self.io else { return Ok(()) };
        if self.core.made_in.is_past() {
            return Ok(()); // the registration is the parent's, and so is the epoll instance
        }
        let (deregistered, source) = self.core.reactor.borrow_mut().deregister(self.key, io);
        count_sources(&self.core);
        drop(source);
        deregistered
    }
}

/// Writes down how many sources there are: here, where it changes, rather than in every turn.
fn count_sources(core: &Core) {
    core.board.set(Number::Sources, core.reactor.borrow().len() as u64);
}

#[inline]
fn poll_ready(core: &Core, key: Key, side: Side, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    let (ready, former) = core.reactor.borrow_mut().poll_ready(key, side, cx);
    drop(former);
    if ready.is_pending() && core.closed.get() {
        return Poll::Ready(Err(io::Error::other("the event loop of this socket has ended")));
    }
    ready.map(Ok)
}

fn give_up(core: &Core, key: Key, side: Side, wait: u32) {
    let former = core.reactor.borrow_mut().give_up(key, side, wait);
    drop(former);
}

impl<S: mio::event::Source> Drop for Registered<S> {
    fn drop(&mut self) {
        if let Err(error) = self.deregister() {
            log::warn!("cannot deregister a socket: {error}");
        }
    }
}

impl<S: mio::event::Source + std::fmt::Debug> std::fmt::Debug for Registered<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("io", &self.io).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Waits until one side of a source may be ready: see [`AsyncFd::ready`](crate::fd::AsyncFd::ready).
///
/// It gives an error when the loop has ended.
///
/// # Cancel safety
/// Nothing is lost: what was ready stays so until an operation finds that it is not.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Ready<'a> {
    core: &'a Core,
    key: Key,
    side: Side,
    /// Its waker is with the source, under that name.
    waits: Option<u32>,
}

impl Ready<'_> {
    /// An operation would have had to wait.
    pub(crate) fn refuse(&self) {
        self.core.reactor.borrow_mut().refuse(self.key, self.side);
    }

    /// An operation has taken all there was.
    pub(crate) fn spend(&self) {
        self.core.reactor.borrow_mut().spend(self.key, self.side);
    }
}

impl Future for Ready<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_budget(cx));
        let ready = poll_ready(self.core, self.key, self.side, cx);
        self.waits = ready.is_pending().then(|| self.core.reactor.borrow_mut().last_wait(self.key, self.side));
        ready
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        if let Some(wait) = self.waits {
            give_up(self.core, self.key, self.side, wait);
        }
    }
}

impl std::fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").field("side", &self.side).finish_non_exhaustive()
    }
}
