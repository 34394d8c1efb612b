//! The workers of a master as one machine: what has happened goes in, what is to be done comes out.
//!
//! It starts no process, sends no signal and reads no clock, so that every order of events can be tried in a test. Each
//! number from 1 to [`wanted`](Fleet::wanted) is a *place*. To a place belong, of all its processes,
//!
//! - the one that *holds* it: it starts, or it serves;
//! - while it is being replaced, the one that *succeeds*: it takes the place as soon as it is ready;
//! - those that *leave*: they finish what they have begun, or are made to.
//!
//! ```text
//!             ready             told to finish, or retires             ends
//!   Starting ───────▶ Serving ──────────────────────────▶ Draining ──────────▶
//!      │                 │ a loop is silent                 ▲   │
//!      │ too long        ▼              answers again       │   │ too long, or silent
//!      └──────────────▶ Asked ──────────────────────────────┘   ▼
//!                         └───────── does not end ─────────▶ Killed
//! ```
//!
//! Invariants: a place has one holder at most, and one that succeeds at most; when the holder goes, who succeeds holds the
//! place, and if there is none, another is started, at once or after a pause. Once a stop has begun, nobody is started.

mod asked;
mod heard;
mod process;
#[cfg(test)]
mod tests;

pub(super) use process::{Leaves, Part, Place, Process, State};

use crate::serve::channel::Why;
use crate::serve::master::TARGET;
use crate::serve::status::LoopBeat;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A time since the master began, by a clock that stands still while the master itself does not run.
pub(super) type Moment = Duration;

/// After it was asked to end, a worker that hangs has so long.
const ASKED: Duration = Duration::from_secs(1);

/// A worker cuts by itself what is not finished in time; only if that does not happen either, it is killed.
const MARGIN: Duration = Duration::from_secs(3);

/// Who does not even die of SIGKILL, as in a system call that hangs, is not waited for any longer.
const DEAD: Duration = Duration::from_secs(5);

/// No limit is longer: what is added up here stays far from where a moment ends.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A loop that is late by less is only late.
const SILENCE_MIN: Duration = Duration::from_secs(2);

/// Who tells a whole group of processes to end, as timeout(1) does, tells the workers and then perhaps the master: a worker
/// that was sent `SIGTERM` is replaced only after that time.
const GROUP: Duration = Duration::from_millis(100);

/// Before any worker was ready, so many of one place may be ended by signals from outside.
const STILLBORN_MAX: u32 = 3;

/// The time for one who leaves to finish requests of clients that have not heard of it.
pub(super) const IDLE: Duration = Duration::from_secs(1);

/// A process, never named again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u64);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Start a process for that place.
    Start(Id, usize),
    /// Tell it to finish; idle connections are kept for so long.
    Drain(Id, Duration),
    /// Tell it to end at once.
    Quit(Id),
    /// Its loops of these numbers have not turned for so long.
    TellSilence(Id, Vec<usize>, Duration),
    /// `SIGTERM`, and `SIGCONT` so that it can hear it.
    Ask(Id),
    /// `SIGKILL`.
    Kill(Id),
}

/// How long what may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Loops of each worker.
    pub(super) threads: usize,
    /// For how long a loop may not turn.
    pub(super) silence: Option<Duration>,
    /// How long a worker may take to be ready.
    pub(super) start: Option<Duration>,
    /// How long it may take to finish.
    pub(super) graceful: Option<Duration>,
}

/// How a process has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// `ended with status 1`, `was ended by SIGKILL`.
    pub(super) cause: String,
    pub(super) by_signal: bool,
}

/// How all of it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As it was told.
    Stopped,
    /// As it was told for the second time.
    Broken,
    /// No worker could start.
    Failed(String),
}

#[derive(Debug)]
struct Stop {
    /// Until when the workers may finish.
    until: Option<Moment>,
    outcome: Outcome,
}

