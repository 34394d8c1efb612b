//! Who is woken when something has come: known by as little as will do.
//!
//! Most of what happens in a loop is waited for by one of its own tasks. Of that the key is enough, by which
//! the wake finds the task without asking which loop it is of. A key that has gone stale wakes
//! nobody, as a waker of a task that has ended does.

use crate::arena::Key;
use crate::trace;
use std::mem;
use std::task::Waker;

/// Who waits: woken by [`Tasks::wake`](crate::engine::Tasks::wake) of the loop that they wait in.
///
/// # Examples
/// ```
/// use evloop_runtime::engine::{Tasks, Waiter};
/// use std::task::Waker;
///
/// let tasks = Tasks::new(Waker::noop().clone());
/// tasks.enter(|| {
///     let _endless = tasks.spawn(None, std::future::pending::<()>());
///     tasks.run_batch();
///     let (key, _) = tasks.infos()[0];
///     tasks.wake(Waiter::Task(key));
///     assert_eq!(tasks.ready_len(), 1);
///     tasks.wake(Waiter::NOBODY);
///     assert_eq!(tasks.ready_len(), 1);
/// });
/// tasks.shut_down();
/// ```
#[derive(Debug)]
pub enum Waiter {
    /// A task of this loop, or the future of `block_on` if it is [`Key::NONE`]; or [`NOBODY`](Waiter::NOBODY).
    Task(Key),
    /// Anybody else: of another loop, or who polls with a waker of their own, as one does who waits for several futures.
    Waker(Waker),
}

/// As much as a waker alone.
const _: () = assert!(size_of::<Waiter>() == size_of::<Waker>());

impl Waiter {
    /// By the key of no task, and of the future of `block_on` neither.
    pub const NOBODY: Waiter = Waiter::Task(NO_TASK);

    /// Whether it is nobody.
    #[inline]
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Waiter::Task(NO_TASK))
    }

    /// Puts in this place who polls now, with that waker, in the loop of that stamp. Who stood there comes back, for the caller
    /// to drop; `None` if it was the same already.
    #[inline]
    pub(crate) fn become_who_polls(&mut self, waker: &Waker, home: u64) -> Option<Waiter> {
        match (trace::task_of(waker, home), &*self) {
            (Some(task), Waiter::Task(known)) if *known == task => None,
            (Some(task), _) => Some(mem::replace(self, Waiter::Task(task))),
            (None, known) if known.will_wake(waker) => None,
            (None, _) => Some(mem::replace(self, Waiter::Waker(waker.clone()))),
        }
    }

    /// Whether it is a waker that wakes the same.
    #[inline]
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        matches!(self, Waiter::Waker(known) if known.will_wake(waker))
    }

    /// Takes whoever stands in this place.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Waiter> {
        if self.is_nobody() { None } else { Some(mem::replace(self, Waiter::NOBODY)) }
    }
}

const NO_TASK: Key = Key::new(Key::NONE.index(), 0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Polled;
    use std::sync::Arc;
    use std::task::Wake;

    struct Nothing;

    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn task_is_known_by_its_key_in_its_own_poll_and_loop_alone() {
        let waker = &Waker::from(Arc::new(Nothing));
        let (key, home) = (Key::new(3, 5), 7);
        let mut waiter = Waiter::NOBODY;
        trace::replace_polled(Polled::nobody(home, waker.vtable()));
        trace::begin_poll(key);
        trace::set_waker(waker.data());
        assert!(waiter.become_who_polls(waker, home).is_some_and(|former| former.is_nobody()));
        assert!(matches!(waiter, Waiter::Task(known) if known == key));
        assert!(waiter.become_who_polls(waker, home).is_none(), "the same");
        assert!(
            waiter.become_who_polls(waker, home + 1).is_some(),
            "another loop would take the key for one of its own"
        );
        assert!(matches!(waiter, Waiter::Waker(_)));
        // Under Miri a clone has a table of its own, so it is not known again.
        assert!(waiter.become_who_polls(waker, home + 1).is_none() || cfg!(miri), "the same waker");
        trace::leave();
        drop(waiter.become_who_polls(waker, home));
        assert!(matches!(waiter, Waiter::Waker(_)), "no poll is under way");
        assert!(waiter.take().is_some());
        assert!(waiter.take().is_none());
    }
}
