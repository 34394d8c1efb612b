//! Who looks on while a turn is made, and tells it in words.

use evloop::engine::Clock;
use evloop::observe::{Cause, JobTimes, Key, Observer, Phase, Wait};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What happened in each phase of a turn.
pub(super) type Told = Vec<(Phase, Vec<String>)>;

/// Writes down one turn.
pub(super) struct Witness {
    clock: OnceCell<Rc<Clock>>,
    names: RefCell<BTreeMap<(u32, u32), String>>,
    told: RefCell<Told>,
    ended: Cell<bool>,
    asks_since: Cell<Option<Instant>>,
    begun: Cell<Option<Instant>>,
    ended_at: Cell<Option<Instant>>,
    /// How long the loop stood before this turn, and before all turns so far: somebody thought, or typed.
    stood: Cell<Duration>,
    stood_in_all: Cell<Duration>,
    /// A wait is announced before it begins, on the standard output.
    announces: bool,
}

impl Witness {
    pub(super) fn new(announces: bool) -> Witness {
        Witness {
            clock: OnceCell::new(),
            names: RefCell::default(),
            told: RefCell::default(),
            ended: Cell::new(false),
            asks_since: Cell::default(),
            begun: Cell::default(),
            ended_at: Cell::default(),
            stood: Cell::default(),
            stood_in_all: Cell::default(),
            announces,
        }
    }

    /// What was told is forgotten.
    pub(super) fn begin_turn(&self) {
        self.told.borrow_mut().clear();
        self.ended.set(false);
        let now = self.fresh();
        self.begun.set(now);
        self.stood.set(now.zip(self.ended_at.get()).map_or(Duration::ZERO, |(now, ended)| now - ended));
        self.stood_in_all.set(self.stood_in_all.get() + self.stood.get());
    }

    /// What passes from now on, until the next turn, is nobody's lateness.
    pub(super) fn end_turn(&self) {
        self.ended_at.set(self.fresh());
    }

    /// How long the loop stood between its turns.
    pub(super) fn stood(&self) -> Duration {
        self.stood_in_all.get()
    }

    fn fresh(&self) -> Option<Instant> {
        self.clock.get().map(|clock| clock.fresh())
    }

    /// So much of a lateness as is the loop's own, the time in which it stood left out: what was due meanwhile is late since
    /// the turn began.
    fn own_part(&self, late: Duration) -> Duration {
        let in_turn = self.clock.get().zip(self.begun.get());
        let in_turn = in_turn.map_or(late, |(clock, begun)| clock.now().saturating_duration_since(begun));
        late.saturating_sub(self.stood.get()).max(late.min(in_turn))
    }

    /// What happened since.
    pub(super) fn turn(&self) -> Told {
        self.told.borrow().clone()
    }

    pub(super) fn has_ended_task(&self) -> bool {
        self.ended.get()
    }

    /// What a task is called here.
    pub(super) fn name(&self, task: Key) -> String {
        let known = self.names.borrow().get(&(task.index(), task.stamp())).cloned();
        known.unwrap_or_else(|| format!("task {}", task.index()))
    }

    pub(super) fn cause(&self, cause: Cause) -> String {
        match cause {
            Cause::Spawn => "spawned".to_owned(),
            Cause::Task(task) => format!("woken by {}", self.name(task)),
            Cause::Io => "woken by the kernel".to_owned(),
            Cause::Timer => "woken by its deadline".to_owned(),
            Cause::Mail => "woken by mail".to_owned(),
            _ => "woken from outside".to_owned(),
        }
    }

    fn tell(&self, what: String) {
        if let Some((_, told)) = self.told.borrow_mut().last_mut() {
            told.push(what);
        }
    }
}

impl Observer for Witness {
    fn attached(&self, clock: &Rc<Clock>) {
        self.clock.get_or_init(|| Rc::clone(clock));
        self.end_turn();
    }

    fn phase(&self, phase: Phase) {
        if phase == Phase::Poll {
            self.asks_since.set(self.fresh());
        }
        self.told.borrow_mut().push((phase, Vec::new()));
    }

    fn spawned(&self, task: Key, name: Option<&str>, _: &'static Location<'static>, _: Key) {
        if let Some(name) = name {
            self.names.borrow_mut().insert((task.index(), task.stamp()), name.to_owned());
        }
    }

    fn wait(&self, at_most: Option<Duration>) {
        let text = match at_most {
            Some(Duration::ZERO) => return self.tell("the kernel is asked, and not waited for".to_owned()),
            Some(wait) => format!("waits for the kernel, at most {} ms", wait.as_nanos().div_ceil(1_000_000)),
            None => "waits for the kernel, for as long as it takes".to_owned(),
        };
        if self.announces {
            let mut out = io::stdout().lock();
            drop(write!(out, "\r\n... {text}").and_then(|()| out.flush())); // the next screen says the same
        }
        self.tell(text);
    }

    fn waited(&self, events: usize) {
        let passed = self.clock.get().zip(self.asks_since.take());
        let passed = passed.map_or(Duration::ZERO, |(clock, since)| clock.now().saturating_duration_since(since));
        self.tell(format!("{}, {} ms later", counted(events, "event"), passed.as_millis()));
    }

    fn fired(&self, timers: u64, latest: Duration) {
        self.tell(format!("{timers} fired, {} ms late", self.own_part(latest).as_millis()));
    }

    fn woken(&self, task: Key, _: Cause) {
        self.tell(format!("wakes {}", self.name(task)));
    }

    fn poll_begin(&self, task: Key, cause: Cause) {
        self.tell(format!("polls {}, {}", self.name(task), self.cause(cause)));
    }

    fn poll_end(&self, task: Key, wait: Option<Wait>) {
        let name = self.name(task);
        self.tell(
            wait.map_or_else(|| format!("{name} has ended"), |wait| format!("{name} waits for {}", in_short(wait))),
        );
    }

    fn ended(&self, _: Key) {
        self.ended.set(true);
    }

    fn job(&self, _: &JobTimes) {
        self.tell("a job's result is taken".to_owned());
    }
}

/// A number of things.
pub(super) fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// What is waited for, without the place where that was made: there is little room, and a program has few of a kind.
pub(super) fn in_short(wait: Wait) -> String {
    let text = wait.to_string();
    text.split(" made at ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn time_in_which_somebody_thinks_is_not_the_turns() {
        let (clock, witness) = (Rc::new(Clock::manual()), Witness::new(false));
        witness.attached(&clock);
        clock.advance(ms(3_000));
        witness.begin_turn();
        clock.advance(ms(2));
        witness.phase(Phase::Poll);
        witness.wait(None);
        clock.advance(ms(5));
        clock.refresh(false);
        witness.waited(1);
        assert_eq!(witness.turn()[0].1, ["waits for the kernel, for as long as it takes", "1 event, 5 ms later"]);
        assert_eq!(witness.own_part(ms(4)), ms(4), "due in the turn");
        assert_eq!(witness.own_part(ms(500)), ms(7), "due while the loop stood: late since it began");
        assert_eq!(witness.own_part(ms(3_107)), ms(107), "late before the loop stood");
        assert_eq!(witness.stood(), ms(3_000));
        witness.end_turn();
        witness.begin_turn();
        assert_eq!((witness.own_part(ms(20)), witness.stood()), (ms(20), ms(3_000)), "nobody thought");
    }
}
