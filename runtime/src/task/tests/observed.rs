//! Those who look on, and what they may do to the tasks meanwhile.

use super::{Tasks, Tracked, tasks_observed_by, turn};
use crate::arena::Key;
use crate::observer::Observer;
use crate::task::AbortOnDrop;
use crate::trace::{self, Cause, Wait};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

/// Drops a handle that aborts its task, when it is told that this has ended, or that its poll has.
#[derive(Default)]
struct DropsHandle {
    when_ended: bool,
    handle: RefCell<Option<AbortOnDrop<Tracked>>>,
    ends: Cell<usize>,
}

impl Observer for DropsHandle {
    fn poll_end(&self, _: Key, wait: Option<Wait>) {
        if wait.is_none() && !self.when_ended {
            drop(self.handle.take());
        }
    }

    fn ended(&self, _: Key) {
        self.ends.set(self.ends.get() + 1);
        if self.when_ended {
            drop(self.handle.take());
        }
    }
}

#[test]
fn task_that_is_aborted_by_who_is_told_of_its_end_ends_once() {
    for when_ended in [false, true] {
        let observer = Rc::new(DropsHandle { when_ended, ..DropsHandle::default() });
        let tasks = tasks_observed_by(Rc::<DropsHandle>::clone(&observer));
        let (part, drops) = Tracked::new();
        observer.handle.replace(Some(tasks.spawn(None, async move { part }).abort_on_drop()));
        turn(&tasks);
        assert_eq!((observer.ends.get(), drops.get()), (1, 1), "{when_ended}");
        assert_eq!((tasks.referenced(), tasks.len()), (0, 0), "{when_ended}");
    }
}

/// Notes who runs when it is told that a poll begins.
#[derive(Default)]
struct AsksWhoRuns(RefCell<Vec<Cause>>);

impl Observer for AsksWhoRuns {
    fn poll_begin(&self, _: Key, _: Cause) {
        self.0.borrow_mut().push(trace::cause());
    }
}

#[test]
fn nobody_runs_while_a_poll_is_announced() {
    let observer = Rc::new(AsksWhoRuns::default());
    let tasks: Rc<Tasks> = tasks_observed_by(Rc::<AsksWhoRuns>::clone(&observer));
    for _ in 0..2 {
        drop(tasks.spawn(None, pending::<()>()));
    }
    turn(&tasks);
    assert_eq!(observer.0.take(), [Cause::Outside; 2]);
}
