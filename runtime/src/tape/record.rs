//! What stands on a tape.

use crate::arena::Key;
use crate::trace::{Cause, JobClass, Phase};
use std::num::NonZeroU32;

/// One thing that happened, and when.
///
/// Times are nanoseconds since the loop's [clock](crate::engine::Clock) was made. Records stand in the order in which they
/// were begun, so the polls of a batch follow their phase; but a job stands where its result was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Since when it had been ready to begin: a poll since its task was woken, a job since it was submitted; others, and
    /// a poll of which no wake is known, since they began.
    pub since: u64,
    /// When it began.
    pub begin: u64,
    /// When it ended; that of what is not over when the [`Recording`](super::Recording) is made, is that moment.
    pub end: u64,
    /// What it was.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A phase of a turn, of which there is no more to tell.
    Phase(Phase),
    /// The phase [`Phase::Poll`], in which the kernel was asked for events.
    Kernel {
        /// For how long it was to be waited at most, in nanoseconds: 0 is not at all, `None` for ever.
        asked: Option<u64>,
        /// How long after the phase's beginning the kernel had answered, in nanoseconds.
        slept: u64,
        /// How many events it told.
        events: u32,
    },
    /// The phase [`Phase::Timers`], in which timers have fired.
    Timers {
        /// How many.
        fired: u32,
        /// How long after its deadline the latest of them fired, in nanoseconds.
        latest: u64,
    },
    /// A task was polled.
    Poll {
        /// Which; [`Key::NONE`] is the future of `block_on`.
        task: Key,
        /// Why.
        cause: Cause,
        /// The wake that it followed; `None` when that was before the tape looked on.
        wake: Option<Wake>,
        /// What came of it.
        then: After,
    },
    /// A job of the blocking pool, whose result was taken in where the record stands.
    Job {
        /// Its class.
        class: JobClass,
        /// The task that took the result in; [`Key::NONE`] is the future of `block_on`.
        task: Key,
        /// When that was.
        taken: u64,
    },
    /// A task ended between two polls: it was aborted, or the loop has ended.
    Cancel {
        /// Which.
        task: Key,
    },
    /// The tape begins to look on. What has happened before, or since it last looked, is unknown.
    Attached,
    /// The loop leaves its run; it may come back with another.
    Left,
}

/// The wake that a poll followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// All wakes of a loop are counted, and this was that one; after 2<sup>32</sup> - 1 the count begins anew.
    pub number: NonZeroU32,
    /// It happened in the record that stands so many before the poll's: the poll of the waker, or a phase. 0 when it was
    /// in none: outside of all turns, or before the tape looked on.
    pub from: u32,
}

/// What came of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The task waits, for what [`Recording::waits`](super::Recording::waits) has at that place.
    Waits(u32),
    /// The task has ended.
    Ended,
    /// The poll was not over when the [`Recording`](super::Recording) was made.
    Open,
}

impl Record {
    /// The phase, if it is one.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        match self.what {
            What::Phase(phase) => Some(phase),
            What::Kernel { .. } => Some(Phase::Poll),
            What::Timers { .. } => Some(Phase::Timers),
            _ => None,
        }
    }

    /// The task that was polled, if it is a poll.
    #[must_use]
    pub fn polled(&self) -> Option<Key> {
        match self.what {
            What::Poll { task, .. } => Some(task),
            _ => None,
        }
    }

    /// How long it lasted, in nanoseconds.
    #[must_use]
    pub fn lasted(&self) -> u64 {
        self.end.saturating_sub(self.begin)
    }

    /// How long it was ready before it began, in nanoseconds.
    #[must_use]
    pub fn waited(&self) -> u64 {
        self.begin.saturating_sub(self.since)
    }
}

/// A task of which there are records, or that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapedTask {
    /// Its key.
    pub key: Key,
    /// The name it was given, if any, up to its 128th character.
    pub name: Option<String>,
    /// Where in the source it was spawned: file, line and column.
    pub spawned_at: String,
    /// The task that spawned it, or [`Key::NONE`].
    pub parent: Key,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_no_larger_than_a_cache_line() {
        assert_eq!(size_of::<Record>(), 64);
    }
}
