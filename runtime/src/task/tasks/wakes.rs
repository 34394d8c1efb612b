//! Whose home this thread is, and so which way a wake goes.
//!
//! - **Invariant (current).** The tasks that are current are lent to [`Tasks::enter`], and that has not returned.

#![allow(unsafe_code, reason = "a wake looks things up without a mark that it does: two marks less to write for each")]

use super::super::address::Address;
use super::super::home::post_wake;
use super::{TaskRef, Tasks};
use crate::arena::Key;
use crate::board::Number;
use crate::trace::{self, Cause, Why};
use crate::waiter::Waiter;
use std::cell::Cell;
use std::ptr::NonNull;

thread_local! {
    /// The tasks of the loop that this thread has entered. What is here is at home.
    static CURRENT: Cell<Option<NonNull<Tasks>>> = const { Cell::new(None) };
}

/// Shows the tasks of the loop that this thread has entered.
#[inline]
fn with_current<R>(look: impl FnOnce(Option<&Tasks>) -> R) -> R {
    // SAFETY: invariant `current`: this is called inside of the call of `enter` that has put it there.
    look(CURRENT.get().map(|tasks| unsafe { tasks.as_ref() }))
}

/// Wakes the task of that address, from any thread.
#[inline]
pub(in crate::task) fn wake(address: Address) {
    let told = with_current(|current| match current {
        Some(tasks) if tasks.home.has(address) => Some(tasks.enqueue(address, tasks.why())),
        _ => None,
    });
    match told {
        Some(false) => {}
        Some(true) => tell_woken(address),
        None => post_wake(address),
    }
}

/// Those who look on are told when nothing is borrowed.
#[cold]
#[inline(never)]
fn tell_woken(address: Address) {
    with_current(|current| {
        if let Some(tasks) = current {
            tasks.tell_woken(tasks.key_of(address), tasks.why());
        }
    });
}

impl Tasks {
    /// Makes this thread the tasks' home while `inside` runs: wakes are plain stores and need no letter.
    pub fn enter<R>(&self, inside: impl FnOnce() -> R) -> R {
        struct Leave(Option<NonNull<Tasks>>);
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _leave = Leave(CURRENT.replace(Some(NonNull::from(self))));
        inside()
    }

    /// Puts a task in the queue, unless it stands there.
    pub(super) fn queue(&self, task: &TaskRef, why: Why) {
        if self.ready.push(task, why) {
            self.note_queued(task.key, why);
        }
    }

    #[inline]
    pub(super) fn note_queued(&self, key: Key, why: Why) {
        self.board.add_behind(Number::WakesSpawn, why.place(), 1);
        self.tell_woken(key, why);
    }

    /// Puts the task, or the future of `block_on`, at that address in the queue, unless it stands there or is no more; whether
    /// somebody is to be told of it.
    #[inline]
    fn enqueue(&self, address: Address, why: Why) -> bool {
        // SAFETY: nobody is put in or taken out before the last use of it: to stand in line changes the task alone.
        let live =
            unsafe { self.live.try_borrow_unguarded() }.expect("no wake comes while a task is put in or taken out");
        let task = live.at(address.index()).unwrap_or(&self.root.task);
        if task.address != address {
            return self.miss(address);
        }
        let queued = self.ready.push(task, why);
        if queued {
            self.board.add_behind(Number::WakesSpawn, why.place(), 1);
        }
        queued && self.observers.any()
    }

    /// Nobody here has that address. A loop that has shut down has left its home, though this thread may not have left the loop:
    /// whoever lives there now is asked.
    #[cold]
    fn miss(&self, address: Address) -> bool {
        if self.closed.get() {
            post_wake(address);
        }
        false
    }

    /// The key of the task at that address, which is here, or that of the future of `block_on`.
    fn key_of(&self, address: Address) -> Key {
        self.live.borrow().at(address.index()).map_or(Key::NONE, |task| task.key)
    }

    /// Wakes who has waited in this loop. It may be foreign code: nothing is to be borrowed meanwhile.
    #[inline]
    pub fn wake(&self, waiter: Waiter) {
        match waiter {
            Waiter::Task(key) => {
                let (why, live) = (self.why(), self.live.borrow());
                let task = live.get(key).unwrap_or(&self.root.task);
                if task.key == key && self.ready.push(task, why) {
                    drop(live);
                    self.note_queued(key, why);
                }
            }
            Waiter::Waker(waker) => waker.wake(),
        }
    }

    #[inline]
    pub(super) fn tell_woken(&self, key: Key, why: Why) {
        self.observers.tell(|observer| observer.woken(key, why.cause()));
    }

    /// What would be the cause of a wake that happened now.
    #[inline]
    pub(super) fn why(&self) -> Why {
        trace::why_at(self.home.stamp())
    }

    /// As [`why`](Tasks::why), for those who look.
    pub(crate) fn cause(&self) -> Cause {
        self.why().cause()
    }

    pub(super) fn wake_by_letter(&self, address: Address) {
        if self.enqueue(address, Why::MAIL) {
            self.tell_woken(self.key_of(address), Why::MAIL);
        }
    }
}
