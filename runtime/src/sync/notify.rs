//! The news that something has happened, without saying what.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::renew;
use crate::arena::{Arena, Key, Queue};
use crate::trace::{self, Place, Wait};

/// Lets tasks of one thread wait until another tells them to go on.
///
/// It carries no data: whoever is notified looks for itself. [`notify_one`](Notify::notify_one) is never in vain: when
/// nobody waits, it is kept as a permit for the next who would. There is at most one permit, so ten notifications that
/// nobody waited for let one through.
///
/// Unlike tokio's, it stays on its thread, and is a few stores instead of atomic operations.
///
/// # Examples
/// A queue that can be waited for:
/// ```
/// use evloop_runtime::{block_on, future::join, sync::Notify};
/// use std::cell::RefCell;
///
/// let (jobs, arrived) = (RefCell::new(Vec::new()), Notify::new());
///
/// let take = async {
///     loop {
///         if let Some(job) = jobs.borrow_mut().pop() {
///             return job;
///         }
///         arrived.notified().await;
///     }
/// };
/// let give = async {
///     jobs.borrow_mut().push("sweep");
///     arrived.notify_one();
/// };
/// assert_eq!(block_on(join(take, give)).0, "sweep");
/// ```
pub struct Notify {
    state: RefCell<State>,
    /// How often all waiters were notified.
    rounds: Cell<u64>,
    made_at: Place,
}

/// A waiter is in `waiters` from its first poll until it learns that it was notified or is dropped; only while it has
/// not been chosen does it stand in the line too. So its entry tells who notified it: an entry without a waker is
/// `notify_one`'s choice, whose permit must not be lost, and no entry is `notify_waiters`, which leaves no permits.
struct State {
    /// Invariant: while this is set, nobody stands in the line.
    permit: bool,
    waiters: Arena<Waiter>,
    /// Invariant: the keys of exactly the waiters that have a waker, in the order of their first poll.
    line: Queue<Key>,
}

struct Waiter {
    /// Taken when it is chosen.
    waker: Option<Waker>,
    /// Where it stands in the line, until it is chosen.
    place: Key,
}

impl Notify {
    /// One without a permit. It allocates when the first waiter comes.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Notify {
        Notify {
            state: RefCell::new(State { permit: false, waiters: Arena::new(), line: Queue::new() }),
            rounds: Cell::new(0),
            made_at: Location::caller(),
        }
    }

    /// Waits until it is notified; takes the permit instead, if there is one.
    ///
    /// Whoever was polled first is notified first. [`notify_waiters`](Notify::notify_waiters) reaches it from now on,
    /// even before it is polled.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::Notify};
    ///
    /// let notify = Notify::new();
    /// notify.notify_one();
    /// block_on(notify.notified()); // by the permit
    /// ```
    ///
    /// # Cancel safety
    /// Nothing is lost but the place in the line: if `notify_one` had chosen this waiter, the next is chosen instead,
    /// or the permit is kept.
    pub fn notified(&self) -> Notified<'_> {
        Notified { notify: self, progress: Progress::New { rounds: self.rounds.get() } }
    }

    /// Lets the one go on that has waited longest; when nobody waits, the next who would.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, future::join, sync::Notify};
    ///
    /// let notify = Notify::new();
    /// block_on(join(notify.notified(), async { notify.notify_one() }));
    /// ```
    pub fn notify_one(&self) {
        let chosen = self.state.borrow_mut().choose();
        if let Some(waker) = chosen {
            waker.wake();
        }
    }

    /// Lets all go on that wait now, and leaves no permit.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, future::join, sync::Notify};
    ///
    /// let notify = Notify::new();
    /// let both = join(notify.notified(), notify.notified());
    /// block_on(join(both, async { notify.notify_waiters() }));
    /// ```
    pub fn notify_waiters(&self) {
        self.rounds.set(self.rounds.get() + 1);
        let released = self.state.borrow_mut().release();
        released.into_iter().for_each(Waker::wake);
    }
}

impl Default for Notify {
    #[track_caller]
    fn default() -> Self {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        let (permit, waiting) = (state.permit, state.line.len());
        drop(state); // where the formatter writes is foreign code
        f.debug_struct("Notify").field("permit", &permit).field("waiting", &waiting).finish_non_exhaustive()
    }
}

impl State {
    /// Takes the first out of the line, to be woken, or keeps the permit.
    fn choose(&mut self) -> Option<Waker> {
        let Some(first) = self.line.pop_front() else {
            self.permit = true;
            return None;
        };
        let waiter = self.waiters.get_mut(first).expect("who stands in the line is a waiter");
        waiter.waker.take()
    }

    /// Takes everyone out of the line, to be woken.
    fn release(&mut self) -> Vec<Waker> {
        let line = std::iter::from_fn(|| self.line.pop_front());
        line.filter_map(|key| self.waiters.remove(key)?.waker).collect()
    }

    /// Stands last in the line.
    fn enter(&mut self, waker: Waker) -> Key {
        let line = &mut self.line;
        self.waiters.insert_with(|key| Waiter { waker: Some(waker), place: line.push_back(key) })
    }

    /// Takes a waiter out, chosen or not. Gives what must be dropped, and what must be woken, outside.
    fn leave(&mut self, key: Key) -> (Option<Waker>, Option<Waker>) {
        match self.waiters.remove(key) {
            None => (None, None),
            Some(Waiter { waker: None, .. }) => (None, self.choose()),
            Some(Waiter { waker, place }) => {
                self.line.remove(place);
                (waker, None)
            }
        }
    }
}

/// The future that [`Notify::notified`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    progress: Progress,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    /// Not polled yet; made when so many rounds had been.
    New {
        rounds: u64,
    },
    Waiting(Key),
    Done,
}

impl Notified<'_> {
    /// The first poll: goes on at once, or enters the line.
    fn begin(&mut self, rounds: u64, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.notify.state.borrow_mut();
        if rounds != self.notify.rounds.get() || mem::take(&mut state.permit) {
            return Poll::Ready(());
        }
        self.progress = Progress::Waiting(state.enter(cx.waker().clone()));
        Poll::Pending
    }

    /// Every other poll: goes on if it was notified, or makes sure that the right task will be woken.
    fn look(&self, key: Key, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.notify.state.borrow_mut();
        match state.waiters.get_mut(key) {
            Some(Waiter { waker: Some(waker), .. }) => {
                let old = renew(waker, cx);
                drop(state);
                drop(old);
                Poll::Pending
            }
            chosen_or_released => {
                if chosen_or_released.is_some() {
                    state.waiters.remove(key);
                }
                Poll::Ready(())
            }
        }
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let notified = match self.progress {
            Progress::New { rounds } => self.begin(rounds, cx),
            Progress::Waiting(key) => self.look(key, cx),
            Progress::Done => Poll::Ready(()),
        };
        match notified {
            Poll::Ready(()) => self.progress = Progress::Done,
            Poll::Pending => trace::waits_for(Wait::Notify(self.notify.made_at)),
        }
        notified
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if let Progress::Waiting(key) = self.progress {
            let (_own, next) = self.notify.state.borrow_mut().leave(key);
            if let Some(waker) = next {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests;
