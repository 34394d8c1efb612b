//! The lists of the slots, in chunks of 32 timers.
//!
//! A list through the timers would be walked by a chain of loads: only when one timer has come from memory is it known
//! where the next one lies. A chunk names 32 timers at once, which a processor fetches side by side, so a slot with many
//! timers costs a wait for memory a chunk and not one a timer.
//!
//! ```text
//!   slot ──► first ◄──► chunk ◄──► last       or, with one timer alone:   slot ──► timer
//!              │
//!              ├─ live   1 0 1 1 1 0 ...      a clear bit below the last set one is a hole
//!              └─ items  7 · 4 9 2 · ...      in the order in which they came
//! ```
//!
//! A timer keeps its position, `chunk * 32 + offset`, by which it is taken out. What stands alone in its slot, as the timer
//! of a quiet server does, needs no chunk.
//!
//! **Holes are bounded.** A chunk from which so many have gone that 16 are left merges with a neighbour if both fit into
//! one, and a last chunk with 16 or fewer is squeezed before another is begun behind it. Hence of two neighbours one holds 17
//! at least, and the other 1: a list of `n` timers has at most `n / 9 + 1` chunks. A chunk is 144 bytes, so it costs a timer
//! 4.5 bytes when they merely came, 7 when they are set anew at random, and 16 at worst.
//!
//! A merge or a squeeze moves up to 32 timers, and 15 came since the one before: about one move for each timer that comes.

use super::entries::Entries;

/// A chunk holds so many timers at most: as many as [`Head::live`] has bits.
pub(super) const CAPACITY: usize = u32::BITS as usize;
const OFFSET_BITS: u32 = CAPACITY.ilog2();
/// Two chunks with so few fit into one.
const FEW: u32 = u32::BITS / 2;
const PAGE: usize = 32;

/// No chunk.
const NONE: u32 = u32::MAX;
/// The position of a timer that is in no chunk, alone in its slot.
const ALONE: u32 = u32::MAX;

/// Some timers of a slot, in order.
pub(super) type Items = [u32; CAPACITY];

/// A chunk without its items.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// A bit for each item that is there.
    live: u32,
    /// How many bits that are.
    len: u32,
    previous: u32,
    next: u32,
}

impl Head {
    const VACANT: Head = Head { live: 0, len: 0, previous: NONE, next: NONE };
}

/// So many chunks. Their heads are close together, since to take a timer out needs no more than the head.
#[derive(Debug)]
struct Page {
    heads: [Head; PAGE],
    items: [Items; PAGE],
}

/// The timers of a slot: one alone, or first and last of its chunks.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    first: u32,
    /// [`NONE`] if `first` is a timer.
    last: u32,
}

impl List {
    pub(super) const EMPTY: List = List { first: NONE, last: NONE };

    /// Of one timer.
    #[inline]
    pub(super) fn of(entries: &mut Entries, index: u32) -> List {
        entries[index].set_position(ALONE);
        List { first: index, last: NONE }
    }

    /// The timer, if it is alone in here.
    pub(super) fn alone(self) -> Option<u32> {
        (self.last == NONE).then_some(self.first)
    }
}

/// All chunks, in pages that never move, and the list of the vacant ones.
#[derive(Debug)]
pub(super) struct Chunks {
    pages: Vec<Box<Page>>,
    /// The first vacant chunk, or [`NONE`]; the others follow by `next`. Last vacated, first taken.
    vacant: u32,
}

impl Default for Chunks {
    fn default() -> Self {
        Chunks { pages: Vec::new(), vacant: NONE }
    }
}

impl Chunks {
    /// Puts a timer behind all others of a list.
    #[inline]
    pub(super) fn append(&mut self, list: &mut List, entries: &mut Entries, index: u32) {
        match self.push(list.last, index) {
            Some(position) => entries[index].set_position(position),
            None => self.append_to_full(list, entries, index),
        }
    }

