//! The order of a turn as data, and a checker that replays a recording against it.

use super::record::{After, Record, What};
use super::recording::Recording;
use crate::arena::Key;
use crate::trace::{Cause, Phase};
use std::collections::HashSet;
use std::fmt;

/// What one phase of a turn is, and what may happen in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseRule {
    /// The phase.
    pub phase: Phase,
    /// Each turn has it; the others are those of hooks, and told while there are some.
    pub always: bool,
    /// Tasks are polled in it.
    pub polls: bool,
    /// The cause of what becomes runnable in it, but not by a task's poll. What is spawned may be spawned in all of them.
    pub wakes: Cause,
}

const fn phase(phase: Phase, always: bool, polls: bool, wakes: Cause) -> PhaseRule {
    PhaseRule { phase, always, polls, wakes }
}

/// The phases of a turn, in their order.
///
/// Only in [`Phase::Poll`] does the loop wait, and it asks the kernel once a turn; only in [`Phase::Timers`] do timers fire.
#[rustfmt::skip]
pub const TURN: [PhaseRule; 7] = [
    //                    always  polls  wakes
    phase(Phase::Run,     true,   true,  Cause::Outside),
    phase(Phase::Idle,    false,  false, Cause::Outside),
    phase(Phase::Prepare, false,  false, Cause::Outside),
    phase(Phase::Poll,    true,   false, Cause::Io),
    phase(Phase::Mail,    true,   false, Cause::Mail),
    phase(Phase::Check,   false,  false, Cause::Outside),
    phase(Phase::Timers,  true,   false, Cause::Timer),
];

/// What holds in every recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The phases of a turn come in the order of [`TURN`], none twice, none left out that each turn has.
    Phases,
    /// A phase begins where the one before it ends, and nothing begins before what stands before it.
    Time,
    /// Each turn asks the kernel, once.
    Kernel,
    /// Tasks are polled in [`Phase::Run`], one after the other.
    Polls,
    /// A poll comes after its wake, and a wake brings one poll.
    Wake,
    /// What becomes runnable in a poll is woken by that task; in a phase, by what the phase is for.
    Cause,
    /// Who is woken first is polled first. A loop that shuffles is not held to it.
    Fifo,
    /// Timers do not fire before the time has passed for which the kernel was to be waited for.
    Early,
    /// Who has ended is polled no more.
    End,
    /// The result of a job is taken in by the task that is being polled.
    Job,
}

/// What is wrong with a record where it stands, if anything is.
type Check = fn(&Replay<'_>) -> Option<String>;

impl Rule {
    /// All of them, each with what looks after it.
    const CHECKS: [(Rule, Check); 10] = [
        (Rule::Phases, phases),
        (Rule::Time, time),
        (Rule::Kernel, kernel),
        (Rule::Polls, polls),
        (Rule::Wake, wake),
        (Rule::Cause, cause),
        (Rule::Fifo, fifo),
        (Rule::Early, early),
        (Rule::End, end),
        (Rule::Job, job),
    ];
}

/// A recording that does not keep the order of a turn: where, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken.
    pub rule: Rule,
    /// The place of the record that breaks it.
    pub at: usize,
    text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}: {}", self.at, self.text)
    }
}

impl std::error::Error for Violation {}

impl Recording {
    /// Replays the recording, and looks whether each record may stand where it stands.
    ///
    /// # Errors
    /// The first record that may not.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::observe::{Rule, Tape};
    /// use evloop_runtime::{Runtime, future::yield_now};
    ///
    /// let tape = Tape::new(1_000);
    /// Runtime::builder().observer(tape.clone()).build()?.block_on(yield_now());
    /// let mut recording = tape.recording();
    /// recording.check_order().unwrap();
    ///
    /// let phases: Vec<usize> = (0..recording.records.len()).filter(|at| recording.records[*at].phase().is_some()).collect();
    /// recording.records.swap(phases[1], phases[2]);
    /// assert_eq!(recording.check_order().unwrap_err().rule, Rule::Phases);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn check_order(&self) -> Result<(), Violation> {
        let mut replay = Replay::new(self);
        for (at, record) in self.records.iter().enumerate() {
            (replay.at, replay.record) = (at, *record);
            for (rule, check) in Rule::CHECKS {
                if let Some(text) = check(&replay) {
                    return Err(Violation { rule, at, text });
                }
            }
            replay.go_on();
        }
        Ok(())
    }
}

