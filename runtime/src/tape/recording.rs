//! What a tape held at one moment, to be read.

use super::record::{Record, TapedTask, What};
use crate::arena::Key;
use crate::trace::Phase;

/// What a [`Tape`](super::Tape) held at one moment: plain data, which belongs to no loop and no thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// Whose it is, in words, as of which process; for whoever has several. A tape leaves it empty.
    pub whose: String,
    /// The records, in the order in which they were begun.
    pub records: Vec<Record>,
    /// The tasks of which there are records, and those that have not ended, in the order in which they were spawned. Those
    /// that were spawned before the tape looked on are not here, nor is the future of `block_on`.
    pub tasks: Vec<TapedTask>,
    /// What tasks waited for, in words: each once, in the order of the records.
    pub waits: Vec<String>,
    /// How many records before these the tape had no more room for.
    pub dropped: u64,
    /// The loop polls in another order than that of the wakes, on purpose.
    pub shuffled: bool,
}

/// One turn of the loop, or what a recording has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn<'a> {
    /// Its records.
    pub records: &'a [Record],
    /// The place of the first of them in the recording.
    pub at: usize,
}

impl Turn<'_> {
    /// Its phases, in their order.
    pub fn phases(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.phase().is_some())
    }

    /// When it began, in nanoseconds since the clock was made.
    #[must_use]
    pub fn begin(&self) -> u64 {
        self.phases().next().map_or(0, |phase| phase.begin)
    }

    /// When it ended: its last phase did. Its phases' times, taken together, are its time.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.phases().last().map_or(0, |phase| phase.end)
    }
}

impl Recording {
    /// The turns, in their order. The first may have lost its beginning; the last may be under way.
    pub fn turns(&self) -> impl Iterator<Item = Turn<'_>> {
        let mut begins: Vec<usize> =
            (0..self.records.len()).filter(|at| self.records[*at].phase() == Some(Phase::Run)).collect();
        let before = begins.first().copied().unwrap_or(self.records.len());
        if self.records[..before].iter().any(|record| record.phase().is_some()) {
            begins.insert(0, 0);
        }
        let ends: Vec<usize> = begins.iter().skip(1).copied().chain([self.records.len()]).collect();
        begins.into_iter().zip(ends).map(|(at, end)| Turn { records: &self.records[at..end], at })
    }

    /// The polls of a task, in their order, with their places among the records.
    pub fn polls(&self, task: Key) -> impl Iterator<Item = (usize, &Record)> {
        self.records.iter().enumerate().filter(move |(_, record)| record.polled() == Some(task))
    }

    /// What is known of a task.
    #[must_use]
    pub fn task(&self, key: Key) -> Option<&TapedTask> {
        self.tasks.iter().find(|task| task.key == key)
    }

    /// A task as text: its name and key, its key alone when it has no name, `root` for the future of `block_on`.
    #[must_use]
    pub fn name(&self, key: Key) -> String {
        match self.task(key).and_then(|task| task.name.as_ref()) {
            Some(name) => format!("{name} {key:?}"),
            None if key == Key::NONE => "root".to_owned(),
            None => format!("task {key:?}"),
        }
    }

    /// What a task waited for, in words, by the number in [`After::Waits`](super::After::Waits).
    #[must_use]
    pub fn wait(&self, number: u32) -> &str {
        usize::try_from(number).ok().and_then(|place| self.waits.get(place)).map_or("something unknown", String::as_str)
    }

    /// The place of the record in which the poll at that place was woken, if it is known and still here.
    #[must_use]
    pub fn waker(&self, poll: usize) -> Option<usize> {
        let What::Poll { wake: Some(wake), .. } = self.records.get(poll)?.what else { return None };
        let from = usize::try_from(wake.from).ok().filter(|from| *from > 0)?;
        poll.checked_sub(from)
    }
}
