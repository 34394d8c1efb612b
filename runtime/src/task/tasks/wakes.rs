//! Whose home this thread is, and so which way a wake goes.

use super::super::cell::Header;
use super::super::mailbox::Letter;
use super::super::ready::Ready;
use super::{Set, Tasks};
use crate::arena::Key;
use crate::board::Number;
use crate::trace::{self, Cause, Why};
use crate::waiter::Waiter;
use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;

thread_local! {
    /// The tasks of the loop that this thread has entered. What is here is at home. Nothing is left to drop when the thread
    /// ends, since who enters leaves: so the thread need not be asked whether it has ended.
    static CURRENT: Cell<ManuallyDrop<Option<Rc<Tasks>>>> = const { Cell::new(ManuallyDrop::new(None)) };
}

/// Shows the tasks of the loop that this thread has entered. They are taken out of their place for that: no foreign code is
/// to run meanwhile.
#[inline]
fn with_current<R>(look: impl FnOnce(Option<&Rc<Tasks>>) -> R) -> R {
    let current = CURRENT.take();
    let looked = look(current.as_ref());
    CURRENT.set(current);
    looked
}

/// Wakes a task, from any thread.
#[inline]
pub(in crate::task) fn wake(header: &Header) {
    let told = with_current(|current| match current {
        Some(tasks) if tasks.home.stamp() == header.home.stamp() => Some(tasks.enqueue_woken(header.key)),
        _ => None,
    });
    match told {
        Some(false) => {}
        Some(true) => tell_woken(header.key),
        None => wake_from_afar(header),
    }
}

/// Those who look on are told when nothing is borrowed.
#[cold]
#[inline(never)]
fn tell_woken(key: Key) {
    if let Some(tasks) = with_current(|current| current.map(Rc::clone)) {
        tasks.tell_woken(key, tasks.why());
    }
}

#[cold]
fn wake_from_afar(header: &Header) {
    if header.state.wake_from_afar() {
        // A letter that comes back was for a loop that has gone, and its tasks with it.
        drop(header.home.post(Letter::Wake(header.key)));
    }
}

impl Tasks {
    /// Makes this thread the tasks' home while `inside` runs: wakes are plain stores and need no letter.
    pub fn enter<R>(self: &Rc<Self>, inside: impl FnOnce() -> R) -> R {
        struct Leave(Option<Rc<Tasks>>);
        impl Drop for Leave {
            fn drop(&mut self) {
                drop(enter(self.0.take()));
            }
        }
        fn enter(tasks: Option<Rc<Tasks>>) -> Option<Rc<Tasks>> {
            ManuallyDrop::into_inner(CURRENT.replace(ManuallyDrop::new(tasks)))
        }
        let _leave = Leave(enter(Some(Rc::clone(self))));
        inside()
    }

    /// Puts a task, or the future of `block_on`, in the queue.
    pub(super) fn push(&self, key: Key, why: Why) {
        self.set.borrow_mut().ready.push(Ready { key, why });
        self.note_pushed(key, why);
    }

    #[inline]
    pub(super) fn note_pushed(&self, key: Key, why: Why) {
        self.board.add_behind(Number::WakesSpawn, why.place(), 1);
        self.tell_woken(key, why);
    }

    /// Puts a task, or the future of `block_on`, that is woken in the queue, unless it stands there or is no more; whether it
    /// was put there.
    #[inline]
    pub(super) fn enqueue(&self, key: Key, why: Why) -> bool {
        let mut set = self.set.borrow_mut();
        let Set { live, ready } = &mut *set;
        let stood = match live.get_mut(key) {
            Some(entry) => mem::replace(&mut entry.queued, true),
            None => key != Key::NONE || self.root.queued.replace(true),
        };
        if !stood {
            ready.push(Ready { key, why });
            self.board.add_behind(Number::WakesSpawn, why.place(), 1);
        }
        !stood
    }

    /// As [`enqueue`](Tasks::enqueue), of one that is woken at home; whether somebody is to be told of it.
    #[inline]
    pub(super) fn enqueue_woken(&self, key: Key) -> bool {
        self.enqueue(key, self.why()) && self.observers.any()
    }

    /// Wakes who has waited in this loop. It may be foreign code: nothing is to be borrowed meanwhile.
    #[inline]
    pub fn wake(&self, waiter: Waiter) {
        match waiter {
            Waiter::Task(key) => {
                if self.enqueue_woken(key) {
                    self.tell_woken(key, self.why());
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

    pub(super) fn open_wake(&self, key: Key) {
        if key == Key::NONE {
            self.root.header().state.letter_opened();
        } else if let Some(task) = self.set.borrow().live.get(key).and_then(|entry| entry.task.as_ref()) {
            task.header().state.letter_opened();
        }
        if self.enqueue(key, Why::MAIL) {
            self.tell_woken(key, Why::MAIL);
        }
    }
}
