//! The workloads of timers, written once for the runtimes that have some.
//!
//! A timer is set as a task would set it: its future is made and polled once. Its waker is none of a task's but counts,
//! so that what is measured is the timer and not the task behind it. Deadlines are the same pseudo-random ones for all.
//!
//! The futures lie side by side in an arena, the only safe place where those that must not move can lie so; no
//! allocation of one each is counted as the timer's. Arena and runtime are left to the end of the process: what a
//! runtime does with outstanding timers when it ends belongs to no operation here, and would be in the count of
//! instructions.

use super::{Operation, Spent, Stopwatch, Work, heap};
use bumpalo::Bump;
use bumpalo::boxed::Box as Placed;
use futures::task::AtomicWaker;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// A runtime's timers.
pub(super) trait Timers {
    /// The future of one.
    type Sleep: Future + 'static;

    /// Runs a future on a runtime that is never dropped.
    fn block_on<F: Future>(future: F) -> F::Output;

    /// A timer that fires after so long, once it has been polled.
    fn sleep(after: Duration) -> Self::Sleep;

    /// Puts a timer off.
    fn reset(sleep: Pin<&mut Self::Sleep>, after: Duration);
}

/// Timers whose clock moves by itself to the next deadline when nothing else is left to do.
pub(super) trait ManualTimers: Timers {
    /// Runs a future on a runtime with such a clock, which is never dropped.
    fn block_on_manual<F: Future>(future: F) -> F::Output;
}

/// The workload of timers that an operation is, if it is one that needs no clock moved by hand.
pub(super) fn work<T: Timers>(operation: Operation) -> Option<Work> {
    Some(match operation {
        Operation::TimerInsert => insert::<T>,
        Operation::TimerCancel => cancel::<T>,
        Operation::TimerReset => reset::<T>,
        Operation::TimerChurn => churn::<T>,
        Operation::TimerBytes => bytes::<T>,
        _ => return None,
    })
}

/// How many timers are outstanding while one is reset, or set and dropped.
const OUTSTANDING: u64 = 100_000;

/// Deadlines so far away that none is reached while it is measured, and how far they are spread.
const FAR: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));

/// Deadlines that are to be reached, and how far they are spread.
const NEAR: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Timers that are set.
type Armed<T> = Vec<Pin<Placed<'static, <T as Timers>::Sleep>>>;

/// An empty list with room for so many, which is not counted as the timers'.
fn room<T: Timers>(count: u64) -> Armed<T> {
    Vec::with_capacity(usize::try_from(count).expect("they fit into memory"))
}

/// Sets as many timers as the list has room for.
fn arm<T: Timers>(armed: &mut Armed<T>, deadlines: &mut Deadlines, when: (Duration, Duration), fired: &Arc<Fired>) {
    let waker = Waker::from(Arc::clone(fired));
    let mut cx = Context::from_waker(&waker);
    let arena: &Bump = Box::leak(Box::new(Bump::with_capacity(armed.capacity() * size_of::<T::Sleep>())));
    for _ in 0..armed.capacity() {
        let mut sleep = Placed::pin_in(T::sleep(deadlines.next(when)), arena);
        let _ = sleep.as_mut().poll(&mut cx);
        armed.push(sleep);
    }
}

fn insert<T: Timers>(count: u64) -> Spent {
    T::block_on(async move {
        let mut armed = room::<T>(count);
        let watch = Stopwatch::start();
        arm::<T>(&mut armed, &mut Deadlines::new(), FAR, &Fired::all(count));
        let spent = watch.stop(count);
        Vec::leak(armed); // else they were cancelled here, and their instructions counted
        spent
    })
}

fn cancel<T: Timers>(count: u64) -> Spent {
    T::block_on(async move {
        let mut armed = room::<T>(count);
        arm::<T>(&mut armed, &mut Deadlines::new(), FAR, &Fired::all(count));
        let watch = Stopwatch::start();
        drop(armed);
        watch.stop(count)
    })
}

