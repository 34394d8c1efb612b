//! What the master tells: of workers that hang, of what a stop waits for, and how all of it does.

use super::super::child::{STOPPED, activity};
use super::super::fleet::{Id, Moment, Process, State};
use super::Governor;
use crate::serve::master::TARGET;
use crate::serve::notify;
use crate::serve::status::{State as Told, Status, WorkerStatus};
use std::time::Duration;

impl Governor {
    /// A worker has been silent for too long: says what is known of it, and what is done.
    pub(super) fn tell_silence(&self, id: Id, loops: &[usize], silent: Duration) {
        let (Some(process), Some(row)) = (self.fleet.process(id), self.rows.get(&id)) else { return };
        let which = match loops {
            some if some.is_empty() || self.threads() == 1 => String::new(),
            [one] => format!(" in loop {one}"),
            some => format!(" in {} of its loops", some.len()),
        };
        let (activity, place) = (activity(row.child.pid), row.where_it_hangs(loops));
        let silent = silent.as_secs_f64();
        let done = match process.state {
            State::Asked { .. } if activity == STOPPED => "it is continued (SIGCONT) and asked to end (SIGTERM)",
            State::Asked { .. } => "it is asked to end (SIGTERM)",
            _ => "it is killed (SIGKILL)",
        };
        log::error!(target: TARGET, "{process} has not turned{which} for {silent} s: {activity}{place}; {done}");
    }

    /// Who is waited for, while it stops, and for how long yet.
    pub(super) fn tell_what_it_waits_for(&self, now: Moment) {
        let (waits_for, until) = self.fleet.waits_for();
        let workers = waits_for.iter().filter_map(|id| {
            let (process, row) = (self.fleet.process(*id)?, self.rows.get(id)?);
            let connections = usize::try_from(row.connections()).unwrap_or(usize::MAX);
            Some(format!("{process} with {}", count(connections, "connection")))
        });
        let mut waits: Vec<String> = workers.collect();
        if self.has_successor() {
            waits.push("the new master".to_owned());
        }
        let left = until.map(|until| until.saturating_sub(now).as_secs_f64().ceil());
        let left = left.map_or_else(String::new, |left| format!(", {left} s yet at most"));
        let waits = waits.join(", ");
        log::info!(target: TARGET, "waiting for {waits}{left}");
        notify::status(&format!("stopping: waiting for {waits}{left}"));
    }

    /// How all of it does, for who asks.
    pub(in crate::serve::master) fn status(&self) -> Status {
        let mut status = Status::about(&self.config, self.places.clone()).aged(self.began.elapsed());
        status.master = true;
        status.state = if self.fleet.is_stopping() {
            Told::Draining
        } else if self.has_successor() {
            Told::Upgrading
        } else if self.fleet.is_rolling() {
            Told::Reloading
        } else if self.fleet.is_complete() {
            Told::Ready
        } else {
            Told::Starting
        };
        status.workers_wanted = self.fleet.wanted();
        status.reloads = self.fleet.rolls();
        status.past = self.past;
        let restarts = |place: usize| self.fleet.places().get(place - 1).map_or(0, |place| place.restarts);
        let row = |(id, process): (Id, &Process)| Some(self.rows.get(&id)?.status(process, restarts(process.place)));
        let empty = self.fleet.places().iter().zip(1..).filter(|(place, _)| place.is_empty());
        let pausing = empty.map(|(place, number)| WorkerStatus {
            number: Some(number),
            state: Told::Pausing,
            restarts: place.restarts,
            ..WorkerStatus::default()
        });
        status.workers = self.fleet.processes().filter_map(row).chain(pausing).collect();
        status.workers.sort_by_key(|row| row.number); // which keeps the older of two first
        status
    }
}

/// `1 worker`, `2 workers`.
pub(in crate::serve::master) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
