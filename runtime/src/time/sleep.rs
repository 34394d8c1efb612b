//! A timer as a future.

use crate::arena::Key;
use crate::context;
use crate::trace::{Wait, waits_for};
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Waits until `duration` has passed from now: at least that long, and less than two milliseconds longer if the loop is
/// not busy. No duration at all is over in the loop's next turn; one beyond 557 years is brought down to that.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::time::sleep;
/// use std::time::{Duration, Instant};
///
/// evloop_runtime::block_on(async {
///     let before = Instant::now();
///     sleep(Duration::from_millis(5)).await;
///     assert!(before.elapsed() >= Duration::from_millis(5));
/// });
/// ```
///
/// # Cancel safety
/// Dropping it cancels the timer; polling it later, after another branch was taken, loses nothing.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    context::with(|core| Sleep {
        key: core.timers.borrow_mut().insert(core.clock.tick_after(duration)),
        loop_id: core.id,
        _home: PhantomData,
    })
}

/// Waits until `deadline`; one that has passed is met in the loop's next turn.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Cancel safety
/// As [`sleep`].
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    context::with(|core| Sleep {
        key: core.timers.borrow_mut().insert(core.clock.tick_at(deadline)),
        loop_id: core.id,
        _home: PhantomData,
    })
}

/// A timer of this thread's loop: 12 bytes here, 32.5 in the wheel. See [`sleep`].
///
/// It is armed when it is made, not when it is first polled.
#[derive(Debug)]
#[must_use = "a timer that is dropped is cancelled"]
pub struct Sleep {
    key: Key,
    loop_id: u32,
    /// It belongs to its loop's thread.
    _home: PhantomData<*const ()>,
}

impl Sleep {
    /// The moment for which it is set, a whole millisecond of the loop's clock; `None` once it has fired.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        context::with_id(self.loop_id, |core| {
            core.timers.borrow().deadline(self.key).map(|tick| core.clock.instant_of(tick))
        })?
    }

    /// Whether it has fired.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        context::with_id(self.loop_id, |core| core.timers.borrow().is_fired(self.key)).flatten().unwrap_or(true)
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that waits
    /// for it does.
    #[track_caller]
    pub fn set_referenced(&mut self, referenced: bool) {
        let place = Location::caller();
        context::with_id(self.loop_id, |core| core.timers.borrow_mut().set_referenced(self.key, referenced, place));
    }

    /// Sets it anew, to `duration` from now, fired or not. Who waits for it need not poll it again.
    pub fn reset(&mut self, duration: Duration) {
        context::with_id(self.loop_id, |core| {
            core.timers.borrow_mut().reset(self.key, core.clock.tick_after(duration));
        });
    }

    /// Sets it anew, to `deadline`, fired or not.
    pub fn reset_at(&mut self, deadline: Instant) {
        context::with_id(self.loop_id, |core| {
            core.timers.borrow_mut().reset(self.key, core.clock.tick_at(deadline));
        });
    }
}

impl Future for Sleep {
    type Output = ();

    /// # Panics
    /// When the loop that made it has ended.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = context::with_id(self.loop_id, |core| core.timers.borrow_mut().poll(self.key, cx.waker()));
        let (polled, former) = polled.expect("a timer is polled while its event loop is there");
        drop(former);
        if polled.is_pending() {
            waits_for(Wait::Timer(self.key));
        }
        polled
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let waiter = context::with_id(self.loop_id, |core| core.timers.borrow_mut().cancel(self.key));
        drop(waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_12_bytes() {
        assert_eq!(size_of::<Sleep>(), 12);
    }
}
