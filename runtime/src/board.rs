//! The loop's numbers, where any thread can read them.
//!
//! One thread writes, so a count is a load and a store and no locked operation; others read each number as it was a
//! moment ago. Numbers that belong together may be from two moments.

use crate::arena::Key;
use crate::clock::Origin;
use crate::trace::Phase;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

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
    /// How long the loop has worked, as of its last wait, in nanoseconds.
    Busy,
    /// How long the loop has waited, in nanoseconds; while it waits, [`WAITS`] and how long it has worked instead. One number,
    /// so that nobody reads the half of a change: time that has passed never goes back.
    Asleep,
    ConnectionsOpened,
    ConnectionsClosed,
    RequestsBegun,
    RequestsEnded,
    /// Where the loop is, as [`At`] packs it.
    At,
}

/// The bit of [`Number::Asleep`] that is set while the loop waits.
const WAITS: u64 = 1 << 63;

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
        key.to_bits()
    }

    fn unpack(packed: u64) -> At {
        let key = Key::from_bits(packed);
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
    origin: Option<Origin>,
    numbers: [AtomicU64; NUMBERS],
    /// The most that anybody was told of the time asleep, in nanoseconds.
    asleep_told: AtomicU64,
}

impl Board {
    pub(crate) fn new(origin: Option<Origin>) -> Board {
        let numbers = [const { AtomicU64::new(0) }; NUMBERS];
        let board = Board { origin, numbers, asleep_told: AtomicU64::new(0) };
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

    /// How long the loop has waited, in nanoseconds: up to now, if it waits now. It never goes back, whichever threads ask:
    /// who asks after the wait is over and before that is written down, is told some microseconds too much, and all others
    /// then are, until as much has passed.
    pub(crate) fn asleep(&self) -> u64 {
        let asleep = self.asleep_now();
        self.asleep_told.fetch_max(asleep, Relaxed).max(asleep)
    }

    fn asleep_now(&self) -> u64 {
        loop {
            let asleep = self.get(Number::Asleep);
            let (true, Some(origin)) = (asleep & WAITS != 0, self.origin) else { return asleep & !WAITS };
            let age = origin.age();
            if self.get(Number::Asleep) == asleep {
                return age.saturating_sub(asleep & !WAITS);
            } // else this thread was kept from asking the clock until the wait was over
        }
    }

    /// The loop begins to wait, having worked for so long. Where time moves by hand, waiting takes none. The loop's thread
    /// only.
    #[inline]
    pub(crate) fn begin_wait(&self, busy: u64) {
        if self.origin.is_some() {
            self.set(Number::Asleep, WAITS | busy);
        }
    }

    /// The loop has waited, or asked without waiting: its age, and for how much of that it has worked. The loop's thread only.
    #[inline]
    pub(crate) fn end_wait(&self, age: u64, busy: u64) {
        self.set(Number::Busy, busy);
        self.set(Number::Asleep, age.saturating_sub(busy));
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
