//! The one deadline that a connection has at a time.
//!
//! What a connection waits for decides how long it may: see [`Wait`]. The deadline moves with nearly every request, the
//! timer does not: it stays armed for the earliest moment at which anything could have been late, and when it fires too
//! early, is armed anew for what the deadline is by then. So a request costs two comparisons, and a timer is touched once
//! in a time-out's length.
//!
//! Moments are milliseconds, 32 bits that wrap: a connection that idles has to be small, and none of the waits is longer
//! than the 24 days that the comparison allows for. There are two counts: timers fire by the loop's time, and deadlines are
//! reckoned in time in which the loop has [listened](listening_millis), for a client is not late because a handler has held
//! the loop.

use crate::limits::Timeouts;
use evloop_runtime::time::{Sleep, listening_millis, sleep, turn_millis};
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a connection waits for, and for how long at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The application, which may take as long as it likes.
    Application,
    /// The rest of a head, or the first byte ever.
    Head,
    /// More of a body.
    Body,
    /// Room in the socket.
    Write,
    /// The first byte of another request.
    KeepAlive,
    /// The first byte of a last request, while the server stops.
    Leave,
    /// The client to close, after the last answer.
    Linger,
}

impl Wait {
    const COUNT: usize = Wait::Linger as usize + 1;
}

/// A moment, and a length of time, as this file counts them.
type Millis = u32;

/// The longest wait that comparisons allow for.
const WAIT_MAX: Millis = Millis::MAX / 2;

/// How long each wait may take; rounded up by more than the millisecond that has begun, for late is allowed and early is
/// not. `None`: for ever.
#[derive(Debug)]
pub(super) struct Lengths {
    /// By the number of the wait.
    lengths: [Cell<Option<Millis>>; Wait::COUNT],
}

impl Lengths {
    pub(super) fn new(timeouts: &Timeouts, linger: Duration) -> Lengths {
        let lengths = Lengths { lengths: Default::default() };
        let limits = [
            (Wait::Head, timeouts.head),
            (Wait::Body, timeouts.body),
            (Wait::Write, timeouts.write),
            (Wait::KeepAlive, timeouts.keep_alive),
            (Wait::Linger, Some(linger)),
        ];
        for (wait, limit) in limits {
            lengths.set(wait, limit);
        }
        lengths
    }

    /// The server stops, and gives connections that idle so long for a last request.
    pub(super) fn leave_after(&self, idle: Duration) {
        self.set(Wait::Leave, (!idle.is_zero()).then_some(idle));
    }

    /// Whether connections that idle while the server stops are kept for a while.
    pub(super) fn keeps_idle(&self) -> bool {
        self.of(Wait::Leave).is_some()
    }

    #[inline]
    fn of(&self, wait: Wait) -> Option<Millis> {
        self.lengths[wait as usize].get()
    }

    fn set(&self, wait: Wait, limit: Option<Duration>) {
        self.lengths[wait as usize].set(limit.map(millis));
    }
}

fn millis(length: Duration) -> Millis {
    let rounded_up = length.as_nanos().div_ceil(1_000_000) + 1;
    Millis::try_from(rounded_up).map_or(WAIT_MAX, |millis| millis.min(WAIT_MAX))
}

/// A moment by both counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The loop's time, as of this turn.
    turn: Millis,
    /// Without that for which tasks have held the loop.
    listening: Millis,
}

impl Moment {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the counts wrap")]
    pub(super) fn now() -> Moment {
        Moment { turn: turn_millis() as Millis, listening: listening_millis() as Millis }
    }
}

/// When a connection has waited for long enough.
pub(super) struct Deadline {
    timer: Option<Sleep>,
    /// When the timer fires, or fired last, by the loop's time.
    armed: Millis,
    /// By the time in which the loop has listened.
    at: Millis,
    wait: Wait,
}

impl Deadline {
    pub(super) fn new() -> Deadline {
        Deadline { timer: None, armed: 0, at: 0, wait: Wait::Application }
    }

    /// What was waited for last.
    pub(super) fn wait(&self) -> Wait {
        self.wait
    }

