//! The loop's time: read once a turn, counted in ticks, and moved by hand in tests.
//!
//! A tick is a millisecond since the clock was made. Rounding has one rule on each side, and together they make a timer
//! never early: a deadline is rounded *up* to its tick, the time that has passed is rounded *down*. (It is late by less
//! than a tick for that, and by less than another because the kernel's wait is counted in whole milliseconds, too.)
//!
//! Two readings are told apart. [`now`](Clock::now) is the turn's: cheap, and the same for all that happens in the turn.
//! [`fresh`](Clock::fresh) asks the system, for a deadline must be reckoned from the moment it is set, and after long
//! work the turn's time is stale.

use nix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

/// Milliseconds since the loop's clock was made.
pub type Tick = u64;

const NANOS_PER_TICK: u64 = 1_000_000;

/// The system's monotonic clock, or one that only moves when it is told to.
///
/// It counts in nanoseconds since it was made, which is enough for 584 years: a turn reads, compares and writes down its time
/// several times, and an integer is all that this takes.
#[derive(Debug)]
pub struct Clock {
    origin: Origin,
    now: Cell<u64>,
    /// The ticks that have passed as of `now`, and those in which the loop has listened: asked for by every poll of a
    /// connection, so they are reckoned once a turn.
    tick: Cell<Tick>,
    listening_tick: Cell<Tick>,
    /// When it was asked, in this turn, how long the loop may block: then its tasks have run.
    asked: Cell<Option<u64>>,
    /// For how long tasks have held the loop.
    held: Cell<u64>,
    /// For how long the loop has worked.
    busy: Cell<u64>,
    manual: Option<Manual>,
}

/// When a clock was made, in the two ways in which the system's is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    instant: Instant,
    nanos: u64,
}

/// What stands for the system's clocks where time moves by hand.
#[derive(Debug)]
struct Manual {
    since_origin: Cell<u64>,
    /// The date at the origin.
    began: SystemTime,
}

/// Tasks that run for so long at a stretch hold the loop: what has come meanwhile was not seen.
const HELD_MIN: u64 = 100 * NANOS_PER_TICK;

impl Clock {
    /// A clock that follows the system's (`CLOCK_MONOTONIC`).
    #[must_use]
    pub fn system() -> Clock {
        Clock {
            origin: Origin::now(),
            now: Cell::default(),
            tick: Cell::default(),
            listening_tick: Cell::default(),
            asked: Cell::default(),
            held: Cell::default(),
            busy: Cell::default(),
            manual: None,
        }
    }

    /// A clock that stands still until [`advance`](Clock::advance). Its date goes on from today's.
    #[must_use]
    pub fn manual() -> Clock {
        Clock::manual_from(SystemTime::now())
    }

    /// A clock that stands still until [`advance`](Clock::advance), and at which it is that date now.
    #[must_use]
    pub fn manual_from(began: SystemTime) -> Clock {
        Clock { manual: Some(Manual { since_origin: Cell::default(), began }), ..Clock::system() }
    }

