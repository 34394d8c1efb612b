//! What several experiments measure with: work that takes so long, who was polled when, and times as curves.

use evloop::observe::{Cause, Key, Observer, Wait};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// Holds the thread for so long, as a computation does.
pub(super) fn work(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// The time in which so many percent of all were done, from 0 to 100.
pub(super) fn percentiles(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    (0..=100).filter_map(|percent| times.get(last * percent / 100)).copied().collect()
}

/// As a number, for an axis.
pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Notes who is polled, from when until when, for as long as [`evloop::turn::observe`] lets it.
#[derive(Debug, Default)]
pub(super) struct Polls {
    began: Cell<Option<Instant>>,
    all: RefCell<Vec<(Key, Instant, Instant)>>,
}

impl Polls {
    /// When a task was polled.
    pub(super) fn of(&self, task: Key) -> Vec<(Instant, Instant)> {
        let all = self.all.borrow();
        all.iter().filter(|(key, ..)| *key == task).map(|(_, began, ended)| (*began, *ended)).collect()
    }
}

impl Observer for Polls {
    fn poll_begin(&self, _: Key, _: Cause) {
        self.began.set(Some(Instant::now()));
    }

    fn poll_end(&self, task: Key, _: Option<Wait>) {
        if let Some(began) = self.began.take() {
            self.all.borrow_mut().push((task, began, Instant::now()));
        }
    }
}