/// The workers. See the head of this file.
#[derive(Debug)]
pub(super) struct Fleet {
    rules: Rules,
    /// That of number 1 first.
    places: Vec<Place>,
    processes: BTreeMap<Id, Process>,
    next: Id,
    /// Places whose holders are still to be replaced, if they are older than [`fresh`](Fleet::fresh).
    roll: VecDeque<usize>,
    rolling: bool,
    /// All were replaced, which is told once the last old one has ended.
    rolled: bool,
    /// Who is started from here on was started after the last call for fresh ones.
    fresh: Id,
    /// How often all were replaced.
    rolls: u64,
    any_ready: bool,
    stop: Option<Stop>,
    actions: Vec<Action>,
}

impl Fleet {
    /// So many workers, none of which has been started.
    pub(super) fn new(rules: Rules, workers: usize) -> Fleet {
        let bounded = |limit: Option<Duration>| limit.map(|limit| limit.min(CENTURY));
        let rules = Rules {
            silence: bounded(rules.silence).map(|silence| silence.max(SILENCE_MIN)),
            start: bounded(rules.start),
            graceful: bounded(rules.graceful),
            ..rules
        };
        let place = || Place { due: Some(Moment::ZERO), ..Place::default() };
        Fleet {
            rules,
            places: (0..workers.max(1)).map(|_| place()).collect(),
            processes: BTreeMap::new(),
            next: Id(0),
            roll: VecDeque::new(),
            rolling: false,
            rolled: false,
            fresh: Id(0),
            rolls: 0,
            any_ready: false,
            stop: None,
            actions: Vec::new(),
        }
    }

    // --- What is seen of it ------------------------------------------------------------------------------------------

