//! Nothing is left: each thing that evloop offers, many times over, and then the process has what it had before.
//!
//! Counted are descriptors, what the loop has ([`Runtime::walk`]), threads, children, and memory, by an allocator that adds
//! up. These are a whole process's, so there is no harness: one thing comes after the other.
//!
//! `cargo test --test leaks` repeats them all, `cargo test --test leaks -- udp` those with `udp` in their name.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that is its own harness")]

mod files;
mod net;
mod processes;
mod streams;
mod sync;
mod tasks;

use evloop::engine::PoolLimits;
use evloop::task::yield_now;
use evloop::time::timeout;
use evloop::{Runtime, WorkKind};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often a thing is repeated.
const MANY: usize = 10_000;
/// How often, where a round takes some jobs of the pool or makes a loop: a third of a millisecond and more.
const SOME: usize = 1_000;
/// How often, where a round starts a program, or waits for a disk or a tick: a millisecond and more.
const FEW: usize = 100;

/// What may have been allocated more: for a queue that is longer than ever before, for a thread of the pool. One byte left
/// in each of [`MANY`] rounds is more.
const BYTES_MAX: isize = 8 * 1024;

/// The threads of each pool.
const THREADS_MAX: usize = 4;

/// So long no thing takes: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// So long nobody waits for what is left, as a job that was given up half-way: it will not go.
const SETTLING_MAX: Duration = Duration::from_secs(5);

fn main() {
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut repeats = Repeats { filter, ..Repeats::default() };
    tasks::repeat(&mut repeats);
    sync::repeat(&mut repeats);
    streams::repeat(&mut repeats);
    net::repeat(&mut repeats);
    files::repeat(&mut repeats);
    processes::repeat(&mut repeats);
    println!("{} things repeated, {} left something", repeats.things, repeats.leaks.len());
    assert!(repeats.leaks.is_empty(), "{}", repeats.leaks.join("\n"));
}

/// What may be left, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Left {
    tasks: usize,
    timers: usize,
    sources: usize,
    hooks: usize,
    jobs: usize,
    descriptors: usize,
    children: usize,
    /// Of the whole process, with the pool's.
    threads: usize,
}

impl Left {
    fn count(runtime: Option<&Runtime>) -> Left {
        let entries = |path| fs::read_dir(path).unwrap().count();
        let mut left = Left {
            descriptors: entries("/proc/self/fd"),
            children: children(),
            threads: entries("/proc/self/task"),
            ..Left::default()
        };
        for work in runtime.map(Runtime::walk).unwrap_or_default() {
            match work.kind {
                WorkKind::Task { .. } => left.tasks += 1,
                WorkKind::Timer { .. } => left.timers += 1,
                WorkKind::Source { .. } => left.sources += 1,
                WorkKind::Hook { .. } => left.hooks += 1,
                WorkKind::Jobs { running, queued } => left.jobs += running + queued,
                _ => (), // the wakes of this very task
            }
        }
        left
    }

    /// Whether nothing is there that was not there `before`. The pool's threads come when they are needed, and stay a while.
    fn is_within(&self, before: &Left) -> bool {
        self.tasks <= before.tasks
            && self.timers <= before.timers
            && self.sources <= before.sources
            && self.hooks <= before.hooks
            && self.jobs <= before.jobs
            && self.descriptors <= before.descriptors
            && self.children <= before.children
            && self.threads <= before.threads.max(1 + THREADS_MAX)
    }
}

/// The children of this process, those that have ended and were not waited for among them.
fn children() -> usize {
    let is_ours = |stat: &String| {
        // After the name, which may have blanks and parentheses of its own: the state, and the parent.
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        parent.is_some_and(|parent| parent == process::id().to_string())
    };
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok()).filter(is_ours).count()
}

/// Bytes that are allocated now.
fn allocated() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.cast_signed().wrapping_sub(stats.bytes_deallocated.cast_signed())
}

