//! The wheel: which slot a deadline belongs to, and which slot comes due next.
//!
//! **The place of a timer is a function of its deadline and of the time elapsed**, and of nothing else. Write both as
//! numbers in base 64; the highest digit in which they differ is the level, and the deadline's digit there is the slot.
//! (Where they do not differ, or only in the last digit, the level is 0.) All the rest follows:
//!
//! - *No search.* Cancelling computes the place instead of storing it.
//! - *No wrap-around.* At its level, a deadline agrees with the elapsed time in all higher digits and is larger in this
//!   one, so every occupied slot lies ahead of the hand: the first set bit of a level is its next slot.
//! - *Lower levels come first.* A timer on level 0 shares all higher digits with now; one on level 1 does not.
//! - *Places stay true.* Time advances to a slot's start only by opening the slot, and its timers are linked anew under
//!   the new time. For all others, the digits that decide have not changed.
//! - *Order is kept.* Timers with equal deadlines are, at any time, in the same list; they were appended in the order in
//!   which they were set, and opening a slot takes them in that order.
//! - *No overflow.* Eight digits hold 48 bits, deadlines have 44.

use super::entries::Entries;
use crate::clock::Tick;

const DIGIT_BITS: u32 = 6;
pub(super) const SLOTS: usize = 1 << DIGIT_BITS;
pub(super) const LEVELS: usize = 8;

/// 8 levels of 64 slots, and the hand.
#[derive(Debug)]
pub(super) struct Wheel {
    elapsed: Tick,
    /// One bit for each level that has an occupied slot.
    occupied: u8,
    levels: [Level; LEVELS],
}

#[derive(Debug)]
struct Level {
    /// One bit for each slot that holds a timer.
    occupied: u64,
    slots: [List; SLOTS],
}

/// First and last of a slot's timers; means nothing while the slot's bit is clear.
#[derive(Debug, Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

/// An occupied slot, and the first tick that belongs to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) level: usize,
    pub(super) index: usize,
    pub(super) start: Tick,
}

impl Default for Wheel {
    fn default() -> Self {
        let level = || Level { occupied: 0, slots: [List { head: 0, tail: 0 }; SLOTS] };
        Wheel { elapsed: 0, occupied: 0, levels: std::array::from_fn(|_| level()) }
    }
}

impl Wheel {
    pub(super) fn elapsed(&self) -> Tick {
        self.elapsed
    }

    /// Appends the entry to the slot of its deadline.
    pub(super) fn link(&mut self, entries: &mut Entries, index: u32) {
        let (level, slot) = self.place(entries[index].deadline());
        let place = &mut self.levels[level];
        let list = &mut place.slots[slot];
        let entry = &mut entries[index];
        entry.set_next(None);
        if place.occupied & (1 << slot) == 0 {
            place.occupied |= 1 << slot;
            self.occupied |= 1 << level;
            *list = List { head: index, tail: index };
            entry.set_previous(None);
        } else {
            entry.set_previous(Some(list.tail));
            entries[list.tail].set_next(Some(index));
            list.tail = index;
        }
    }

    /// Takes the entry out of the slot of its deadline, where it must be.
    pub(super) fn unlink(&mut self, entries: &mut Entries, index: u32) {
        let entry = &entries[index];
        let (previous, next) = (entry.previous(), entry.next());
        if let Some(previous) = previous {
            entries[previous].set_next(next);
        }
        if let Some(next) = next {
            entries[next].set_previous(previous);
        }
        if previous.is_some() && next.is_some() {
            return; // neither end of its list: the slot need not know
        }
        let (level, slot) = self.place(entries[index].deadline());
        let list = &mut self.levels[level].slots[slot];
        match (previous, next) {
            (None, None) => self.clear(level, slot),
            (None, Some(next)) => list.head = next,
            (Some(previous), _) => list.tail = previous,
        }
    }

    /// The slot that comes due next: the first of the lowest level that has any.
    pub(super) fn next_slot(&self) -> Option<Slot> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros();
        let index = self.levels[level as usize].occupied.trailing_zeros();
        let shift = level * DIGIT_BITS;
        let higher_digits = self.elapsed & !((1 << (shift + DIGIT_BITS)) - 1);
        Some(Slot { level: level as usize, index: index as usize, start: higher_digits | u64::from(index) << shift })
    }

    /// How many timers each slot of each level holds, counted up to `most` a slot.
    pub(super) fn counts(&self, entries: &Entries, most: u16) -> [[u16; SLOTS]; LEVELS] {
        let mut counts = [[0; SLOTS]; LEVELS];
        for (level, counts) in self.levels.iter().zip(&mut counts) {
            let slots = level.slots.iter().zip(counts).enumerate();
            for (_, (list, count)) in slots.filter(|(slot, _)| level.occupied & (1 << slot) != 0) {
                let mut next = Some(list.head);
                while let Some(index) = next.filter(|_| *count < most) {
                    *count += 1;
                    next = entries[index].next();
                }
            }
        }
        counts
    }

    /// Moves the hand to the start of `slot`, which must be the next, and takes its timers out: the first of their list.
    pub(super) fn open(&mut self, slot: &Slot) -> u32 {
        self.advance(slot.start);
        let head = self.levels[slot.level].slots[slot.index].head;
        self.clear(slot.level, slot.index);
        head
    }

    /// Moves the hand to `now`, before which no slot may be due; back, it never goes.
    pub(super) fn advance(&mut self, now: Tick) {
        self.elapsed = self.elapsed.max(now);
    }

    fn clear(&mut self, level: usize, slot: usize) {
        self.levels[level].occupied &= !(1 << slot);
        if self.levels[level].occupied == 0 {
            self.occupied &= !(1 << level);
        }
    }

    /// Level and slot of a deadline that is not in the past.
    fn place(&self, deadline: Tick) -> (usize, usize) {
        debug_assert!(deadline >= self.elapsed, "deadlines are brought up to now before they are linked");
        let differing = (deadline ^ self.elapsed) | (SLOTS as u64 - 1);
        let level = differing.ilog2() / DIGIT_BITS;
        let slot = (deadline >> (level * DIGIT_BITS)) % SLOTS as u64;
        (level as usize, usize::try_from(slot).expect("a digit"))
    }
}
