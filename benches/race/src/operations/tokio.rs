//! tokio on one thread: `block_on` of its `current_thread` runtime, and `spawn`, whose tasks could move to another
//! thread.

use super::shapes::{BATCH, Flag, Yield, in_task, shapes};
use super::spent::asks;
use super::timers::{self, ManualTimers, Timers};
use super::words::tokios;
use super::{Has, Operation, Spent, Stopwatch, Work};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::spawn;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Sleep, sleep};

/// A runtime as its users make it, for one thread.
pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("descriptors are free")
}

fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

shapes!(block_on, spawn, tokios);

/// What tokio has for an operation: something for each.
pub(super) fn has(operation: Operation) -> Has {
    match operation {
        Operation::Blocking => Ok(blocking),
        Operation::TimerFire => Ok(timers::fire::<Wheel>),
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

impl ManualTimers for Wheel {
    fn block_on_manual<F: Future>(future: F) -> F::Output {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(true).build().expect("descriptors are free");
        Box::leak(Box::new(runtime)).block_on(future)
    }
}
