//! The tape: what a loop did last, one record of fixed size for each phase, poll and job.
//!
//! A [`Tape`] is an observer with a ring of records. When the ring is full, the oldest makes room for the newest, and is
//! counted. What it holds at a moment is a [`Recording`], which can be looked through, checked against the
//! [order of a turn](TURN), and written as a Chrome trace.
//!
//! # Memory
//! The ring is asked for at once, [64 bytes](Record) a record. Besides, there is a place for each task that has not ended,
//! and one for each that has ended and has records in the ring still: so at most one a record. Nothing is allocated for a
//! record; a task that is spawned with a name has that copied.
//!
//! # Time
//! A phase ends where the next one begins, and the last one of a turn where the next turn's first begins, or where the loop
//! leaves its run. So the times of a turn's phases, taken together, are its time, to the nanosecond.

#[cfg(feature = "json")]
mod chrome;
mod order;
mod record;
mod recording;
#[cfg_attr(not(feature = "json"), expect(dead_code, reason = "words of a file that only that feature writes"))]
mod text;
mod why;

pub use order::{PhaseRule, Rule, TURN, Violation};
pub use record::{After, Record, TapedTask, Wake, What};
pub use recording::{Recording, Turn};
pub use why::{Because, NoAnswer, Why};

use crate::arena::Key;
use crate::clock::{Clock, nanos};
use crate::observer::{JobTimes, Observer};
use crate::trace::{Cause, Phase, Wait};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::num::NonZeroU32;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// So much of a task's name is kept.
const NAME_CHARS_MAX: usize = 128;

/// Keeps what a loop did last; see the [module](self).
///
/// # Examples
/// ```
/// use evloop_runtime::observe::Tape;
/// use evloop_runtime::{Runtime, TaskBuilder};
///
/// let tape = Tape::new(1_000);
/// let runtime = Runtime::builder().observer(tape.clone()).build()?;
/// runtime.block_on(async { TaskBuilder::new().name("adder").spawn(async { 1 + 1 }).await }).unwrap();
///
/// let recording = tape.recording();
/// let adder = &recording.tasks[0];
/// assert_eq!(adder.name.as_deref(), Some("adder"));
/// assert_eq!(recording.polls(adder.key).count(), 1);
/// assert_eq!(recording.turns().count(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Tape {
    reel: RefCell<Reel>,
}

impl Tape {
    /// An empty tape, for so many records; one at least.
    ///
    /// # Panics
    /// When there is no memory for them: the ring is asked for at once.
    #[must_use]
    pub fn new(records: usize) -> Rc<Tape> {
        Rc::new(Tape { reel: RefCell::new(Reel::new(records.max(1))) })
    }

    /// What it holds now. It goes on, and may be asked again.
    #[must_use]
    pub fn recording(&self) -> Recording {
        self.reel.borrow().recording()
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reel = self.reel.borrow();
        f.debug_struct("Tape")
            .field("records", &reel.ring.len())
            .field("dropped", &reel.oldest())
            .finish_non_exhaustive()
    }
}

impl Observer for Tape {
    fn attached(&self, clock: &Rc<Clock>) {
        self.reel.borrow_mut().attach(clock);
    }

    fn shuffled(&self, _seed: u64) {
        self.reel.borrow_mut().shuffled = true;
    }

    fn phase(&self, phase: Phase) {
        let mut reel = self.reel.borrow_mut();
        let now = reel.now();
        reel.close(now);
        reel.phase = Some(reel.push(now, now, now, What::Phase(phase)));
    }

    fn wait(&self, at_most: Option<Duration>) {
        self.reel.borrow_mut().asked = at_most.map(nanos);
    }

    fn waited(&self, events: usize) {
        let mut reel = self.reel.borrow_mut();
        let (now, asked) = (reel.now(), reel.asked);
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        if let Some(phase) = reel.open_phase() {
            phase.what = What::Kernel { asked, slept: now.saturating_sub(phase.begin), events };
        }
    }

    fn fired(&self, timers: u64, latest: Duration) {
        let fired = u32::try_from(timers).unwrap_or(u32::MAX);
        if let Some(phase) = self.reel.borrow_mut().open_phase() {
            phase.what = What::Timers { fired, latest: nanos(latest) };
        }
    }

