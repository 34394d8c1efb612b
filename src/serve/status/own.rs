//! The status of a server without workers.

use super::{LoopBeat, State, Status, WorkerStatus, rss_bytes};
use crate::serve::config::Config;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What the loops of this process, which serves without a master, tell of themselves. Any thread may tell and ask.
#[derive(Debug)]
pub(in crate::serve) struct OwnStatus {
    /// What does not change.
    about: Status,
    began: Instant,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    state: State,
    loops: Vec<LoopBeat>,
}

impl OwnStatus {
    /// A server that is about to start, with the places where it listens.
    pub(in crate::serve) fn new(config: &Config, binds: Vec<String>, threads: usize) -> OwnStatus {
        let told = Told { loops: vec![LoopBeat::default(); threads], ..Told::default() };
        let about = Status { workers_wanted: 1, threads, ..Status::about(config, binds) };
        OwnStatus { about, began: Instant::now(), told: Mutex::new(told) }
    }

    /// What it is about from now on.
    pub(in crate::serve) fn set_state(&self, state: State) {
        self.change(|told| told.state = state);
    }

    /// A loop tells how it does.
    pub(in crate::serve) fn beat(&self, thread: usize, beat: LoopBeat) {
        self.change(|told| told.loops.get_mut(thread).map(|of_loop| *of_loop = beat));
    }

    /// The status as of now, with what the loops told last.
    pub(in crate::serve) fn now(&self) -> Status {
        let (state, loops) = self.change(|told| (told.state, told.loops.clone()));
        let mut status = self.about.clone().aged(self.began.elapsed());
        status.state = state;
        status.workers.push(WorkerStatus {
            pid: Some(status.pid),
            state,
            age_ms: status.age_ms,
            loops,
            rss_bytes: rss_bytes(status.pid).unwrap_or(0),
            ..WorkerStatus::default()
        });
        status
    }

    fn change<R>(&self, change: impl FnOnce(&mut Told) -> R) -> R {
        // Each number is set as a whole, so a panic elsewhere leaves nothing half done.
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
