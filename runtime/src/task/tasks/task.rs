//! A task, and what is known of it.

use super::super::address::Address;
use super::task_ref::{Acts, Holders, Link, Playing};
use crate::arena::Key;
use crate::trace::{Cause, Wait, Why};
use crate::waiter::Waiter;
use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;

/// What is known of a task besides its state.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    /// The name it was given, if any.
    pub name: Option<Rc<str>>,
    /// Where in the source it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The task that spawned it, or [`Key::NONE`].
    pub parent: Key,
    /// What it waits for, as of its last poll; `None` while it is queued for its first.
    pub waits_for: Option<Wait>,
    /// What it waits for besides: with a time-out, or in several branches. [`Wait::Unknown`] stands for what was not asked in
    /// its last poll.
    pub waits_also_for: Option<Wait>,
    /// Why it was polled last.
    pub woken_by: Cause,
    /// How often it was polled.
    pub polls: u64,
}

/// A live task, or one that has ended and whose output is waited for.
///
/// The set of live tasks holds it, the run queue where it stands there, and its [`JoinHandle`](crate::task::JoinHandle); wakers
/// know the [`Address`] alone.
///
/// It lies as it is written here. What every poll touches is first; and who joins stands apart from what is waited for, since
/// the compiler would write them together, by way of the stack, with the bytes that no value of theirs has.
#[repr(C)]
pub(in crate::task) struct Task {
    pub(super) link: Link,
    pub(super) holders: Holders,
    pub(super) playing: Playing,
    pub(super) course: Cell<Course>,
    /// There is a handle, which may want the output.
    pub(super) joinable: Cell<bool>,
    /// It keeps the loop alive.
    pub(super) referenced: Cell<bool>,
    pub(in crate::task) key: Key,
    pub(super) address: Address,
    /// What can be done with its stage, which lies behind it.
    pub(super) acts: &'static Acts,
    pub(super) woken_by: Cell<Why>,
    pub(super) polls: Cell<u64>,
    pub(super) waits_for: Cell<Option<Wait>>,
    pub(super) waits_also_for: Cell<Option<Wait>>,
    pub(super) parent: Key,
    pub(super) spawned_at: &'static Location<'static>,
    /// Who awaits the handle.
    pub(super) joiner: Cell<Waiter>,
    pub(in crate::task) name: Option<Rc<str>>,
}

const _: () = assert!(size_of::<Task>() == 144, "an idle connection is a task");

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Running,
    /// It ends where it would be polled next.
    Aborted,
    /// Its stage is the output, or empty.
    Ended,
}

impl Task {
    /// One that has not been polled.
    #[inline]
    pub(super) fn new(
        key: Key,
        address: Address,
        name: Option<Rc<str>>,
        spawned_at: &'static Location<'static>,
        parent: Key,
        acts: &'static Acts,
    ) -> Task {
        Task {
            link: Link::none(),
            holders: Holders::default(),
            playing: Playing::default(),
            key,
            address,
            woken_by: Cell::new(Why::SPAWN),
            polls: Cell::new(0),
            waits_for: Cell::default(),
            waits_also_for: Cell::default(),
            joiner: Cell::new(Waiter::NOBODY),
            course: Cell::new(Course::Running),
            joinable: Cell::new(true),
            referenced: Cell::new(true),
            name,
            spawned_at,
            parent,
            acts,
        }
    }

    pub(in crate::task) fn has_ended(&self) -> bool {
        self.course.get() == Course::Ended
    }

    pub(super) fn info(&self) -> TaskInfo {
        TaskInfo {
            name: self.name.clone(),
            spawned_at: self.spawned_at,
            parent: self.parent,
            waits_for: self.waits_for.get(),
            waits_also_for: self.waits_also_for.get(),
            woken_by: self.woken_by.get().cause(),
            polls: self.polls.get(),
        }
    }
}
