//! What is asked of all the workers.

use super::process::Place;
use super::{ASKED, Fleet, IDLE, Leaves, Moment, Outcome, Stop};
use crate::serve::config::Config;
use crate::serve::master::TARGET;
use std::time::Duration;

impl Fleet {
    /// Replace all workers, one after the other, and each only once the next is ready. Asked again meanwhile, those are
    /// replaced again who have been already.
    pub(in crate::serve::master) fn roll(&mut self, now: Moment) {
        let left: Vec<usize> = self.roll.drain(..).collect();
        let again = (1..=self.wanted()).filter(|place| !left.contains(place));
        self.roll = left.iter().copied().chain(again).collect();
        (self.rolling, self.rolled, self.fresh) = (true, false, self.next);
        for place in self.places.iter_mut().filter(|place| place.due.is_some()) {
            *place = Place { due: Some(now), restarts: place.restarts, ..Place::default() }; // what was wrong may be mended
        }
        self.settle(now);
    }

    /// One more worker.
    pub(in crate::serve::master) fn more(&mut self, now: Moment) {
        if self.wanted() >= Config::WORKERS_MAX {
            log::warn!(target: TARGET, "there are {} workers, and no more are started", self.wanted());
            return;
        }
        self.places.push(Place { due: Some(now), ..Place::default() });
        log::info!(target: TARGET, "one more worker: {}", self.wanted());
        self.settle(now);
    }

    /// One less.
    pub(in crate::serve::master) fn fewer(&mut self, now: Moment) {
        if self.wanted() <= 1 {
            log::warn!(target: TARGET, "there is one worker, and it stays");
            return;
        }
        let place = self.wanted();
        self.places.pop();
        log::info!(target: TARGET, "one worker less: {}; number {place} finishes what it has begun", self.wanted());
        for id in self.of_place(place) {
            self.leave(id, Leaves::Fewer, IDLE, now);
        }
        self.settle(now);
    }

    /// Finish, all of them.
    pub(in crate::serve::master) fn finish(&mut self, idle: Duration, now: Moment) {
        let until = self.rules.graceful.map(|graceful| now + graceful.max(idle));
        self.begin_stop(Stop { until, outcome: Outcome::Stopped });
        for id in self.living() {
            self.leave(id, Leaves::WithAll, idle, now);
        }
    }

    /// End, all of them, now.
    pub(in crate::serve::master) fn quit(&mut self, now: Moment) {
        self.begin_stop(Stop { until: Some(now + ASKED), outcome: Outcome::Stopped });
        self.quit_all(now);
    }

    /// End without another word.
    pub(in crate::serve::master) fn break_off(&mut self, now: Moment) {
        self.begin_stop(Stop { until: Some(now), outcome: Outcome::Broken });
        for id in self.living() {
            self.kill(id, now);
        }
    }
}
