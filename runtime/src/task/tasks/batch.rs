//! How tasks are polled and ended: the loop of the loop.

use super::super::cell::TaskRef;
use super::super::ready::{Progress, Ready};
use super::entry::Course;
use super::{Set, Tasks};
use crate::arena::Key;
use crate::board::{At, Number};
use crate::trace::{self, Why};
use std::cell::RefMut;
use std::mem;

/// A batch under way, until it is over, perhaps by a panic of the future of `block_on`.
struct Batch<'a> {
    tasks: &'a Tasks,
    former: Progress,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.tasks.set.borrow_mut().ready.end_batch(self.former);
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
        let _batch = Batch { tasks: self, former: self.set.borrow_mut().ready.begin_batch() };
        let mut set = self.set.borrow_mut();
        loop {
            let Set { live, ready } = &mut *set;
            let Some(Ready { key, why }) = ready.next() else { return false };
            let Some(entry) = live.get_mut(key) else {
                drop(set);
                if key == Key::NONE {
                    self.root.queued.set(false);
                    if poll_root(why) {
                        return true;
                    }
                }
                set = self.set.borrow_mut();
                continue;
            };
            entry.queued = false; // before the poll, in which it may be woken again
            if entry.course != Course::Running {
                drop(set);
                self.board.set_at(At::Task(key)); // dropping its future is its affair, too
                self.cancel(key);
                set = self.set.borrow_mut();
                continue;
            }
            entry.woken_by = why;
            entry.polls += 1;
            let task = entry.task.take().expect("a task is polled by one batch at a time");
            drop(set);
            set = self.run(key, why, task);
        }
    }

    /// Polls one task: the place that every poll passes. What follows is the next poll, and so the set comes back borrowed.
    #[inline]
    fn run(&self, key: Key, why: Why, mut task: TaskRef) -> RefMut<'_, Set> {
        self.begin_poll(key, why);
        let ended = task.run();
        let wants_turn = self.end_poll(key, ended);

        if ended {
            self.end(key, task); // wakes who joins, and is the cause of that
            trace::set_cause(Why::OUTSIDE);
            return self.set.borrow_mut();
        }
        trace::set_cause(Why::OUTSIDE);
        let mut set = self.set.borrow_mut();
        if wants_turn {
            set.ready.want_turn();
        }
        let entry = set.live.get_mut(key).expect("a running task stays in the set");
        entry.task = Some(task);
        trace::copy_waits(&mut entry.waits);
        if entry.course == Course::Aborted {
            drop(set);
            self.cancel(key);
            return self.set.borrow_mut();
        }
        set
    }

    #[inline]
    pub(super) fn begin_poll(&self, key: Key, why: Why) {
        self.board.add(Number::Polls, 1);
        self.board.set_at(At::Task(key));
        if self.observers.any() {
            self.tell_poll_begins(key, why);
        }
        trace::begin_poll(key, self.home.stamp());
    }

    /// Whether the task waits for its next turn.
    #[inline]
    pub(super) fn end_poll(&self, key: Key, ended: bool) -> bool {
        let wants_turn = trace::end_poll();
        if self.observers.any() {
            self.tell_poll_ended(key, ended);
        }
        wants_turn
    }

    // Those who look on are told out of line: what they are told would else be laid out for them where nobody looks on.

    #[cold]
    #[inline(never)]
    fn tell_poll_begins(&self, key: Key, why: Why) {
        self.observers.tell(|observer| observer.poll_begin(key, why.cause()));
    }

    #[cold]
    #[inline(never)]
    fn tell_poll_ended(&self, key: Key, ended: bool) {
        let wait = if ended { None } else { trace::waits().first };
        self.observers.tell(|observer| observer.poll_end(key, wait));
    }

    pub(in crate::task) fn abort(&self, key: Key) {
        let mut set = self.set.borrow_mut();
        let Some(entry) = set.live.get_mut(key).filter(|entry| entry.course != Course::Ended) else { return };
        entry.course = Course::Aborted;
        // While it runs, there is no task here; the end of its poll sees the flag.
        if entry.task.is_some() && !mem::replace(&mut entry.queued, true) {
            drop(set);
            self.push(key, self.why());
        }
    }

    /// Ends a task here: its future is dropped before this returns.
    pub(in crate::task) fn end_now(&self, key: Key) {
        self.abort(key); // for the one that is running now: it ends with its poll
        self.cancel(key);
    }

    /// Ends a task that is not running, unless it has ended: its future is dropped. Out of line, for it stands in the way of each
    /// poll.
    #[cold]
    #[inline(never)]
    pub(super) fn cancel(&self, key: Key) {
        let mut set = self.set.borrow_mut();
        let task =
            set.live.get_mut(key).filter(|entry| entry.course != Course::Ended).and_then(|entry| entry.task.take());
        drop(set);
        if let Some(mut task) = task {
            task.cancel();
            self.end(key, task);
        }
    }

    /// The task has become its output: keep it for the handle, or drop it.
    fn end(&self, key: Key, task: TaskRef) {
        self.observers.tell(|observer| observer.ended(key));
        let mut set = self.set.borrow_mut();
        let entry = set.live.get_mut(key).expect("a task leaves the set only when it has ended");
        entry.course = Course::Ended;
        self.referenced.set(self.referenced.get() - usize::from(entry.referenced));
        if !entry.joinable {
            let entry = set.live.remove(key);
            drop(set);
            return drop((task, entry));
        }
        entry.task = Some(task);
        let joiner = entry.joiner.take();
        drop(set);
        if let Some(joiner) = joiner {
            self.wake(joiner);
        }
    }
}
