//! The two flags of a task, and why no wake is lost.
//!
//! | flag     | set                               | cleared                          | means                                   |
//! |----------|-----------------------------------|----------------------------------|-----------------------------------------|
//! | `queued` | at home, when the key is pushed   | at home, just before the poll    | the key is in the run queue             |
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
//! `posted` lies where strangers reach it, and is changed by read-modify-write operations only. A stranger who finds it set
//! posts nothing, and relies on the letter that is under way. That is right because home clears the flag when it opens the
//! letter, with an operation that reads what this stranger wrote; so what the stranger did before its wake happened before
//! the poll that follows.

use crate::loom::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;

/// The flag that strangers reach.
#[derive(Debug)]
pub(super) struct State {
    posted: AtomicBool,
}

impl State {
    /// Not posted.
    pub(super) fn new() -> State {
        State { posted: AtomicBool::new(false) }
    }

    /// On any thread. `true`: the caller posts a letter.
    pub(super) fn wake_from_afar(&self) -> bool {
        !self.posted.swap(true, AcqRel)
    }

    /// At home, with the letter in hand: before the task is queued, unless it is.
    pub(super) fn letter_opened(&self) {
        self.posted.swap(false, AcqRel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn wakes_from_afar_are_one_letter_until_that_is_opened() {
        let state = State::new();
        assert_eq!([state.wake_from_afar(), state.wake_from_afar()], [true, false]);
        state.letter_opened();
        assert!(state.wake_from_afar(), "the next wake writes a new letter");
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::loom::{Arc, Mutex, lock};
    use ::loom::sync::atomic::AtomicUsize;
    use ::loom::thread;
    use std::sync::atomic::Ordering::Relaxed;

    /// A task, the letters on their way to it, and what its wakers wrote before they woke it. The data is written and read
    /// relaxed: it is for the flags to carry it over.
    struct Model {
        state: State,
        letters: Mutex<usize>,
        data: [AtomicUsize; 2],
    }

    impl Model {
        fn new() -> Arc<Model> {
            let data = [AtomicUsize::new(0), AtomicUsize::new(0)];
            Arc::new(Model { state: State::new(), letters: Mutex::new(0), data })
        }

        /// A stranger writes, then wakes.
        fn wake(&self, stranger: usize, value: usize) {
            self.data[stranger].store(value, Relaxed);
            if self.state.wake_from_afar() {
                *lock(&self.letters) += 1;
            }
        }

        /// Home takes its mail in; the answer is whether there was a letter, so that the task is to be polled after this.
        fn collect(&self) -> bool {
            let letters = std::mem::take(&mut *lock(&self.letters));
            assert!(letters <= 1, "a task has one letter on its way at most");
            if letters == 1 {
                self.state.letter_opened();
            }
            letters == 1
        }

        /// What the future reads when it is polled.
        fn poll(&self) -> [usize; 2] {
            [0, 1].map(|stranger| self.data[stranger].load(Relaxed))
        }

        fn has_letter(&self) -> bool {
            *lock(&self.letters) > 0
        }
    }

    #[test]
    fn loom_data_of_every_wake_is_seen_or_a_letter_is_left() {
        ::loom::model(|| {
            let model = Model::new();
            let strangers = [0, 1].map(|stranger| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.wake(stranger, 1))
            });
            let seen = if model.collect() { model.poll() } else { [0, 0] };
            for stranger in strangers {
                stranger.join().unwrap();
            }
            assert!(seen == [1, 1] || model.has_letter(), "a wake was lost: {seen:?}");
        });
    }

    #[test]
    fn loom_letter_for_a_task_that_is_queued_already_is_seen_by_that_poll() {
        ::loom::model(|| {
            let model = Model::new();
            let strangers = [0, 1].map(|stranger| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.wake(stranger, 1))
            });
            model.collect(); // the task is polled next whether or not there was a letter
            let seen = model.poll();
            for stranger in strangers {
                stranger.join().unwrap();
            }
            assert!(seen == [1, 1] || model.has_letter(), "a wake was lost: {seen:?}");
        });
    }

    #[test]
    fn loom_wakes_that_follow_each_other_end_in_a_poll_that_sees_the_last() {
        ::loom::model(|| {
            let model = Model::new();
            let stranger = {
                let model = Arc::clone(&model);
                thread::spawn(move || {
                    model.wake(0, 1);
                    model.wake(0, 2);
                })
            };
            let mut seen = [0, 0];
            for _ in 0..2 {
                if model.collect() {
                    seen = model.poll();
                }
            }
            stranger.join().unwrap();
            assert!(seen[0] == 2 || model.has_letter(), "a wake was lost: {seen:?}");
            if model.collect() {
                seen = model.poll();
            }
            assert_eq!(seen[0], 2);
        });
    }
}
