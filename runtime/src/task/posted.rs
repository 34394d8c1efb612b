//! The two flags of a task, and why no wake is lost.
//!
//! | flag     | set                               | cleared                          | means                                   |
//! |----------|-----------------------------------|----------------------------------|-----------------------------------------|
//! | `queued` | at home, when the task is queued  | at home, just before the poll    | the task is in the run queue            |
//! | `posted` | by strangers, before they post    | at home, when a letter is opened | a letter is in the mailbox, or about to |
//!
//! ```text
//!                 a wake at home              the poll begins
//!        idle ────────────────────► queued ────────────────────► running ───► idle
//!          │                          ▲                             │ a wake at home
//!          │ wake_from_afar           │ letter_opened               ▼
//!          └────────► posted ─────────┘                           queued
//! ```
//!
//! `queued` belongs to the home thread, and lies there, with what else is known of the task. It is cleared *before* the
//! future is polled: a wake during the poll queues the task once more.
//!
//! `posted` lies where strangers reach it, one for each place that a task can have, and is changed by read-modify-write
//! operations only. Since a place has one task after another, the flag is the check of the address that was posted. A stranger
//! who finds its own there posts nothing, and relies on the letter that is under way. That is right because home clears
//! the flag when it opens a letter for that place, whoever it is for, with an operation that reads what this stranger wrote;
//! so what the stranger did before its wake happened before the poll that follows. Who finds another, or none, posts a
//! letter of its own: at worst there is one more of them.

use super::address::{Address, TASKS};
use super::shelf::{Shelf, pieces_for};
use crate::loom::AtomicU32;
use std::sync::atomic::Ordering::AcqRel;

/// The flag that strangers reach: 0, or one more than the check of the address that was posted.
#[derive(Debug)]
pub(super) struct Posted(AtomicU32);

impl Posted {
    fn nothing() -> Posted {
        Posted(AtomicU32::new(0))
    }

    /// On any thread. `true`: the caller posts a letter.
    pub(super) fn wake_from_afar(&self, address: Address) -> bool {
        let posted = address.check() + 1;
        self.0.swap(posted, AcqRel) != posted
    }

    /// At home, with a letter in hand: before the task is queued, unless it is.
    pub(super) fn letter_opened(&self) {
        self.0.swap(0, AcqRel);
    }
}

/// A flag for each task that a loop can have, and for the future of `block_on`: four bytes, and at most twice as many, for each
/// index up to the highest that strangers have woken.
pub(super) type Flags = Shelf<Posted, { pieces_for(TASKS) }>;

