//! Storage by key: a slab whose keys go stale, and a queue whose members can leave from the middle.
//!
//! A [`Key`] is an index and a stamp. The stamp is taken anew at every insertion, so a key that outlives its value is
//! answered with `None`, never with the next tenant of the place. Everything in the loop that has an identity (a task, a
//! source, a waiter) is named by such a key: no pointers, hence no unsafe, and a late event is harmless.

use slab::Slab;

/// The name of a value in an [`Arena`]: where it lies, and the stamp of the insertion that put it there.
///
/// # Examples
/// ```
/// use evloop_runtime::engine::Arena;
///
/// let mut arena = Arena::new();
/// let first = arena.insert("first");
/// assert_eq!(arena.remove(first), Some("first"));
/// let second = arena.insert("second"); // the same place, another stamp
/// assert_eq!(arena.get(first), None);
/// assert_eq!(arena.get(second), Some(&"second"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(Rust, packed(4))] // one word to read and to compare, and no padding beside it where there are millions
pub struct Key(u64);

impl Key {
    /// A key that no arena ever gives out.
    pub const NONE: Key = Key(u64::MAX);

    /// The key with this place and stamp.
    #[inline]
    pub(crate) const fn new(index: u32, stamp: u32) -> Key {
        Key((stamp as u64) << 32 | index as u64)
    }

    /// The place, which a later value may take.
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the half of it")]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    /// The stamp, which no later value at this place shares until 2^32 more have been inserted.
    #[inline]
    #[must_use]
    pub const fn stamp(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Both in one word.
    #[inline]
    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    /// The key that gave this word.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Key {
        Key(bits)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == Key::NONE { f.write_str("none") } else { write!(f, "{}#{}", self.index(), self.stamp()) }
    }
}

/// Values that are found by [`Key`]: insert, get and remove in constant time, places used again, stale keys answered
/// with `None`.
#[derive(Debug, Clone)]
pub struct Arena<T> {
    slots: Slab<Stamped<T>>,
    next_stamp: u32,
}

#[derive(Debug, Clone)]
struct Stamped<T> {
    stamp: u32,
    value: T,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Arena::new()
    }
}

impl<T> Arena<T> {
    /// An empty arena that has allocated nothing.
    #[must_use]
    pub const fn new() -> Arena<T> {
        Arena { slots: Slab::new(), next_stamp: 0 }
    }

    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Puts a value in and names it.
    ///
    /// # Panics
    /// When it already holds 2^32 - 1 values.
    pub fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// The name of the value that is put in next.
    #[inline]
    pub(crate) fn next_key(&self) -> Key {
        let index = u32::try_from(self.slots.vacant_key()).ok().filter(|index| *index != u32::MAX);
        Key::new(index.expect("an arena holds fewer than 2^32 values"), self.next_stamp)
    }

    /// Puts in a value that knows its own name.
    ///
    /// # Panics
    /// When it already holds 2^32 - 1 values.
    pub fn insert_with(&mut self, value: impl FnOnce(Key) -> T) -> Key {
        let key = self.next_key();
        self.next_stamp = self.next_stamp.wrapping_add(1);
        let value = value(key);
        self.slots.vacant_entry().insert(Stamped { stamp: key.stamp(), value });
        key
    }

    /// The value of that name, if it is still here.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        match self.slots.get(key.index() as usize) {
            Some(slot) if slot.stamp == key.stamp() => Some(&slot.value),
            _ => None,
        }
    }

    /// The value at that place, whatever its name.
    #[must_use]
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize).map(|slot| &slot.value)
    }

    /// The value of that name, to change, if it is still here.
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index() as usize) {
            Some(slot) if slot.stamp == key.stamp() => Some(&mut slot.value),
            _ => None,
        }
    }

    /// Whether the value of that name is still here.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// Takes the value of that name out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.slots.remove(key.index() as usize).value)
    }

    /// All values with their names, by place.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().map(|(index, slot)| (Key::new(index_u32(index), slot.stamp), &slot.value))
    }

    /// All values with their names, by place, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.slots.iter_mut().map(|(index, slot)| (Key::new(index_u32(index), slot.stamp), &mut slot.value))
    }
}

fn index_u32(index: usize) -> u32 {
    u32::try_from(index).expect("insert gives out no larger index")
}

/// First come, first served, and anyone may leave from the middle: push, pop and remove in constant time.
///
/// Waiters stand in such a queue: a future that is dropped while it waits takes itself out by its key.
#[derive(Debug, Clone)]
pub struct Queue<T> {
    arena: Arena<Linked<T>>,
    head: Key,
    tail: Key,
}

#[derive(Debug, Clone)]
struct Linked<T> {
    value: T,
    previous: Key,
    next: Key,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue::new()
    }
}

impl<T> Queue<T> {
    /// An empty queue that has allocated nothing.
    #[must_use]
    pub const fn new() -> Queue<T> {
        Queue { arena: Arena::new(), head: Key::NONE, tail: Key::NONE }
    }