fn bytes<T: Timers>(count: u64) -> Spent {
    T::block_on(async move {
        let mut armed = room::<T>(count);
        let (before, watch) = (heap::in_use(), Stopwatch::start());
        arm::<T>(&mut armed, &mut Deadlines::new(), FAR, &Fired::all(count));
        let (spent, after) = (watch.stop(count), heap::in_use());
        drop(armed);
        #[allow(clippy::cast_precision_loss, reason = "timers are fewer than 2^52")]
        let each = (after - before) / count as f64;
        Spent { heap_bytes: Some(each), ..spent }
    })
}

/// CPU time from the first to the last of `count` timers that fire.
pub(super) fn fire<T: ManualTimers>(count: u64) -> Spent {
    T::block_on_manual(async move {
        let (mut armed, fired) = (room::<T>(count), Fired::all(count));
        arm::<T>(&mut armed, &mut Deadlines::new(), NEAR, &fired);
        let watch = Stopwatch::start();
        fired.wait().await;
        let spent = watch.stop(count);
        Vec::leak(armed);
        spent
    })
}

fn reset<T: Timers>(count: u64) -> Spent {
    T::block_on(async move {
        let (mut armed, mut deadlines) = (room::<T>(OUTSTANDING), Deadlines::new());
        arm::<T>(&mut armed, &mut deadlines, FAR, &Fired::all(OUTSTANDING));
        let watch = Stopwatch::start();
        for _ in 0..count {
            let which = deadlines.below(armed.len());
            T::reset(armed[which].as_mut(), deadlines.next(FAR));
        }
        watch.stop(count)
    })
}

fn churn<T: Timers>(count: u64) -> Spent {
    T::block_on(async move {
        let (mut armed, mut deadlines) = (room::<T>(OUTSTANDING), Deadlines::new());
        let fired = Fired::all(OUTSTANDING);
        arm::<T>(&mut armed, &mut deadlines, FAR, &fired);
        let waker = Waker::from(Arc::clone(&fired));
        let mut cx = Context::from_waker(&waker);
        let watch = Stopwatch::start();
        for _ in 0..count {
            let mut sleep = pin!(T::sleep(deadlines.next(FAR)));
            let _ = sleep.as_mut().poll(&mut cx);
        }
        let spent = watch.stop(count);
        drop(armed);
        spent
    })
}

/// Pseudo-random deadlines, the same in each run: Marsaglia's xorshift of 64 bits ("Xorshift RNGs", 2003), which costs
/// three shifts where what is measured costs some ten nanoseconds.
#[derive(Debug)]
struct Deadlines(u64);

impl Deadlines {
    fn new() -> Deadlines {
        Deadlines(88_172_645_463_325_252) // the paper's seed
    }

    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a list is shorter than 2^64");
        usize::try_from(self.draw() % end).expect("it is below what a list's length was")
    }

    /// From `from` on, within `range`.
    fn next(&mut self, (from, range): (Duration, Duration)) -> Duration {
        let range = u64::try_from(range.as_nanos()).expect("it is some seconds");
        from + Duration::from_nanos(self.draw() % range)
    }
}

/// Who is woken by the timers: it counts them, and wakes who waits for the last.
#[derive(Debug)]
pub(crate) struct Fired {
    count: AtomicU64,
    expected: u64,
    waiter: AtomicWaker,
}

impl Fired {
    /// That waits for so many.
    pub(crate) fn all(expected: u64) -> Arc<Fired> {
        Arc::new(Fired { count: AtomicU64::new(0), expected, waiter: AtomicWaker::new() })
    }

    /// Waits until all have fired.
    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            self.waiter.register(cx.waker());
            if self.count.load(Ordering::Relaxed) >= self.expected { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.expected {
            self.waiter.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_lie_where_they_are_to() {
        let mut deadlines = Deadlines::new();
        let (from, range) = NEAR;
        assert!((0..1_000).map(|_| deadlines.next(NEAR)).all(|deadline| (from..from + range).contains(&deadline)));
        assert!((0..1_000).map(|_| deadlines.below(7)).all(|index| index < 7));
    }

    #[test]
    fn the_last_timer_wakes_who_waits() {
        let fired = Fired::all(2);
        let mut cx = Context::from_waker(Waker::noop());
        let mut wait = pin!(fired.wait());
        let waker = Waker::from(Arc::clone(&fired));
        waker.wake_by_ref();
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        waker.wake();
        assert!(wait.as_mut().poll(&mut cx).is_ready());
    }
}
