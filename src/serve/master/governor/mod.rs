//! The master's deeds: what the [fleet](super::fleet) says is to be done, done to processes; and what is heard, passed on.
//!
//! Nothing here waits, so nothing comes between: what a signal or a worker's word brings about is done when the call is over.

mod sockets;
mod succession;
mod telling;

use super::child::{Child, Heard};
use super::clock::{Clock, LOOK};
use super::fleet::{Action, End, Fleet, IDLE, Id, Moment};
use super::program::Program;
use super::row::Row;
use super::upgrade::{FromOld, Stage, Upgrade};
use crate::serve::channel::{FromSuccessor, FromWorker, ToWorker};
use crate::serve::config::Config;
use crate::serve::descriptors;
use crate::serve::lifeline;
use crate::serve::master::TARGET;
use crate::serve::notify;
use crate::serve::second::{ENDED_BY_SECOND, Meaning, Told};
use crate::serve::sockets::Sockets;
use crate::serve::status::Past;
use crate::serve::terminal::Terminal;
use evloop_runtime::signal::SignalKind;
use evloop_runtime::sync::mpsc;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};
pub(super) use telling::count;

/// What the master hears.
#[derive(Debug)]
pub(super) enum News {
    Worker(Id, Heard<FromWorker>),
    Successor(Heard<FromSuccessor>),
    Old(FromOld),
}

/// How often it is told what a stop waits for.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A master that is to end at once, and does not even say so, for its log hangs, is ended after that time. Its workers see
/// its end.
const QUIT_LIMIT: Duration = Duration::from_secs(5);

/// The same where all that has begun is to be finished: so long after the time for that.
const FORCE_AFTER: Duration = Duration::from_secs(30);

/// What a first signal is answered with, besides.
const MORE: &str = "; a second signal ends it at once";

#[derive(Debug)]
pub(super) struct Governor {
    pub(super) config: Config,
    pub(super) fleet: Fleet,
    pub(super) clock: Clock,
    began: Instant,
    rows: BTreeMap<Id, Row>,
    program: Program,
    terminal: Terminal,
    /// `None` once it stops, so that a port or a path is free for others as soon as the workers have left it.
    sockets: Option<Sockets>,
    /// The files of its sockets are to be left where they are: they are still, or already, another master's.
    pub(super) leaves_files: bool,
    /// Where it listens, or has listened.
    pub(super) places: Vec<String>,
    /// So many workers have sockets of their own, if each is to have them.
    opened: usize,
    news: mpsc::Sender<News>,
    upgrade: Option<Upgrade>,
    /// The successor has said that it is ready: all that can be had only once is to be given up.
    pub(super) yields: bool,
    /// By signals; to be told to finish once more means more.
    told: Told,
    /// When it is told again what is waited for.
    tell_at: Option<Moment>,
    past: Past,
}

impl Governor {
    pub(super) fn new(
        config: Config,
        program: Program,
        terminal: Terminal,
        sockets: Sockets,
        fleet: Fleet,
        news: mpsc::Sender<News>,
    ) -> Governor {
        Governor {
            config,
            fleet,
            clock: Clock::new(),
            began: Instant::now(),
            rows: BTreeMap::new(),
            program,
            terminal,
            places: sockets.places(),
            sockets: Some(sockets),
            leaves_files: false,
            opened: 0,
            news,
            upgrade: None,
            yields: false,
            told: Told::default(),
            tell_at: None,
            past: Past::default(),
        }
    }

    /// It governs in the place of another master, which has opened sockets for so many workers. Their files are that one's yet.
    pub(super) fn inherit(&mut self, opened: usize) {
        self.opened = opened;
        self.leaves_files = true;
    }

    fn threads(&self) -> usize {
        self.config.threads.max(1)
    }

    // --- What is heard -----------------------------------------------------------------------------------------------

