//! How tasks are polled and ended: the loop of the loop.

use super::super::address::Address;
use super::super::ready::Former;
use super::task::{Course, Task};
use super::{TaskRef, Tasks};
use crate::arena::Key;
use crate::board::{At, Number};
use crate::trace::{self, Polled, Why};
use crate::waiter::Waiter;

/// A batch under way, until it is over, perhaps by a panic of the future of `block_on`.
struct Batch<'a> {
    tasks: &'a Tasks,
    around: Former,
    notes: Polled,
}

impl Batch<'_> {
    fn begin(tasks: &Tasks) -> Batch<'_> {
        let polled = Polled::nobody(tasks.home.stamp(), Address::wakers());
        Batch { tasks, around: tasks.ready.begin_batch(), notes: trace::replace_polled(polled) }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        trace::replace_polled(self.notes);
        self.tasks.ready.end_batch(self.around);
    }
}

impl Tasks {
    /// Polls one batch, in the order in which tasks were woken, or one that is drawn.
    pub fn run_batch(&self) {
        self.run_batch_and_root(&mut |_| false);
    }

    /// Polls one batch. Where the future of `block_on` stands in it, `poll_root` is called; when that says that the future
    /// is done, the batch ends, with `true`.
    pub(crate) fn run_batch_and_root(&self, poll_root: &mut dyn FnMut(Why) -> bool) -> bool {
        let _batch = Batch::begin(self);
        while let Some((task, why)) = self.ready.next() {
            if task.key != Key::NONE {
                self.run(&task, why);
            } else if poll_root(why) {
                return true;
            }
        }
        false
    }

    /// Polls one task: the place that every poll passes.
    #[inline]
    fn run(&self, task: &TaskRef, why: Why) {
        if task.course.get() == Course::Running {
            self.begin_poll(task, why);
            let ended = task.poll().expect("a task is polled by one batch at a time");
            if ended {
                task.course.set(Course::Ended); // before anybody is told, who might end it once more
            }
            self.end_poll(task, ended);
            if ended {
                return self.end(task); // wakes who joins, and is the cause of that
            }
        } else {
            self.board.set_at(At::Task(task.key)); // dropping its future is its affair, too
        }
        if task.course.get() != Course::Running {
            trace::set_cause(Why::OUTSIDE);
            self.cancel(task);
        }
    }

    #[inline]
    pub(super) fn begin_poll(&self, task: &Task, why: Why) {
        task.woken_by.set(why);
        task.polls.set(task.polls.get() + 1);
        self.board.add(Number::Polls, 1);
        if self.lookout.get().is_some() {
            self.board.set_at(At::Task(task.key));
        }
        if self.observers.any() {
            self.tell_poll_begins(task.key, why);
        }
        trace::begin_poll(task.key);
    }

    #[inline]
    pub(super) fn end_poll(&self, task: &Task, ended: bool) {
        if trace::end_poll() && !ended {
            self.ready.want_turn();
        }
        if self.observers.any() {
            self.tell_poll_ended(task.key, ended);
        }
        if !ended {
            trace::copy_waits(&task.waits_for, &task.waits_also_for);
        }
    }

    // Those who look on are told out of line: what they are told would else be laid out for them where nobody looks on.

    #[cold]
    #[inline(never)]
    fn tell_poll_begins(&self, key: Key, why: Why) {
        trace::set_cause(Why::OUTSIDE); // the task before this one is done
        self.observers.tell(|observer| observer.poll_begin(key, why.cause()));
    }

    #[cold]
    #[inline(never)]
    fn tell_poll_ended(&self, key: Key, ended: bool) {
        let wait = if ended { None } else { trace::waits().first };
        self.observers.tell(|observer| observer.poll_end(key, wait));
    }

    pub(in crate::task) fn abort(&self, task: &TaskRef) {
        if task.has_ended() {
            return;
        }
        task.course.set(Course::Aborted);
        // Of one that is being polled, the end of the poll sees that.
        if !task.is_playing() {
            self.queue(task, self.why());
        }
    }

    /// Ends a task here: its future is dropped before this returns.
    pub(in crate::task) fn end_now(&self, task: &TaskRef) {
        self.abort(task); // for the one that is running now: it ends with its poll
        self.cancel(task);
    }

    /// Ends a task that is not running, unless it has ended: its future is dropped. Out of line, for it stands in the way of each
    /// poll.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel(&self, task: &TaskRef) {
        if !task.has_ended() && task.drop_future() {
            task.course.set(Course::Ended);
            self.end(task);
        }
    }

    /// The task has become its output: keep it for the handle, or drop it.
    fn end(&self, task: &TaskRef) {
        self.observers.tell(|observer| observer.ended(task.key));
        self.referenced.set(self.referenced.get() - usize::from(task.referenced.get()));
        if task.joinable.get() {
            if let Some(joiner) = task.joiner.replace(Waiter::NOBODY).take() {
                self.wake(joiner);
            }
        } else {
            self.forget(task);
            task.drop_output();
        }
    }

    /// Nobody wants to know of the task any more.
    pub(super) fn forget(&self, task: &Task) {
        let forgotten = self.live.borrow_mut().remove(task.key);
        drop(forgotten);
    }
}