/// Where the loop is, as far as the records tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// The tape has just begun to look on, or has lost what was before.
    Unknown,
    /// In that phase.
    In(Phase),
    /// Not in a run.
    Left,
}

struct Replay<'a> {
    recording: &'a Recording,
    /// The record to be looked at.
    at: usize,
    record: Record,
    course: Course,
    /// The phase under way, and the last poll in it.
    phase: Option<Record>,
    poll: Option<Record>,
    /// When the last record began, but for a job.
    begun: u64,
    /// The number of the last poll's wake.
    number: Option<u32>,
    /// The wakes that have had their poll, if they need not come in their order.
    answered: HashSet<u32>,
    /// The tape has looked on only once, and all since is here: the tasks that it knows were spawned before its eyes.
    unbroken: bool,
    /// Who was polled since the tape looked on.
    polled: HashSet<Key>,
    ended: HashSet<Key>,
    /// The wait of this turn was to be longer than it was, and nothing happened that ended it.
    cut_short: bool,
}

impl<'a> Replay<'a> {
    fn new(recording: &'a Recording) -> Replay<'a> {
        Replay {
            recording,
            at: 0,
            record: Record { since: 0, begin: 0, end: 0, what: What::Attached },
            course: Course::Unknown,
            phase: None,
            poll: None,
            begun: 0,
            number: None,
            answered: HashSet::new(),
            unbroken: recording.dropped == 0,
            polled: HashSet::new(),
            ended: HashSet::new(),
            cut_short: false,
        }
    }

    /// The record is as it should be: takes it in.
    fn go_on(&mut self) {
        let record = self.record;
        if let Some(phase) = record.phase() {
            (self.course, self.phase, self.poll) = (Course::In(phase), Some(record), None);
        }
        match record.what {
            What::Poll { task, wake, then, .. } => {
                if self.course == Course::Unknown {
                    self.course = Course::In(Phase::Run);
                }
                self.poll = Some(record);
                self.number = wake.map(|wake| wake.number.get()).or(self.number);
                if self.recording.shuffled {
                    self.answered.extend(self.number);
                }
                self.polled.insert(task);
                if then == After::Ended && task != Key::NONE {
                    self.ended.insert(task);
                }
            }
            What::Kernel { asked, slept, events } => {
                self.cut_short = events == 0 && asked.is_none_or(|asked| slept < asked);
            }
            What::Phase(Phase::Run | Phase::Check) => self.cut_short = false, // a hook may set a timer that is due
            What::Cancel { task } => drop(self.ended.insert(task)),
            What::Left => (self.course, self.phase, self.poll) = (Course::Left, None, None),
            What::Attached => {
                (self.course, self.phase, self.poll, self.number) = (Course::Unknown, None, None, None);
                self.unbroken &= self.at == 0;
                self.polled.clear();
            }
            _ => {}
        }
        if !matches!(record.what, What::Job { .. }) {
            self.begun = record.begin;
        }
    }
}

/// The phases that may follow one: those of hooks that come after it, and the first that each turn has.
fn may_follow(phase: Phase) -> impl Iterator<Item = Phase> {
    let place = TURN.iter().position(|rule| rule.phase == phase).expect("the table has all phases");
    let after = TURN[place + 1..].iter().chain(&TURN[..1]);
    let always = after.clone().position(|rule| rule.always).expect("each turn has a first phase");
    after.take(always + 1).map(|rule| rule.phase)
}

fn phases(replay: &Replay<'_>) -> Option<String> {
    let phase = replay.record.phase()?;
    match replay.course {
        Course::In(before) if !may_follow(before).any(|next| next == phase) => {
            Some(format!("the phase {phase:?} follows {before:?}"))
        }
        Course::Left if phase != TURN[0].phase => Some(format!("a run begins with the phase {phase:?}")),
        _ => None,
    }
}

fn time(replay: &Replay<'_>) -> Option<String> {
    let Record { since, begin, end, what } = replay.record;
    if since > begin || begin > end {
        return Some("it ends before it begins, or begins before it is ready".to_owned());
    }
    match what {
        What::Job { taken, .. } if taken < end || taken < replay.begun => {
            return Some("the result of a job is taken in before there is one".to_owned());
        }
        What::Job { .. } => return None,
        _ if begin < replay.begun => return Some("it begins before the record that stands before it".to_owned()),
        _ => {}
    }
    let phase = replay.phase?;
    let ends_it = replay.record.phase().is_some() || what == What::Left;
    if ends_it && phase.end != begin {
        return Some(format!("it begins at {begin} ns, but the phase before it ends at {} ns", phase.end));
    }
    (!ends_it && what != What::Attached && end > phase.end).then(|| "it ends after the phase that it is in".to_owned())
}

/// That it does so twice is no order of phases.
fn kernel(replay: &Replay<'_>) -> Option<String> {
    let goes_on = replay.record.phase().is_some();
    let unasked = replay.phase.is_some_and(|phase| phase.what == What::Phase(Phase::Poll));
    (goes_on && unasked).then(|| "a turn goes on without having asked the kernel".to_owned())
}

fn polls(replay: &Replay<'_>) -> Option<String> {
    replay.record.polled()?;
    let polls = |phase| TURN.iter().any(|rule| rule.phase == phase && rule.polls);
    match replay.course {
        Course::In(phase) if !polls(phase) => return Some(format!("a task is polled in the phase {phase:?}")),
        Course::Left => return Some("a task is polled outside of all turns".to_owned()),
        _ => {}
    }
    let before = replay.poll?;
    let What::Poll { then, .. } = before.what else { return None };
    if then == After::Open {
        return Some("a task is polled while another one is".to_owned());
    }
    (before.end > replay.record.begin).then(|| "a task is polled before the poll of another one has ended".to_owned())
}

fn wake(replay: &Replay<'_>) -> Option<String> {
    let What::Poll { task, wake, .. } = replay.record.what else { return None };
    let Some(wake) = wake else {
        let seen = replay.polled.contains(&task) || replay.unbroken && replay.recording.task(task).is_some();
        return seen.then(|| "a task is polled that nobody has woken".to_owned());
    };
    let Some(from) = replay.recording.waker(replay.at) else {
        let lost = u64::from(wake.from) <= replay.at as u64 + replay.recording.dropped;
        return (!lost).then(|| "a wake is older than all records".to_owned());
    };
    if replay.answered.contains(&wake.number.get()) {
        return Some("a wake brings a second poll".to_owned());
    }
    let from = replay.recording.records[from];
    (from.begin > replay.record.since).then(|| "a wake happened before what it happened in".to_owned())
}

fn cause(replay: &Replay<'_>) -> Option<String> {
    let What::Poll { cause, wake: Some(_), .. } = replay.record.what else { return None };
    let from = replay.recording.records[replay.recording.waker(replay.at)?];
    let wakes = match (from.what, from.phase()) {
        (What::Poll { task, .. }, _) => Cause::Task(task),
        (_, Some(phase)) => TURN.iter().find(|rule| rule.phase == phase)?.wakes,
        _ => return Some("a wake happened in what can wake nobody".to_owned()),
    };
    (cause != wakes && cause != Cause::Spawn).then(|| format!("woken by {cause:?}, where {wakes:?} would be the cause"))
}

fn fifo(replay: &Replay<'_>) -> Option<String> {
    let What::Poll { wake, .. } = replay.record.what else { return None };
    let before = replay.number.filter(|_| !replay.recording.shuffled)?;
    let Some(wake) = wake else {
        return Some(
            "a task that was woken before the tape looked on is polled after one that was woken since".to_owned(),
        );
    };
    let behind = wake.number.get().wrapping_sub(before); // they are counted in a circle
    (behind == 0 || behind > u32::MAX / 2).then(|| {
        format!("the poll of wake {} follows that of wake {before}: who is woken first is polled first", wake.number)
    })
}

fn early(replay: &Replay<'_>) -> Option<String> {
    let fired = matches!(replay.record.what, What::Timers { fired: 1.., .. });
    (fired && replay.cut_short).then(|| "timers fire before the next deadline has passed".to_owned())
}

fn end(replay: &Replay<'_>) -> Option<String> {
    let (What::Poll { task, .. } | What::Cancel { task }) = replay.record.what else { return None };
    replay.ended.contains(&task).then(|| format!("task {task:?} has ended before"))
}

fn job(replay: &Replay<'_>) -> Option<String> {
    let What::Job { task, .. } = replay.record.what else { return None };
    let polled = replay.poll.and_then(|poll| poll.polled());
    let wrong = replay.course != Course::Unknown && polled != Some(task);
    wrong.then(|| "the result of a job is taken in by a task that is not polled".to_owned())
}
