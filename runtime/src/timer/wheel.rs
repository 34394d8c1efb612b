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
//!   which they were set, nothing in a list changes places, and opening a slot takes them in that order.
//! - *No overflow.* Eight digits hold 48 bits, deadlines have 44.

use super::chunks::{Chunks, Items, List};
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
    chunks: Chunks,
}

#[derive(Debug)]
struct Level {
    /// One bit for each slot that holds a timer.
    occupied: u64,
    /// Each means nothing while its slot's bit is clear.
    slots: [List; SLOTS],
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
        let level = || Level { occupied: 0, slots: [List::EMPTY; SLOTS] };
        Wheel { elapsed: 0, occupied: 0, levels: std::array::from_fn(|_| level()), chunks: Chunks::default() }
    }
}

impl Wheel {
    pub(super) fn elapsed(&self) -> Tick {
        self.elapsed
    }

    /// Appends the entry to the slot of its deadline.
    #[inline]
    pub(super) fn link(&mut self, entries: &mut Entries, index: u32, deadline: Tick) {
        let (level, slot) = self.place(deadline);
        let place = &mut self.levels[level];
        let list = &mut place.slots[slot];
        if place.occupied & (1 << slot) == 0 {
            place.occupied |= 1 << slot;
            self.occupied |= 1 << level;
            *list = List::of(entries, index);
        } else {
            self.chunks.append(list, entries, index);
        }
    }

    /// Takes the entry at that position out of the slot of its deadline, where it must be.
    #[inline]
    pub(super) fn unlink(&mut self, entries: &mut Entries, position: u32, deadline: Tick) {
        if !self.chunks.remove(position) {
            self.tidy(entries, position, deadline);
        }
    }

    /// The rest of [`unlink`](Wheel::unlink), when the slot must know.
    #[inline(never)] // so that what comes before it is short
    fn tidy(&mut self, entries: &mut Entries, position: u32, deadline: Tick) {
        let (level, slot) = self.place(deadline);
        if !self.chunks.tidy(&mut self.levels[level].slots[slot], entries, position) {
            self.clear(level, slot);
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
    pub(super) fn counts(&self, most: u16) -> [[u16; SLOTS]; LEVELS] {
        let mut counts = [[0; SLOTS]; LEVELS];
        for (level, counts) in self.levels.iter().zip(&mut counts) {
            let slots = level.slots.iter().zip(counts).enumerate();
            for (_, (list, count)) in slots.filter(|(slot, _)| level.occupied & (1 << slot) != 0) {
                *count = self.chunks.count(*list, most);
            }
        }
        counts
    }

    /// Moves the hand to the start of `slot`, which must be the next, and gives its timers up: one alone, or
    /// chunks to be [taken](Wheel::take).
    pub(super) fn open(&mut self, slot: &Slot) -> List {
        self.advance(slot.start);
        self.clear(slot.level, slot.index);
        self.levels[slot.level].slots[slot.index]
    }

    /// Writes the next timers of an opened slot that holds chunks to `items`, and tells how many they are: 0 after the last.
    #[inline]
    pub(super) fn take(&mut self, opened: &mut List, items: &mut Items) -> usize {
        self.chunks.take(opened, items)
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

#[cfg(test)]
impl Wheel {
    /// How many chunks hold timers.
    pub(super) fn chunks(&self) -> usize {
        self.chunks.occupied()
    }

    /// Panics unless the bits, the lists and the positions of the timers tell the same.
    pub(super) fn check(&self, entries: &Entries) {
        let mut chunks = 0;
        for (number, level) in self.levels.iter().enumerate() {
            assert_eq!(self.occupied & (1 << number) != 0, level.occupied != 0);
            let slots = level.slots.iter().enumerate().filter(|(slot, _)| level.occupied & (1 << slot) != 0);
            for (slot, list) in slots {
                let (timers, held) = self.chunks.check(*list, entries);
                assert!(timers.iter().all(|timer| self.place(entries[*timer].deadline()) == (number, slot)));
                assert!(!timers.is_empty() && held <= timers.len() / 9 + 1, "{held} chunks for {}", timers.len());
                chunks += held;
            }
        }
        assert_eq!(chunks, self.chunks.occupied(), "each chunk is in a list or vacant");
    }
}
