//! Where timers lie: pages that never move, 28 bytes a timer.
//!
//! What the wheel needs of a timer, its deadline and its position, lies by itself, and who waits lies behind: a million
//! timers that move to lower levels are 12 MB to read and not 28.
//!
//! The arena of the other engines is not used here, for two reasons that count at a million timers: its slot would cost
//! 8 bytes more, and it grows by copying itself, which stops the loop for milliseconds.

use crate::arena::Key;
use crate::clock::Tick;
use crate::waiter::Waiter;
use std::ops::{Index, IndexMut};

/// The last deadline that an entry can hold; the value above it marks an entry that has fired.
pub(super) const DEADLINE_MAX: Tick = FIRED - 1;

const FIRED: u64 = (1 << 44) - 1;
const DEADLINE_SHIFT: u32 = 20;
const STAMP_SHIFT: u32 = 1;
const STAMP_MASK: u32 = (1 << 19) - 1;
const REFERENCED: u64 = 1;

const PAGE: usize = 256;

/// The end of a list.
const NONE: u32 = u32::MAX;

/// One timer.
///
/// ```text
///   bits of `word`:  63 ........... 20 | 19 ........ 1 | 0
///                    deadline in ticks |     stamp     | referenced
/// ```
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(4))] // 12 bytes, not 16
pub(super) struct Entry {
    word: u64,
    /// Where its wheel has it, while it is armed; while its place is vacant, the next vacant place, or [`NONE`].
    position: u32,
}

impl Entry {
    const VACANT: Entry = Entry { word: FIRED << DEADLINE_SHIFT, position: NONE };

    pub(super) fn deadline(&self) -> Tick {
        self.word >> DEADLINE_SHIFT
    }

    pub(super) fn set_deadline(&mut self, deadline: Tick) {
        self.word = (deadline << DEADLINE_SHIFT) | (self.word & ((1 << DEADLINE_SHIFT) - 1));
    }

    pub(super) fn is_fired(&self) -> bool {
        self.deadline() == FIRED
    }

    pub(super) fn set_fired(&mut self) {
        self.set_deadline(FIRED);
    }

    pub(super) fn is_referenced(&self) -> bool {
        self.word & REFERENCED != 0
    }

    pub(super) fn set_referenced(&mut self, referenced: bool) {
        self.word = (self.word & !REFERENCED) | u64::from(referenced);
    }

    pub(super) fn position(&self) -> u32 {
        self.position
    }

    pub(super) fn set_position(&mut self, position: u32) {
        self.position = position;
    }

    #[expect(clippy::cast_possible_truncation, reason = "masked to the 19 bits of a stamp")]
    fn stamp(&self) -> u32 {
        (self.word >> STAMP_SHIFT) as u32 & STAMP_MASK
    }

    /// What a place is once its timer has gone: no key of before fits it.
    fn vacate(&mut self) {
        let stamp = self.stamp().wrapping_add(1) & STAMP_MASK;
        *self = Entry { word: (FIRED << DEADLINE_SHIFT) | (u64::from(stamp) << STAMP_SHIFT), ..Entry::VACANT };
    }
}

/// So many timers, and who waits for them.
#[derive(Debug)]
struct Page {
    entries: [Entry; PAGE],
    waiters: [Waiter; PAGE],
}

/// The pages, and the list of vacant places through them.
#[derive(Debug)]
pub(super) struct Entries {
    pages: Vec<Box<Page>>,
    /// The first vacant place, or [`NONE`]; the others follow by `position`. Last vacated, first taken.
    vacant: u32,
    len: usize,
}

impl Default for Entries {
    fn default() -> Self {
        Entries { pages: Vec::new(), vacant: NONE, len: 0 }
    }
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, deadline: Tick) -> Key {
        if self.vacant == NONE {
            self.add_page();
        }
        let index = self.vacant;
        let entry = &mut self[index];
        let (next, stamp) = (entry.position, entry.stamp());
        entry.set_deadline(deadline);
        self.vacant = next;
        self.len += 1;
        Key::new(index, stamp)
    }

    /// The entry of that key, unless another has taken its place since. (A stamp has 19 bits: a key that is kept while
    /// its place is taken half a million times finds a stranger. Who owns a timer gives its key up with it.)
    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        let page = self.pages.get(key.index() as usize / PAGE)?;
        let entry = &page.entries[key.index() as usize % PAGE];
        (entry.stamp() == key.stamp()).then_some(entry)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        let page = self.pages.get_mut(key.index() as usize / PAGE)?;
        let entry = &mut page.entries[key.index() as usize % PAGE];
        (entry.stamp() == key.stamp()).then_some(entry)
    }

    /// Who waits for the timer at that place, if anybody.
    pub(super) fn waiter_mut(&mut self, index: u32) -> &mut Waiter {
        &mut self.pages[index as usize / PAGE].waiters[index as usize % PAGE]
    }

    /// Those that have not fired, in the order of their places. (A vacant place looks as if it had.)
    pub(super) fn armed(&self) -> impl Iterator<Item = (Key, Tick)> {
        let all = self.pages.iter().flat_map(|page| &page.entries).zip(0..);
        all.filter(|(entry, _)| !entry.is_fired())
            .map(|(entry, index)| (Key::new(index, entry.stamp()), entry.deadline()))
    }

    /// Vacates a place whose waiter has been taken and which is in no list.
    pub(super) fn remove(&mut self, index: u32) {
        debug_assert!(self.waiter_mut(index).is_nobody(), "a waker is dropped by the caller, not in here");
        let vacant = self.vacant;
        let entry = &mut self[index];
        entry.vacate();
        entry.position = vacant;
        self.vacant = index;
        self.len -= 1;
    }

    fn add_page(&mut self) {
        let first = u32::try_from(self.pages.len() * PAGE).expect("a loop has fewer than 2^32 timers");
        assert!(first <= NONE - 2 * u32::try_from(PAGE).expect("small"), "a loop has fewer than 2^32 timers");
        let mut page = Box::new(Page { entries: [const { Entry::VACANT }; PAGE], waiters: [Waiter::NOBODY; PAGE] });
        for (next, entry) in (first + 1..).zip(&mut page.entries) {
            entry.position = next;
        }
        page.entries[PAGE - 1].position = NONE;
        self.pages.push(page);
        self.vacant = first;
    }
}

impl Index<u32> for Entries {
    type Output = Entry;
    fn index(&self, index: u32) -> &Entry {
        &self.pages[index as usize / PAGE].entries[index as usize % PAGE]
    }
}

impl IndexMut<u32> for Entries {
    fn index_mut(&mut self, index: u32) -> &mut Entry {
        &mut self.pages[index as usize / PAGE].entries[index as usize % PAGE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timer_is_28_bytes() {
        assert_eq!(size_of::<Page>(), PAGE * 28);
    }

    #[test]
    fn stale_key_finds_nothing_after_its_place_is_taken() {
        let mut entries = Entries::default();
        let old = entries.insert(1);
        entries.remove(old.index());
        assert!(entries.get(old).is_none());
        let new = entries.insert(2);
        assert_eq!(new.index(), old.index());
        assert!(entries.get(old).is_none());
        assert_eq!(entries.get(new).map(Entry::deadline), Some(2));
    }

    #[test]
    fn key_from_elsewhere_finds_nothing() {
        let mut entries = Entries::default();
        assert!(entries.get(Key::NONE).is_none());
        entries.insert(1);
        assert!(entries.get(Key::NONE).is_none());
        assert!(entries.get_mut(Key::new(1_000_000, 0)).is_none());
    }
}
