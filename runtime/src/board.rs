//! The loop's numbers, where any thread can read them.
//!
//! One thread writes, so a count is a load and a store and no locked operation; others read each number as it was a
//! moment ago. Numbers that belong together may be from two moments.

use crate::clock::nanos;
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
}

const NUMBERS: usize = Number::RequestsEnded as usize + 1;

/// All the numbers of one loop.
#[derive(Debug)]
pub(crate) struct Board {
    /// When the loop's clock was made; `None` where it moves by hand.
    origin: Option<Instant>,
    numbers: [AtomicU64; NUMBERS],
}

impl Board {
    pub(crate) fn new(origin: Option<Instant>) -> Board {
        Board { origin, numbers: [const { AtomicU64::new(0) }; NUMBERS] }
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
