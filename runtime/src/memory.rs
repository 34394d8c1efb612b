//! Memory of what is small, comes and goes: tasks, and the channels by which they answer.
//!
//! A thread keeps the memory of what has gone in lists, one for each size, and gives it out again, last in first out. The allocator
//! of the system does so too, but for a few pieces of a size; behind them it looks for neighbours to join with, and that was a
//! quarter of the instructions of a task that was spawned and joined with a thousand others. What is kept is bounded, and no
//! more of a size than the thread itself has asked the allocator for: one that merely ends what others began keeps nothing, so
//! that memory does not gather where it is not needed.
//!
//! - **Invariant (vacant).** A piece in the list of a class was allocated with the layout of that class; nobody has it but the list,
//!   and it begins with a [`Vacant`].
//!
//! Under Miri and in the models nothing is kept, so that a use after the end is found.

#![allow(unsafe_code, reason = "memory by hand, by the invariant above")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// What a thread keeps at most, in bytes.
const KEPT_MAX: usize = 512 * 1_024;

/// A box whose memory is used again: it is dropped with [`end`].
#[inline]
pub(crate) fn begin<T>(value: T) -> NonNull<T> {
    let memory = vacant::<T>();
    // SAFETY: it is vacant, and large enough for a `T`.
    unsafe { memory.write(value) };
    memory
}

/// Memory for a `T`, which is yet to be written there: where it is large, in its parts, it so is copied but once.
#[inline]
pub(crate) fn vacant<T>() -> NonNull<T> {
    const { assert!(size_of::<T>() > 0, "what has no size needs no memory") };
    let class = Class::of::<T>();
    let spare = class.and_then(|class| SPARE.try_with(|spare| spare.take(class)).ok().flatten());
    spare.unwrap_or_else(|| allocate(class, Layout::new::<T>())).cast()
}

/// Drops it.
///
/// # Safety
/// It has begun by [`begin`], or has been written to [`vacant`] memory; it has not ended, and nobody looks at it any more.
pub(crate) unsafe fn end<T>(at: NonNull<T>) {
    // Also after a panic of the drop, as a box does.
    let _vacated = Vacated(at);
    // SAFETY: as is asked for.
    unsafe { at.drop_in_place() };
}

/// The memory of something that has been dropped.
struct Vacated<T>(NonNull<T>);

impl<T> Drop for Vacated<T> {
    fn drop(&mut self) {
        let (class, memory) = (Class::of::<T>(), self.0.cast::<u8>());
        // A thread that is about to end keeps nothing.
        // SAFETY: it was of that class, and what was in it has been dropped.
        let keep = |class| SPARE.try_with(|spare| unsafe { spare.keep(class, memory) });
        let kept = class.is_some_and(|class| keep(class).unwrap_or(false));
        if !kept {
            // SAFETY: it was allocated with this layout, by [`vacant`].
            unsafe { dealloc(memory.as_ptr(), class.map_or(Layout::new::<T>(), Class::layout)) };
        }
    }
}

/// Memory of that class, or of that layout if it has none.
#[cold]
fn allocate(class: Option<Class>, layout: Layout) -> NonNull<u8> {
    let layout = class.map_or(layout, Class::layout);
    if let Some(class) = class {
        let _ = SPARE.try_with(|spare| spare.make_room(class));
    }
    // SAFETY: what has no size is not asked for.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Sizes that share a list: as many bytes as the C library gives without any to spare, which are 8 more than a multiple of 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class(usize);

impl Class {
    const COUNT: usize = 64;
    const ALIGN: usize = align_of::<Vacant>();

    /// That of `T`, unless it is too large.
    const fn of<T>() -> Option<Class> {
        let class = size_of::<T>().saturating_sub(8).div_ceil(16);
        let fits = class < Class::COUNT && align_of::<T>() <= Class::ALIGN;
        if fits && !cfg!(any(miri, loom)) { Some(Class(class)) } else { None }
    }

    const fn size(self) -> usize {
        16 * self.0 + 8
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.size(), Class::ALIGN).expect("a class is small")
    }
}