    /// How many workers there are to be.
    pub(super) fn wanted(&self) -> usize {
        self.places.len()
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = (Id, &Process)> {
        self.processes.iter().map(|(id, process)| (*id, process))
    }

    pub(super) fn process(&self, id: Id) -> Option<&Process> {
        self.processes.get(&id)
    }

    /// How often all workers were replaced because that was asked for.
    pub(super) fn rolls(&self) -> u64 {
        self.rolls
    }

    /// Whether workers are being replaced one by one.
    pub(super) fn is_rolling(&self) -> bool {
        self.rolling
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether each place has a holder that serves.
    pub(super) fn is_complete(&self) -> bool {
        let serving = |process: &&Process| process.part == Part::Holds && process.is_serving();
        self.processes.values().filter(serving).count() == self.wanted()
    }

    /// What is to be done, each thing once.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// How it has ended, once it has.
    pub(super) fn outcome(&self, now: Moment) -> Option<Outcome> {
        let stop = self.stop.as_ref()?;
        let is_lost = |process: &Process| matches!(process.state, State::Killed { at } if now >= at + DEAD);
        self.processes.values().all(is_lost).then(|| stop.outcome.clone())
    }

    /// Who is waited for, and until when, while it stops.
    pub(super) fn waits_for(&self) -> (Vec<Id>, Option<Moment>) {
        (self.processes.keys().copied().collect(), self.stop.as_ref().and_then(|stop| stop.until))
    }

    /// When [`tick`](Fleet::tick) has something to do.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        let of_processes = self.processes.values().filter_map(|process| self.deadline(process));
        let of_places = self.places.iter().filter_map(|place| place.due);
        of_processes.chain(of_places).min()
    }

    fn deadline(&self, process: &Process) -> Option<Moment> {
        let silence = |heard| self.hangs_at(heard);
        match &process.state {
            State::Starting => self.rules.start.map(|limit| process.since + limit),
            State::Serving(heard) => heard.iter().min().copied().and_then(silence),
            State::Draining { heard, until } => {
                let silent = process.ready.then(|| silence(*heard)).flatten();
                silent.into_iter().chain(*until).min()
            }
            State::Asked { until, .. } => Some(*until),
            State::Killed { at } => self.stop.is_some().then_some(*at + DEAD),
        }
    }

    /// When a loop that was heard then, and not since, hangs: it may have turned until its next beat was due, and from then on
    /// it has not.
    fn hangs_at(&self, heard: Moment) -> Option<Moment> {
        self.rules.silence.map(|silence| heard + LoopBeat::EVERY + silence)
    }

    // --- How it goes on ----------------------------------------------------------------------------------------------

    /// Starts who is due, and goes on with replacing.
    fn settle(&mut self, now: Moment) {
        if self.stop.is_some() {
            return;
        }
        for number in 1..=self.wanted() {
            if self.places[number - 1].due.is_some_and(|due| due <= now) {
                self.places[number - 1].due = None;
                self.start(number, Part::Holds, now);
            }
        }
        self.go_on_rolling(now);
        if self.rolled && !self.processes.values().any(|process| process.leaves == Leaves::Reload) {
            self.rolled = false;
            log::info!(target: TARGET, "{} been replaced", self.all_have());
        }
    }

    fn go_on_rolling(&mut self, now: Moment) {
        if !self.rolling || self.processes.values().any(|process| process.part == Part::Succeeds) {
            return;
        }
        while let Some(&place) = self.roll.front() {
            let is_holder = |process: &Process| process.place == place && process.part == Part::Holds;
            let holder = self.processes.iter().find(|(id, process)| is_holder(process) && **id < self.fresh);
            let Some((_, process)) = holder else {
                self.roll.pop_front(); // it is new, or is about to be, or its place is no more
                continue;
            };
            if process.is_serving() {
                self.roll.pop_front();
                self.start(place, Part::Succeeds, now);
            }
            return; // one that starts is waited for
        }
        // The last may still be on its way to be ready.
        let is_new = |process: &Process| process.part != Part::Holds || process.is_serving();
        if self.processes.values().all(is_new) && self.places.iter().all(|place| place.due.is_none()) {
            self.rolling = false;
            self.rolls += 1;
            self.rolled = true;
        }
    }

    /// `all 3 workers have`.
    fn all_have(&self) -> String {
        match self.wanted() {
            1 => "the one worker has".to_owned(),
            2 => "both workers have".to_owned(),
            workers => format!("all {workers} workers have"),
        }
    }

    fn give_up_roll(&mut self) {
        if self.rolling {
            self.rolling = false;
            self.roll.clear();
            log::error!(target: TARGET, "no more workers are replaced: those that serve go on");
        }
    }

    fn start(&mut self, place: usize, part: Part, now: Moment) {
        let id = self.next;
        self.next = Id(id.0 + 1);
        let process = Process {
            place,
            pid: None,
            part,
            state: State::Starting,
            since: now,
            ready: false,
            failure: None,
            leaves: Leaves::default(),
        };
        self.processes.insert(id, process);
        self.actions.push(Action::Start(id, place));
    }

    /// Tells it to finish. Whoever takes its place is not looked for here.
    fn leave(&mut self, id: Id, why: Leaves, idle: Duration, now: Moment) {
        let until = self.rules.graceful.map(|graceful| now + graceful.max(idle) + MARGIN);
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.part = Part::Leaves;
        if process.leaves == Leaves::default() {
            process.leaves = why; // the first reason is the one
        }
        match process.state {
            State::Starting | State::Serving(_) => {
                let limit = if process.ready { until } else { until.or(self.rules.start.map(|start| now + start)) };
                process.state = State::Draining { heard: now, until: limit };
                self.actions.push(Action::Drain(id, idle));
            }
            State::Draining { .. } | State::Asked { .. } | State::Killed { .. } => {}
        }
    }

    /// It leaves by itself; its place goes to another.
    fn dismiss(&mut self, id: Id, why: Why, now: Moment) {
        let until = self.rules.graceful.map(|graceful| now + graceful + MARGIN);
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.state = State::Draining { heard: now, until };
        process.leaves = Leaves::Own(why);
        self.replace(id, now);
    }

    /// Asks it to end, kills it if it does not, and gives its place to another.
    fn ask(&mut self, id: Id, silent: Vec<usize>, now: Moment) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if matches!(process.state, State::Asked { .. } | State::Killed { .. }) {
            return;
        }
        process.state = State::Asked { until: now + ASKED, silent };
        process.leaves = Leaves::GivenUp;
        self.actions.push(Action::Ask(id));
        self.replace(id, now);
    }

