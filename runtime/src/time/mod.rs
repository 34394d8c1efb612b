//! Time: sleep, give up after a while, tick.
//!
//! All of it stands on the timer wheel of the loop: a tick is a millisecond, and a timer is never early. A loop that is
//! not busy has it late by less than two: the deadline is rounded up to its tick, and the kernel's wait to a millisecond.
//! Moments are [`std::time::Instant`]s of the loop's clock, which in tests may move by hand
//! ([`Builder::manual_clock`](crate::Builder::manual_clock)).
//!
//! Where a millisecond is too coarse, [`sleep_precise`] has the kernel keep the time instead.
//!
//! # Which clock
//!
//! [`now`] asks the system. [`turn_now`] is what the turn began with: the same for all that happens in the turn, and behind
//! by as long as tasks have run since. libuv reckons its timers from the latter, so they may fire early after long work,
//! unless one calls `uv_update_time` before. Here every deadline is reckoned from the former, and nothing needs to be
//! updated. The one exception says so: the repeat of a [`Timer`].

mod interval;
mod precise;
mod sleep;
mod timeout;
mod timer;

pub use interval::{Interval, MissedTicks, Tick, interval, interval_at};
pub use precise::{PreciseSleep, sleep_precise};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use timer::{Fired, Timer};

use crate::context;
use std::time::{Duration, Instant, SystemTime};

/// This moment, by the clock of the thread's loop: a fresh reading. libuv's `uv_hrtime`.
///
/// # Panics
/// When this thread is in no loop.
#[must_use]
#[track_caller]
pub fn now() -> Instant {
    context::with(|core| core.clock.fresh())
}

/// The date at this moment, by the clock of the thread's loop: the system's, or, where time moves by hand, one that moves
/// with it, so that a program that writes dates writes the same in every run by the same
/// [seed](crate::Builder::seed). libuv's `uv_clock_gettime` of `UV_CLOCK_REALTIME`.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::{Runtime, time};
/// use std::time::{Duration, SystemTime};
///
/// let runtime = Runtime::builder().manual_clock().seed(1).build()?;
/// runtime.block_on(async {
///     time::sleep(Duration::from_secs(60)).await;
///     let since_1970 = time::date().duration_since(SystemTime::UNIX_EPOCH).unwrap();
///     assert_eq!(since_1970.as_secs(), 946_684_860); // a minute into the year 2000
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
#[track_caller]
pub fn date() -> SystemTime {
    context::with(|core| core.clock.date())
}

/// The time of the loop's turn: read once a turn, after the kernel was asked for events, so it costs nothing to ask, and is
/// stale by as long as tasks have run since. libuv's `uv_now`.
///
/// # Panics
/// When this thread is in no loop.
#[must_use]
#[track_caller]
pub fn turn_now() -> Instant {
    context::with(|core| core.clock.now())
}

/// The same in milliseconds since the loop began: a number that is cheaper to read, to keep and to compare. A deadline that
/// is reckoned from it may be early by the millisecond that has begun.
///
/// # Panics
/// When this thread is in no loop.
#[inline]
#[must_use]
#[track_caller]
pub fn turn_millis() -> u64 {
    context::with(|core| core.clock.tick())
}

/// As [`turn_millis`], without those stretches of a tenth of a second and more in which a task held the loop: a clock for
/// deadlines of others, who are not late because their bytes were not looked at.
///
/// # Panics
/// When this thread is in no loop.
#[inline]
#[must_use]
#[track_caller]
pub fn listening_millis() -> u64 {
    context::with(|core| core.clock.listening_tick())
}

/// Moves the manual clock of the thread's loop. What comes due meanwhile fires in the loop's next turn.
///
/// # Panics
/// When this thread is in no loop, or when its clock is the system's.
///
/// # Examples
/// ```
/// use evloop_runtime::{Runtime, time};
/// use std::time::Duration;
///
/// let runtime = Runtime::builder().manual_clock().build()?;
/// runtime.block_on(async {
///     let before = time::now();
///     time::advance(Duration::from_secs(1));
///     assert_eq!(time::now() - before, Duration::from_secs(1));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn advance(by: Duration) {
    context::with(|core| core.clock.advance(by));
}