    fn spawned(&self, task: Key, name: Option<&str>, spawned_at: &'static Location<'static>, parent: Key) {
        let name = name.map(|name| name.chars().take(NAME_CHARS_MAX).collect());
        self.reel.borrow_mut().note_spawn(task, Spawn { name, spawned_at, parent });
    }

    fn woken(&self, task: Key, cause: Cause) {
        self.reel.borrow_mut().note_wake(task, cause);
    }

    fn poll_begin(&self, task: Key, cause: Cause) {
        self.reel.borrow_mut().begin_poll(task, cause);
    }

    fn poll_end(&self, _task: Key, wait: Option<Wait>) {
        let mut reel = self.reel.borrow_mut();
        let now = reel.now();
        reel.end_poll(now, wait);
    }

    fn ended(&self, task: Key) {
        self.reel.borrow_mut().note_end(task);
    }

    fn job(&self, job: &JobTimes) {
        self.reel.borrow_mut().note_job(job);
    }

    fn left(&self) {
        let mut reel = self.reel.borrow_mut();
        let now = reel.now();
        reel.end_poll(now, None); // of a future that has panicked nobody has told the end
        reel.close(now);
        reel.push(now, now, now, What::Left);
    }
}

/// What a tape holds, and what it must know to go on.
///
/// Records are numbered from 0 as they come, and lie in the ring one behind the other, the first at its beginning.
struct Reel {
    ring: Vec<Record>,
    /// What the task of the poll at that place of the ring waits for.
    waits: Vec<Wait>,
    capacity: usize,
    /// The number of the next record.
    next: u64,
    /// Its place in the ring.
    next_place: usize,
    clock: Option<Rc<Clock>>,
    origin: Option<Instant>,
    /// The number of the phase under way.
    phase: Option<u64>,
    /// The poll under way, or the last one of this phase.
    poll: Option<Polled>,
    /// For how long the kernel may be waited for in this turn.
    asked: Option<u64>,
    /// The number of the last wake.
    wakes: u32,
    /// The future of `block_on`.
    root: Place,
    /// The tasks that have not ended, by the index of their keys.
    live: Vec<Place>,
    /// Those that have ended, each with the number of the last record before that, first ended first.
    gone: VecDeque<(u64, Key, Spawn)>,
    shuffled: bool,
}

#[derive(Debug, Clone, Copy)]
struct Polled {
    task: Key,
    number: u64,
    /// `None` while it is under way.
    then: Option<After>,
}

/// What is known of the task at one index.
#[derive(Debug, Default)]
struct Place {
    stamp: u32,
    /// It has been woken, and waits for its poll.
    woken: Option<Woken>,
    /// `None`: it was spawned when the tape did not look, or is no more.
    spawn: Option<Spawn>,
}

#[derive(Debug, Clone, Copy)]
struct Woken {
    at: u64,
    number: NonZeroU32,
    /// The number of the record in which it happened.
    from: Option<u64>,
}

#[derive(Debug)]
struct Spawn {
    name: Option<Box<str>>,
    spawned_at: &'static Location<'static>,
    parent: Key,
}

impl Spawn {
    fn of(&self, key: Key) -> TapedTask {
        let Spawn { name, spawned_at, parent } = self;
        TapedTask { key, name: name.as_deref().map(str::to_owned), spawned_at: spawned_at.to_string(), parent: *parent }
    }
}

/// Room for so many records, or for what belongs to them.
fn room_for<T>(records: usize) -> Vec<T> {
    let mut room = Vec::new();
    if let Err(error) = room.try_reserve_exact(records) {
        panic!("no memory for a tape of {records} records: {error}");
    }
    room
}

impl Reel {
    fn new(capacity: usize) -> Reel {
        Reel {
            ring: room_for(capacity),
            waits: room_for(capacity),
            capacity,
            next: 0,
            next_place: 0,
            clock: None,
            origin: None,
            phase: None,
            poll: None,
            asked: None,
            wakes: 0,
            root: Place::default(),
            live: Vec::new(),
            gone: VecDeque::new(),
            shuffled: false,
        }
    }

