//! What the live page measures: where the time of the loop goes, and what has to wait.
//!
//! An [`Observer`] that is told of every phase, wake and poll, and reads the clock each time. That is not free, so it looks
//! on only while somebody looks at the page, and it tells what it costs.

use evloop::engine::Clock;
use evloop::observe::{Cause, Doing, Key, Observer, Phase, Wait};
use evloop::{WorkKind, turn};
use hdrhistogram::Histogram;
use std::cell::{OnceCell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A poll that takes longer is told of by name.
const SLOW: Duration = Duration::from_millis(10);

/// How many of them are told of at once: the others count.
const SLOW_KEPT: usize = 8;

/// One call of so many is timed, to tell what they cost.
const SAMPLED: u64 = 64;

/// Longer waits count as this one, in nanoseconds: a minute.
const DELAY_MAX: u64 = 60_000_000_000;

/// The parts of a turn that the page tells apart: the phases, with the wait for the kernel taken out of the poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Run,
    Wait,
    Poll,
    Mail,
    Timers,
}

const PARTS: usize = Part::Timers as usize + 1;

impl From<Phase> for Part {
    /// Hooks run code, as tasks do.
    fn from(phase: Phase) -> Part {
        match phase {
            Phase::Run | Phase::Idle | Phase::Prepare | Phase::Check => Part::Run,
            Phase::Poll => Part::Poll,
            Phase::Mail => Part::Mail,
            Phase::Timers => Part::Timers,
        }
    }
}

/// What was measured since the last time that it was asked for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// For how long all this was.
    pub(super) span: Duration,
    pub(super) parts: [Duration; PARTS],
    /// The longest for which the kernel was not asked: what came then was not seen.
    pub(super) held: Duration,
    /// How late the latest timer was.
    pub(super) late: Duration,
    /// From wake to poll, half of the tasks at most so long.
    pub(super) delay_half: Duration,
    /// From wake to poll, 99 of 100 tasks at most so long.
    pub(super) delay_99: Duration,
    /// From wake to poll, at the longest.
    pub(super) delay_max: Duration,
    pub(super) spawned: u64,
    pub(super) ended: u64,
    pub(super) slow: Vec<SlowPoll>,
    /// What this observer has taken of the loop's time, by samples.
    pub(super) cost: Duration,
}

impl Reading {
    /// The longest that anything had to wait for the loop.
    pub(super) fn lag(&self) -> Duration {
        self.held.max(self.late).max(self.delay_max)
    }

    pub(super) fn part(&self, part: Part) -> Duration {
        self.parts[part as usize]
    }
}

/// A poll that held the loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlowPoll {
    pub(super) task: String,
    /// The request that was served in it, as it was noted for the watchdog.
    pub(super) doing: Option<String>,
    pub(super) woken_by: &'static str,
    pub(super) took: Duration,
}

/// The observer.
pub(super) struct Gauge {
    clock: OnceCell<Rc<Clock>>,
    /// What tasks say that they do. There is none where there is no watchdog.
    doing: OnceCell<Doing>,
    state: RefCell<State>,
}

struct State {
    reading: Reading,
    delays: Histogram<u64>,
    part: Part,
    part_since: Instant,
    reading_since: Instant,
    /// When the kernel had last answered.
    heard: Instant,
    poll_since: Instant,
    woken_by: Cause,
    /// By the place of the task's key.
    tasks: Vec<Task>,
    calls: u64,
    sampled: Duration,
}

#[derive(Debug, Clone, Default)]
struct Task {
    woken: Option<Instant>,
    name: Option<Rc<str>>,
    spawned_at: Option<&'static Location<'static>>,
}

impl Gauge {
    pub(super) fn new() -> Gauge {
        let now = Instant::now();
        let delays = Histogram::new_with_bounds(1, DELAY_MAX, 2).expect("the bounds are in order, two digits are few");
        let state = State {
            reading: Reading::default(),
            delays,
            part: Part::Run,
            part_since: now,
            reading_since: now,
            heard: now,
            poll_since: now,
            woken_by: Cause::Outside,
            tasks: Vec::new(),
            calls: 0,
            sampled: Duration::ZERO,
        };
        Gauge { clock: OnceCell::new(), doing: OnceCell::new(), state: RefCell::new(state) }
    }

    /// What was measured since the last call.
    pub(super) fn take(&self) -> Reading {
        let Some(clock) = self.clock.get() else { return Reading::default() };
        let now = clock.fresh();
        let state = &mut *self.state.borrow_mut();
        state.enter(state.part, now);
        state.held(now);
        let delay = |quantile| Duration::from_nanos(state.delays.value_at_quantile(quantile));
        state.reading.delay_half = delay(0.5);
        state.reading.delay_99 = delay(0.99);
        state.reading.span = now - std::mem::replace(&mut state.reading_since, now);
        state.reading.cost = cost(state.sampled, state.calls);
        state.delays.reset();
        (state.calls, state.sampled) = (0, Duration::ZERO);
        std::mem::take(&mut state.reading)
    }

    /// Sees to one call of the loop, as of now.
    fn note(&self, note: impl FnOnce(&mut State, Instant)) {
        let Some(clock) = self.clock.get() else { return };
        let now = clock.fresh();
        let state = &mut *self.state.borrow_mut();
        note(state, now);
        state.calls += 1;
        if state.calls % SAMPLED == 1 {
            state.sampled += clock.fresh() - now;
        }
    }
}

