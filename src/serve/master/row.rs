//! What is known of one worker besides its part: what it has told of itself.

use super::child::Child;
use super::fleet::{Process, State};
use crate::serve::channel::ToWorker;
use crate::serve::status::{LoopBeat, Past, State as Told, WorkerStatus, millis, rss_bytes};
use std::collections::BTreeSet;
use std::time::Instant;

/// A worker: its process and what it has told.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) child: Child<ToWorker>,
    started: Instant,
    /// The places besides its own whose sockets it has.
    pub(super) lent: BTreeSet<usize>,
    /// As each loop has told last.
    loops: Vec<LoopBeat>,
    /// Who holds which loop, as the watchdog has said.
    held: Vec<Option<String>>,
}

impl Row {
    pub(super) fn new(child: Child<ToWorker>, lent: BTreeSet<usize>, threads: usize) -> Row {
        Row {
            child,
            started: Instant::now(),
            lent,
            loops: vec![LoopBeat::default(); threads],
            held: vec![None; threads],
        }
    }

    /// A loop has told how it does.
    pub(super) fn beat(&mut self, thread: usize, beat: LoopBeat) {
        if let Some(last) = self.loops.get_mut(thread) {
            *last = beat;
            self.held[thread] = None; // it turns
        }
    }

    /// The watchdog has told who holds a loop, or that it is over.
    pub(super) fn slow(&mut self, thread: usize, text: String, over: bool) {
        if let Some(held) = self.held.get_mut(thread) {
            *held = (!over).then_some(text);
        }
    }

    /// Where these loops hang, as far as it is known.
    pub(super) fn where_it_hangs(&self, loops: &[usize]) -> String {
        let known = loops.iter().filter_map(|thread| Some((thread, self.held.get(*thread)?.as_ref()?)));
        known.fold(String::new(), |all, (thread, text)| all + &format!("; loop {thread}: {text}"))
    }

    /// How many connections it has open, as it has told last.
    pub(super) fn connections(&self) -> u64 {
        self.loops.iter().map(|beat| beat.connections_open).sum()
    }

    /// Adds what it has served.
    pub(super) fn add_to(&self, past: &mut Past) {
        for beat in &self.loops {
            past.requests = past.requests.saturating_add(beat.requests);
            past.connections = past.connections.saturating_add(beat.connections);
        }
    }

    /// As it is told to who asks.
    pub(super) fn status(&self, process: &Process, restarts: u64) -> WorkerStatus {
        WorkerStatus {
            number: Some(process.place),
            pid: process.pid,
            state: match &process.state {
                State::Starting => Told::Starting,
                State::Serving(_) => Told::Ready,
                State::Draining { .. } => Told::Draining,
                State::Asked { .. } | State::Killed { .. } => Told::Hanging,
            },
            age_ms: millis(self.started.elapsed()),
            restarts,
            loops: self.loops.clone(),
            rss_bytes: process.pid.and_then(rss_bytes).unwrap_or_default(),
        }
    }
}