    /// Whether it moves by hand.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.manual.is_some()
    }

    /// The time as of this turn.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.origin.instant + Duration::from_nanos(self.now.get())
    }

    /// The time as of this moment.
    #[must_use]
    pub fn fresh(&self) -> Instant {
        self.origin.instant + Duration::from_nanos(self.fresh_nanos())
    }

    /// The date as of this moment: the system's, which may be set and goes back then, or one that moves with a manual clock.
    #[must_use]
    pub fn date(&self) -> SystemTime {
        match &self.manual {
            None => SystemTime::now(),
            Some(manual) => manual.began + Duration::from_nanos(manual.since_origin.get()),
        }
    }

    /// Takes a reading for the turn, after the loop has blocked or has asked the kernel `at_once`. A reading that lies behind
    /// the last one is ignored, so the turn's time never goes back.
    #[inline]
    pub fn refresh(&self, at_once: bool) {
        let before = self.now.get();
        let now = before.max(self.fresh_nanos());
        let ran_until = self.asked.take().unwrap_or(if at_once { now } else { before });
        let ran = ran_until.saturating_sub(before);
        self.busy.set(self.busy.get() + ran);
        if ran >= HELD_MIN {
            self.held.set(self.held.get() + ran);
        }
        self.now.set(now);
        self.tick.set(floor(now));
        self.listening_tick.set(floor(now.saturating_sub(self.held.get())));
    }

    /// As [`fresh`](Clock::fresh), in nanoseconds since the clock was made.
    #[inline]
    pub(crate) fn fresh_nanos(&self) -> u64 {
        match &self.manual {
            None => self.origin.age(),
            Some(manual) => manual.since_origin.get(),
        }
    }

    /// Since when it runs.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// How old the clock is as of this turn, and for how much of that the loop has worked, in nanoseconds; for the rest it has
    /// blocked.
    #[inline]
    pub(crate) fn age_and_busy(&self) -> (u64, u64) {
        (self.now.get(), self.busy.get())
    }

    /// Notes that the tasks of this turn have run, and that the loop is about to block for an event, whenever that comes.
    pub fn ask(&self) {
        self.asked.set(Some(self.fresh_nanos()));
    }

    /// For how long the loop has worked, in nanoseconds, up to when it was last asked in this turn how long it may block.
    #[inline]
    pub(crate) fn busy_nanos(&self) -> u64 {
        let now = self.now.get();
        self.busy.get() + self.asked.get().unwrap_or(now).saturating_sub(now)
    }

    /// The last tick that has passed as of this turn, had tasks never held the loop: time in which it has listened. Others
    /// are not late because we were.
    #[inline]
    #[must_use]
    pub fn listening_tick(&self) -> Tick {
        self.listening_tick.get()
    }

    /// Moves a manual clock forward, for [`fresh`](Clock::fresh) at once and for the turn's time at its next reading.
    ///
    /// # Panics
    /// When the clock is the system's.
    pub fn advance(&self, by: Duration) {
        let manual = self.manual.as_ref().expect("only a manual clock is moved by hand");
        manual.since_origin.set(manual.since_origin.get().saturating_add(nanos(by)));
    }

    /// The last tick that has passed as of this turn.
    #[inline]
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.tick.get()
    }

    /// The first tick that is not before this moment plus `delay`; for no delay, one that has passed. `Tick::MAX` when
    /// that is beyond all counting.
    #[must_use]
    pub fn tick_after(&self, delay: Duration) -> Tick {
        let now = self.fresh_nanos();
        if delay.is_zero() { floor(now) } else { ceil(now.saturating_add(nanos(delay))) }
    }

    /// The first tick that is not before `deadline`; for a deadline that has passed, a tick that has passed.
    #[must_use]
    pub fn tick_at(&self, deadline: Instant) -> Tick {
        let deadline = nanos(deadline.saturating_duration_since(self.origin.instant));
        if deadline <= self.fresh_nanos() { floor(deadline) } else { ceil(deadline) }
    }

    /// The moment at which `tick` has passed; far in the future, for ticks no `Instant` can hold.
    #[must_use]
    pub fn instant_of(&self, tick: Tick) -> Instant {
        let century = Duration::from_secs(100 * 365 * 86_400);
        let origin = self.origin.instant;
        origin.checked_add(Duration::from_millis(tick)).unwrap_or_else(|| origin + century)
    }

    /// How long from this moment until `tick` has passed: zero if it has.
    #[must_use]
    #[inline]
    pub fn until(&self, tick: Tick) -> Duration {
        let now = self.fresh_nanos();
        self.asked.set(Some(now));
        Duration::from_nanos(tick.saturating_mul(NANOS_PER_TICK).saturating_sub(now))
    }
}