    /// How many stand in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether nobody stands in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arena.is_empty()
    }

    /// All of them with their names, first come first.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let mut at = self.head;
        std::iter::from_fn(move || {
            let linked = self.arena.get(at)?;
            let key = std::mem::replace(&mut at, linked.next);
            Some((key, &linked.value))
        })
    }

    /// Stands last.
    pub fn push_back(&mut self, value: T) -> Key {
        self.push_back_with(|_| value)
    }

    /// Puts last a value that knows its own name.
    pub fn push_back_with(&mut self, value: impl FnOnce(Key) -> T) -> Key {
        let previous = self.tail;
        let key = self.arena.insert_with(|key| Linked { value: value(key), previous, next: Key::NONE });
        match self.arena.get_mut(self.tail) {
            Some(last) => last.next = key,
            None => self.head = key,
        }
        self.tail = key;
        key
    }

    /// Takes the first out.
    pub fn pop_front(&mut self) -> Option<T> {
        self.remove(self.head)
    }

    /// The first, if anybody stands here.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        self.arena.get(self.head).map(|linked| &linked.value)
    }

    /// Whether the one of that name still stands here.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.arena.contains(key)
    }

    /// The one of that name, to change, if it still stands here.
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.arena.get_mut(key).map(|linked| &mut linked.value)
    }

    /// Changes everyone, from the first to the last.
    pub fn for_each_mut(&mut self, mut change: impl FnMut(&mut T)) {
        let mut at = self.head;
        while let Some(linked) = self.arena.get_mut(at) {
            change(&mut linked.value);
            at = linked.next;
        }
    }

    /// Takes the one of that name out, wherever it stands.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let Linked { value, previous, next } = self.arena.remove(key)?;
        match self.arena.get_mut(previous) {
            Some(previous) => previous.next = next,
            None => self.head = next,
        }
        match self.arena.get_mut(next) {
            Some(next) => next.previous = previous,
            None => self.tail = previous,
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, VecDeque};

    #[test]
    fn stale_key_finds_nothing_even_when_its_place_is_taken() {
        let mut arena = Arena::new();
        let old = arena.insert(1);
        arena.remove(old);
        let new = arena.insert(2);
        assert_eq!(old.index(), new.index());
        assert_eq!(arena.get(old), None);
        assert_eq!(arena.get_mut(old), None);
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena.get(new), Some(&2));
    }

    #[test]
    fn none_is_never_a_member() {
        let mut arena = Arena::new();
        arena.insert(());
        assert!(!arena.contains(Key::NONE));
    }

    #[test]
    fn queue_member_leaves_from_the_middle_and_order_stays() {
        let mut queue = Queue::new();
        let keys: Vec<Key> = (0..5).map(|n| queue.push_back(n)).collect();
        assert_eq!(queue.remove(keys[2]), Some(2));
        assert_eq!(queue.remove(keys[0]), Some(0));
        assert_eq!(queue.remove(keys[4]), Some(4));
        queue.push_back(9);
        assert_eq!((queue.front(), queue.contains(keys[1]), queue.contains(keys[2])), (Some(&1), true, false));
        let mut seen = Vec::new();
        queue.for_each_mut(|value| seen.push(std::mem::replace(value, *value + 10)));
        assert_eq!(seen, [1, 3, 9]);
        assert_eq!(std::iter::from_fn(|| queue.pop_front()).collect::<Vec<_>>(), [11, 13, 19]);
    }

    #[derive(Debug, Clone)]
    enum Op {
        Insert(u8),
        Remove(usize),
        Get(usize),
        PopFront,
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            3 => any::<u8>().prop_map(Op::Insert),
            2 => any::<usize>().prop_map(Op::Remove),
            1 => any::<usize>().prop_map(Op::Get),
            1 => Just(Op::PopFront),
        ];
        proptest::collection::vec(op, 0..if cfg!(miri) { 40 } else { 200 })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        /// The slow twin: a map from every key ever given out.
        #[test]
        fn arena_agrees_with_a_hash_map(ops in ops()) {
            let (mut arena, mut twin, mut keys) = (Arena::new(), HashMap::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Insert(value) => {
                        let key = arena.insert(value);
                        prop_assert!(twin.insert(key, value).is_none(), "a key is given out once");
                        keys.push(key);
                    }
                    Op::Remove(n) if !keys.is_empty() => {
                        let key = keys[n % keys.len()];
                        prop_assert_eq!(arena.remove(key), twin.remove(&key));
                    }
                    Op::Get(n) if !keys.is_empty() => {
                        let key = keys[n % keys.len()];
                        prop_assert_eq!(arena.get(key), twin.get(&key));
                    }
                    _ => {}
                }
                prop_assert_eq!(arena.len(), twin.len());
                prop_assert!(arena.iter().all(|(key, value)| twin.get(&key) == Some(value)));
            }
        }

        /// The slow twin: a deque searched from end to end.
        #[test]
        fn queue_agrees_with_a_deque(ops in ops()) {
            let (mut queue, mut twin, mut keys) = (Queue::new(), VecDeque::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Insert(value) => {
                        let key = queue.push_back(value);
                        twin.push_back((key, value));
                        keys.push(key);
                    }
                    Op::PopFront => prop_assert_eq!(queue.pop_front(), twin.pop_front().map(|(_, value)| value)),
                    Op::Remove(n) | Op::Get(n) if !keys.is_empty() => {
                        let key = keys[n % keys.len()];
                        let at = twin.iter().position(|(k, _)| *k == key);
                        prop_assert_eq!(queue.remove(key), at.and_then(|at| twin.remove(at)).map(|(_, value)| value));
                    }
                    _ => {}
                }
                prop_assert_eq!(queue.len(), twin.len());
                prop_assert_eq!(queue.is_empty(), twin.is_empty());
                prop_assert!(queue.iter().map(|(key, value)| (key, *value)).eq(twin.iter().copied()));
                prop_assert_eq!(queue.front(), twin.front().map(|(_, value)| value));
            }
        }
    }
}
