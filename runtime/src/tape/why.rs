//! Why one task ran before another: the wakes that led to both.

use super::record::{Record, What};
use super::recording::Recording;
use crate::arena::Key;
use crate::trace::Cause;
use std::fmt;

/// Why one poll came before another; see [`Recording::why`]. As text, it tells the story from the end to the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The places of the poll that came first, of the one in which its task was woken, of the one before that, and so on.
    /// The last may be a phase, which is a cause by itself.
    pub first: Vec<usize>,
    /// The same for the poll that came later.
    pub later: Vec<usize>,
    /// The place of the youngest record from which both come, if that is still on the tape.
    pub common: Option<usize>,
    /// Why it was this way round.
    pub because: Because,
    text: String,
}

/// Why a poll came before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// The poll that came first led to the wake of the other.
    Led,
    /// The other was woken only when the first had been polled already.
    WokenAfter,
    /// The first was woken before the other.
    WokenFirst,
    /// The other was woken first, but the loop shuffles.
    Shuffled,
    /// It is not known when one of them was woken.
    Unknown,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// That there is no answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer(String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAnswer {}

impl Recording {
    /// Why task `a` ran before task `b`: of the first poll of `b` that stands behind one of `a`, and the last poll of `a`
    /// before it.
    ///
    /// # Errors
    /// When `a` did not run before `b` on this tape.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::observe::{Because, Tape};
    /// use evloop_runtime::{Runtime, TaskBuilder};
    ///
    /// let tape = Tape::new(1_000);
    /// Runtime::builder().observer(tape.clone()).build()?.block_on(async {
    ///     let first = TaskBuilder::new().name("first").spawn(async {});
    ///     TaskBuilder::new().name("second").spawn(first).await.unwrap()
    /// }).unwrap();
    ///
    /// let recording = tape.recording();
    /// let [first, second] = ["first", "second"].map(|name| recording.find(name)[0]);
    /// let why = recording.why(first, second).unwrap();
    /// assert_eq!(why.because, Because::WokenFirst);
    /// assert_eq!(why.first.last(), why.later.last(), "the root has spawned both");
    /// assert!(recording.why(second, first).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn why(&self, a: Key, b: Key) -> Result<Why, NoAnswer> {
        let never = |task| NoAnswer(format!("{} was not polled on this tape", self.name(task)));
        let (first, _) = self.polls(a).next().ok_or_else(|| never(a))?;
        self.polls(b).next().ok_or_else(|| never(b))?;
        let later = self.polls(b).map(|(at, _)| at).find(|at| *at > first);
        let later = later.ok_or_else(|| NoAnswer(format!("{} did not run before {}", self.name(a), self.name(b))))?;
        let first = self.polls(a).map(|(at, _)| at).take_while(|at| *at < later).last().unwrap_or(first);
        Ok(self.why_polls(first, later))
    }

    /// Why the poll at one place came before the poll at another, later one.
    ///
    /// # Panics
    /// When there is no poll at one of the places, or they are not in this order.
    #[must_use]
    pub fn why_polls(&self, first: usize, later: usize) -> Why {
        assert!(first < later, "the poll that came first stands first");
        let polled = |at: usize| self.records.get(at).is_some_and(|record| record.polled().is_some());
        assert!(polled(first) && polled(later), "both are polls");
        let chains = [self.chain(first), self.chain(later)];
        let common = chains[0].iter().copied().find(|at| chains[1].contains(at));
        let because = self.because(first, later, common);
        let text = self.tell(&chains, common, because);
        let [first, later] = chains;
        Why { first, later, common, because, text }
    }

    /// The tasks with that name; if none has it, those whose names contain it; or the one with that key, as `3#17`. `root`
    /// is the future of `block_on`.
    #[must_use]
    pub fn find(&self, text: &str) -> Vec<Key> {
        if text == "root" {
            return vec![Key::NONE];
        }
        if let Some(key) = super::text::key(text) {
            let polled = self.records.iter().any(|record| record.polled() == Some(key));
            return if polled || self.task(key).is_some() { vec![key] } else { Vec::new() };
        }
        let named = |fits: &dyn Fn(&str) -> bool| -> Vec<Key> {
            let tasks = self.tasks.iter().filter(|task| task.name.as_deref().is_some_and(fits));
            tasks.map(|task| task.key).collect()
        };
        let exact = named(&|name| name == text);
        if exact.is_empty() { named(&|name| name.contains(text)) } else { exact }
    }

    /// The places of a poll, of the record in which its task was woken, and so on: each stands before the last.
    fn chain(&self, poll: usize) -> Vec<usize> {
        std::iter::successors(Some(poll), |at| self.waker(*at)).collect()
    }

    fn because(&self, first: usize, later: usize, common: Option<usize>) -> Because {
        let number = |at: usize| match self.records[at].what {
            What::Poll { wake, .. } => wake.map(|wake| wake.number.get()),
            _ => None,
        };
        if common == Some(first) {
            return Because::Led;
        }
        if self.waker(later).is_some_and(|waker| waker > first) {
            return Because::WokenAfter;
        }
        match (number(first), number(later)) {
            (Some(first), Some(later)) if later.wrapping_sub(first) <= u32::MAX / 2 => Because::WokenFirst,
            (Some(_), Some(_)) => Because::Shuffled,
            _ => Because::Unknown,
        }
    }

    fn tell(&self, chains: &[Vec<usize>; 2], common: Option<usize>, because: Because) -> String {
        let [first, later] = chains.each_ref().map(|chain| self.subject(chain[0]));
        let why = match because {
            Because::Led => ", and led to its wake".to_owned(),
            Because::WokenAfter => format!(": {later} was woken only afterwards"),
            Because::WokenFirst => ": it was woken first, and who is woken first is polled first".to_owned(),
            Because::Shuffled => format!(": {later} was woken first, but this loop shuffles"),
            Because::Unknown => ": when they were woken is not on the tape".to_owned(),
        };
        let mut lines = vec![format!("{first} ran before {later}{why}")];
        for chain in chains {
            lines.extend([String::new(), format!("{}:", self.subject(chain[0]))]);
            let shared = common.and_then(|common| chain.iter().position(|at| *at == common));
            let own = &chain[..=shared.unwrap_or(chain.len() - 1)];
            lines.extend(own.iter().map(|at| format!("  {}", self.line(*at))));
        }
        lines.extend(common.into_iter().flat_map(|at| [String::new(), format!("both come from {}", self.line(at))]));
        lines.join("\n")
    }

    fn subject(&self, poll: usize) -> String {
        self.records[poll].polled().map_or_else(String::new, |task| self.name(task))
    }

    /// One step of a chain, in a line.
    fn line(&self, at: usize) -> String {
        let Record { since, begin, .. } = self.records[at];
        match self.records[at].what {
            What::Poll { task, cause, wake, .. } => {
                let woken = match wake {
                    Some(_) => format!("woken at {} by {}", When(since), self.who(cause)),
                    None => "woken before the tape looked on".to_owned(),
                };
                format!("{}  {} was polled, {woken}", When(begin), self.name(task))
            }
            _ => match self.records[at].phase() {
                Some(phase) => format!("{}  the phase {phase:?} of the loop", When(begin)),
                None => When(begin).to_string(), // no wake is in anything else
            },
        }
    }

    fn who(&self, cause: Cause) -> String {
        match cause {
            Cause::Spawn => "its spawn".to_owned(),
            Cause::Task(task) => self.name(task),
            Cause::Io => "a source that became ready".to_owned(),
            Cause::Timer => "a deadline that passed".to_owned(),
            Cause::Mail => "another thread".to_owned(),
            Cause::Outside => "code between polls".to_owned(),
        }
    }
}

/// A moment, in milliseconds since the clock was made.
struct When(u64);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} ms", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