    /// What was under way is not known to have ended, and what is waited for is not known: all begins anew, but for the
    /// records of the same loop.
    fn attach(&mut self, clock: &Rc<Clock>) {
        if self.clock.as_ref().is_some_and(|known| !Rc::ptr_eq(known, clock)) {
            *self = Reel::new(self.capacity);
        }
        let now = self.now();
        for open in [self.phase, self.open_poll()].into_iter().flatten() {
            if let Some(record) = self.record(open) {
                record.end = now;
            }
        }
        self.clock = Some(Rc::clone(clock));
        self.origin = Some(clock.instant_of(0));
        (self.phase, self.poll, self.root.woken) = (None, None, None);
        self.live.iter_mut().for_each(|place| place.woken = None);
        let now = self.now(); // of a clock that it may not have had before
        self.push(now, now, now, What::Attached);
    }

    fn now(&self) -> u64 {
        self.clock.as_ref().map_or(0, |clock| clock.fresh_nanos())
    }

    fn since_origin(&self, at: Instant) -> u64 {
        self.origin.map_or(0, |origin| nanos(at.saturating_duration_since(origin)))
    }

    /// The number of the oldest record that is still here, which is how many are not.
    fn oldest(&self) -> u64 {
        self.next - self.ring.len() as u64
    }

    /// One more record, whose number comes back.
    fn push(&mut self, since: u64, begin: u64, end: u64, what: What) -> u64 {
        let record = Record { since, begin, end, what };
        let (number, place) = (self.next, self.next_place);
        self.next += 1;
        self.next_place = if place + 1 == self.capacity { 0 } else { place + 1 };
        if self.ring.len() < self.capacity {
            self.ring.push(record);
            self.waits.push(Wait::Unknown);
            return number;
        }
        self.ring[place] = record;
        let oldest = self.oldest();
        while self.gone.front().is_some_and(|(last, ..)| *last < oldest) {
            self.gone.pop_front();
        }
        number
    }

    /// The place of a record, if it is still here. It is reckoned from the next one's: a division takes longer than all else
    /// that is done for a record.
    #[inline]
    fn place(&self, number: u64) -> Option<usize> {
        let back = usize::try_from(self.next - number).ok().filter(|back| *back <= self.ring.len())?;
        Some(if back <= self.next_place { self.next_place - back } else { self.next_place + self.capacity - back })
    }

    fn record(&mut self, number: u64) -> Option<&mut Record> {
        let place = self.place(number)?;
        self.ring.get_mut(place)
    }

    fn open_phase(&mut self) -> Option<&mut Record> {
        self.phase.and_then(|phase| self.record(phase))
    }

    fn open_poll(&self) -> Option<u64> {
        self.poll.filter(|poll| poll.then.is_none()).map(|poll| poll.number)
    }

    /// The phase under way ends.
    fn close(&mut self, now: u64) {
        if let Some(phase) = self.open_phase() {
            phase.end = now;
        }
        (self.phase, self.poll) = (None, None);
    }

    fn note_spawn(&mut self, task: Key, spawn: Spawn) {
        let index = task.index() as usize;
        if self.live.len() <= index {
            self.live.resize_with(index + 1, Place::default);
        }
        let place = &mut self.live[index];
        let former = std::mem::replace(place, Place { stamp: task.stamp(), woken: None, spawn: Some(spawn) });
        if let Some(spawn) = former.spawn {
            // Its end came while the tape did not look.
            self.gone.push_back((self.next - 1, Key::new(task.index(), former.stamp), spawn));
        }
    }

    /// The place of a task, which may be one that was spawned before the tape looked on.
    fn task(&mut self, task: Key) -> &mut Place {
        if task == Key::NONE {
            return &mut self.root;
        }
        let index = task.index() as usize;
        if self.live.len() <= index {
            self.live.resize_with(index + 1, Place::default);
        }
        let place = &mut self.live[index];
        if place.stamp != task.stamp() {
            *place = Place { stamp: task.stamp(), ..Place::default() };
        }
        place
    }

    fn note_wake(&mut self, task: Key, cause: Cause) {
        let at = self.now();
        self.wakes = self.wakes.wrapping_add(1).max(1);
        let number = NonZeroU32::new(self.wakes).expect("it is 1 at least");
        let from = match self.poll {
            // What a task leaves behind when it has ended, it wakes after its poll.
            Some(poll) if poll.then.is_none() || cause == Cause::Task(poll.task) => Some(poll.number),
            _ => self.phase,
        };
        self.task(task).woken = Some(Woken { at, number, from });
    }

