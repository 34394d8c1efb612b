//! Timers: a hierarchical wheel over paged storage, with constant-time insert, cancel and reset.
//!
//! The engine knows ticks and who waits, nothing else: no clock, no loop. Its caller says what time it is
//! ([`expire`](Timers::expire)) and wakes whom it is told to.
//!
//! ```text
//!   Key ──► entries: pages of 256, 28 bytes each, never moved
//!             ▲  deadline and position; who waits behind
//!             │
//!           chunks: up to 32 timers of a slot by their index, 144 bytes, in pages that never move
//!             ▲
//!             │
//!   wheel: 8 levels of 64 slots; a slot is a list of chunks
//!     level 0   one tick a slot        │ the next 64 ticks
//!     level 1   64 ticks a slot        │ the next 4,096
//!     ...       ...                    │
//!     level 7   2^42 ticks a slot      │ 2^44 ticks, 557 years
//! ```
//!
//! Costs: a timer is 32.5 bytes here as a rule, and 44 in the sparsest chunks that resets can leave. When its slot comes due
//! at a level above 0, it moves down one level or more, so it is touched at most eight times in its life, and usually twice.
//! With a million of them each touch is a wait for memory; since a chunk tells where 32 timers lie, those waits overlap.
//!
//! Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, is the source of the structure.

mod chunks;
mod entries;
#[cfg(test)]
mod tests;
mod wheel;

use crate::arena::Key;
use crate::clock::Tick;
use crate::waiter::Waiter;
use chunks::{CAPACITY, List};
use entries::{DEADLINE_MAX, Entries};
use std::collections::BTreeMap;
use std::panic::Location;
use std::task::{Poll, Waker};
use wheel::{LEVELS, SLOTS, Slot, Wheel};

/// All timers of one loop.
///
/// Wakers are never woken or dropped in here, since that may run code that comes back to these timers: they are handed
/// to the caller.
///
/// # Examples
/// ```
/// use evloop_runtime::engine::Timers;
/// use std::task::Waker;
///
/// let mut timers = Timers::new();
/// let key = timers.insert(10);
/// timers.poll(key, Waker::noop());
/// assert_eq!(timers.until_next(), Some(10));
///
/// let mut due = Vec::new();
/// timers.expire(9, &mut due);
/// assert!(due.is_empty(), "never early");
/// timers.expire(10, &mut due);
/// assert_eq!(due.len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct Timers {
    entries: Entries,
    wheel: Wheel,
    /// The stamp of the loop that they belong to, or 0: tasks of that one are known by their keys.
    home: u64,
    refs: usize,
    counts: TimerCounts,
    /// Where those that count were told to: few do, so this costs the others nothing.
    places: BTreeMap<u32, &'static Location<'static>>,
}

/// What timers have gone through since the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimerCounts {
    /// How often one was set, also anew.
    pub set: u64,
    /// Those that fired.
    pub fired: u64,
    /// Those that were cancelled, or set anew, before they fired.
    pub cancelled: u64,
}

/// What an [expiry](Timers::expire) has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Expired {
    /// Timers that fired.
    pub fired: u64,
    /// Ticks from their deadlines until now, all together.
    pub late: Tick,
    /// Ticks from the earliest of their deadlines until now.
    pub latest: Tick,
}

impl Timers {
    /// No timers, and no memory for them yet but the wheel's 4 KiB.
    #[must_use]
    pub fn new() -> Timers {
        Timers::default()
    }

    /// From now on they belong to the loop of that stamp.
    pub(crate) fn move_in(&mut self, home: u64) {
        self.home = home;
    }

    /// How many timers there are, armed or fired and not yet cancelled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many timers have not fired.
    #[must_use]
    pub fn armed(&self) -> usize {
        let TimerCounts { set, fired, cancelled } = self.counts;
        usize::try_from(set - fired - cancelled).expect("each of them is in memory")
    }

    /// What there was until now.
    #[must_use]
    pub fn counts(&self) -> TimerCounts {
        self.counts
    }

    /// How many armed timers each slot of the wheel holds, level by level from the lowest; of those that hold more than
    /// [`COUNTED_PER_SLOT`](Timers::COUNTED_PER_SLOT), that number. A slot covers 64 times as many ticks as one of the level
    /// below, and bears the digit, in base 64, that its deadlines have at that level.
    ///
    /// It is for pictures: the chunks of the occupied slots are walked, at most 112 in each.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::engine::Timers;
    ///
    /// let mut timers = Timers::new();
    /// for deadline in [3, 3, 64, 200] {
    ///     timers.insert(deadline);
    /// }
    /// let slots = timers.slots();
    /// assert_eq!((slots[0][3], slots[1][1], slots[1][3]), (2, 1, 1));
    /// ```
    #[must_use]
    pub fn slots(&self) -> [[u16; SLOTS]; LEVELS] {
        self.wheel.counts(Self::COUNTED_PER_SLOT)
    }

