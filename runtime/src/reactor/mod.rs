//! The reactor: what the kernel has to say about sockets, turned into wakes.
//!
//! It owns the one [`mio::Poll`] of the loop, epoll on Linux, and the sources registered there. A source is registered
//! once, for both sides, edge-triggered, and stays so until it is dropped: after that the steady path has no system call
//! but the reads, the writes, and one wait per turn.
//!
//! *Edge-triggered* means that the kernel tells of a change, not of a state. The state is kept here: a side is ready until
//! an operation finds that it is not ([`Source::spend`]), and a task that finds it spent leaves its key and waits for
//! the next edge. No edge is lost between the two, and no counter is needed to tell old edges from new ones, because
//! events are taken in one phase of the turn and tasks run in another: between `WouldBlock` and the note of it, no event
//! can be taken.
//!
//! Each registration has a key with a stamp of its own, and that key is the token the kernel hands back. An event for a
//! source that is gone (its descriptor may live on in a child process, or come late in the same batch) finds no one and is
//! skipped.

mod source;
mod token;

pub use source::Source;

use crate::arena::{Arena, Key};
use crate::trace::{Side, Wait, waits_for};
use crate::waiter::Waiter;
use mio::Interest;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// How many events one wait can return: more than enough for a turn, the rest comes with the next.
const EVENTS_PER_POLL: usize = 1024;

/// All sources of one loop, and the kernel's word on them.
pub struct Reactor {
    poll: mio::Poll,
    events: mio::Events,
    bell: Arc<mio::Waker>,
    sources: Arena<Source>,
    /// The stamp of the loop that it belongs to, or 0: tasks of that one are known by their keys.
    home: u64,
    /// Sources that keep the loop alive.
    referenced: usize,
}

impl Reactor {
    /// An epoll instance, an eventfd for the bell, and no sources.
    ///
    /// # Errors
    /// When the kernel gives no descriptors (`EMFILE`, `ENFILE`) or memory for them.
    pub fn new() -> io::Result<Reactor> {
        let poll = mio::Poll::new()?;
        let bell = Arc::new(mio::Waker::new(poll.registry(), token::BELL)?);
        Ok(Reactor {
            poll,
            events: mio::Events::with_capacity(EVENTS_PER_POLL),
            bell,
            sources: Arena::new(),
            home: 0,
            referenced: 0,
        })
    }

    /// From now on it belongs to the loop of that stamp.
    pub(crate) fn move_in(&mut self, home: u64) {
        self.home = home;
    }

    /// What wakes the loop's thread from [`poll`](Reactor::poll), from any thread and at any time.
    #[must_use]
    pub fn bell(&self) -> Waker {
        Waker::from(Arc::new(Bell(Arc::clone(&self.bell))))
    }

