//! One source: what is known of its two sides, and who waits for them.

use crate::trace::Side;
use crate::waiter::Waiter;
use std::os::fd::RawFd;
use std::panic::Location;
use std::task::Waker;

/// The readiness of a registered descriptor.
#[derive(Debug)]
pub struct Source {
    read: Readiness,
    write: Readiness,
    referenced: bool,
    fd: RawFd,
    made_at: &'static Location<'static>,
}

/// One side.
#[derive(Debug)]
struct Readiness {
    /// An operation is worth trying.
    ready: bool,
    /// The peer has hung up, the descriptor has failed, or there is a byte out of band (tcp(7)): it is worth trying until an
    /// operation would block, and a short one says nothing. What was seen stays seen: epoll tells it once, and the end of a
    /// stream comes after its last bytes.
    finished: bool,
    /// How many have waited here until now: names the one who does.
    waits: u32,
    waiter: Waiter,
}

impl Readiness {
    const NEW: Readiness = Readiness { ready: true, finished: false, waits: 0, waiter: Waiter::NOBODY };

    fn edge(&mut self, finished: bool, due: &mut Vec<Waiter>) {
        self.ready = true;
        self.finished |= finished;
        due.extend(self.waiter.take());
    }
}

impl Source {
    pub(super) fn new(fd: RawFd, made_at: &'static Location<'static>) -> Source {
        Source { read: Readiness::NEW, write: Readiness::NEW, referenced: false, fd, made_at }
    }

    /// The number of its descriptor.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Where in the program it was registered.
    #[must_use]
    pub fn made_at(&self) -> &'static Location<'static> {
        self.made_at
    }

    /// The sides that a task waits for.
    #[must_use]
    pub fn waiting(&self) -> Vec<Side> {
        let sides = [(&self.read, Side::Read), (&self.write, Side::Write)];
        sides.into_iter().filter(|(side, _)| !side.waiter.is_nobody()).map(|(_, side)| side).collect()
    }

    /// The sides that are worth trying, as far as is known.
    #[must_use]
    pub fn ready(&self) -> Vec<Side> {
        let sides = [(&self.read, Side::Read), (&self.write, Side::Write)];
        sides.into_iter().filter(|(side, _)| side.ready).map(|(_, side)| side).collect()
    }

    fn side(&mut self, side: Side) -> &mut Readiness {
        match side {
            Side::Read => &mut self.read,
            Side::Write => &mut self.write,
        }
    }

    #[inline]
    pub(super) fn is_ready(&mut self, side: Side) -> bool {
        self.side(side).ready
    }

    /// Who polls with that waker, in the loop of that stamp, waits for the next edge; who waited before comes back.
    #[inline]
    pub(super) fn park(&mut self, side: Side, waker: &Waker, home: u64) -> Option<Waiter> {
        let side = self.side(side);
        let former = side.waiter.become_who_polls(waker, home);
        side.waits = side.waits.wrapping_add(u32::from(former.is_some()));
        former
    }

    /// Which of those that have waited for that side was the last.
    pub(super) fn last_wait(&mut self, side: Side) -> u32 {
        self.side(side).waits
    }

    /// Takes the waiter out, if it is that of this wait, and not another task that has taken its place.
    pub(super) fn give_up(&mut self, side: Side, wait: u32) -> Option<Waiter> {
        let side = self.side(side);
        if side.waits == wait { side.waiter.take() } else { None }
    }

    #[inline]
    pub(super) fn spend(&mut self, side: Side) {
        let side = self.side(side);
        side.ready = side.finished;
    }

    /// As [`spend`](Source::spend), by an operation that would have had to wait: a hang-up that was seen is over, or an error
    /// was none that lasts. A named pipe can have another writer, and a socket is told what became of a packet.
    #[inline]
    pub(super) fn refuse(&mut self, side: Side) {
        let side = self.side(side);
        (side.ready, side.finished) = (false, false);
    }

    /// Notes what an event tells. Hang-up and error are news for both sides; priority data, of those that are registered for
    /// it, is news for the reading one.
    pub(super) fn take_edge(&mut self, event: &mio::event::Event, due: &mut Vec<Waiter>) {
        let failed = event.is_error();
        let (read_closed, write_closed) = (event.is_read_closed(), event.is_write_closed());
        if event.is_readable() || event.is_priority() || read_closed || failed {
            // The kernel ends a read before a byte out of band, so a short one does not mean that nothing is left.
            self.read.edge(read_closed || failed || event.is_priority(), due);
        }
        if event.is_writable() || write_closed || failed {
            self.write.edge(write_closed || failed, due);
        }
    }

    pub(super) fn has_waiter(&self) -> bool {
        !self.read.waiter.is_nobody() || !self.write.waiter.is_nobody()
    }

    /// Whether it keeps the loop alive.
    #[must_use]
    pub fn is_referenced(&self) -> bool {
        self.referenced
    }

    /// The former value comes back.
    pub(super) fn set_referenced(&mut self, referenced: bool) -> bool {
        std::mem::replace(&mut self.referenced, referenced)
    }
}
