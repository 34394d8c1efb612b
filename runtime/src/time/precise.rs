//! Sleep to the microsecond, by a timer of the kernel's.

use crate::registered::Registered;
use crate::sys::source::FdSource;
use crate::trace::Side;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Waits until `duration` has passed from now, to the microsecond instead of the millisecond of [`sleep`](super::sleep()):
/// never less, and more only by what the kernel and this loop take to wake the task. For pacing what is sent, and for polling
/// a device; a deadline of minutes needs none.
///
/// It costs a descriptor and six system calls beside the loop's wait, where a [`Sleep`](super::Sleep) costs none. One that is
/// kept and [`reset`](PreciseSleep::reset) costs two a time.
///
/// Its time is the kernel's, also in a loop whose clock is [moved by hand](crate::Builder::manual_clock): it takes as long as
/// it takes, and holds that clock meanwhile, as anything else does that comes from outside.
///
/// # Errors
/// When there is no descriptor for it.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::time::sleep_precise;
/// use std::time::{Duration, Instant};
///
/// evloop_runtime::block_on(async {
///     let before = Instant::now();
///     sleep_precise(Duration::from_micros(150))?.await;
///     assert!(before.elapsed() >= Duration::from_micros(150));
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Cancel safety
/// Dropping it cancels the timer; polling it later, after another branch was taken, loses nothing.
#[track_caller]
pub fn sleep_precise(duration: Duration) -> io::Result<PreciseSleep> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let mut sleep = PreciseSleep { timer: Registered::new(FdSource(timer))?, fired: false };
    sleep.reset(duration)?;
    Ok(sleep)
}

/// A timer of the kernel's; see [`sleep_precise`].
///
/// It is armed when it is made, not when it is first polled.
#[derive(Debug)]
#[must_use = "a timer that is dropped is cancelled"]
pub struct PreciseSleep {
    timer: Registered<FdSource<OwnedFd>>,
    /// A poll has found that it has fired.
    fired: bool,
}

impl PreciseSleep {
    /// Sets it anew, to `duration` from now, fired or not. Who waits for it need not poll it again.
    ///
    /// # Errors
    /// What `timerfd_settime` says, which has nothing to say against any duration; one beyond 200 years is brought down to that.
    pub fn reset(&mut self, duration: Duration) -> io::Result<()> {
        // No time at all would disarm it.
        let duration = duration.clamp(Duration::from_nanos(1), DURATION_MAX);
        let value = Timespec {
            tv_sec: i64::try_from(duration.as_secs()).expect("it is bounded"),
            tv_nsec: duration.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec::default(), it_value: value };
        self.timer.spend(Side::Read); // a firing of before; the one to come brings an edge
        timerfd_settime(self.timer.get(), TimerfdTimerFlags::empty(), &once)?;
        self.fired = false;
        Ok(())
    }

    /// Sets it anew, to `deadline`, fired or not; a deadline that has passed is met at once.
    ///
    /// # Errors
    /// As [`reset`](PreciseSleep::reset).
    pub fn reset_at(&mut self, deadline: Instant) -> io::Result<()> {
        self.reset(deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether a poll has found that it has fired.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.fired
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that waits
    /// for it does. One that counts does so until it is dropped, or told otherwise.
    pub fn set_referenced(&self, referenced: bool) {
        self.timer.set_referenced(referenced);
    }
}

/// Two centuries: the kernel counts nanoseconds in 63 bits, which hold 292 years from its start.
const DURATION_MAX: Duration = Duration::from_secs(200 * 365 * 86_400);

impl Future for PreciseSleep {
    type Output = ();

    /// # Panics
    /// When the loop that made it has ended.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.fired {
            return Poll::Ready(());
        }
        // What is read is how often it has fired since it was set; before that there is nothing to read.
        let read = self.timer.poll_io(Side::Read, cx, |mut timer| timer.read(&mut [0; 8]));
        read.map(|read| {
            read.expect("a timer is polled while its event loop is there");
            self.timer.spend(Side::Read);
            self.fired = true;
        })
    }
}