    fn begin_poll(&mut self, task: Key, cause: Cause) {
        let now = self.now();
        let woken = self.task(task).woken.take();
        let next = self.next;
        let from = |from: u64| u32::try_from(next - from).unwrap_or(0);
        let wake = woken.map(|woken| Wake { number: woken.number, from: woken.from.map_or(0, from) });
        let since = woken.map_or(now, |woken| woken.at);
        let number = self.push(since, now, now, What::Poll { task, cause, wake, then: After::Open });
        self.poll = Some(Polled { task, number, then: None });
    }

    fn end_poll(&mut self, now: u64, wait: Option<Wait>) {
        let Some(poll) = self.poll.as_mut().filter(|poll| poll.then.is_none()) else { return };
        let after = if wait.is_some() { After::Waits(0) } else { After::Ended }; // which wait, a recording finds out
        poll.then = Some(after);
        let number = poll.number;
        let Some(place) = self.place(number) else { return };
        if let Some(wait) = wait {
            self.waits[place] = wait;
        }
        let record = &mut self.ring[place];
        record.end = now;
        if let What::Poll { then, .. } = &mut record.what {
            *then = after;
        }
    }

    fn note_end(&mut self, task: Key) {
        let in_its_poll = self.poll.is_some_and(|poll| poll.task == task && poll.then == Some(After::Ended));
        if !in_its_poll {
            let now = self.now();
            self.push(now, now, now, What::Cancel { task });
        }
        let place = self.task(task);
        place.woken = None;
        if let Some(spawn) = place.spawn.take() {
            self.gone.push_back((self.next - 1, task, spawn));
        }
    }

    /// No time passes for a job under a clock that is moved by hand.
    fn note_job(&mut self, job: &JobTimes) {
        let now = self.now();
        let manual = self.clock.as_ref().is_some_and(|clock| clock.is_manual());
        let [submitted, began, ended] =
            [job.submitted, job.began, job.ended].map(|at| if manual { now } else { self.since_origin(at) });
        let task = self.poll.filter(|poll| poll.then.is_none()).map_or(Key::NONE, |poll| poll.task);
        self.push(submitted, began, ended, What::Job { class: job.class, task, taken: now });
    }

    fn recording(&self) -> Recording {
        let (oldest, now) = (self.oldest(), self.now());
        let (newer, older) = self.ring.split_at(self.next_place.min(self.ring.len()));
        let mut records: Vec<Record> = older.iter().chain(newer).copied().collect();
        for open in [self.phase, self.open_poll()].into_iter().flatten().filter(|open| *open >= oldest) {
            let place = usize::try_from(open - oldest).expect("it is one of those in memory");
            records[place].end = now;
        }
        let waits = self.name_waits(&mut records);
        let live = self.live.iter().zip(0..);
        let live = live.filter_map(|(place, index)| Some(place.spawn.as_ref()?.of(Key::new(index, place.stamp))));
        let mut tasks: Vec<TapedTask> = self.gone.iter().map(|(_, key, spawn)| spawn.of(*key)).chain(live).collect();
        tasks.sort_unstable_by_key(|task| task.key.stamp());
        Recording { whose: String::new(), records, tasks, waits, dropped: oldest, shuffled: self.shuffled }
    }

    /// Has the polls among the records, which are all that are here, name what their tasks wait for: each wait once.
    fn name_waits(&self, records: &mut [Record]) -> Vec<String> {
        let (mut names, mut known) = (Vec::new(), HashMap::new());
        for (record, number) in records.iter_mut().zip(self.oldest()..) {
            let What::Poll { then: After::Waits(name), .. } = &mut record.what else { continue };
            let wait = self.waits[self.place(number).expect("it is one of those in memory")];
            *name = *known.entry(wait).or_insert_with(|| {
                names.push(text::wait_words(wait));
                u32::try_from(names.len() - 1).expect("a tape has fewer records than that")
            });
        }
        names
    }
}

#[cfg(test)]
mod tests;
