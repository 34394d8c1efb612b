//! Who holds a task, who plays on its stage, and the line in which tasks stand: pointers, a count and a flag.
//!
//! A poll is measured by what it writes: a processor takes one word a cycle into its cache, and a poll reads and reckons in the
//! shade of that. So a reference is one word, whatever the type of the future; and tasks stand in line by a link from each to the
//! next, where a ring of references would write a length, a place and the borrow of both besides.
//!
//! - **Invariant (held).** `holders` counts the [`TaskRef`]s that live, and one for the line if the task stands there. The task is
//!   freed with the last of them. All are at home, since a `NonNull` does not cross threads: a plain count will do.
//! - **Invariant (whole).** Every task is that of a [`Whole`], of the type that its [`Acts`] are made for; and a reference to it is
//!   made of one to that.
//! - **Invariant (playing).** The stage is touched by [`TaskRef::play`] alone, which notes that it is in use, and does not begin
//!   where it is.
//! - **Invariant (line).** A task stands in one line, once, and exactly while it has a cause to: only [`Line`] changes that.
//!   From the first of a line each has a link to the next, up to the last.

#![allow(
    unsafe_code,
    reason = "pointers that are counted and linked, and a cell with a flag of one byte, by the invariants above"
)]

use super::super::address::Address;
use super::super::stage::Stage;
use super::task::Task;
use crate::memory;
use crate::trace::Why;
use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::iter;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::pin::Pin;
use std::ptr::NonNull;

/// A reference to a task that keeps it where it is.
pub(in crate::task) struct TaskRef(NonNull<Task>);

/// How many references to a task there are.
#[derive(Default)]
pub(super) struct Holders(Cell<u32>);

/// Whether its stage is in use.
#[derive(Default)]
pub(super) struct Playing(Cell<bool>);

/// Its place in line.
pub(super) struct Link {
    /// Who stands behind it, while somebody does.
    next: Cell<Option<NonNull<Task>>>,
    /// Why it stands in line; [`Why::NEVER`] while it does not.
    queued_by: Cell<Why>,
}

impl Link {
    /// Of a task that stands in none.
    pub(super) fn none() -> Link {
        Link { next: Cell::new(None), queued_by: Cell::new(Why::NEVER) }
    }

    /// Why the task stands in line; [`Why::NEVER`] while it does not.
    pub(super) fn queued_by(&self) -> Why {
        self.queued_by.get()
    }
}

/// A task and its stage, in one piece of memory.
#[repr(C)]
struct Whole<S> {
    task: Task,
    stage: UnsafeCell<S>,
}

/// What can be done with a task whose stage's type has been forgotten, of which the stage is not in use.
pub(super) struct Acts {
    poll: unsafe fn(NonNull<Task>, Address) -> bool,
    cancel: unsafe fn(NonNull<Task>),
    take_output: unsafe fn(NonNull<Task>, &mut dyn Any),
    empty: unsafe fn(NonNull<Task>),
    free: unsafe fn(NonNull<Task>),
}

impl<S: Stage> Whole<S> {
    const ACTS: Acts = Acts {
        // SAFETY: who calls it keeps what `stage` asks for.
        poll: |task, address| unsafe { Self::stage(task) }.poll(address),
        // SAFETY: as above.
        cancel: |task| unsafe { Self::stage(task) }.cancel(),
        // SAFETY: as above.
        take_output: |task, into| unsafe { Self::stage(task) }.take_output(into),
        // SAFETY: as above.
        empty: |task| unsafe { Self::stage(task) }.empty(),
        // SAFETY: who calls it has the last reference, and it is a task of this type.
        free: |task| unsafe { memory::end(task.cast::<Self>()) },
    };

    /// # Safety
    /// Invariants `whole` and `playing`.
    unsafe fn stage<'a>(task: NonNull<Task>) -> Pin<&'a mut S> {
        // SAFETY: invariant `whole`.
        let whole = unsafe { task.cast::<Self>().as_ref() };
        // SAFETY: invariant `playing`.
        let stage = unsafe { &mut *whole.stage.get() };
        // SAFETY: it stays in its place until it is dropped.
        unsafe { Pin::new_unchecked(stage) }
    }
}

