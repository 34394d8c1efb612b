//! evloop: tasks of one thread, a timer wheel, a pool, and words of its own.

use super::shapes::{BATCH, Flag, Yield, in_task, shapes};
use super::spent::asks;
use super::timers::{self, ManualTimers, Timers};
use super::words::own;
use super::{Has, Operation, Spent, Stopwatch, Work};
use evloop::time::{Sleep, sleep};
use evloop::{Builder, Runtime, block_on, spawn, spawn_blocking};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

shapes!(block_on, spawn, own);

/// What evloop has for an operation: something for each.
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

impl Wheel {
    fn on<F: Future>(builder: Builder, future: F) -> F::Output {
        let runtime: &Runtime = Box::leak(Box::new(builder.build().expect("descriptors are free")));
        runtime.block_on(future)
    }
}

impl Timers for Wheel {
    type Sleep = Sleep;

    fn block_on<F: Future>(future: F) -> F::Output {
        Wheel::on(Runtime::builder(), future)
    }

    fn sleep(after: Duration) -> Sleep {
        sleep(after)
    }

    fn reset(sleep: Pin<&mut Sleep>, after: Duration) {
        sleep.get_mut().reset(after);
    }
}

impl ManualTimers for Wheel {
    fn block_on_manual<F: Future>(future: F) -> F::Output {
        Wheel::on(Runtime::builder().manual_clock(), future)
    }
}