/// What stands in memory that is kept.
struct Vacant {
    /// The one that was kept before.
    former: Option<NonNull<u8>>,
}

/// What a thread keeps.
struct Spare {
    /// By class.
    lists: [List; Class::COUNT],
    /// How many bytes it has asked the allocator for, up to [`KEPT_MAX`].
    asked: Cell<usize>,
}

struct List {
    /// The one that was kept last.
    last: Cell<Option<NonNull<u8>>>,
    /// How many more may be kept: of those that the thread has asked for, those that are not here.
    room: Cell<u32>,
}

thread_local! {
    static SPARE: Spare = const { Spare::none() };
}

impl Spare {
    const fn none() -> Spare {
        Spare {
            lists: [const { List { last: Cell::new(None), room: Cell::new(0) } }; Class::COUNT],
            asked: Cell::new(0),
        }
    }

    /// A piece of that class is asked for: it may be kept some day.
    fn make_room(&self, class: Class) {
        let asked = self.asked.get() + class.size();
        if asked <= KEPT_MAX {
            self.asked.set(asked);
            let room = &self.lists[class.0].room;
            room.set(room.get() + 1);
        }
    }

    #[inline]
    fn take(&self, class: Class) -> Option<NonNull<u8>> {
        let List { last, room } = &self.lists[class.0];
        let memory = last.get()?;
        // SAFETY: invariant `vacant`.
        last.set(unsafe { memory.cast::<Vacant>().read() }.former);
        room.set(room.get() + 1);
        Some(memory)
    }

