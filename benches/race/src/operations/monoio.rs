//! monoio on epoll: tasks of one thread, a timer wheel that came from tokio's, and a pool for who attaches one.

use super::shapes::{BATCH, Flag, Yield, in_task, shapes};
use super::spent::asks;
use super::timers::{self, Timers};
use super::words::tokios;
use super::{Has, Operation, Spent, Stopwatch, Work};
use monoio::blocking::DefaultThreadPool;
use monoio::time::{Instant, Sleep, TimeDriver, sleep};
use monoio::{LegacyDriver, Runtime, RuntimeBuilder, spawn, spawn_blocking};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How many threads the pool has; as many as libuv's.
const POOL_THREADS: usize = 4;

fn runtime() -> Runtime<TimeDriver<LegacyDriver>> {
    let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
    builder.attach_thread_pool(Box::new(DefaultThreadPool::new(POOL_THREADS))).build().expect("descriptors are free")
}

fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

shapes!(block_on, spawn, tokios);

/// What monoio has for an operation.
pub(super) fn has(operation: Operation) -> Has {
    match operation {
        Operation::Blocking => Ok(blocking),
        Operation::TimerFire => Err("it has no clock that is moved by hand"),
        other => shape(other).or_else(|| timers::work::<Wheel>(other)).ok_or("it is not written"),
    }
}

fn blocking(count: u64) -> Spent {
    in_task!(block_on, spawn, async move {
        let watch = Stopwatch::start();
        for _ in 0..count {
            spawn_blocking(|| ()).await.expect("it does nothing that could fail");
        }
        watch.stop(count)
    })
}

struct Wheel;

impl Timers for Wheel {
    type Sleep = Sleep;

    fn block_on<F: Future>(future: F) -> F::Output {
        Box::leak(Box::new(runtime())).block_on(future)
    }

    fn sleep(after: Duration) -> Sleep {
        sleep(after)
    }

    fn reset(sleep: Pin<&mut Sleep>, after: Duration) {
        sleep.reset(Instant::now() + after);
    }
}