impl Origin {
    /// The instant is read first: what is reckoned from it is a little late by the other reading, and never early.
    fn now() -> Origin {
        let instant = Instant::now();
        Origin { instant, nanos: monotonic() }
    }

    /// Nanoseconds since then.
    #[inline]
    pub(crate) fn age(self) -> u64 {
        monotonic().saturating_sub(self.nanos)
    }
}

/// The clock that [`Instant`] reads, without its parts.
#[inline]
#[expect(clippy::cast_sign_loss, reason = "it begins with the system's start, clock_gettime(2)")]
fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// In nanoseconds, which is 584 years at most.
#[inline]
pub(crate) fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()))
}

fn floor(nanos: u64) -> Tick {
    nanos / NANOS_PER_TICK
}

fn ceil(nanos: u64) -> Tick {
    if nanos == u64::MAX { Tick::MAX } else { nanos.div_ceil(NANOS_PER_TICK) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANO: Duration = Duration::from_nanos(1);

    #[test]
    fn deadlines_round_up_and_readings_round_down() {
        let clock = Clock::manual();
        clock.advance(Duration::from_millis(5) + NANO);
        clock.refresh(false);
        assert_eq!(clock.tick(), 5);
        assert_eq!(clock.tick_after(NANO), 6);
        assert_eq!(clock.tick_at(clock.now() + NANO), 6);
        assert_eq!(clock.tick_at(clock.now() + Duration::from_nanos(999_999)), 6);
    }

    #[test]
    fn deadlines_that_have_passed_are_due_at_once() {
        let clock = Clock::manual();
        clock.advance(Duration::from_micros(5_500));
        clock.refresh(false);
        assert_eq!(clock.tick_after(Duration::ZERO), 5);
        assert_eq!(clock.tick_at(clock.now()), 5);
        assert_eq!(clock.tick_at(clock.origin.instant), 0);
    }

    #[test]
    fn far_deadlines_saturate() {
        let clock = Clock::manual();
        assert_eq!(clock.tick_after(Duration::MAX), Tick::MAX);
        assert!(clock.instant_of(Tick::MAX) > clock.now());
    }

    #[test]
    fn turn_time_is_stale_until_refreshed() {
        let clock = Clock::manual();
        let before = clock.now();
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), before);
        assert_eq!(clock.fresh(), before + Duration::from_secs(1));
        clock.refresh(false);
        assert_eq!(clock.now(), clock.fresh());
    }

    #[test]
    fn date_of_a_manual_clock_moves_with_it() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
        let clock = Clock::manual_from(began);
        assert_eq!(clock.date(), began);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.date(), began + Duration::from_secs(60));
    }

    #[test]
    fn until_a_passed_tick_is_zero() {
        let clock = Clock::manual();
        clock.advance(Duration::from_micros(1_500));
        assert_eq!(clock.until(1), Duration::ZERO);
        assert_eq!(clock.until(2), Duration::from_micros(500));
    }

    #[test]
    fn time_in_which_tasks_held_the_loop_is_no_time_of_listening() {
        let clock = Clock::manual();
        let ms = Duration::from_millis;
        let turn = |ran: u64, blocked: u64| {
            clock.advance(ms(ran));
            if blocked > 0 {
                assert!(clock.until(1_000_000) > ms(blocked));
                clock.advance(ms(blocked));
            }
            clock.refresh(blocked == 0);
        };
        turn(99, 1_000);
        assert_eq!((clock.tick(), clock.listening_tick()), (1_099, 1_099));
        turn(100, 1_000);
        assert_eq!((clock.tick(), clock.listening_tick()), (2_199, 2_099));
        turn(500, 0);
        assert_eq!((clock.tick(), clock.listening_tick()), (2_699, 2_099));
        clock.advance(ms(5_000)); // blocked without a deadline, so nobody asked for how long
        clock.refresh(false);
        assert_eq!((clock.tick(), clock.listening_tick()), (7_699, 7_099));
    }
}