impl TaskRef {
    /// The first reference to a task with that stage, which is made where it stays.
    #[inline]
    pub(super) fn new<S: Stage>(stage: impl FnOnce() -> S, make: impl FnOnce(&'static Acts) -> Task) -> TaskRef {
        let whole = memory::vacant::<Whole<S>>();
        // SAFETY: it is inside of that memory.
        let place = unsafe { &raw mut (*whole.as_ptr()).stage };
        // SAFETY: it is vacant.
        unsafe { place.write(UnsafeCell::new(stage())) };
        let (task, place) = (make(&Whole::<S>::ACTS), whole.cast::<Task>());
        // SAFETY: as above; the task lies first.
        unsafe { place.write(task) };
        let task = TaskRef(place);
        task.holders.add();
        task
    }

    /// The last one has gone.
    #[inline(never)]
    fn free(&self) {
        // SAFETY: invariants `held` and `whole`.
        unsafe { (self.acts.free)(self.0) };
    }

    /// Polls its future, unless its stage is in use; whether it has ended.
    #[inline]
    pub(super) fn poll(&self) -> Option<bool> {
        // SAFETY: invariants `whole` and `playing`.
        self.play(|| unsafe { (self.acts.poll)(self.0, self.address) })
    }

    /// Drops its future, if there is one, and puts the error in its place, unless its stage is in use; whether it was not.
    pub(super) fn drop_future(&self) -> bool {
        // SAFETY: as above.
        self.play(|| unsafe { (self.acts.cancel)(self.0) }).is_some()
    }

    /// Moves its output, if that is there, into `into`, an `Option` of its result.
    pub(super) fn take_output(&self, into: &mut dyn Any) {
        // SAFETY: as above.
        self.play(|| unsafe { (self.acts.take_output)(self.0, into) });
    }

    /// Drops its output.
    pub(super) fn drop_output(&self) {
        // SAFETY: as above.
        self.play(|| unsafe { (self.acts.empty)(self.0) });
    }

    /// Does something with its stage, unless that is in use.
    #[inline]
    fn play<R>(&self, act: impl FnOnce() -> R) -> Option<R> {
        struct Over<'a>(&'a Playing);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.0.set(false);
            }
        }
        if self.playing.0.replace(true) {
            return None;
        }
        let _over = Over(&self.playing);
        Some(act())
    }
}