    /// Takes out the timer at `position`. `false` when its list must be [tidied](Chunks::tidy) before anything else.
    #[inline]
    pub(super) fn remove(&mut self, position: u32) -> bool {
        let number = (position >> OFFSET_BITS) as usize;
        let Some(page) = self.pages.get_mut(number / PAGE) else { return false }; // it was alone
        let head = &mut page.heads[number % PAGE];
        head.live &= !(1 << (position % u32::BITS));
        head.len -= 1;
        head.len != FEW && head.len != 0
    }

    /// What follows when the timer at `position` was the last of its chunk, or has left so few there that they may fit in
    /// with a neighbour. `false` when the list is left with none.
    pub(super) fn tidy(&mut self, list: &mut List, entries: &mut Entries, position: u32) -> bool {
        if position == ALONE {
            return false;
        }
        let number = position >> OFFSET_BITS;
        let Head { len, previous, next, .. } = *self.head(number);
        if len == 0 {
            self.vacate(number);
            self.join(list, previous, next);
        } else if next != NONE && self.head(next).len <= FEW {
            self.merge(list, entries, number, next);
        } else if previous != NONE && self.head(previous).len <= FEW {
            self.merge(list, entries, previous, number);
        }
        list.first != NONE
    }

    /// Writes the next timers of a list of chunks that has been given up to `items`, those of one chunk, which is vacated, and
    /// tells how many they are: 0 after the last.
    #[inline]
    pub(super) fn take(&mut self, list: &mut List, items: &mut Items) -> usize {
        let number = list.first;
        if number == NONE {
            return 0;
        }
        let len = self.copy(number, items);
        list.first = self.head(number).next;
        self.vacate(number);
        len
    }

    /// How many timers are in a list, counted up to `most`.
    pub(super) fn count(&self, list: List, most: u16) -> u16 {
        if list.alone().is_some() {
            return most.min(1);
        }
        let (mut count, mut number) = (0, list.first);
        while number != NONE && count < u32::from(most) {
            count += self.head(number).len;
            number = self.head(number).next;
        }
        u16::try_from(count).map_or(most, |count| count.min(most))
    }

    /// [`append`](Chunks::append) where the last chunk has no room behind its items, or where there is none.
    #[cold]
    fn append_to_full(&mut self, list: &mut List, entries: &mut Entries, index: u32) {
        if let Some(timer) = list.alone() {
            let number = self.occupy(NONE);
            *list = List { first: number, last: number };
            self.append(list, entries, timer);
        } else if self.head(list.last).len <= FEW {
            let mut items = [0; CAPACITY];
            let len = self.copy(list.last, &mut items);
            self.fill(list.last, entries, &items[..len]);
        } else {
            let number = self.occupy(list.last);
            self.head_mut(list.last).next = number;
            list.last = number;
        }
        self.append(list, entries, index);
    }

    /// Brings the timers of two neighbours together in the first.
    #[cold]
    fn merge(&mut self, list: &mut List, entries: &mut Entries, first: u32, second: u32) {
        let (mut both, mut more) = ([0; CAPACITY], [0; CAPACITY]);
        let (front, back) = (self.copy(first, &mut both), self.copy(second, &mut more));
        both[front..front + back].copy_from_slice(&more[..back]);
        self.fill(first, entries, &both[..front + back]);
        self.join(list, first, self.head(second).next);
        self.vacate(second);
    }

    /// Writes the timers of a chunk to the beginning of `items`, and tells how many they are.
    #[inline]
    fn copy(&self, number: u32, items: &mut Items) -> usize {
        let page = &self.pages[number as usize / PAGE];
        let Head { mut live, len, .. } = page.heads[number as usize % PAGE];
        let from = &page.items[number as usize % PAGE];
        if live & live.wrapping_add(1) == 0 {
            *items = *from; // no holes
        } else {
            for item in &mut items[..len as usize] {
                *item = from[live.trailing_zeros() as usize % CAPACITY];
                live &= live - 1;
            }
        }
        len as usize
    }

    /// Lets a chunk have these timers, and no others.
    fn fill(&mut self, number: u32, entries: &mut Entries, items: &[u32]) {
        let page = &mut self.pages[number as usize / PAGE];
        page.items[number as usize % PAGE][..items.len()].copy_from_slice(items);
        for (position, &index) in (number << OFFSET_BITS..).zip(items) {
            entries[index].set_position(position);
        }
        let head = &mut page.heads[number as usize % PAGE];
        head.live = u32::MAX >> (CAPACITY - items.len());
        head.len = head.live.count_ones();
    }