    /// Registers a source for both sides. Both start as ready: try first, wait after.
    ///
    /// # Errors
    /// What `epoll_ctl` says, as `EPERM` for a regular file, `EEXIST` for a descriptor that is registered already.
    #[track_caller]
    pub fn register(&mut self, io: &mut (impl mio::event::Source + AsRawFd)) -> io::Result<Key> {
        let key = self.sources.insert(Source::new(io.as_raw_fd(), Location::caller()));
        let both = Interest::READABLE | Interest::WRITABLE;
        let all = if cfg!(miri) { both } else { both | Interest::PRIORITY }; // Miri knows no EPOLLPRI
        if let Err(error) = self.poll.registry().register(io, token::of(key), all) {
            self.sources.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Ends a registration: what `epoll_ctl` says to that, and what was known of the source, with those who waited,
    /// for the caller to drop. The source is forgotten in any case.
    pub fn deregister(&mut self, key: Key, io: &mut impl mio::event::Source) -> (io::Result<()>, Option<Source>) {
        let source = self.sources.remove(key);
        self.referenced -= usize::from(source.as_ref().is_some_and(Source::is_referenced));
        (self.poll.registry().deregister(io), source)
    }

    /// Whether a side may be tried. If not, the task is woken at the next edge; with `Pending` comes who waited there
    /// before, for the caller to drop.
    ///
    /// # Panics
    /// When there is no such source.
    pub fn poll_ready(&mut self, key: Key, side: Side, cx: &mut Context<'_>) -> (Poll<()>, Option<Waiter>) {
        let source = self.sources.get_mut(key).expect("a source is polled while it is registered");
        if source.is_ready(side) {
            return (Poll::Ready(()), None);
        }
        waits_for(Wait::Source(key, side));
        (Poll::Pending, source.park(side, cx.waker(), self.home))
    }

    /// Whether a side may be tried, as far as is known.
    #[inline]
    pub fn is_ready(&mut self, key: Key, side: Side) -> bool {
        self.sources.get_mut(key).is_some_and(|source| source.is_ready(side))
    }

    /// Names the last wait for that side, to be given up by that name.
    pub fn last_wait(&mut self, key: Key, side: Side) -> u32 {
        self.sources.get_mut(key).map_or(0, |source| source.last_wait(side))
    }

    /// Ends a wait for that side, unless another has taken its place; who waited comes back, for the caller to drop.
    pub fn give_up(&mut self, key: Key, side: Side, wait: u32) -> Option<Waiter> {
        self.sources.get_mut(key).and_then(|source| source.give_up(side, wait))
    }

    /// An operation found the side not ready: the next [`poll_ready`](Reactor::poll_ready) waits for an edge.
    pub fn spend(&mut self, key: Key, side: Side) {
        if let Some(source) = self.sources.get_mut(key) {
            source.spend(side);
        }
    }

    /// An operation said `WouldBlock`: as [`spend`](Reactor::spend), and a hang-up that was seen before is over.
    pub fn refuse(&mut self, key: Key, side: Side) {
        if let Some(source) = self.sources.get_mut(key) {
            source.refuse(side);
        }
    }

    /// Lets a source count, or not, when the loop asks whether anything keeps it alive. A new source does not count.
    pub fn set_referenced(&mut self, key: Key, referenced: bool) {
        if let Some(source) = self.sources.get_mut(key)
            && source.set_referenced(referenced) != referenced
        {
            self.referenced = if referenced { self.referenced + 1 } else { self.referenced - 1 };
        }
    }

    /// How many sources count.
    #[must_use]
    pub fn referenced(&self) -> usize {
        self.referenced
    }

    /// How many sources are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether none is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The source of that key, if it is registered still.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Source> {
        self.sources.get(key)
    }

    /// All sources, in the order of their places.
    pub fn walk(&self) -> impl Iterator<Item = (Key, &Source)> {
        self.sources.iter()
    }

    /// The number of the descriptor that becomes readable when [`poll`](Reactor::poll) has something to tell.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// Whether any task waits for an edge.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.sources.iter().any(|(_, source)| source.has_waiter())
    }

    /// Waits until something is ready, the bell rings, or `wait` has passed (rounded up to a millisecond; `None` is for
    /// ever), and adds those who waited for it to `due`. The only place where the loop blocks.
    ///
    /// # Errors
    /// What `epoll_wait` says. Being interrupted by a signal is no error, but a wait that ended early.
    pub fn poll(&mut self, wait: Option<Duration>, due: &mut Vec<Waiter>) -> io::Result<usize> {
        if let Err(error) = self.poll.poll(&mut self.events, wait) {
            return if error.kind() == io::ErrorKind::Interrupted { Ok(0) } else { Err(error) };
        }
        let mut seen = 0;
        for event in &self.events {
            seen += 1;
            if let Some(source) = self.sources.get_mut(token::key(event.token())) {
                source.take_edge(event, due);
            }
        }
        Ok(seen)
    }
}

impl std::fmt::Debug for Reactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactor").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

/// An eventfd that has the loop's thread leave its wait.
struct Bell(Arc<mio::Waker>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only when the eventfd is broken, and then there is nobody whom an error could reach.
        if let Err(error) = self.0.wake() {
            log::error!("cannot wake the event loop: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
