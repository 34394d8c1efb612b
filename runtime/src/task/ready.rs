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

use super::tasks::{Line, TaskRef};
use crate::chance::Chance;
use crate::trace::Why;
use std::cell::Cell;

/// How many polls a batch may grow to by tasks that are woken while it runs.
///
/// Between two batches the kernel is asked for events, which costs as much as some thirty polls of a task that does
/// nothing. Two tasks that hand each other a word would pay that for every word, if only those counted that were queued
/// when the batch began. With 128 it is a fifth of a poll's cost, and a packet that comes meanwhile waits for no more
/// than these polls, or for those that were queued before it.
pub(super) const POLLS_PER_BATCH: u64 = 128;

/// How far a batch goes, told by how many have left the queue since that was made.
#[derive(Debug, Clone, Copy, Default)]
struct Batch {
    /// When it ends.
    end: u64,
    /// When all those have been polled who were queued when it began.
    found: u64,
}

/// The batch around another one, as it was when that one began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Former {
    batch: Batch,
    popped: u64,
}

/// The run queue of one thread, and its batch.
pub(super) struct RunQueue {
    line: Line,
    /// How many have been put in, and how many have left: their difference is in it.
    pushed: Cell<u64>,
    popped: Cell<u64>,
    batch: Cell<Batch>,
    /// Who is next is drawn.
    chance: Option<Chance>,
}

impl RunQueue {
    pub(super) fn new(chance: Option<Chance>) -> RunQueue {
        RunQueue {
            line: Line::default(),
            pushed: Cell::default(),
            popped: Cell::default(),
            batch: Cell::default(),
            chance,
        }
    }

    /// Puts a task in, unless it is; whether it was not.
    #[inline]
    pub(super) fn push(&self, task: &TaskRef, why: Why) -> bool {
        let is_new = self.line.push(task, why);
        if is_new {
            self.pushed.set(self.pushed.get() + 1);
        }
        is_new
    }

    #[expect(clippy::cast_possible_truncation, reason = "as many lie in memory")]
    pub(super) fn len(&self) -> usize {
        (self.pushed.get() - self.popped.get()) as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those who stand in it, longest first.
    pub(super) fn to_vec(&self) -> Vec<TaskRef> {
        self.line.to_vec()
    }

    pub(super) fn clear(&self) {
        while self.pop().is_some() {}
    }

    /// The one that was under way comes back: that of a task in whose poll this one is run.
    pub(super) fn begin_batch(&self) -> Former {
        let (popped, pushed) = (self.popped.get(), self.pushed.get());
        let batch = Batch { end: pushed.max(popped + POLLS_PER_BATCH), found: pushed };
        Former { batch: self.batch.replace(batch), popped }
    }

    /// A batch is over, and that one goes on which was under way when it began; for which those do not count who were polled
    /// meanwhile.
    pub(super) fn end_batch(&self, former: Former) {
        let meanwhile = self.popped.get() - former.popped;
        let Batch { end, found } = former.batch;
        self.batch.set(Batch { end: end + meanwhile, found: found + meanwhile });
    }

    /// A task of this batch waits for its next turn: those who have been woken in it do, too.
    #[inline]
    pub(super) fn want_turn(&self) {
        let Batch { end, found } = self.batch.get();
        self.batch.set(Batch { end: end.min(found), found });
    }

    /// Who is polled next in this batch, if that is not over, and why.
    #[inline]
    pub(super) fn next(&self) -> Option<(TaskRef, Why)> {
        if self.chance.is_some() {
            self.draw();
        }
        if self.popped.get() >= self.batch.get().end { None } else { self.pop() }
    }

    #[inline]
    fn pop(&self) -> Option<(TaskRef, Why)> {
        let first = self.line.pop()?;
        self.popped.set(self.popped.get() + 1);
        Some(first)
    }

    /// Has one stand first who is drawn: by the way of [`next`](RunQueue::next), which so costs the others nothing.
    #[cold]
    fn draw(&self) {
        let (Batch { end, found }, popped) = (self.batch.get(), self.popped.get());
        let found_left = usize::try_from(found.saturating_sub(popped)).unwrap_or(usize::MAX).min(self.len());
        let among = if end > found { self.len() } else { found_left };
        let Some(chance) = self.chance.as_ref().filter(|_| among > 0) else { return };
        let place = chance.below(among);
        if place >= found_left {
            self.batch.set(Batch { end, found: found + 1 }); // as many are left of them
        }
        self.line.bring_forward(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUEUED: usize = if cfg!(miri) { 20 } else { 300 };
    const SEEDS: u64 = if cfg!(miri) { 20 } else { 100 };

    /// The places that are polled in a batch of so many; each of them wakes the next one, and `yields` asks for its turn.
    fn batch(seed: Option<u64>, queued: usize, yields: Option<usize>) -> Vec<usize> {
        let queue = RunQueue::new(seed.map(Chance::new));
        let push = |index| assert!(queue.push(&TaskRef::numbered(index), Why::OUTSIDE));
        (0..queued).for_each(push);
        let mut polled = Vec::new();
        queue.begin_batch();
        while let Some((task, _)) = queue.next() {
            let index = task.key.index() as usize;
            polled.push(index);
            push(queued + polled.len() - 1);
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
            queued in 0..QUEUED,
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
            queued in 1..QUEUED,
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
        let firsts: Vec<usize> = (0..SEEDS).map(|seed| batch(Some(seed), 3, None)[0]).collect();
        assert!((0..3).all(|first| firsts.contains(&first)), "each comes first under some seed");
    }
}