/// What all the calls took, if those that were not timed were like those that were.
fn cost(sampled: Duration, calls: u64) -> Duration {
    let timed = calls.div_ceil(SAMPLED).max(1);
    let nanos = sampled.as_nanos() * u128::from(calls) / u128::from(timed);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl State {
    /// Another part of the turn begins.
    fn enter(&mut self, part: Part, now: Instant) {
        self.reading.parts[self.part as usize] += now - self.part_since;
        (self.part, self.part_since) = (part, now);
    }

    /// The kernel is asked, or would be had the turn come to it.
    fn held(&mut self, now: Instant) {
        self.reading.held = self.reading.held.max(now - self.heard);
    }

    /// The record of a task; the future of `block_on` has none.
    fn task(&mut self, key: Key) -> Option<&mut Task> {
        if key == Key::NONE {
            return None;
        }
        let place = key.index() as usize;
        if place >= self.tasks.len() {
            self.tasks.resize(place + 1, Task::default());
        }
        Some(&mut self.tasks[place])
    }

    fn slow(&mut self, key: Key, took: Duration, doing: Option<&Doing>) {
        if self.reading.slow.len() == SLOW_KEPT {
            return;
        }
        let task = self.task(key).map(|task| (task.name.clone(), task.spawned_at));
        let task = match task {
            None => "the program's main task".to_owned(),
            Some((Some(name), _)) => name.to_string(),
            Some((None, Some(at))) => format!("a task of {}:{}", at.file(), at.line()),
            Some((None, None)) => "a task without a name".to_owned(),
        };
        let doing = doing.and_then(Doing::noted);
        self.reading.slow.push(SlowPoll { task, doing, woken_by: woken_by(self.woken_by), took });
    }
}

/// Why a task ran, in words.
fn woken_by(cause: Cause) -> &'static str {
    match cause {
        Cause::Spawn => "it was new",
        Cause::Task(_) => "another task woke it",
        Cause::Io => "its socket was ready",
        Cause::Timer => "its deadline came",
        Cause::Mail => "another thread woke it",
        _ => "it was woken from outside",
    }
}

impl Observer for Gauge {
    fn attached(&self, clock: &Rc<Clock>) {
        let now = clock.fresh();
        let state = &mut *self.state.borrow_mut();
        (state.part_since, state.reading_since, state.heard) = (now, now, now);
        for work in turn::walk() {
            if let WorkKind::Task { key, name, .. } = work.kind
                && let Some(task) = state.task(key)
            {
                *task = Task { woken: None, name, spawned_at: work.made_at };
            }
        }
        if let Some(doing) = Doing::current() {
            drop(self.doing.set(doing));
        }
        assert!(self.clock.set(Rc::clone(clock)).is_ok(), "it looks on at one loop, once");
    }

    fn phase(&self, phase: Phase) {
        self.note(|state, now| state.enter(phase.into(), now));
    }

    fn wait(&self, at_most: Option<Duration>) {
        self.note(|state, now| {
            state.held(now);
            if at_most != Some(Duration::ZERO) {
                state.enter(Part::Wait, now);
            }
        });
    }

    fn waited(&self, _: usize) {
        self.note(|state, now| {
            state.heard = now;
            state.enter(Part::Poll, now);
        });
    }

    fn fired(&self, _: u64, latest: Duration) {
        self.note(|state, _| state.reading.late = state.reading.late.max(latest));
    }

    fn spawned(&self, task: Key, name: Option<&str>, spawned_at: &'static Location<'static>, _: Key) {
        self.note(|state, _| {
            state.reading.spawned += 1;
            let record = Task { woken: None, name: name.map(Rc::from), spawned_at: Some(spawned_at) };
            state.task(task).into_iter().for_each(|task| *task = record.clone());
        });
    }

    fn woken(&self, task: Key, _: Cause) {
        self.note(|state, now| state.task(task).into_iter().for_each(|task| task.woken = Some(now)));
    }

    fn poll_begin(&self, task: Key, cause: Cause) {
        self.note(|state, now| {
            (state.poll_since, state.woken_by) = (now, cause);
            let woken = state.task(task).and_then(|task| task.woken.take());
            if let Some(delay) = woken.map(|woken| now - woken) {
                state.reading.delay_max = state.reading.delay_max.max(delay);
                state.delays.saturating_record(u64::try_from(delay.as_nanos()).unwrap_or(DELAY_MAX));
            }
        });
    }

    fn poll_end(&self, task: Key, _: Option<Wait>) {
        self.note(|state, now| {
            let took = now - state.poll_since;
            if took >= SLOW {
                state.slow(task, took, self.doing.get());
            }
        });
    }

    fn ended(&self, _: Key) {
        self.note(|state, _| state.reading.ended += 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

    use super::*;
    use evloop::observe::Watchdog;
    use evloop::{Runtime, task};

    #[test]
    fn slow_poll_is_told_with_what_was_done_in_it() {
        let watchdog = Watchdog::new(Duration::from_secs(3_600));
        let runtime = Runtime::builder().manual_clock().watchdog(watchdog).build().unwrap();
        let slow = runtime.block_on(async {
            let gauge = Rc::new(Gauge::new());
            let _observed = turn::observe(Rc::<Gauge>::clone(&gauge));
            for doing in [Some("GET /slow"), None] {
                let clock = Rc::clone(gauge.clock.get().unwrap());
                let works = async move {
                    if let Some(doing) = doing {
                        Doing::current().unwrap().note(doing.as_bytes());
                    }
                    clock.advance(SLOW);
                };
                task::Builder::new().name("connection").spawn(works).await.unwrap();
            }
            gauge.take().slow
        });
        let told: Vec<_> = slow.iter().map(|poll| (&*poll.task, poll.doing.as_deref())).collect();
        assert_eq!(told, [("connection", Some("GET /slow")), ("connection", None)]);
    }
}
