//! What a waker says: the address of a task, all in one word, and no memory stands behind it.
//!
//! ```text
//!    63        52 51                  26 25                   0
//!   ┌────────────┬──────────────────────┬──────────────────────┐
//!   │ home       │ check                │ index                │
//!   └────────────┴──────────────────────┴──────────────────────┘
//!     which of     stamps of the loop     where among the tasks
//!     the homes    and of the task        of that loop it lies
//! ```
//! So a waker is copied, compared and thrown away like a number: nothing is counted, and a waker that outlives its task, or
//! its loop, keeps nothing alive.
//!
//! The stamps tell a task from those that had its place before it. There is room for a part of them alone: a waker that is
//! used after its task has ended may, once in 2^26, meet a task that has the same address. That one is polled once more
//! than it need be, which the contract of `Future::poll` lets happen to any task.

#![allow(unsafe_code, reason = "a waker is made of a number: see `Address::waker`")]

use super::tasks;
use crate::arena::Key;
use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// Where a task is, among those of all loops of the process, and which of those that were there it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address(u64);

const INDEX_BITS: u32 = 26;
const CHECK_BITS: u32 = 26;
const HOME_BITS: u32 = 12;
const _: () = assert!(INDEX_BITS + CHECK_BITS + HOME_BITS == u64::BITS);

/// How many homes there can be at one time.
pub(super) const HOMES: u32 = 1 << HOME_BITS;

/// How many tasks a loop can have: the last index is that of the future of `block_on`.
pub(super) const TASKS: u32 = ROOT;

const ROOT: u32 = (1 << INDEX_BITS) - 1;

/// A word is as much as a waker carries.
const _: () = assert!(size_of::<*const ()>() == size_of::<Address>(), "evloop is for processors of 64 bits");

impl Address {
    /// That of a task, or of the future of `block_on` by [`Key::NONE`], of the loop in that home, which has that stamp.
    ///
    /// # Panics
    /// When the loop has more tasks than [`TASKS`].
    #[inline]
    pub(super) fn new(key: Key, home: u32, loop_stamp: u32) -> Address {
        let index = if key == Key::NONE { ROOT } else { key.index() };
        assert!(index < TASKS || key == Key::NONE, "a loop has no more than {TASKS} tasks");
        // An odd number spreads the stamps of loops, which follow each other, far from those of their tasks, which do so, too.
        let check = loop_stamp.wrapping_mul(0x9E37_79B1).wrapping_add(key.stamp()) & ((1 << CHECK_BITS) - 1);
        Address(u64::from(home) << (INDEX_BITS + CHECK_BITS) | u64::from(check) << INDEX_BITS | u64::from(index))
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "what is left has few bits")]
    pub(super) fn index(self) -> u32 {
        self.0 as u32 & ROOT
    }

    /// A number for each task that a loop can have, from 1, and 0 for the future of `block_on`.
    pub(super) fn number(self) -> u32 {
        (self.index() + 1) & ROOT
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "what is left has few bits")]
    pub(super) fn check(self) -> u32 {
        (self.0 >> INDEX_BITS) as u32 & ((1 << CHECK_BITS) - 1)
    }

    #[inline]
    pub(super) fn home(self) -> u32 {
        (self.0 >> (INDEX_BITS + CHECK_BITS)) as u32
    }

    /// A waker that says it. It need not be dropped, and is not: that would be a call for nothing after every poll.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a pointer has as many bits, as is checked above")]
    pub(super) fn waker(self) -> ManuallyDrop<Waker> {
        let data = ptr::without_provenance(self.0 as usize);
        // SAFETY: the functions take the pointer for the number that it is, and touch no memory by it; they may be called on
        // any thread, in any order and any number of times, since `tasks::wake` may.
        ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) })
    }

    /// The table of all these wakers.
    pub(super) fn wakers() -> *const RawWakerVTable {
        &raw const VTABLE
    }

    #[inline]
    fn said_by(data: *const ()) -> Address {
        Address(data.addr() as u64)
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &VTABLE),
    |data| tasks::wake(Address::said_by(data)),
    |data| tasks::wake(Address::said_by(data)),
    |_| {},
);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn parts_of_an_address_are_those_that_it_was_made_of(index in 0..TASKS, stamp: u32, home in 0..HOMES, loop_stamp: u32) {
            let address = Address::new(Key::new(index, stamp), home, loop_stamp);
            prop_assert_eq!((address.index(), address.home()), (index, home));
            prop_assert!(address.check() < 1 << CHECK_BITS);
            prop_assert_eq!(Address::said_by(address.waker().data()), address);
        }

        #[test]
        fn addresses_of_the_tasks_that_follow_each_other_in_a_place_differ(stamp: u32, loop_stamp: u32, later in 1_u32..1 << 26) {
            let [address, next] = [stamp, stamp.wrapping_add(later)].map(|stamp| Address::new(Key::new(3, stamp), 5, loop_stamp));
            prop_assert_ne!(address, next);
        }

        #[test]
        fn addresses_of_a_place_differ_in_the_loops_that_follow_each_other_in_a_home(loop_stamp: u32, later in 1_u32..1_000, stamps in [0_u32..10_000, 0..10_000]) {
            let [stamp, next] = stamps;
            let address = Address::new(Key::new(3, stamp), 5, loop_stamp);
            prop_assert_ne!(address, Address::new(Key::new(3, next), 5, loop_stamp.wrapping_add(later)));
        }
    }

    #[test]
    fn root_has_an_address_that_no_task_has() {
        let root = Address::new(Key::NONE, 5, 7);
        assert_eq!((root.index(), root.number(), root.home()), (TASKS, 0, 5));
        let last = Address::new(Key::new(TASKS - 1, 0), 5, 7);
        assert_eq!((last.index(), last.number()), (TASKS - 1, TASKS));
    }

    #[test]
    #[should_panic(expected = "a loop has no more than 67108863 tasks")]
    fn task_too_many_is_refused() {
        Address::new(Key::new(TASKS, 0), 0, 0);
    }

    #[test]
    fn wakers_of_one_address_are_known_to_wake_the_same() {
        let [address, other] = [1, 2].map(|index| Address::new(Key::new(index, 0), 5, 7));
        let waker = ManuallyDrop::into_inner(address.waker());
        assert!(waker.will_wake(&address.waker()) || cfg!(miri), "under Miri a table may have several addresses");
        assert!(waker.clone().will_wake(&waker) || cfg!(miri));
        assert!(!waker.will_wake(&other.waker()));
    }
}
