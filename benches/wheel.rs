//! What a timer costs: set, cancelled, fired, set anew.
//!
//! Run it with `cargo bench --bench wheel`. To be read, where a run of the first three is a million timers, so that
//! their figure in milliseconds is nanoseconds per timer:
//!
//! - `million/insert`: a million timers, with random deadlines 60 to 70 seconds ahead, each with its waker.
//! - `million/cancel`: all of them are dropped.
//! - `million/fire`: a million timers with deadlines within ten seconds, which a clock moved by hand lets pass. Each
//!   fires in its own millisecond, and its waker is called.
//! - `outstanding_100k/reset`: one of 100,000 timers, chosen at random, is given another deadline.
//! - `outstanding_100k/arm_and_drop`: the timeout that hardly ever fires: set and cancelled, while 100,000 others wait.
//!
//! Each of them twice: `sleep` is [`Sleep`] as programs use it, with the reading of the clock and the way to the loop
//! of the thread; `engine` is the wheel by itself, [`Timers`], with ticks in place of a clock.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use evloop::engine::{Key, Timers, Waiter};
use evloop::time::{Sleep, sleep};
use evloop::{Runtime, block_on};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

const MILLION: usize = 1_000_000;
const OUTSTANDING: usize = 100_000;
/// The range of random deadlines.
const RANGE_MILLIS: u64 = 10_000;

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

    fn duration(&mut self, from_millis: u64) -> Duration {
        Duration::from_millis(from_millis) + Duration::from_nanos(self.next() % (RANGE_MILLIS * 1_000_000))
    }

    fn tick(&mut self, from: u64) -> u64 {
        from + self.next() % RANGE_MILLIS
    }

    fn index(&mut self) -> usize {
        usize::try_from(self.next() % OUTSTANDING as u64).expect("100,000 is less than that")
    }
}

/// The waker of all timers: it counts, and wakes who waits for the last.
struct Counter {
    fired: AtomicU64,
    expected: u64,
    done: Mutex<Option<Waker>>,
}

impl Counter {
    fn new(expected: usize) -> Arc<Counter> {
        Arc::new(Counter { fired: AtomicU64::new(0), expected: expected as u64, done: Mutex::default() })
    }

    fn fired(&self) -> u64 {
        self.fired.load(Ordering::Relaxed)
    }

    async fn all_fired(&self) {
        poll_fn(|cx| {
            *self.done.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            if self.fired() >= self.expected { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        if self.fired.fetch_add(1, Ordering::Relaxed) + 1 == self.expected
            && let Some(waker) = self.done.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }
}

/// `count` timers, each with the waker.
fn armed(count: usize, from_millis: u64, random: &mut Random, waker: &Waker) -> Vec<Sleep> {
    let mut cx = Context::from_waker(waker);
    let mut sleeps = Vec::with_capacity(count);
    for _ in 0..count {
        let mut timer = sleep(random.duration(from_millis));
        assert!(Pin::new(&mut timer).poll(&mut cx).is_pending(), "its deadline is far ahead");
        sleeps.push(timer);
    }
    sleeps
}

/// The same for the engine.
fn armed_engine(timers: &mut Timers, count: usize, from: u64, random: &mut Random, waker: &Waker) -> Vec<Key> {
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        let key = timers.insert(random.tick(from));
        assert!(timers.poll(key, waker).0.is_pending(), "its deadline is far ahead");
        keys.push(key);
    }
    keys
}

/// Runs `once` as often as the harness asks, and adds up what it measured.
fn repeat(count: u64, mut once: impl FnMut() -> Duration) -> Duration {
    (0..count).map(|_| once()).sum()
}

/// How long it takes to set a million, and how long to drop them.
fn insert_and_cancel() -> (Duration, Duration) {
    block_on(async {
        let waker = Waker::from(Counter::new(MILLION));
        let begin = Instant::now();
        let sleeps = armed(MILLION, 60_000, &mut Random::new(), &waker);
        let inserted = begin.elapsed();
        let begin = Instant::now();
        drop(sleeps);
        (inserted, begin.elapsed())
    })
}

fn insert_and_cancel_engine() -> (Duration, Duration) {
    let waker = Waker::from(Counter::new(MILLION));
    let mut timers = Timers::new();
    let begin = Instant::now();
    let keys = armed_engine(&mut timers, MILLION, 60_000, &mut Random::new(), &waker);
    let inserted = begin.elapsed();
    let begin = Instant::now();
    for key in keys {
        drop(timers.cancel(key));
    }
    (inserted, begin.elapsed())
}

fn fire() -> Duration {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let counter = Counter::new(MILLION);
        let waker = Waker::from(Arc::clone(&counter));
        let sleeps = armed(MILLION, 100, &mut Random::new(), &waker);
        let begin = Instant::now();
        counter.all_fired().await;
        let elapsed = begin.elapsed();
        drop(sleeps);
        elapsed
    })
}