    /// A signal has come.
    pub(super) fn obey(&mut self, signal: SignalKind) {
        let (now, stopping) = (self.clock.look(), self.fleet.is_stopping());
        match signal {
            SignalKind::TERMINATE | SignalKind::INTERRUPT => match self.told.hear(signal, now) {
                Meaning::Doubled => {}
                Meaning::Second => self.break_off(signal, now),
                Meaning::First if stopping => {
                    log::info!(target: TARGET, "{signal}: stopping already{MORE}");
                }
                Meaning::First if signal == SignalKind::INTERRUPT => self.stop_by(signal, Duration::ZERO),
                Meaning::First => self.stop_by(signal, IDLE),
            },
            SignalKind::QUIT => {
                lifeline::end_after(QUIT_LIMIT, 1);
                log::info!(target: TARGET, "{signal}: ending at once");
                self.begin_stop("ending at once");
                self.fleet.quit(now);
                self.quit_successor(now);
            }
            SignalKind::HANGUP if !stopping && self.terminal.is_gone() => {
                self.told.hear(signal, now);
                self.stop_by(signal, IDLE);
            }
            SignalKind::USER_DEFINED_1 => self.pass_on(signal),
            _ if stopping => log::info!(target: TARGET, "{signal} changes nothing: stopping"),
            _ if self.upgrade.is_some() => {
                log::warn!(target: TARGET, "{signal} changes nothing: a new binary is taking over");
            }
            SignalKind::HANGUP => {
                notify::reloading();
                let one_by_one = if self.fleet.wanted() > 1 { ", one after the other" } else { "" };
                log::info!(target: TARGET, "{signal}: replacing {}{one_by_one}", count(self.fleet.wanted(), "worker"));
                self.fleet.roll(now);
            }
            SignalKind::TERMINAL_READ => self.fleet.more(now),
            SignalKind::TERMINAL_WRITE => self.fewer(now),
            SignalKind::USER_DEFINED_2 => self.begin_upgrade(now),
            other => log::debug!(target: TARGET, "{other} means nothing to the master"),
        }
    }

    /// To those who hear it already: others it would end.
    fn pass_on(&self, signal: SignalKind) {
        let ready =
            self.fleet.processes().filter(|(_, process)| process.ready).filter_map(|(id, _)| self.rows.get(&id));
        ready.for_each(|row| row.child.signal(signal));
    }

    fn stop_by(&mut self, signal: SignalKind, idle: Duration) {
        self.stop(&signal.to_string(), idle, MORE);
    }

    /// A second signal has come.
    fn break_off(&mut self, signal: SignalKind, now: Moment) {
        lifeline::end_after(QUIT_LIMIT, ENDED_BY_SECOND);
        log::warn!(target: TARGET, "{signal} once more: ending at once");
        self.fleet.break_off(now);
        self.quit_successor(now);
    }

    /// All finish what has begun, and for so long those that idle are kept for a request that is on its way.
    /// `besides` is told, too.
    pub(super) fn stop(&mut self, why: &str, idle: Duration, besides: &str) {
        let now = self.clock.look();
        if let Some(limit) = self.config.timeout_graceful {
            lifeline::end_after(limit.saturating_add(FORCE_AFTER), 1);
        }
        let workers = count(self.fleet.processes().count(), "worker");
        let at_most = self
            .config
            .timeout_graceful
            .map_or_else(String::new, |limit| format!(", for {} s at most", limit.max(idle).as_secs_f64()));
        log::info!(target: TARGET, "{why}: stopping, waiting for {workers}{at_most}{besides}");
        self.begin_stop(&format!("stopping, waiting for {workers}{at_most}"));
        self.fleet.finish(idle, now);
        self.finish_successor(now);
    }

    /// From now on nobody new is served.
    fn begin_stop(&mut self, status: &str) {
        notify::stopping(status);
        self.close_sockets();
        self.tell_at = Some(self.clock.now() + TOLD_EVERY);
    }

    /// Something was heard.
    pub(super) fn hear(&mut self, news: News) {
        let now = self.clock.look();
        match news {
            News::Worker(id, heard) => self.hear_worker(id, heard, now),
            News::Successor(heard) => self.hear_successor(heard),
            News::Old(_) => {} // who governs already has nothing to hear from it
        }
    }

