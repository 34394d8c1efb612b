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
use crate::trace::Why;
use std::collections::VecDeque;
use std::mem;

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

/// How far a batch has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// How many may still be polled in it.
    polls_left: usize,
    /// How many of these polls are for those who were woken since it began.
    spare: usize,
}

/// The run queue of one thread, and how far its batch has come.
pub(super) struct RunQueue {
    ready: VecDeque<Ready>,
    progress: Progress,
    /// Who is next is drawn.
    chance: Option<Chance>,
}

impl RunQueue {
    pub(super) fn new(chance: Option<Chance>) -> RunQueue {
        RunQueue { ready: VecDeque::new(), progress: Progress::default(), chance }
    }

    #[inline]
    pub(super) fn push(&mut self, ready: Ready) {
        self.ready.push_back(ready);
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Those who stand in it, longest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Ready> {
        self.ready.iter()
    }

    pub(super) fn clear(&mut self) {
        self.ready.clear();
    }

    /// How far the batch had come that was under way comes back: that of a task in whose poll this one is run.
    pub(super) fn begin_batch(&mut self) -> Progress {
        let (found, polls_left) = (self.len(), self.len().max(POLLS_PER_BATCH));
        mem::replace(&mut self.progress, Progress { polls_left, spare: polls_left - found })
    }

    /// A batch is over, and that one goes on which was under way when it began.
    pub(super) fn end_batch(&mut self, former: Progress) {
        self.progress = former;
    }

    /// A task of this batch waits for its next turn: those who have been woken in it do, too.
    #[inline]
    pub(super) fn want_turn(&mut self) {
        let Progress { polls_left, spare } = &mut self.progress;
        *polls_left = polls_left.saturating_sub(*spare);
        *spare = 0;
    }

    /// Who is polled next in this batch, if that is not over.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Ready> {
        if self.chance.is_some() {
            self.draw();
        }
        self.progress.polls_left = self.progress.polls_left.checked_sub(1)?;
        self.ready.pop_front()
    }

    /// Has one stand first who is drawn: by the way of [`next`](RunQueue::next), which so costs the others nothing.
    #[cold]
    fn draw(&mut self) {
        let Progress { polls_left, spare } = self.progress;
        let found = polls_left.saturating_sub(spare).min(self.len());
        let among = if spare == 0 { found } else { self.len() };
        let Some(chance) = self.chance.as_ref().filter(|_| among > 0) else { return };
        let place = chance.below(among);
        self.progress.spare -= usize::from(place >= found);
        if let Some(drawn) = self.ready.remove(place) {
            self.ready.push_front(drawn);
        }
    }
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
        let mut queue = RunQueue::new(seed.map(Chance::new));
        (0..queued).for_each(|index| queue.push(ready(index)));
        let mut polled = Vec::new();
        queue.begin_batch();
        while let Some(Ready { key, .. }) = queue.next() {
            let index = key.index() as usize;
            polled.push(index);
            queue.push(ready(queued + polled.len() - 1));
            if yields == Some(index) {
                queue.want_turn();
            }
        }
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
