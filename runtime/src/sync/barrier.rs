//! A place where so many meet before any goes on.

use std::cell::Cell;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::line::Line;
use crate::arena::Key;
use crate::trace::{self, Place, Wait};

/// Lets tasks of this thread go on together, when the last of them has come; then it can be used again.
///
/// The last is told that it is the leader, so that one of them does what is to be done once. Who is dropped while it
/// waits has not come: another takes its place. (In tokio it counts for good.)
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join, sync::Barrier};
///
/// let barrier = Barrier::new(2);
/// let (first, last) = block_on(join(barrier.wait(), barrier.wait()));
/// assert_eq!((first.is_leader(), last.is_leader()), (false, true));
/// ```
#[derive(Debug)]
pub struct Barrier {
    size: usize,
    /// How many wait. Invariant: fewer than `size`.
    arrived: Cell<usize>,
    /// How often all went on.
    rounds: Cell<u64>,
    line: Line,
    made_at: Place,
}

impl Barrier {
    /// One for so many tasks; zero is as good as one, nobody waits. It allocates when the first waiter comes.
    #[must_use]
    #[track_caller]
    pub const fn new(size: usize) -> Barrier {
        Barrier { size, arrived: Cell::new(0), rounds: Cell::new(0), line: Line::new(), made_at: Location::caller() }
    }

    /// Waits until as many have come as the barrier is for. A task has come when it polls this.
    ///
    /// It takes one operation from the poll's budget.
    ///
    /// # Cancel safety
    /// Who leaves before the others have come has not come. Once they have, nothing is undone: they went on, and
    /// counted this one.
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait { barrier: self, round: None, place: None }
    }
}

/// What one learns that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leader: bool,
}

impl BarrierWaitResult {
    /// Whether it was the last to come: true for exactly one each time.
    pub fn is_leader(self) -> bool {
        self.leader
    }
}

/// The future that [`Barrier::wait`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct BarrierWait<'a> {
    barrier: &'a Barrier,
    /// The round for which it has come. Invariant: `None` after the end.
    round: Option<u64>,
    place: Option<Key>,
}

impl Future for BarrierWait<'_> {
    type Output = BarrierWaitResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Barrier { size, arrived, rounds, line, made_at } = this.barrier;
        let is_last = this.round.is_none() && arrived.get() + 1 >= *size;
        let went_on = this.round.is_some_and(|round| round != rounds.get());
        if !is_last && !went_on {
            if this.round.is_none() {
                arrived.set(arrived.get() + 1);
                this.round = Some(rounds.get());
            }
            line.stand(&mut this.place, cx);
            trace::waits_for(Wait::Barrier(made_at));
            return Poll::Pending;
        }
        ready!(trace::poll_budget(cx));
        this.round = None;
        line.leave(&mut this.place);
        if is_last {
            arrived.set(0);
            rounds.set(rounds.get() + 1);
            line.wake_all();
        }
        Poll::Ready(BarrierWaitResult { leader: is_last })
    }
}

impl Drop for BarrierWait<'_> {
    fn drop(&mut self) {
        let Barrier { arrived, rounds, line, .. } = self.barrier;
        if self.round == Some(rounds.get()) {
            arrived.set(arrived.get() - 1);
        }
        line.leave(&mut self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Task;
    use super::*;

    fn passed(poll: Poll<BarrierWaitResult>) -> Option<bool> {
        match poll {
            Poll::Ready(result) => Some(result.is_leader()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn all_go_on_when_the_last_has_come_who_is_the_leader_round_by_round() {
        let (a, b, c, barrier) = (Task::default(), Task::default(), Task::default(), Barrier::new(3));
        for round in 1..3 {
            let (mut one, mut two, mut three) = (barrier.wait(), barrier.wait(), barrier.wait());
            trace::begin_poll(Key::NONE);
            assert_eq!(passed(a.poll(&mut one)), None);
            assert!(matches!(trace::end_poll_that_waits(), Wait::Barrier(_)));
            assert_eq!(passed(b.poll(&mut two)), None);
            assert_eq!(passed(a.poll(&mut one)), None, "who is polled twice has come once");
            assert_eq!(passed(c.poll(&mut three)), Some(true));
            assert_eq!((a.wakes(), b.wakes(), c.wakes()), (round, round, 0));
            assert_eq!(passed(a.poll(&mut one)), Some(false));
            assert_eq!(passed(b.poll(&mut two)), Some(false));
        }
    }

    #[test]
    fn who_is_dropped_has_not_come() {
        let (a, b, barrier) = (Task::default(), Task::default(), Barrier::new(2));
        let mut one = barrier.wait();
        assert_eq!(passed(a.poll(&mut one)), None);
        drop(one);
        let (mut two, mut three) = (barrier.wait(), barrier.wait());
        assert_eq!(passed(b.poll(&mut two)), None);
        assert_eq!(passed(a.poll(&mut three)), Some(true));
        assert_eq!((a.wakes(), a.wakers_kept()), (0, 0));
    }

    #[test]
    fn who_was_let_through_and_is_dropped_does_not_disturb_the_next_round() {
        let (a, b, barrier) = (Task::default(), Task::default(), Barrier::new(2));
        let (mut one, mut two) = (barrier.wait(), barrier.wait());
        assert_eq!(passed(a.poll(&mut one)), None);
        assert_eq!(passed(b.poll(&mut two)), Some(true));
        let mut next = barrier.wait();
        assert_eq!(passed(b.poll(&mut next)), None, "the second round");
        drop(one);
        assert_eq!(passed(a.poll(&mut barrier.wait())), Some(true));
        assert_eq!(passed(b.poll(&mut next)), Some(false));
    }

    #[test]
    fn barrier_for_one_or_none_lets_everyone_through_as_leader() {
        for size in [0, 1] {
            let (task, barrier) = (Task::default(), Barrier::new(size));
            assert_eq!(passed(task.poll(&mut barrier.wait())), Some(true));
            assert_eq!(passed(task.poll(&mut barrier.wait())), Some(true));
        }
    }
}