/// Repeats things, and remembers those that have left something.
#[derive(Default)]
struct Repeats {
    filter: String,
    things: usize,
    leaks: Vec<String>,
}

impl Repeats {
    /// Shows that a round leaves nothing behind.
    fn each(&mut self, name: &str, rounds: usize, mut round: impl AsyncFnMut()) {
        self.within(name, rounds, async || (), async |()| round().await);
    }

    /// Shows that a round leaves nothing behind in what `setup` makes, and that nothing is left of that.
    fn within<S>(
        &mut self,
        name: &str,
        rounds: usize,
        setup: impl AsyncFnOnce() -> S,
        mut round: impl AsyncFnMut(&mut S),
    ) {
        if !name.contains(&self.filter) {
            return;
        }
        let begin = Instant::now();
        let pool = PoolLimits { threads_max: THREADS_MAX, ..PoolLimits::default() };
        let runtime = Runtime::builder().pool(pool).build().unwrap();
        let whole = async {
            let empty = Left::count(Some(&runtime));
            let mut state = setup().await;
            for _ in 0..warm_up(rounds) {
                round(&mut state).await;
            }
            settle(&runtime, |now| now.jobs == 0).await;
            let (before, bytes) = (Left::count(Some(&runtime)), allocated());
            for _ in 0..rounds {
                round(&mut state).await;
            }
            settle(&runtime, |now| now.is_within(&before)).await;
            let grown = allocated() - bytes;
            self.compare(name, before, Left::count(Some(&runtime)), grown);
            drop(state);
            settle(&runtime, |now| now.is_within(&empty)).await;
            self.compare(&format!("{name}, in the end"), empty, Left::count(Some(&runtime)), 0);
            grown
        };
        let grown = runtime.block_on(async { timeout(PATIENCE, whole).await });
        let Ok(grown) = grown else { panic!("{name}: it hangs") };
        assert!(runtime.shut_down(PATIENCE), "{name}: threads of the pool go on");
        self.done(name, rounds, grown, begin);
    }

    /// Shows that a round leaves nothing behind which makes its own loops.
    fn outside(&mut self, name: &str, rounds: usize, mut round: impl FnMut()) {
        if !name.contains(&self.filter) {
            return;
        }
        let begin = Instant::now();
        (0..warm_up(rounds)).for_each(|_| round());
        until(|| Left::count(None).threads == 1);
        let (before, bytes) = (Left::count(None), allocated());
        (0..rounds).for_each(|_| round());
        until(|| Left::count(None).is_within(&before));
        let grown = allocated() - bytes;
        self.compare(name, before, Left::count(None), grown);
        self.done(name, rounds, grown, begin);
    }

    fn compare(&mut self, name: &str, before: Left, after: Left, grown: isize) {
        if !after.is_within(&before) || grown > BYTES_MAX {
            self.leaks.push(format!("{name}: {grown} bytes more, {after:?} where there was {before:?}"));
        }
    }

    fn done(&mut self, name: &str, rounds: usize, grown: isize, begin: Instant) {
        self.things += 1;
        println!("{name}: {rounds} rounds, {grown} bytes, {} ms", begin.elapsed().as_millis());
    }
}

/// So many rounds come before those that count: what is made once has been made, and what grows with use has grown.
fn warm_up(rounds: usize) -> usize {
    FEW.min(rounds).max(rounds / 10)
}

/// Turns the loop until what was given up half-way has gone, as far as it goes.
async fn settle(runtime: &Runtime, is_settled: impl Fn(&Left) -> bool) {
    for _ in 0..4 {
        yield_now().await; // aborted tasks end, and whom they wake
    }
    let begin = Instant::now();
    while !is_settled(&Left::count(Some(runtime))) && begin.elapsed() < SETTLING_MAX {
        yield_now().await;
    }
}

/// Waits for other threads to have gone, as far as they go.
fn until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() && begin.elapsed() < SETTLING_MAX {
        thread::yield_now();
    }
}
