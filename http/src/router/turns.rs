//! Who may have a thread now, and who waits for that.
//!
//! A counting semaphore with a line: first come, first served. A turn that ends is promised to the first in line, who is
//! woken; until that one comes nobody else can have it, so nobody overtakes. Whoever leaves instead hands it on.
//!
//! The tasks that wait are at home on one thread, but a turn goes along with its job and ends on a thread of the pool:
//! when the job is over, and not when the client has gone. So the line is under a lock.

use evloop_runtime::engine::trace::{JobClass, Wait, waits_for};
use evloop_runtime::engine::{Key, Queue};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// So many turns at once; clones share them.
#[derive(Clone)]
pub(super) struct Turns {
    state: Arc<Mutex<State>>,
}

struct State {
    limit: usize,
    /// Turns that are taken or promised. Invariant: at most `limit`, and exactly so many while anyone stands in line.
    taken: usize,
    /// Those who wait. Who was in line and is no more has a turn promised.
    line: Queue<Waker>,
}

impl Turns {
    pub(super) fn new(limit: usize) -> Turns {
        let turns = Turns { state: Arc::new(Mutex::new(State { limit: 1, taken: 0, line: Queue::new() })) };
        turns.set_limit(limit);
        turns
    }

    /// Allows so many at once from now on; while the router is built, so that there are none yet.
    ///
    /// # Panics
    /// When that is none.
    pub(super) fn set_limit(&self, limit: usize) {
        assert!(limit > 0, "handlers that block need a turn");
        self.lock().limit = limit;
    }

    /// Waits for a turn.
    ///
    /// # Cancel safety
    /// The place in the line, or the turn that was promised, goes to the next.
    pub(super) fn take(&self) -> TakeTurn<'_> {
        TakeTurn { turns: self, progress: Progress::New }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn has ended: it is promised to the next in line, or free.
    fn end_one(&self) {
        let mut state = self.lock();
        let next = state.line.pop_front();
        if next.is_none() {
            state.taken -= 1;
        }
        drop(state);
        next.into_iter().for_each(Waker::wake);
    }
}

/// The right to have a thread, until it is dropped, on whatever thread.
#[must_use = "a turn ends when it is dropped"]
pub(super) struct Turn {
    turns: Turns,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.end_one();
    }
}

/// A turn to come; see [`Turns::take`].
#[must_use = "futures do nothing unless they are awaited"]
pub(super) struct TakeTurn<'a> {
    turns: &'a Turns,
    progress: Progress,
}

enum Progress {
    New,
    /// Where it stands, or stood, in line.
    Waiting(Key),
    Done,
}

impl Future for TakeTurn<'_> {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        let mut state = self.turns.lock();
        let former = match self.progress {
            Progress::New if state.taken < state.limit => {
                state.taken += 1;
                None
            }
            Progress::New => {
                let place = state.line.push_back(cx.waker().clone());
                drop(state);
                self.progress = Progress::Waiting(place);
                waits_for(Wait::Pool(JobClass::General, Key::NONE));
                return Poll::Pending;
            }
            Progress::Waiting(place) => state.line.get_mut(place).map(|waker| mem::replace(waker, cx.waker().clone())),
            Progress::Done => panic!("a future is not polled after it was ready"),
        };
        drop(state);
        if former.is_some() {
            waits_for(Wait::Pool(JobClass::General, Key::NONE));
            return Poll::Pending;
        }
        self.progress = Progress::Done;
        Poll::Ready(Turn { turns: self.turns.clone() })
    }
}