fn fire_engine() -> Duration {
    let counter = Counter::new(MILLION);
    let waker = Waker::from(Arc::clone(&counter));
    let mut timers = Timers::new();
    let keys = armed_engine(&mut timers, MILLION, 100, &mut Random::new(), &waker);
    let mut due = Vec::new();
    let begin = Instant::now();
    while let Some(next) = timers.until_next() {
        timers.expire(next, &mut due);
        for waiter in due.drain(..) {
            let Waiter::Waker(waker) = waiter else { unreachable!("no task polls here") };
            waker.wake();
        }
    }
    let elapsed = begin.elapsed();
    assert_eq!(counter.fired(), keys.len() as u64);
    elapsed
}

fn reset(count: u64) -> Duration {
    block_on(async move {
        let mut random = Random::new();
        let mut sleeps = armed(OUTSTANDING, 60_000, &mut random, Waker::noop());
        let begin = Instant::now();
        for _ in 0..count {
            sleeps[random.index()].reset(random.duration(60_000));
        }
        begin.elapsed()
    })
}

fn reset_engine(count: u64) -> Duration {
    let (mut timers, mut random) = (Timers::new(), Random::new());
    let keys = armed_engine(&mut timers, OUTSTANDING, 60_000, &mut random, Waker::noop());
    let begin = Instant::now();
    for _ in 0..count {
        timers.reset(keys[random.index()], random.tick(60_000));
    }
    begin.elapsed()
}

fn arm_and_drop(count: u64) -> Duration {
    block_on(async move {
        let mut random = Random::new();
        let waker = Waker::from(Counter::new(OUTSTANDING));
        let sleeps = armed(OUTSTANDING, 60_000, &mut random, &waker);
        let mut cx = Context::from_waker(&waker);
        let begin = Instant::now();
        for _ in 0..count {
            let mut timer = sleep(random.duration(60_000));
            assert!(Pin::new(&mut timer).poll(&mut cx).is_pending(), "its deadline is far ahead");
        }
        let elapsed = begin.elapsed();
        drop(sleeps);
        elapsed
    })
}

fn arm_and_drop_engine(count: u64) -> Duration {
    let (mut timers, mut random) = (Timers::new(), Random::new());
    let waker = Waker::from(Counter::new(OUTSTANDING));
    let keys = armed_engine(&mut timers, OUTSTANDING, 60_000, &mut random, &waker);
    let begin = Instant::now();
    for _ in 0..count {
        let key = timers.insert(random.tick(60_000));
        assert!(timers.poll(key, &waker).0.is_pending(), "its deadline is far ahead");
        drop(timers.cancel(key));
    }
    let elapsed = begin.elapsed();
    assert_eq!(timers.len(), keys.len());
    elapsed
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut run: impl FnMut(u64) -> Duration) {
    group.bench_function(name, |bencher| bencher.iter_custom(&mut run));
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("million");
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(MILLION as u64));
    bench(&mut group, "insert/sleep", |count| repeat(count, || insert_and_cancel().0));
    bench(&mut group, "insert/engine", |count| repeat(count, || insert_and_cancel_engine().0));
    bench(&mut group, "cancel/sleep", |count| repeat(count, || insert_and_cancel().1));
    bench(&mut group, "cancel/engine", |count| repeat(count, || insert_and_cancel_engine().1));
    bench(&mut group, "fire/sleep", |count| repeat(count, fire));
    bench(&mut group, "fire/engine", |count| repeat(count, fire_engine));
    group.finish();
    let mut group = criterion.benchmark_group("outstanding_100k");
    group.throughput(Throughput::Elements(1));
    bench(&mut group, "reset/sleep", reset);
    bench(&mut group, "reset/engine", reset_engine);
    bench(&mut group, "arm_and_drop/sleep", arm_and_drop);
    bench(&mut group, "arm_and_drop/engine", arm_and_drop_engine);
    group.finish();
    criterion.final_summary();
}
