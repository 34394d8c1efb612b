//! The loop's numbers, where any thread can read them.
//!
//! One thread writes, so a count is a load and a store and no locked operation; others read each number as it was a
//! moment ago. Numbers that belong together may be from two moments.

use crate::arena::Key;
use crate::clock::nanos;
use crate::trace::Phase;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// The names of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    Turns,
    Events,
    Polls,
    /// Wakes by cause: this and the next five, in the order of [`Cause`](crate::trace::Cause).
    WakesSpawn,
    WakesTask,
    WakesIo,
    WakesTimer,
    WakesMail,
    WakesOutside,
    TasksLive,
    TasksReady,
    TimersArmed,
    TimersSet,
    TimersFired,
    TimersCancelled,
    /// In nanoseconds, all together.
    TimersLate,
    /// In nanoseconds.
    TimersLateMax,
    Sources,
    /// The turn's time, in nanoseconds since the loop's clock was made.
    Now,
    /// How much of that the loop has worked, in nanoseconds.
    Busy,
    /// When the loop began to wait, in nanoseconds since its clock was made, or 0 while it does not wait.
    AsleepSince,
    ConnectionsOpened,
    ConnectionsClosed,
    RequestsBegun,
    RequestsEnded,
    /// Where the loop is, as [`At`] packs it.
    At,
}

const NUMBERS: usize = Number::At as usize + 1;

/// Where the loop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// In a phase, and in no poll.
    Phase(Phase),
    /// In a poll of that task, or of the future of `block_on` if it is [`Key::NONE`]; or between that and what comes next.
    Task(Key),
}

const PHASES: [Phase; 7] =
    [Phase::Run, Phase::Idle, Phase::Prepare, Phase::Poll, Phase::Mail, Phase::Check, Phase::Timers];

impl At {
    /// A key is its place and its stamp; a phase has the place that no key but [`Key::NONE`] has.
    #[inline]
    fn pack(self) -> u64 {
        let key = match self {
            At::Task(key) => key,
            At::Phase(phase) => Key::new(Key::NONE.index(), phase as u32),
        };
        u64::from(key.index()) << 32 | u64::from(key.stamp())
    }

    #[expect(clippy::cast_possible_truncation, reason = "each half is taken apart")]
    fn unpack(packed: u64) -> At {
        let key = Key::new((packed >> 32) as u32, packed as u32);
        match PHASES.get(key.stamp() as usize) {
            Some(phase) if key.index() == Key::NONE.index() => At::Phase(*phase),
            _ => At::Task(key),
        }
    }
}

/// What has changed whenever the loop has gone on: it has begun a turn or a poll, or is elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) turns: u64,
    pub(crate) polls: u64,
    pub(crate) at: At,
}

/// All the numbers of one loop.
#[derive(Debug)]
pub(crate) struct Board {
    /// When the loop's clock was made; `None` where it moves by hand.
    origin: Option<Instant>,
    numbers: [AtomicU64; NUMBERS],
}

impl Board {
    pub(crate) fn new(origin: Option<Instant>) -> Board {
        let board = Board { origin, numbers: [const { AtomicU64::new(0) }; NUMBERS] };
        board.set_at(At::Phase(Phase::Run));
        board
    }

    /// The loop's thread only.
    #[inline]
    pub(crate) fn set_at(&self, at: At) {
        self.set(Number::At, at.pack());
    }

    /// Where the loop is, and what it has begun until now. Two beats that are the same, in two looks, mean that between the
    /// end of the first and the beginning of the second it has begun nothing: turns and polls only grow, and within a turn
    /// each phase comes once.
    pub(crate) fn beat(&self) -> Beat {
        let (turns, polls) = (self.get(Number::Turns), self.get(Number::Polls));
        Beat { turns, polls, at: At::unpack(self.get(Number::At)) }
    }

    /// Nanoseconds since the loop's clock was made; 0 where it moves by hand.
    pub(crate) fn nanos(&self) -> u64 {
        self.origin.map_or(0, |origin| nanos(origin.elapsed()))
    }

    #[inline]
    pub(crate) fn get(&self, number: Number) -> u64 {
        self.numbers[number as usize].load(Relaxed)
    }

    /// The loop's thread only.
    #[inline]
    pub(crate) fn set(&self, number: Number, value: u64) {
        self.numbers[number as usize].store(value, Relaxed);
    }

    /// The loop's thread only.
    #[inline]
    pub(crate) fn add(&self, number: Number, more: u64) {
        self.add_behind(number, 0, more);
    }

    /// As [`add`](Board::add), to the number so many places behind. The loop's thread only.
    #[inline]
    pub(crate) fn add_behind(&self, number: Number, places: usize, more: u64) {
        let number = &self.numbers[number as usize + places];
        number.store(number.load(Relaxed).wrapping_add(more), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_loop_is_comes_back_as_it_was_put_down() {
        let tasks = [Key::NONE, Key::new(0, 0), Key::new(7, u32::MAX), Key::new(u32::MAX - 1, 3)].map(At::Task);
        for at in PHASES.map(At::Phase).into_iter().chain(tasks) {
            assert_eq!(At::unpack(at.pack()), at);
        }
    }
}