    /// Keeps it, if there is room.
    ///
    /// # Safety
    /// It was allocated with the layout of that class, and nobody has it.
    #[inline]
    unsafe fn keep(&self, class: Class, memory: NonNull<u8>) -> bool {
        let List { last, room } = &self.lists[class.0];
        let Some(left) = room.get().checked_sub(1) else { return false };
        // SAFETY: as is asked for: each class is aligned and large enough for that.
        unsafe { memory.cast::<Vacant>().write(Vacant { former: last.get() }) };
        last.set(Some(memory));
        room.set(left);
        true
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        for class in (0..Class::COUNT).map(Class) {
            while let Some(memory) = self.take(class) {
                // SAFETY: invariant `vacant`.
                unsafe { dealloc(memory.as_ptr(), class.layout()) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    /// A box of this room.
    struct Held<T>(NonNull<T>);

    impl<T> Held<T> {
        fn new(value: T) -> Held<T> {
            Held(begin(value))
        }
    }

    impl<T> Drop for Held<T> {
        fn drop(&mut self) {
            // SAFETY: it has begun, and this is the only end.
            unsafe { end(self.0) };
        }
    }

    fn kept() -> usize {
        SPARE.with(|spare| {
            let room: usize = (0..Class::COUNT).map(|n| spare.lists[n].room.get() as usize * Class(n).size()).sum();
            spare.asked.get() - room
        })
    }

    #[test]
    #[cfg_attr(miri, ignore = "nothing is kept")]
    fn memory_is_given_out_again_to_the_next_of_its_size() {
        let (small, large) = (Held::new([0_u8; 20]), Held::new([0_u64; 40]));
        let (at, kept_before) = (small.0.cast::<u8>(), kept());
        drop(small);
        assert_eq!(kept() - kept_before, 24);
        assert_ne!(Held::new([0_u64; 30]).0.cast(), at);
        assert_eq!(Held::new([0_u64; 3]).0.cast(), at);
        drop(large);
    }

    #[test]
    fn no_more_is_kept_than_is_said() {
        let many: Vec<Held<[u64; 60]>> = (0..2_000).map(|n| Held::new([n; 60])).collect();
        drop(many);
        assert!(kept() <= KEPT_MAX);
        assert!(cfg!(miri) || kept() > KEPT_MAX / 2);
    }

    #[test]
    fn what_is_too_large_or_aligned_otherwise_is_not_kept() {
        #[repr(align(64))]
        struct Aligned(u8);
        let kept_before = kept();
        drop(Held::new([0_u64; 200]));
        let aligned = Held::new(Aligned(1));
        assert!(aligned.0.is_aligned());
        // SAFETY: it lives.
        assert_eq!(unsafe { aligned.0.as_ref() }.0, 1);
        drop(aligned);
        assert_eq!(kept(), kept_before);
    }

    #[test]
    fn memory_of_what_panics_when_it_is_dropped_is_kept_too() {
        struct Panics(#[expect(dead_code, reason = "to be of a size")] u64);
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let held = Held::new(Panics(1));
        let kept_before = kept();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(held))).is_err());
        assert!(cfg!(miri) || kept() > kept_before);
    }

    /// By itself, so that Miri sees that what is kept is given back, too.
    #[test]
    fn thread_that_ends_gives_back_what_it_has_kept() {
        let spare = Spare::none();
        for class in [Class(0), Class(3), Class(3), Class(63)] {
            spare.make_room(class);
            // SAFETY: it is of that class, and nobody has it.
            assert!(unsafe { spare.keep(class, allocate(None, class.layout())) });
        }
        assert_eq!(spare.asked.get(), 8 + 2 * 56 + 1_016);
        assert!(spare.lists.iter().all(|list| list.room.get() == 0));
        assert_eq!(spare.take(Class(1)), None);
        // SAFETY: as above: it was of that class.
        assert!(spare.take(Class(3)).is_some_and(|memory| unsafe { spare.keep(Class(3), memory) }));
    }

    #[test]
    fn what_begins_here_may_end_on_another_thread() {
        struct Sent(Held<[u64; 4]>);
        // SAFETY: it is numbers.
        unsafe impl Send for Sent {}
        let sent = Sent(Held::new([7; 4]));
        let thread = std::thread::spawn(move || {
            let Sent(held) = { sent };
            // SAFETY: it lives.
            let sum = unsafe { held.0.as_ref() }.iter().sum::<u64>();
            drop(held);
            (sum, kept())
        });
        assert_eq!(thread.join().unwrap(), (28, 0), "who never asked for memory keeps none");
    }

    #[derive(Debug, Clone, Copy)]
    enum Op {
        Begin(u8),
        End(usize),
    }

    /// Something of one of four sizes, all of whose words are one number.
    fn something(size: u8, number: u64) -> Box<dyn FnOnce() -> bool> {
        fn words<const N: usize>(number: u64) -> Box<dyn FnOnce() -> bool> {
            let held = Held::new((Rc::new(number), [number; N]));
            Box::new(move || {
                let held = held; // all of it, and not the pointer alone
                // SAFETY: it lives.
                let (counted, words) = unsafe { held.0.as_ref() };
                words.iter().all(|word| word == &number) && **counted == number && Rc::strong_count(counted) == 1
            })
        }
        match size % 4 {
            0 => words::<1>(number),
            1 => words::<2>(number),
            2 => words::<3>(number),
            _ => words::<40>(number),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]
        /// Two that lived in one place would see each other's numbers.
        #[test]
        fn each_has_its_memory_to_itself(ops in proptest::collection::vec(
            prop_oneof![any::<u8>().prop_map(Op::Begin), any::<usize>().prop_map(Op::End)],
            0..if cfg!(miri) { 40 } else { 200 },
        )) {
            let mut live = Vec::new();
            for (number, op) in (0..).zip(ops) {
                match op {
                    Op::Begin(size) => live.push(something(size, number)),
                    Op::End(n) if !live.is_empty() => {
                        let is_whole = live.swap_remove(n % live.len());
                        prop_assert!(is_whole());
                    }
                    Op::End(_) => {}
                }
            }
            prop_assert!(live.into_iter().all(|is_whole| is_whole()));
        }
    }
}