    /// Up to how many timers [`slots`](Timers::slots) counts in each slot.
    pub const COUNTED_PER_SLOT: u16 = 1_000;

    /// Sets a timer for `deadline`, and names it. A deadline that has passed fires at the next
    /// [`expire`](Timers::expire); one beyond 557 years is brought forward to that.
    ///
    /// The timer lives until [`cancel`](Timers::cancel), also after it has fired.
    ///
    /// # Panics
    /// When more are there than positions of 32 bits can tell apart, which is beyond a thousand million.
    pub fn insert(&mut self, deadline: Tick) -> Key {
        let deadline = self.bounded(deadline);
        let key = self.entries.insert(deadline);
        self.wheel.link(&mut self.entries, key.index(), deadline);
        self.counts.set += 1;
        key
    }

    /// Ends a timer, fired or not. Who waited for it comes back, for the caller to drop.
    pub fn cancel(&mut self, key: Key) -> Option<Waiter> {
        let entry = self.entries.get_mut(key)?;
        let (armed, referenced) = (!entry.is_fired(), entry.is_referenced());
        let (position, deadline) = (entry.position(), entry.deadline());
        let waiter = self.entries.waiter_mut(key.index()).take();
        if armed {
            self.wheel.unlink(&mut self.entries, position, deadline);
            self.refs -= usize::from(referenced);
            self.counts.cancelled += 1;
        }
        if referenced {
            self.places.remove(&key.index());
        }
        self.entries.remove(key.index());
        waiter
    }

    /// Sets a timer anew, fired or not; who waits for it stays, and it stands behind all others of its new deadline. `false` when
    /// there is no such timer.
    pub fn reset(&mut self, key: Key, deadline: Tick) -> bool {
        let deadline = self.bounded(deadline);
        let Some(entry) = self.entries.get_mut(key) else { return false };
        let former = *entry;
        entry.set_deadline(deadline);
        if !former.is_fired() {
            self.wheel.unlink(&mut self.entries, former.position(), former.deadline());
            self.counts.cancelled += 1;
        } else if former.is_referenced() {
            self.refs += 1;
        }
        self.wheel.link(&mut self.entries, key.index(), deadline);
        self.counts.set += 1;
        true
    }

    /// Whether a timer has fired; if not, who polls with `waker` will be among the due when it does. With it comes who waited
    /// before, for the caller to drop. A timer that does not exist counts as fired.
    pub fn poll(&mut self, key: Key, waker: &Waker) -> (Poll<()>, Option<Waiter>) {
        match self.entries.get_mut(key) {
            Some(entry) if !entry.is_fired() => {
                (Poll::Pending, self.entries.waiter_mut(key.index()).become_who_polls(waker, self.home))
            }
            _ => (Poll::Ready(()), None),
        }
    }

    /// When a timer fires, or fired if that is known no more: `None`.
    #[must_use]
    pub fn deadline(&self, key: Key) -> Option<Tick> {
        self.entries.get(key).filter(|entry| !entry.is_fired()).map(entries::Entry::deadline)
    }

    /// Whether a timer has fired; `None` when there is no such timer.
    #[must_use]
    pub fn is_fired(&self, key: Key) -> Option<bool> {
        self.entries.get(key).map(entries::Entry::is_fired)
    }

    /// Lets a timer count, or not, when the loop asks whether anything keeps it alive, and notes where in the program that was
    /// said. A new timer does not count.
    pub fn set_referenced(&mut self, key: Key, referenced: bool, place: &'static Location<'static>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.is_referenced() != referenced {
            if referenced {
                self.places.insert(key.index(), place);
            } else {
                self.places.remove(&key.index());
            }
            entry.set_referenced(referenced);
            if !entry.is_fired() {
                self.refs = if referenced { self.refs + 1 } else { self.refs - 1 };
            }
        }
    }

    /// How many timers that count are armed.
    #[must_use]
    pub fn referenced(&self) -> usize {
        self.refs
    }

