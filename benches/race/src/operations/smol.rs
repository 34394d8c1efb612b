//! smol: its `LocalExecutor`, with the timers of async-io and the pool of blocking.

use super::shapes::{BATCH, Flag, Yield, in_task, shapes};
use super::spent::asks;
use super::timers::{self, Timers};
use super::words::tokios;
use super::{Has, Operation, Spent, Stopwatch, Work};
use smol::{LocalExecutor, Task, Timer, unblock};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    /// For as long as the program runs, since tasks are spawned on it from wherever they are.
    static EXECUTOR: &'static LocalExecutor<'static> = Box::leak(Box::new(LocalExecutor::new()));
}

fn block_on<F: Future>(future: F) -> F::Output {
    smol::block_on(EXECUTOR.with(|executor| *executor).run(future))
}

fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    EXECUTOR.with(|executor| executor.spawn(future))
}

shapes!(block_on, spawn, tokios);

/// What smol has for an operation.
pub(super) fn has(operation: Operation) -> Has {
    match operation {
        Operation::Blocking => Ok(blocking),
        Operation::TimerFire => Err("it has no clock that is moved by hand"),
        other => shape(other).or_else(|| timers::work::<Tree>(other)).ok_or("it is not written"),
    }
}

fn blocking(count: u64) -> Spent {
    in_task!(block_on, spawn, async move {
        let watch = Stopwatch::start();
        for _ in 0..count {
            unblock(|| ()).await;
        }
        watch.stop(count)
    })
}

struct Tree;

impl Timers for Tree {
    type Sleep = Timer;

    fn block_on<F: Future>(future: F) -> F::Output {
        block_on(future)
    }

    fn sleep(after: Duration) -> Timer {
        Timer::after(after)
    }

    fn reset(sleep: Pin<&mut Timer>, after: Duration) {
        sleep.get_mut().set_after(after);
    }
}
