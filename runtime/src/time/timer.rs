//! A timer that is started, stopped and started again: libuv's `uv_timer_t` without its callback.

use super::interval::later;
use super::sleep::{Sleep, sleep};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// A timer that is started, stopped and started again, once or with a repeat.
///
/// What a callback is in libuv is a loop here, which goes on for as long as the timer is active:
///
/// ```
/// use evloop_runtime::time::Timer;
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     let mut timer = Timer::new();
///     timer.start(Duration::from_millis(2), Duration::from_millis(1));
///     let mut fired = 0;
///     while timer.fired().await {
///         fired += 1;
///         if fired == 3 {
///             timer.stop();
///         }
///     }
///     assert_eq!(fired, 3);
/// });
/// ```
///
/// The repeat is reckoned as in libuv: from the turn in which the firing was taken, not from when it was due, so a busy loop
/// falls behind and does not make up for it. For a beat that is kept there is [`Interval`](super::Interval).
///
/// | libuv | here |
/// |---|---|
/// | `uv_timer_start`, `uv_timer_stop` | [`start`](Timer::start), [`stop`](Timer::stop) |
/// | `uv_timer_again` | [`again`](Timer::again) |
/// | `uv_timer_set_repeat`, `uv_timer_get_repeat` | [`set_repeat`](Timer::set_repeat), [`repeat`](Timer::repeat) |
/// | `uv_timer_get_due_in` | [`due_in`](Timer::due_in) |
/// | `uv_is_active` | [`is_active`](Timer::is_active) |
/// | `uv_ref`, `uv_unref` | [`set_referenced`](Timer::set_referenced) |
#[derive(Default)]
#[must_use = "a timer that is dropped is cancelled"]
pub struct Timer {
    /// There while it is active: then it has not fired, or nobody has taken that.
    sleep: Option<Sleep>,
    repeat: Duration,
    started: bool,
    referenced: bool,
}

impl Timer {
    /// A timer that is not active.
    pub fn new() -> Timer {
        Timer::default()
    }

    /// Fires after `timeout` from now and then, unless `repeat` is zero, whenever that has passed. One that is active is
    /// started anew.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn start(&mut self, timeout: Duration, repeat: Duration) {
        (self.started, self.repeat) = (true, repeat);
        self.arm(timeout);
    }

    /// Fires no more until it is started again; a firing that nobody has taken is forgotten.
    pub fn stop(&mut self) {
        self.sleep = None;
    }

    /// Starts a timer that repeats anew, active or not, to fire when the repeat has passed from now. Without a repeat it
    /// changes nothing.
    ///
    /// # Errors
    /// When it was never started.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn again(&mut self) -> io::Result<()> {
        if !self.started {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the timer was never started"));
        }
        if !self.repeat.is_zero() {
            self.arm(self.repeat);
        }
        Ok(())
    }

    /// What is to pass from one firing to the next, from the next one on; zero for no more firing after it.
    pub fn set_repeat(&mut self, repeat: Duration) {
        self.repeat = repeat;
    }

    /// What is to pass from one firing to the next; zero where there is to be one alone.
    #[must_use]
    pub fn repeat(&self) -> Duration {
        self.repeat
    }

    /// Whether it will fire, or has fired and nobody has taken that.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.sleep.is_some()
    }

    /// The moment for which it is set; `None` when it is not active, or has fired.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.sleep.as_ref().and_then(Sleep::deadline)
    }

    /// How long until it fires, from now; zero once it has fired, `None` when it is not active.
    ///
    /// # Panics
    /// When it is active, and this thread is in no loop.
    #[must_use]
    #[track_caller]
    pub fn due_in(&self) -> Option<Duration> {
        let sleep = self.sleep.as_ref()?;
        Some(sleep.deadline().map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(super::now())))
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. Other than libuv's, a new one does not: the
    /// task that waits for it does.
    #[track_caller]
    pub fn set_referenced(&mut self, referenced: bool) {
        self.referenced = referenced;
        if let Some(sleep) = &mut self.sleep {
            sleep.set_referenced(referenced);
        }
    }

    /// Waits until it fires: `true`, and a timer that repeats is set for the next time. `false` at once when it is not
    /// active, for then it would never.
    ///
    /// # Panics
    /// When awaited after its loop has ended.
    ///
    /// # Cancel safety
    /// A firing that was not given is not lost.
    pub fn fired(&mut self) -> Fired<'_> {
        Fired { timer: self }
    }

    fn poll_fired(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let Some(sleep) = &mut self.sleep else { return Poll::Ready(false) };
        ready!(Pin::new(&mut *sleep).poll(cx));
        if self.repeat.is_zero() {
            self.sleep = None;
        } else {
            sleep.reset_at(later(super::turn_now(), self.repeat));
        }
        Poll::Ready(true)
    }

    #[track_caller]
    fn arm(&mut self, timeout: Duration) {
        match &mut self.sleep {
            Some(sleep) => sleep.reset(timeout),
            None => self.sleep.insert(sleep(timeout)).set_referenced(self.referenced),
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("active", &self.is_active()).field("repeat", &self.repeat).finish_non_exhaustive()
    }
}

/// The next firing; see [`Timer::fired`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Fired<'a> {
    timer: &'a mut Timer,
}

impl Future for Fired<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        self.timer.poll_fired(cx)
    }
}
