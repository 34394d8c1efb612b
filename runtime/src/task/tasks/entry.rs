//! What is known of a task.

use super::super::cell::TaskRef;
use crate::arena::Key;
use crate::trace::{Cause, Wait, Waits, Why};
use crate::waiter::Waiter;
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

/// A live task, or one that has ended and whose output is waited for. There may be ten thousands: what a [`TaskInfo`] tells
/// lies here without its padding.
pub(super) struct Entry {
    /// Out while the task is polled.
    pub(super) task: Option<TaskRef>,
    pub(super) name: Option<Rc<str>>,
    pub(super) spawned_at: &'static Location<'static>,
    pub(super) parent: Key,
    pub(super) waits: Waits,
    pub(super) polls: u64,
    pub(super) woken_by: Why,
    /// Who awaits the handle.
    pub(super) joiner: Waiter,
    pub(super) course: Course,
    /// Its key is in the run queue, and its next poll has not begun: what wakes it meanwhile wakes nobody.
    pub(super) queued: bool,
    /// There is a handle, which may want the output.
    pub(super) joinable: bool,
    /// It keeps the loop alive.
    pub(super) referenced: bool,
}

/// With its stamp, two lines of a cache.
const _: () = assert!(size_of::<Entry>() <= 120);

impl Entry {
    pub(super) fn info(&self) -> TaskInfo {
        TaskInfo {
            name: self.name.clone(),
            spawned_at: self.spawned_at,
            parent: self.parent,
            waits_for: self.waits.first,
            waits_also_for: self.waits.also,
            woken_by: self.woken_by.cause(),
            polls: self.polls,
        }
    }
}

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Running,
    /// It ends where it would be polled next.
    Aborted,
    /// Its stage is the output, or empty.
    Ended,
}
