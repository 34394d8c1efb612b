//! Timers as programs use them, most with the reading of the clock. The workloads are those of the benchmark `wheel`, with fewer.

use crate::{Operation, counted};
use evloop::time::{Sleep, sleep};
use evloop::{Runtime, block_on};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { name: "timer-insert", rounds: 20_000, run: insert },
    Operation { name: "timer-cancel", rounds: 20_000, run: cancel },
    Operation { name: "timer-fire", rounds: 60_000, run: fire },
    Operation { name: "timer-reset", rounds: 10_000, run: reset },
    Operation { name: "timer-arm-and-drop", rounds: 10_000, run: arm_and_drop },
];

/// How many others there are while one is reset, or armed and dropped.
const OUTSTANDING: usize = 100_000;

/// The same deadlines in every run: Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(88_172_645_463_325_252)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Between 60 and 70 seconds, in whole ticks: which of them share one does not depend on when the clock began.
    fn duration(&mut self) -> Duration {
        Duration::from_millis(60_000 + self.next() % 10_000)
    }

    fn index(&mut self) -> usize {
        usize::try_from(self.next() % OUTSTANDING as u64).expect("100,000 is less than that")
    }
}

/// A waker that counts.
#[derive(Default)]
struct Fired(AtomicUsize);

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn arm(timer: &mut Sleep, waker: &Waker) {
    let armed = Pin::new(timer).poll(&mut Context::from_waker(waker));
    assert!(armed.is_pending(), "its deadline is a minute ahead");
}

fn armed(count: usize, random: &mut Random, waker: &Waker) -> Vec<Sleep> {
    let mut timers = Vec::with_capacity(count);
    for _ in 0..count {
        let mut timer = sleep(random.duration());
        arm(&mut timer, waker);
        timers.push(timer);
    }
    timers
}

fn insert(rounds: usize) {
    block_on(async {
        let waker = Waker::from(Arc::<Fired>::default());
        let mut timers = Vec::new();
        counted(Box::new(|| timers = armed(rounds, &mut Random::new(), &waker)));
        assert_eq!(timers.len(), rounds);
    });
}

fn cancel(rounds: usize) {
    block_on(async {
        let waker = Waker::from(Arc::<Fired>::default());
        let timers = armed(rounds, &mut Random::new(), &waker);
        counted(Box::new(|| drop(timers)));
    });
}

/// Each in its millisecond, of a clock that is moved by hand.
fn fire(rounds: usize) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    let fired = Arc::<Fired>::default();
    let waker = Waker::from(Arc::clone(&fired));
    let timers = runtime.block_on(async { armed(rounds, &mut Random::new(), &waker) });
    // Time passes as long as somebody waits for it.
    counted(Box::new(|| runtime.block_on(async { sleep(Duration::from_secs(71)).await })));
    assert_eq!(fired.0.load(Ordering::Relaxed), rounds);
    drop(timers);
}

fn reset(rounds: usize) {
    block_on(async {
        let mut random = Random::new();
        let mut timers = armed(OUTSTANDING, &mut random, Waker::noop());
        counted(Box::new(|| {
            for _ in 0..rounds {
                timers[random.index()].reset(random.duration());
            }
        }));
    });
}

/// On a clock that is moved by hand: else it would be chance whether the timer is the first of a chunk in its slot.
fn arm_and_drop(rounds: usize) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let mut random = Random::new();
        let waker = Waker::from(Arc::<Fired>::default());
        let timers = armed(OUTSTANDING, &mut random, &waker);
        counted(Box::new(|| {
            for _ in 0..rounds {
                arm(&mut sleep(random.duration()), &waker);
            }
        }));
        drop(timers);
    });
}