    fn hear_worker(&mut self, id: Id, heard: Heard<FromWorker>, now: Moment) {
        let message = match heard {
            Heard::Said(message) => message,
            Heard::Garbled(text) => return self.fleet.garbled(id, &text, now),
            Heard::Gone(end) => {
                if let Some(row) = self.rows.remove(&id) {
                    row.add_to(&mut self.past);
                }
                return self.fleet.gone(id, &end, now);
            }
        };
        match message {
            FromWorker::Ready => self.fleet.ready(id, now),
            FromWorker::Beat { thread, beat } => {
                self.fleet.beat(id, thread, now);
                if let Some(row) = self.rows.get_mut(&id) {
                    row.beat(thread, beat);
                }
            }
            FromWorker::Slow { thread, text, over } => {
                if let Some(row) = self.rows.get_mut(&id) {
                    row.slow(thread, text, over);
                }
            }
            FromWorker::Retiring(why) => self.fleet.retiring(id, why, now),
            FromWorker::Ended { cut: 0 } => {}
            FromWorker::Ended { cut } => {
                if let Some(process) = self.fleet.process(id) {
                    let cut = count(cut, "connection");
                    log::warn!(target: TARGET, "{process} has ended {cut} before all requests there were answered");
                }
            }
            FromWorker::Failed { text, .. } => self.fleet.failed(id, text),
        }
    }

    /// Looks for what has come due.
    pub(super) fn tick(&mut self) {
        let now = self.clock.look();
        self.fleet.tick(now);
        self.tick_upgrade(now);
        if let Some(at) = self.tell_at
            && at <= now
        {
            self.tell_what_it_waits_for(now);
            self.tell_at = Some(now + TOLD_EVERY);
        }
    }

    /// Does what the fleet says is to be done; after each event, before the next.
    pub(super) fn go_on(&mut self) {
        let now = self.clock.now();
        loop {
            let actions = self.fleet.take_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                self.act(action, now);
            }
        }
    }

    /// How long nothing is to be done, unless something is heard.
    pub(super) fn pause(&self) -> Duration {
        let of_upgrade = self.upgrade.as_ref().and_then(|upgrade| match upgrade.stage {
            Stage::Begun { until } => until,
            Stage::Failed { kill_at } => Some(kill_at),
            Stage::Done => None,
        });
        let deadlines = [self.fleet.next_deadline(), of_upgrade, self.tell_at];
        let next = deadlines.into_iter().flatten().min();
        next.map_or(LOOK, |next| next.saturating_sub(self.clock.now()).min(LOOK))
    }

    // --- What is done ------------------------------------------------------------------------------------------------

    fn act(&mut self, action: Action, now: Moment) {
        match action {
            Action::Start(id, place) => match self.start(id, place) {
                Ok(child) => {
                    self.fleet.started(id, child.pid);
                    let lent = self.lent_to(place).into_iter().collect();
                    self.rows.insert(id, Row::new(child, lent, self.threads()));
                }
                Err(error) => {
                    let error = descriptors::explain(error.into(), &self.config);
                    let end = End { cause: format!("was not started: {error}"), by_signal: false };
                    self.fleet.gone(id, &end, now);
                }
            },
            Action::Drain(id, idle) => {
                let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
                self.tell(id, ToWorker::Drain { idle_ms });
            }
            Action::Quit(id) => self.tell(id, ToWorker::Quit),
            Action::TellSilence(id, loops, silent) => self.tell_silence(id, &loops, silent),
            Action::Ask(id) => {
                self.signal(id, SignalKind::TERMINATE);
                self.signal(id, SignalKind::CONTINUE);
            }
            Action::Kill(id) => self.signal(id, SignalKind::KILL),
        }
    }

    fn start(&mut self, id: Id, place: usize) -> io::Result<Child<ToWorker>> {
        let mut command = self.program.worker(place);
        command.kill_on_drop(true);
        let sockets = self.sockets_of(place)?;
        let tell = move |heard| News::Worker(id, heard);
        let child = Child::start(command, &format!("worker {place}"), self.news.clone(), tell)?;
        sockets::hand(&child, sockets);
        child.tell(ToWorker::Serve, Vec::new());
        Ok(child)
    }

    fn tell(&self, id: Id, message: ToWorker) {
        if let Some(row) = self.rows.get(&id) {
            row.child.tell(message, Vec::new());
        }
    }

    fn signal(&self, id: Id, kind: SignalKind) {
        if let Some(row) = self.rows.get(&id) {
            row.child.signal(kind);
        }
    }
}

impl Drop for Governor {
    fn drop(&mut self) {
        self.close_sockets(); // whose files may be another's
    }
}