    /// Those that are armed, with their deadlines; for those that count, where they were told to.
    pub fn walk(&self) -> impl Iterator<Item = (Key, Tick, Option<&'static Location<'static>>)> {
        self.entries.armed().map(|(key, deadline)| (key, deadline, self.places.get(&key.index()).copied()))
    }

    /// A tick before which nothing is due: the next deadline, or the moment when the wheel must look closer to tell.
    /// `None` when nothing is armed.
    #[must_use]
    pub fn until_next(&self) -> Option<Tick> {
        self.wheel.next_slot().map(|slot| slot.start)
    }

    /// Fires all whose deadline is `now` or before, in the order of their deadlines and, among equals, in the order in
    /// which they were set. Who waits for them is added to `due`. A `now` before an earlier one changes nothing.
    #[inline]
    pub fn expire(&mut self, now: Tick, due: &mut Vec<Waiter>) -> Expired {
        let mut expired = Expired::default();
        if self.until_next().is_some_and(|next| next <= now) {
            self.empty_begun(now, due, &mut expired); // out of the way of most turns, in which no slot has begun
        }
        self.wheel.advance(now.min(DEADLINE_MAX));
        expired
    }

    #[inline(never)]
    fn empty_begun(&mut self, now: Tick, due: &mut Vec<Waiter>, expired: &mut Expired) {
        while let Some(slot) = self.wheel.next_slot().filter(|slot| slot.start <= now) {
            self.empty(&slot, now, due, expired);
        }
        self.counts.fired += expired.fired;
    }

    /// The timers of a slot that has begun fire, or go to slots of lower levels.
    fn empty(&mut self, slot: &Slot, now: Tick, due: &mut Vec<Waiter>, expired: &mut Expired) {
        let opened = self.wheel.open(slot);
        if slot.level == 0 {
            let (fired, late) = (self.fire(opened, due), now - slot.start);
            expired.fired += fired;
            expired.late += fired * late;
            expired.latest = expired.latest.max(late);
        } else {
            self.cascade(opened);
        }
    }

    /// Fires the timers of an opened slot, and tells how many they are.
    fn fire(&mut self, opened: List, due: &mut Vec<Waiter>) -> u64 {
        if let Some(timer) = opened.alone() {
            self.fire_one(timer, due);
            return 1;
        }
        let mut fired = 0;
        self.each_chunk(opened, |timers, chunk| {
            for timer in chunk {
                timers.fire_one(*timer, due);
            }
            fired += chunk.len() as u64;
        });
        fired
    }

    #[inline]
    fn fire_one(&mut self, index: u32, due: &mut Vec<Waiter>) {
        let entry = &mut self.entries[index];
        self.refs -= usize::from(entry.is_referenced());
        entry.set_fired();
        due.extend(self.entries.waiter_mut(index).take());
    }

    /// Lets the timers of an opened slot go to slots of lower levels.
    fn cascade(&mut self, opened: List) {
        if let Some(timer) = opened.alone() {
            let deadline = self.entries[timer].deadline();
            return self.wheel.link(&mut self.entries, timer, deadline);
        }
        let mut deadlines = [0; CAPACITY];
        self.each_chunk(opened, |timers, chunk| {
            for (deadline, timer) in deadlines.iter_mut().zip(chunk) {
                *deadline = timers.entries[*timer].deadline(); // all are on their way before the first is needed
            }
            for (deadline, timer) in deadlines.iter().zip(chunk) {
                timers.wheel.link(&mut timers.entries, *timer, *deadline);
            }
        });
    }

    /// Shows the timers of an opened slot, a chunk at a time. The next chunk is on its way from memory meanwhile.
    #[inline]
    fn each_chunk(&mut self, mut opened: List, mut show: impl FnMut(&mut Timers, &[u32])) {
        let (mut items, mut ahead) = (&mut [0; CAPACITY], &mut [0; CAPACITY]);
        let mut len = self.wheel.take(&mut opened, items);
        while len > 0 {
            let next_len = self.wheel.take(&mut opened, ahead);
            show(self, &items[..len]);
            (items, ahead, len) = (ahead, items, next_len);
        }
    }

    /// The time of the last expiry.
    #[must_use]
    pub fn elapsed(&self) -> Tick {
        self.wheel.elapsed()
    }

    /// A deadline as the wheel can hold it: not in its past, not beyond its end.
    fn bounded(&self, deadline: Tick) -> Tick {
        deadline.clamp(self.wheel.elapsed(), DEADLINE_MAX)
    }
}