    /// Its part is to leave from now on; gives its place to another.
    fn replace(&mut self, id: Id, now: Moment) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        let (place, part) = (process.place, std::mem::replace(&mut process.part, Part::Leaves));
        let leaves = process.leaves;
        let asked_for = matches!(process.state, State::Draining { .. });
        let lived = if process.ready { now.saturating_sub(process.since) } else { Moment::ZERO };
        match part {
            Part::Holds if asked_for => {
                if self.promote(place).is_none() && self.stop.is_none() {
                    let pause = if leaves == Leaves::Own(Why::Terminated) { GROUP } else { Duration::ZERO };
                    self.places[place - 1].due = Some(now + pause);
                }
            }
            Part::Holds => drop(self.vacate(place, lived, now)),
            Part::Succeeds => self.give_up_roll(),
            Part::Leaves => {}
        }
    }

    /// The place has lost its holder. Gives the pause until the next; `None`: there is somebody already.
    fn vacate(&mut self, number: usize, lived: Duration, now: Moment) -> Option<Moment> {
        if self.stop.is_some() {
            return None;
        }
        let place = &mut self.places[number - 1];
        place.restarts += 1;
        let pause = place.pauses.after(lived);
        if self.promote(number).is_some() {
            return None;
        }
        self.places[number - 1].due = Some(now + pause);
        Some(pause)
    }

    /// Who was to succeed holds the place.
    fn promote(&mut self, place: usize) -> Option<()> {
        let succeeds = |process: &&mut Process| process.place == place && process.part == Part::Succeeds;
        self.processes.values_mut().find(succeeds).map(|process| process.part = Part::Holds)
    }

    fn kill(&mut self, id: Id, now: Moment) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.state = State::Killed { at: now };
        self.actions.push(Action::Kill(id));
    }

    /// Nobody could start.
    fn fail(&mut self, text: String, now: Moment) {
        if self.stop.is_none() {
            self.begin_stop(Stop { until: Some(now + ASKED), outcome: Outcome::Failed(text) });
            self.quit_all(now);
        }
    }

    fn begin_stop(&mut self, stop: Stop) {
        let stop = match self.stop.take() {
            // A failure stays one, whoever is in a hurry then.
            Some(Stop { outcome: Outcome::Failed(text), .. }) => Stop { outcome: Outcome::Failed(text), ..stop },
            _ => stop,
        };
        self.stop = Some(stop);
        self.roll.clear();
        (self.rolling, self.rolled) = (false, false);
        self.places.iter_mut().for_each(|place| place.due = None);
    }

    fn quit_all(&mut self, now: Moment) {
        for id in self.living() {
            let Some(process) = self.processes.get_mut(&id) else { continue };
            process.part = Part::Leaves;
            process.state = State::Asked { until: now + ASKED, silent: Vec::new() };
            self.actions.push(Action::Quit(id));
        }
    }

    /// Those that were not killed.
    fn living(&self) -> Vec<Id> {
        let lives = |process: &Process| !matches!(process.state, State::Killed { .. });
        self.processes().filter(|(_, process)| lives(process)).map(|(id, _)| id).collect()
    }

    /// Who holds that place, and who succeeds there.
    pub(super) fn of_place(&self, place: usize) -> Vec<Id> {
        let is_there = |process: &Process| process.place == place && process.part != Part::Leaves;
        self.processes().filter(|(_, process)| is_there(process)).map(|(id, _)| id).collect()
    }
}
