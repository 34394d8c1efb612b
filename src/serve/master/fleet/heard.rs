//! What is heard of the workers, and what their silence says.

use super::process::{Part, Process, State};
use super::{Action, End, Fleet, IDLE, Id, Leaves, MARGIN, Moment, STILLBORN_MAX};
use crate::serve::channel::Why;
use crate::serve::master::TARGET;
use std::time::Duration;

impl Fleet {
    /// It runs, under that number.
    pub(in crate::serve::master) fn started(&mut self, id: Id, pid: u32) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.pid = Some(pid);
        }
    }

    /// All its loops accept.
    pub(in crate::serve::master) fn ready(&mut self, id: Id, now: Moment) {
        let heard = vec![now; self.rules.threads];
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.ready = true;
        self.any_ready = true;
        if process.state != State::Starting {
            return; // it was told to leave before it had come
        }
        process.state = State::Serving(heard);
        log::info!(target: TARGET, "{process} serves");
        if process.part == Part::Succeeds {
            let place = process.place;
            process.part = Part::Holds;
            let old = self
                .processes
                .iter()
                .find(|(other, process)| **other != id && process.place == place && process.part == Part::Holds);
            if let Some(old) = old.map(|(old, _)| *old) {
                self.leave(old, Leaves::Reload, IDLE, now);
            }
        }
        self.settle(now);
    }

    /// That loop of it turns.
    pub(in crate::serve::master) fn beat(&mut self, id: Id, thread: usize, now: Moment) {
        let until = self.rules.graceful.map(|graceful| now + graceful + MARGIN);
        let Some(process) = self.processes.get_mut(&id) else { return };
        match &mut process.state {
            State::Serving(heard) => {
                if let Some(heard) = heard.get_mut(thread) {
                    *heard = now;
                }
            }
            State::Draining { heard, .. } => *heard = now,
            State::Asked { silent, .. } => {
                let before = silent.len();
                silent.retain(|other| *other != thread);
                if silent.is_empty() && before > 0 {
                    log::warn!(target: TARGET, "{process} answers again, and finishes what it has begun");
                    process.state = State::Draining { heard: now, until };
                }
            }
            State::Starting | State::Killed { .. } => {}
        }
    }

    /// It finishes by itself: another takes its place.
    pub(in crate::serve::master) fn retiring(&mut self, id: Id, why: Why, now: Moment) {
        let Some(process) = self.processes.get(&id) else { return };
        if process.part == Part::Leaves {
            return; // it was told so, or does not know yet that it was
        }
        log::info!(target: TARGET, "{process} {why}: it finishes what it has begun, and is replaced");
        self.dismiss(id, why, now);
        self.settle(now);
    }

    /// It ends, and says why.
    pub(in crate::serve::master) fn failed(&mut self, id: Id, text: String) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.failure = Some(text);
        }
    }

    /// It cannot be talked with.
    pub(in crate::serve::master) fn garbled(&mut self, id: Id, text: &str, now: Moment) {
        let Some(process) = self.processes.get(&id) else { return };
        log::error!(target: TARGET, "{process} is asked to end (SIGTERM): {text}");
        self.ask(id, Vec::new(), now);
        self.settle(now);
    }

    /// It has ended, or could not be started.
    pub(in crate::serve::master) fn gone(&mut self, id: Id, end: &End, now: Moment) {
        let Some(process) = self.processes.remove(&id) else { return };
        let cause = process.failure.as_ref().map_or_else(|| end.cause.clone(), |text| format!("cannot go on: {text}"));
        match process.part {
            _ if self.stop.is_some() => log::info!(target: TARGET, "{process} {cause}"),
            Part::Leaves => log::info!(target: TARGET, "{process}, which {}, {cause}", process.leaves),
            Part::Succeeds => {
                log::error!(target: TARGET, "the new {process} {cause}");
                self.give_up_roll();
            }
            Part::Holds => self.bereave(&process, end, &cause, now),
        }
        self.settle(now);
    }

    /// A holder has died.
    fn bereave(&mut self, process: &Process, end: &End, cause: &str, now: Moment) {
        let lived = if process.ready { now.saturating_sub(process.since) } else { Moment::ZERO };
        let pause = self.vacate(process.place, lived, now);
        let place = &self.places[process.place - 1];
        let stillborn = end.by_signal && process.failure.is_none() && place.pauses.quick() < STILLBORN_MAX;
        if !self.any_ready && !stillborn {
            let why = process.failure.as_ref().map_or_else(|| format!("it {}", end.cause), Clone::clone);
            self.fail(format!("{process} cannot start: {why}"), now);
            return;
        }
        match pause {
            None => log::error!(target: TARGET, "{process} {cause}; its successor is on the way"),
            Some(Moment::ZERO) => log::error!(target: TARGET, "{process} {cause}; it is replaced at once"),
            Some(pause) => {
                log::error!(target: TARGET, "{process} {cause}; it is replaced in {} s", pause.as_secs_f64());
            }
        }
    }

    /// Does what has come due by now.
    pub(in crate::serve::master) fn tick(&mut self, now: Moment) {
        let is_due = |process: &Process| self.deadline(process).is_some_and(|deadline| deadline <= now);
        let due: Vec<Id> = self.processes().filter(|(_, process)| is_due(process)).map(|(id, _)| id).collect();
        for id in due {
            self.overdue(id, now);
        }
        self.settle(now);
    }

    fn overdue(&mut self, id: Id, now: Moment) {
        let Some(process) = self.processes.get(&id) else { return };
        if self.deadline(process).is_none_or(|deadline| deadline > now) {
            return; // what was overdue before it has changed that
        }
        match &process.state {
            State::Starting => {
                let text = format!("{process} was not ready in {} s", seconds(self.rules.start));
                if !self.any_ready && process.part == Part::Holds {
                    self.fail(text, now);
                    return;
                }
                log::error!(target: TARGET, "{text}; it is asked to end (SIGTERM)");
                self.ask(id, Vec::new(), now);
            }
            State::Serving(heard) => {
                let limit = self.rules.silence.unwrap_or_default();
                let is_silent = |heard: &Moment| self.hangs_at(*heard).is_some_and(|at| at <= now);
                let silent = heard.iter().enumerate().filter(|(_, heard)| is_silent(heard)).map(|(thread, _)| thread);
                let silent: Vec<usize> = silent.collect();
                self.actions.push(Action::TellSilence(id, silent.clone(), limit));
                self.ask(id, silent, now);
            }
            State::Draining { until, .. } => {
                if until.is_some_and(|until| until <= now) {
                    log::warn!(target: TARGET, "{process} has not finished in time; it is killed (SIGKILL)");
                } else {
                    self.actions.push(Action::TellSilence(id, Vec::new(), self.rules.silence.unwrap_or_default()));
                }
                self.kill(id, now);
            }
            State::Asked { .. } => {
                log::error!(target: TARGET, "{process} was asked to end and does not; it is killed (SIGKILL)");
                self.kill(id, now);
            }
            State::Killed { .. } => {}
        }
    }
}

fn seconds(limit: Option<Duration>) -> f64 {
    limit.unwrap_or_default().as_secs_f64()
}