impl Flags {
    pub(super) fn of(&self, address: Address) -> &Posted {
        self.get(address.number(), Posted::nothing)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::arena::Key;

    fn address(stamp: u32) -> Address {
        Address::new(Key::new(0, stamp), 0, 0)
    }

    #[test]
    fn wakes_from_afar_are_one_letter_until_that_is_opened() {
        let posted = Posted::nothing();
        assert_eq!([posted.wake_from_afar(address(0)), posted.wake_from_afar(address(0))], [true, false]);
        posted.letter_opened();
        assert!(posted.wake_from_afar(address(0)), "the next wake writes a new letter");
    }

    #[test]
    fn letter_for_a_former_task_of_the_place_is_none_for_the_task_that_is_there() {
        let posted = Posted::nothing();
        assert!(posted.wake_from_afar(address(0)));
        assert!(posted.wake_from_afar(address(1)));
        posted.letter_opened();
        assert!(posted.wake_from_afar(address(1)), "its own may have been opened, too");
    }

    #[test]
    fn task_and_root_have_a_flag_each() {
        let flags = Flags::new();
        for address in [address(0), Address::new(Key::NONE, 0, 0)] {
            assert_eq!([(); 2].map(|()| flags.of(address).wake_from_afar(address)), [true, false]);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::arena::Key;
    use crate::loom::{Arc, Mutex, lock};
    use ::loom::sync::atomic::AtomicUsize;
    use ::loom::thread::{self, JoinHandle};
    use std::sync::atomic::Ordering::Relaxed;

    /// A task, the letters on their way to its place, and what its wakers wrote before they woke it. The data is written and
    /// read relaxed: it is for the flag to carry it over.
    struct Model {
        posted: Posted,
        letters: Mutex<Vec<Address>>,
        data: [AtomicUsize; 2],
    }

    fn address(stamp: u32) -> Address {
        Address::new(Key::new(0, stamp), 0, 0)
    }

    /// The task that is there, and the one that was there before.
    const TASK: u32 = 1;
    const FORMER: u32 = 0;

    impl Model {
        fn new() -> Arc<Model> {
            let data = [AtomicUsize::new(0), AtomicUsize::new(0)];
            Arc::new(Model { posted: Posted::nothing(), letters: Mutex::new(Vec::new()), data })
        }

        fn wake(&self, task: u32) {
            if self.posted.wake_from_afar(address(task)) {
                lock(&self.letters).push(address(task));
            }
        }

        /// A stranger writes, then wakes.
        fn write_and_wake(&self, stranger: usize, value: usize) {
            self.data[stranger].store(value, Relaxed);
            self.wake(TASK);
        }

        fn strangers(model: &Arc<Model>) -> [JoinHandle<()>; 2] {
            [0, 1].map(|stranger| {
                let model = Arc::clone(model);
                thread::spawn(move || model.write_and_wake(stranger, 1))
            })
        }

        /// Home takes its mail in; the answer is whether there was a letter for the task, so that it is to be polled after this.
        fn collect(&self) -> bool {
            let letters = std::mem::take(&mut *lock(&self.letters));
            letters.iter().for_each(|_| self.posted.letter_opened());
            letters.contains(&address(TASK))
        }

        /// What the future reads when it is polled.
        fn poll(&self) -> [usize; 2] {
            [0, 1].map(|stranger| self.data[stranger].load(Relaxed))
        }

        fn letters(&self) -> usize {
            lock(&self.letters).iter().filter(|letter| **letter == address(TASK)).count()
        }
    }

    #[test]
    fn loom_data_of_every_wake_is_seen_or_a_letter_is_left() {
        ::loom::model(|| {
            let model = Model::new();
            let strangers = Model::strangers(&model);
            let seen = if model.collect() { model.poll() } else { [0, 0] };
            for stranger in strangers {
                stranger.join().unwrap();
            }
            assert!(seen == [1, 1] || model.letters() > 0, "a wake was lost: {seen:?}");
            assert!(model.letters() <= 1, "a task has one letter on its way at most");
        });
    }

    #[test]
    fn loom_letter_for_a_task_that_is_queued_already_is_seen_by_that_poll() {
        ::loom::model(|| {
            let model = Model::new();
            let strangers = Model::strangers(&model);
            model.collect(); // the task is polled next whether or not there was a letter
            let seen = model.poll();
            for stranger in strangers {
                stranger.join().unwrap();
            }
            assert!(seen == [1, 1] || model.letters() > 0, "a wake was lost: {seen:?}");
        });
    }

    #[test]
    fn loom_wake_of_a_former_task_of_the_place_loses_none_of_the_task_that_is_there() {
        ::loom::model(|| {
            let model = Model::new();
            let former = {
                let model = Arc::clone(&model);
                thread::spawn(move || model.wake(FORMER))
            };
            let stranger = {
                let model = Arc::clone(&model);
                thread::spawn(move || {
                    model.write_and_wake(0, 1);
                    model.write_and_wake(0, 2);
                })
            };
            let mut seen = if model.collect() { model.poll() } else { [0, 0] };
            former.join().unwrap();
            stranger.join().unwrap();
            assert!(seen[0] == 2 || model.letters() > 0, "a wake was lost: {seen:?}");
            if model.collect() {
                seen = model.poll();
            }
            assert_eq!(seen[0], 2);
        });
    }

    #[test]
    fn loom_wakes_that_follow_each_other_end_in_a_poll_that_sees_the_last() {
        ::loom::model(|| {
            let model = Model::new();
            let stranger = {
                let model = Arc::clone(&model);
                thread::spawn(move || {
                    model.write_and_wake(0, 1);
                    model.write_and_wake(0, 2);
                })
            };
            let mut seen = [0, 0];
            for _ in 0..2 {
                if model.collect() {
                    seen = model.poll();
                }
            }
            stranger.join().unwrap();
            assert!(seen[0] == 2 || model.letters() > 0, "a wake was lost: {seen:?}");
            if model.collect() {
                seen = model.poll();
            }
            assert_eq!(seen[0], 2);
        });
    }
}