impl Drop for TakeTurn<'_> {
    fn drop(&mut self) {
        if let Progress::Waiting(place) = self.progress {
            let waker = self.turns.lock().line.remove(place);
            if waker.is_none() {
                self.turns.end_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Somebody who wants a turn, waits for one, or has one.
    struct Caller<'a> {
        taking: Option<TakeTurn<'a>>,
        turn: Option<Turn>,
        wakes: Arc<Wakes>,
    }

    impl<'a> Caller<'a> {
        fn new(turns: &'a Turns) -> Caller<'a> {
            Caller { taking: Some(turns.take()), turn: None, wakes: Arc::default() }
        }

        fn poll(&mut self) -> bool {
            let waker = Waker::from(Arc::clone(&self.wakes));
            let Some(taking) = &mut self.taking else { return true };
            if let Poll::Ready(turn) = Pin::new(taking).poll(&mut Context::from_waker(&waker)) {
                (self.taking, self.turn) = (None, Some(turn));
            }
            self.turn.is_some()
        }

        fn wakes(&self) -> usize {
            self.wakes.0.load(Relaxed)
        }
    }

    #[test]
    fn turn_that_ends_goes_to_who_came_first() {
        let turns = Turns::new(1);
        let mut callers = [(); 4].map(|()| Caller::new(&turns));
        assert_eq!(callers.each_mut().map(Caller::poll), [true, false, false, false]);
        callers[0].turn = None;
        assert!(!Caller::new(&turns).poll(), "the turn is promised");
        assert_eq!(callers.each_ref().map(Caller::wakes), [0, 1, 0, 0]);
        assert_eq!(callers.each_mut().map(Caller::poll)[1..], [true, false, false]);
    }

    #[test]
    fn who_leaves_is_not_waited_for_and_hands_on_what_was_promised() {
        let turns = Turns::new(1);
        let mut callers = [(); 4].map(|()| Caller::new(&turns));
        assert_eq!(callers.each_mut().map(Caller::poll), [true, false, false, false]);
        callers[1].taking = None;
        callers[0].turn = None;
        assert_eq!(callers.each_ref().map(Caller::wakes), [0, 0, 1, 0]);
        callers[2].taking = None;
        assert_eq!(callers.each_ref().map(Caller::wakes), [0, 0, 1, 1]);
        callers[3].taking = None;
        assert!(Caller::new(&turns).poll(), "it is free again");
    }

    #[test]
    fn turn_may_end_on_another_thread() {
        let turns = Turns::new(1);
        let (mut first, mut second) = (Caller::new(&turns), Caller::new(&turns));
        assert!(first.poll() && !second.poll());
        std::thread::scope(|scope| scope.spawn(|| drop(first.turn)).join().unwrap());
        assert!(second.wakes() == 1 && second.poll());
    }

    #[test]
    #[should_panic(expected = "need a turn")]
    fn no_turns_at_all_are_refused() {
        drop(Turns::new(0));
    }

    /// What the callers are by the plain rule: turns are given in the order of the line, whenever there is one.
    #[derive(Default)]
    struct Twin {
        has: Vec<usize>,
        line: VecDeque<usize>,
    }

    impl Twin {
        fn settle(&mut self, limit: usize) {
            while self.has.len() < limit && !self.line.is_empty() {
                self.has.extend(self.line.pop_front());
            }
        }

        fn leave(&mut self, caller: usize) {
            self.has.retain(|known| *known != caller);
            self.line.retain(|known| *known != caller);
        }
    }

    proptest! {
        #[test]
        fn turns_agree_with_their_slow_twin(
            limit in 1..4_usize,
            steps in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 0..60),
        ) {
            let turns = Turns::new(limit);
            let (mut callers, mut twin): (Vec<Option<Caller<'_>>>, _) = (Vec::new(), Twin::default());
            for (step, which) in steps {
                let at = if step == 0 || callers.is_empty() { callers.len() } else { which.index(callers.len()) };
                if at == callers.len() {
                    callers.push(Some(Caller::new(&turns)));
                    twin.line.push_back(at);
                    twin.settle(limit);
                }
                if step == 2 {
                    callers[at] = None;
                    twin.leave(at);
                    twin.settle(limit);
                } else if let Some(caller) = &mut callers[at] {
                    prop_assert_eq!(caller.poll(), twin.has.contains(&at));
                }
                for (at, caller) in callers.iter().enumerate() {
                    let Some(caller) = caller else { continue };
                    let waits = caller.taking.is_some();
                    prop_assert!(!waits || caller.wakes() == usize::from(twin.has.contains(&at)), "woken when it is its turn");
                }
                prop_assert_eq!(turns.lock().taken, twin.has.len());
                prop_assert_eq!(turns.lock().line.len(), twin.line.len());
            }
        }
    }
}
