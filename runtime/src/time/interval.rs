//! A timer that comes again and again.

use super::sleep::{Sleep, sleep_until};
use crate::trace::poll_budget;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Ticks at once, and then every `period`.
///
/// # Panics
/// When `period` is zero, or when this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::time::interval;
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     let mut ticks = interval(Duration::from_millis(2));
///     let first = ticks.tick().await;
///     let third = (ticks.tick().await, ticks.tick().await).1;
///     assert_eq!(third - first, Duration::from_millis(4));
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(super::now(), period)
}

/// Ticks at `start`, and then every `period`.
///
/// # Panics
/// When `period` is zero, or when this thread is in no loop.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "{NO_PERIOD}");
    Interval { sleep: sleep_until(start), next: start, period, missed: MissedTicks::Burst }
}

const NO_PERIOD: &str = "an interval has a period longer than zero";

/// What an [`Interval`] does about ticks that nobody took in time.
///
/// ```text
///   due at      0    10    20    30    40    50    60        the consumer is busy from 5 to 35
///   Burst       0    .     .     35 35 35 40    50    60     catch up at once, then as planned
///   Delay       0    .     .     35       45       55        a full period after the late one
///   Skip        0    .     .     35    40    50    60        leave out what was missed, keep the beat
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTicks {
    /// Make up for them, as fast as they are taken.
    #[default]
    Burst,
    /// The next comes a period after the late one.
    Delay,
    /// The next comes at the next multiple of the period.
    Skip,
}

/// A beat; see [`interval`].
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    next: Instant,
    period: Duration,
    missed: MissedTicks,
}

impl Interval {
    /// What to do about ticks that nobody took in time, from now on.
    pub fn set_missed_ticks(&mut self, missed: MissedTicks) {
        self.missed = missed;
    }

    /// What is done about ticks that nobody took in time.
    #[must_use]
    pub fn missed_ticks(&self) -> MissedTicks {
        self.missed
    }

    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Sets the time between two ticks, from the next one on: that one comes as planned, unless there is a
    /// [`reset`](Interval::reset).
    ///
    /// # Panics
    /// When `period` is zero.
    #[track_caller]
    pub fn set_period(&mut self, period: Duration) {
        assert!(!period.is_zero(), "{NO_PERIOD}");
        self.period = period;
    }

    /// The moment for which the next tick is planned; it has passed where one is missed.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.next
    }

    /// Lets the next tick come a period from now, as `uv_timer_again` does.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn reset(&mut self) {
        self.reset_at(later(super::now(), self.period));
    }

    /// Lets the next tick come `after` from now; at once, for no time at all.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(later(super::now(), after));
    }

    /// Lets the next tick come at `deadline`, and those after it a period apart.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.next = deadline;
        self.sleep.reset_at(deadline);
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that waits
    /// for it does.
    #[track_caller]
    pub fn set_referenced(&mut self, referenced: bool) {
        self.sleep.set_referenced(referenced);
    }

    /// Waits for the next tick, and gives the moment for which it was planned.
    ///
    /// # Cancel safety
    /// A tick that was not given is not lost.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// Polls for the next tick.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(poll_budget(cx));
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let planned = self.next;
        self.next = self.after(planned, super::now());
        self.sleep.reset_at(self.next);
        Poll::Ready(planned)
    }

    fn after(&self, planned: Instant, now: Instant) -> Instant {
        let next = later(planned, self.period);
        if next > now {
            return next;
        }
        match self.missed {
            MissedTicks::Burst => next,
            MissedTicks::Delay => later(now, self.period),
            MissedTicks::Skip => {
                let behind = (now - planned).as_nanos() % self.period.as_nanos();
                let behind = u64::try_from(behind).map_or(Duration::ZERO, Duration::from_nanos);
                later(now, self.period.saturating_sub(behind))
            }
        }
    }
}

/// A century on, where the moment itself is beyond what an `Instant` holds.
pub(super) fn later(from: Instant, by: Duration) -> Instant {
    let century = Duration::from_secs(100 * 365 * 86_400);
    from.checked_add(by).unwrap_or(from + century)
}

/// The next tick; see [`Interval::tick`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        self.interval.poll_tick(cx)
    }
}