impl Holders {
    /// There is a handle of a task, a place for it among those that live, one in line, and who polls it: so few are counted.
    #[inline]
    fn add(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Task {
    /// Whether its stage is in use: it is being polled, or its future is being dropped.
    pub(super) fn is_playing(&self) -> bool {
        self.playing.0.get()
    }
}

impl Clone for TaskRef {
    #[inline]
    fn clone(&self) -> TaskRef {
        self.holders.add();
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        let left = self.holders.0.get() - 1;
        self.holders.0.set(left);
        if left == 0 {
            self.free();
        }
    }
}

impl Deref for TaskRef {
    type Target = Task;

    #[inline]
    fn deref(&self) -> &Task {
        // SAFETY: invariant `held`; whoever has it shares it.
        unsafe { self.0.as_ref() }
    }
}

/// Tasks in line, first come first.
#[derive(Default)]
pub(in crate::task) struct Line {
    /// Invariant: both or none.
    first: Cell<Option<NonNull<Task>>>,
    last: Cell<Option<NonNull<Task>>>,
}

impl Line {
    /// The task stands last, with that cause, unless it stands in line already; whether it does so now.
    #[inline]
    pub(in crate::task) fn push(&self, task: &TaskRef, why: Why) -> bool {
        let link = &task.link;
        if link.queued_by.get() != Why::NEVER {
            return false;
        }
        link.queued_by.set(why);
        task.holders.add();
        match self.last.replace(Some(task.0)) {
            // SAFETY: invariants `line` and `held`.
            Some(last) => unsafe { last.as_ref() }.link.next.set(Some(task.0)),
            None => self.first.set(Some(task.0)),
        }
        true
    }

    /// Takes the first out, and says why it stood there.
    #[inline]
    pub(in crate::task) fn pop(&self) -> Option<(TaskRef, Why)> {
        let first = TaskRef(self.first.get()?); // which takes over the line's hold on it
        if self.last.get() == Some(first.0) {
            self.first.set(None);
            self.last.set(None);
        } else {
            self.first.set(first.link.next.get());
        }
        let why = first.link.queued_by.replace(Why::NEVER);
        Some((first, why))
    }

    /// The one at that place, from 0, stands first from now on.
    pub(in crate::task) fn bring_forward(&self, place: usize) {
        let Some(before) = place.checked_sub(1) else { return };
        let at = |place| self.pointers().nth(place);
        let (Some(before), Some(moved), behind) = (at(before), at(place), at(place + 1)) else { return };
        // SAFETY: invariants `line` and `held`.
        unsafe { before.as_ref() }.link.next.set(behind);
        if behind.is_none() {
            self.last.set(Some(before));
        }
        // SAFETY: as above.
        unsafe { moved.as_ref() }.link.next.set(self.first.replace(Some(moved)));
    }

    /// Those who stand in line, first come first.
    pub(in crate::task) fn to_vec(&self) -> Vec<TaskRef> {
        let of_the_line = self.pointers().map(|task| ManuallyDrop::new(TaskRef(task)));
        of_the_line.map(|task| TaskRef::clone(&task)).collect()
    }

    /// Nobody is to be put in or taken out while these are gone through.
    fn pointers(&self) -> impl Iterator<Item = NonNull<Task>> {
        let mut at = self.first.get();
        iter::from_fn(move || {
            let task = at?;
            // SAFETY: invariants `line` and `held`.
            at = if self.last.get() == at { None } else { unsafe { task.as_ref() }.link.next.get() };
            Some(task)
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::stage::StageOf;
    use super::*;
    use crate::arena::Key;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::future::pending;
    use std::panic::Location;

    impl TaskRef {
        /// A task of no loop, at that place.
        pub(in crate::task) fn numbered(index: usize) -> TaskRef {
            let key = Key::new(u32::try_from(index).expect("few are tested with"), 0);
            let address = Address::new(key, 0, 0);
            let make = |acts| Task::new(key, address, None, Location::caller(), Key::NONE, acts);
            TaskRef::new(|| StageOf::new(pending::<()>()), make)
        }

        fn holders(&self) -> u32 {
            self.holders.0.get()
        }
    }

    #[derive(Debug, Clone)]
    enum Op {
        Push(usize),
        Pop,
        BringForward(usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            3 => (0_usize..20).prop_map(Op::Push),
            2 => Just(Op::Pop),
            1 => (0_usize..20).prop_map(Op::BringForward),
        ];
        proptest::collection::vec(op, 0..if cfg!(miri) { 40 } else { 200 })
    }

    fn indices(line: &Line) -> Vec<usize> {
        line.to_vec().iter().map(|task| task.key.index() as usize).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]
        /// The slow twin: a deque that is searched for who stands there already.
        #[test]
        fn line_agrees_with_a_deque(ops in ops()) {
            let tasks: Vec<TaskRef> = (0..20).map(TaskRef::numbered).collect();
            let (line, mut twin) = (Line::default(), VecDeque::new());
            for op in ops {
                match op {
                    Op::Push(index) => {
                        let is_new = !twin.contains(&index);
                        prop_assert_eq!(line.push(&tasks[index], Why::IO), is_new);
                        twin.extend(is_new.then_some(index));
                    }
                    Op::Pop => {
                        let popped = line.pop().map(|(task, why)| (task.key.index() as usize, why));
                        prop_assert_eq!(popped, twin.pop_front().map(|index| (index, Why::IO)));
                    }
                    Op::BringForward(place) => {
                        line.bring_forward(place);
                        if let Some(index) = twin.remove(place) {
                            twin.push_front(index);
                        }
                    }
                }
                prop_assert_eq!(indices(&line), Vec::from(twin.clone()));
                for (index, task) in tasks.iter().enumerate() {
                    prop_assert_eq!(task.holders(), 1 + u32::from(twin.contains(&index)));
                    prop_assert_eq!(task.link.queued_by() != Why::NEVER, twin.contains(&index));
                }
            }
            drop(line);
            prop_assert!(tasks.iter().all(|task| task.holders() == 1));
        }
    }

    #[test]
    fn task_in_line_is_kept_by_it() {
        let line = Line::default();
        for index in [1, 2] {
            assert!(line.push(&TaskRef::numbered(index), Why::TIMER));
        }
        let (first, why) = line.pop().unwrap();
        assert_eq!((first.key.index(), first.holders(), why), (1, 1, Why::TIMER));
        assert_eq!(indices(&line), [2]);
    }
}
