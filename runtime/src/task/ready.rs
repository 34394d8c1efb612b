//! Who is to be polled, and in which order.
//!
//! First woken, first polled. A *batch* is what was queued when it began. Who is woken while it runs stands behind the
//! others, and the batch goes on with them up to [`POLLS_PER_BATCH`] polls, unless one has asked for the next turn: by
//! yielding, or because its budget of operations was spent. Between two batches the loop looks at the kernel and the clock,
//! so neither a task that always wakes itself nor one with endless data keeps anybody from their turn.
//!
//! # By a seed
//! With a seed the next to be polled is drawn from those who stand there, also those who were woken in this batch. Three
//! things hold as without: who was queued when the batch began is polled in it; it has no more polls than it would have;
//! and once somebody has asked for the next turn, nobody is polled who was woken in this batch. So nobody starves, and a
//! task that yields sees all those polled that were ready, before it goes on.

use crate::arena::Key;
use crate::chance::Chance;
use crate::trace::{Cause, Why};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// How many polls a batch may grow to by tasks that are woken while it runs.
///
/// Between two batches the kernel is asked for events, which costs as much as some thirty polls of a task that does
/// nothing. Two tasks that hand each other a word would pay that for every word, if only those counted that were queued
/// when the batch began. With 128 it is a fifth of a poll's cost, and a packet that comes meanwhile waits for no more
/// than these polls, or for those that were queued before it.
pub(super) const POLLS_PER_BATCH: usize = 128;

/// A task in the queue, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    pub(super) key: Key,
    pub(super) why: Why,
}

/// The run queue of one thread.
pub(super) struct RunQueue {
    ready: RefCell<VecDeque<Ready>>,
    /// A task of this batch waits for its next turn.
    turn_wanted: Cell<bool>,
    /// Who is next is drawn.
    chance: Option<Chance>,
}

impl RunQueue {
    pub(super) fn new(chance: Option<Chance>) -> RunQueue {
        RunQueue { ready: RefCell::default(), turn_wanted: Cell::new(false), chance }
    }

    #[inline]
    pub(super) fn push(&self, ready: Ready) {
        self.ready.borrow_mut().push_back(ready);
    }

    pub(super) fn len(&self) -> usize {
        self.ready.borrow().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.borrow().is_empty()
    }

    /// Those who stand in it, longest first.
    pub(super) fn all(&self) -> Vec<(Key, Cause)> {
        self.ready.borrow().iter().map(|ready| (ready.key, ready.why.cause())).collect()
    }

    pub(super) fn clear(&self) {
        self.ready.borrow_mut().clear();
    }

    /// A task of this batch waits for its next turn.
    #[inline]
    pub(super) fn want_turn(&self) {
        self.turn_wanted.set(true);
    }

    /// Whether the order is drawn: then a batch is run by [`run_drawn`](RunQueue::run_drawn).
    #[inline]
    pub(super) fn is_drawn(&self) -> bool {
        self.chance.is_some()
    }

    /// Polls one batch. `poll` tells whether it is to end with this one; then so does this.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it has one caller, and every poll passes it")]
    pub(super) fn run_batch(&self, mut poll: impl FnMut(Ready) -> bool) -> bool {
        self.turn_wanted.set(false);
        let queued = self.len();
        let polls_max = queued.max(POLLS_PER_BATCH);
        let mut polls = 0;
        while polls < polls_max && (polls < queued || !self.turn_wanted.get()) {
            let Some(ready) = self.ready.borrow_mut().pop_front() else { break };
            polls += 1;
            if poll(ready) {
                return true;
            }
        }
        false
    }

    /// As [`run_batch`](RunQueue::run_batch), in an order that is drawn.
    pub(super) fn run_drawn(&self, poll: &mut dyn FnMut(Ready) -> bool) -> bool {
        let Some(chance) = &self.chance else { return false };
        self.turn_wanted.set(false);
        let queued = self.len();
        let mut batch = Batch { queued, polls_left: queued.max(POLLS_PER_BATCH) };
        while let Some(ready) = self.draw(chance, &mut batch) {
            if poll(ready) {
                return true;
            }
        }
        false
    }

    /// Who is polled next in this batch, if that is not over.
    fn draw(&self, chance: &Chance, batch: &mut Batch) -> Option<Ready> {
        let Batch { queued, polls_left } = batch;
        let among = if polls_left == queued || self.turn_wanted.get() { *queued } else { self.len() };
        if among == 0 {
            return None;
        }
        let place = chance.below(among);
        *queued -= usize::from(place < *queued);
        *polls_left -= 1;
        self.ready.borrow_mut().remove(place)
    }
}

/// How far a batch has come whose order is drawn.
///
/// Invariant: no fewer polls are left than there are who were queued; and these stand before those who were not.
struct Batch {
    /// How many stand there still of those who were queued when it began.
    queued: usize,
    polls_left: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ready(index: usize) -> Ready {
        Ready { key: Key::new(u32::try_from(index).unwrap(), 0), why: Why::OUTSIDE }
    }

    /// The places that are polled in a batch of so many; each of them wakes the next one, and `yields` asks for its turn.
    fn batch(seed: Option<u64>, queued: usize, yields: Option<usize>) -> Vec<usize> {
        let queue = RunQueue::new(seed.map(Chance::new));
        (0..queued).for_each(|index| queue.push(ready(index)));
        let mut polled = Vec::new();
        let mut poll = |Ready { key, .. }: Ready| {
            let index = key.index() as usize;
            polled.push(index);
            queue.push(ready(queued + polled.len() - 1));
            if yields == Some(index) {
                queue.want_turn();
            }
            false
        };
        let ended = if queue.is_drawn() { queue.run_drawn(&mut poll) } else { queue.run_batch(poll) };
        assert!(!ended);
        polled
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn who_was_queued_is_polled_once_in_the_batch_and_it_grows_no_longer_than_without_a_seed(
            seed: u64,
            queued in 0_usize..300,
        ) {
            let polled = batch(Some(seed), queued, None);
            prop_assert_eq!(polled.len(), batch(None, queued, None).len());
            for index in 0..queued {
                prop_assert_eq!(polled.iter().filter(|&&polled| polled == index).count(), 1);
            }
        }

        #[test]
        fn nobody_who_was_woken_in_the_batch_is_polled_after_somebody_has_asked_for_the_next_turn(
            seed: u64,
            queued in 1_usize..300,
        ) {
            let polled = batch(Some(seed), queued, Some(0));
            let asked = polled.iter().position(|&index| index == 0).unwrap();
            prop_assert!(polled[asked..].iter().all(|&index| index < queued));
            for index in 0..queued {
                prop_assert!(polled.contains(&index));
            }
        }
    }

    #[test]
    fn order_is_that_of_the_seed() {
        assert_eq!(batch(None, 3, Some(0)), [0, 1, 2]);
        assert_eq!(batch(Some(1), 50, None), batch(Some(1), 50, None));
        assert_ne!(batch(Some(1), 50, None), batch(Some(2), 50, None));
        let firsts: Vec<usize> = (0..100).map(|seed| batch(Some(seed), 3, None)[0]).collect();
        assert!((0..3).all(|first| firsts.contains(&first)), "each comes first under some seed");
    }
}