    /// Ready when this wait has taken too long. It began when another one was told before, or when there was `progress`.
    #[inline]
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        wait: Wait,
        progress: bool,
        lengths: &Lengths,
        now: Moment,
    ) -> Poll<()> {
        let begins = progress || wait != self.wait;
        self.wait = wait;
        let Some(length) = lengths.of(wait) else { return Poll::Pending };
        if begins {
            self.at = now.listening.wrapping_add(length);
        }
        let sleeps = self.timer.is_some() && in_future(self.armed, now.turn);
        let due = now.turn.wrapping_add(self.at.wrapping_sub(now.listening));
        if sleeps && !in_future(self.armed, due) { Poll::Pending } else { self.rearm(cx, now) }
    }

    /// The connection idles while its server stops, and waits to [leave](Wait::Leave) from now on. If it has idled before,
    /// it stays no longer than it would have.
    #[cold]
    pub(super) fn begin_leaving(&mut self, lengths: &Lengths, now: Moment) {
        let idled = matches!(self.wait, Wait::Head | Wait::KeepAlive) && lengths.of(self.wait).is_some();
        if let (true, Some(leave)) = (idled, lengths.of(Wait::Leave)) {
            let latest = now.listening.wrapping_add(leave);
            if in_future(self.at, latest) {
                self.at = latest;
            }
            self.wait = Wait::Leave;
        }
    }

    /// The timer has fired, or is set for too late a moment, or there is none yet.
    #[cold]
    fn rearm(&mut self, cx: &mut Context<'_>, now: Moment) -> Poll<()> {
        if !in_future(self.at, now.listening) {
            return Poll::Ready(());
        }
        let left = self.at.wrapping_sub(now.listening);
        let length = Duration::from_millis(u64::from(left));
        match &mut self.timer {
            Some(timer) => timer.reset(length),
            None => self.timer = Some(sleep(length)),
        }
        self.armed = now.turn.wrapping_add(left);
        Pin::new(self.timer.as_mut().expect("just armed")).poll(cx)
    }
}

/// Whether a moment lies behind another, by no more than [`WAIT_MAX`].
#[inline]
fn in_future(moment: Millis, now: Millis) -> bool {
    (1..=WAIT_MAX).contains(&moment.wrapping_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evloop_runtime::Runtime;
    use std::future::poll_fn;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn timeouts() -> Timeouts {
        Timeouts { head: Some(ms(1_000)), body: None, write: Some(ms(300)), keep_alive: Some(ms(500)) }
    }

    /// How long it takes, in milliseconds by the loop's clock, until this wait has taken too long. Every `busy`
    /// milliseconds there is progress, for so many times.
    fn time_out(wait: Wait, before: Wait, busy: u64, times: u64) -> (u64, u32) {
        let runtime = Runtime::builder().manual_clock().build().unwrap();
        runtime.block_on(async {
            let begin = turn_millis();
            let lengths = Lengths::new(&timeouts(), ms(2_000));
            let mut deadline = Deadline::new();
            let polls = Cell::new(0);
            poll_fn(|cx| {
                assert!(deadline.poll(cx, before, false, &lengths, Moment::now()).is_pending());
                Poll::Ready(())
            })
            .await;
            for _ in 0..times {
                sleep(ms(busy)).await;
                poll_fn(|cx| {
                    assert!(deadline.poll(cx, wait, true, &lengths, Moment::now()).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                deadline.poll(cx, wait, false, &lengths, Moment::now())
            })
            .await;
            (turn_millis() - begin, polls.get())
        })
    }

    /// Late by less than the roundings, and never early.
    fn is_about(seen: u64, limit: u64) -> bool {
        (limit..limit + 5).contains(&seen)
    }

    #[test]
    fn each_wait_has_its_own_length() {
        for (wait, limit) in [(Wait::Head, 1_000), (Wait::Write, 300), (Wait::KeepAlive, 500), (Wait::Linger, 2_000)] {
            let (seen, _) = time_out(wait, wait, 0, 0);
            assert!(is_about(seen, limit), "{wait:?}: {seen}");
        }
    }

    #[test]
    fn shorter_wait_after_a_longer_one_is_not_late() {
        let (seen, _) = time_out(Wait::Write, Wait::Linger, 0, 0);
        assert!(is_about(seen, 300), "{seen}");
    }

    #[test]
    fn longer_wait_after_a_shorter_one_is_not_early() {
        let (seen, _) = time_out(Wait::Linger, Wait::Write, 0, 0);
        assert!(is_about(seen, 2_000), "{seen}");
    }

    #[test]
    fn progress_begins_the_wait_anew_and_touches_the_timer_only_when_it_has_fired() {
        let (seen, polls) = time_out(Wait::KeepAlive, Wait::KeepAlive, 100, 20);
        assert!(is_about(seen, 2_500), "{seen}");
        assert!(polls <= 3, "the task was woken {polls} times to see that it is not late yet");
    }

    #[test]
    fn wait_without_a_limit_ends_never() {
        let runtime = Runtime::builder().manual_clock().build().unwrap();
        runtime.block_on(async {
            let lengths = Lengths::new(&timeouts(), ms(2_000));
            let mut deadline = Deadline::new();
            for wait in [Wait::Head, Wait::Body, Wait::Application] {
                for _ in 0..3 {
                    poll_fn(|cx| {
                        assert!(deadline.poll(cx, wait, false, &lengths, Moment::now()).is_pending(), "{wait:?}");
                        Poll::Ready(())
                    })
                    .await;
                    sleep(if wait == Wait::Head { ms(1) } else { ms(1_000_000) }).await;
                }
            }
        });
    }

    #[test]
    fn count_of_milliseconds_may_wrap() {
        let now = Millis::MAX - 10;
        assert!(in_future(now.wrapping_add(20), now));
        assert!(!in_future(now, now.wrapping_add(20)));
        assert!(!in_future(now, now));
    }
}