    /// Puts a timer behind the last of a chunk, and tells its position; `None` when there is no room, or no such chunk.
    #[inline]
    fn push(&mut self, number: u32, index: u32) -> Option<u32> {
        let page = self.pages.get_mut(number as usize / PAGE)?;
        let head = &mut page.heads[number as usize % PAGE];
        let offset = u32::BITS - head.live.leading_zeros();
        *page.items[number as usize % PAGE].get_mut(offset as usize)? = index;
        head.live |= 1 << offset;
        head.len += 1;
        Some(number << OFFSET_BITS | offset)
    }

    fn head(&self, number: u32) -> &Head {
        &self.pages[number as usize / PAGE].heads[number as usize % PAGE]
    }

    fn head_mut(&mut self, number: u32) -> &mut Head {
        &mut self.pages[number as usize / PAGE].heads[number as usize % PAGE]
    }

    /// Makes neighbours of two chunks; where there is none, the other is at an end of the list.
    fn join(&mut self, list: &mut List, previous: u32, next: u32) {
        *if previous == NONE { &mut list.first } else { &mut self.head_mut(previous).next } = next;
        *if next == NONE { &mut list.last } else { &mut self.head_mut(next).previous } = previous;
    }

    /// A vacant chunk, now the last of its list.
    fn occupy(&mut self, previous: u32) -> u32 {
        if self.vacant == NONE {
            self.add_page();
        }
        let number = self.vacant;
        let head = self.head_mut(number);
        let next = head.next;
        *head = Head { previous, ..Head::VACANT };
        self.vacant = next;
        number
    }

    fn vacate(&mut self, number: u32) {
        self.head_mut(number).next = self.vacant;
        self.vacant = number;
    }

    #[cold]
    fn add_page(&mut self) {
        let first = self.pages.len() * PAGE;
        assert!(first + PAGE < 1 << (u32::BITS - OFFSET_BITS), "a loop has less than a thousand million timers");
        let first = u32::try_from(first).expect("it is below that");
        let mut page = Box::new(Page { heads: [Head::VACANT; PAGE], items: [[0; CAPACITY]; PAGE] });
        for (next, head) in (first + 1..).zip(&mut page.heads) {
            head.next = next;
        }
        page.heads[PAGE - 1].next = NONE;
        self.pages.push(page);
        self.vacant = first;
    }
}

#[cfg(test)]
impl Chunks {
    /// How many are not vacant.
    pub(super) fn occupied(&self) -> usize {
        let (mut vacant, mut number) = (0, self.vacant);
        while number != NONE {
            (vacant, number) = (vacant + 1, self.head(number).next);
        }
        self.pages.len() * PAGE - vacant
    }

    /// The timers of a list, and how many chunks it has. Panics if they contradict each other.
    pub(super) fn check(&self, list: List, entries: &Entries) -> (Vec<u32>, usize) {
        if let Some(timer) = list.alone() {
            assert_eq!(entries[timer].position(), ALONE);
            return (vec![timer], 0);
        }
        let (mut timers, mut chunks, mut previous, mut number) = (Vec::new(), 0, NONE, list.first);
        while number != NONE {
            let (head, mut items) = (self.head(number), [0; CAPACITY]);
            let len = self.copy(number, &mut items);
            assert!(len > 0 && head.live.count_ones() == head.len && head.previous == previous);
            assert!(previous == NONE || head.len > FEW || self.head(previous).len > FEW, "they should have merged");
            for timer in &items[..len] {
                let position = entries[*timer].position();
                assert_eq!(position >> OFFSET_BITS, number);
                assert_ne!(head.live & 1 << (position % u32::BITS), 0);
            }
            timers.extend(&items[..len]);
            (previous, number, chunks) = (number, head.next, chunks + 1);
        }
        assert_eq!(previous, list.last);
        (timers, chunks)
    }
}
