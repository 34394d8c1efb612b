//! tokio's `LocalSet`: tasks that stay on their thread, on the runtime that `tokio` measures.

use super::shapes::{BATCH, Flag, Yield, in_task, shapes};
use super::spent::asks;
use super::tokio::runtime;
use super::words::tokios;
use super::{Has, Operation, Spent, Stopwatch, Work};
use std::future::Future;
use std::sync::Arc;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};

fn block_on<F: Future>(future: F) -> F::Output {
    LocalSet::new().block_on(&runtime(), future)
}

shapes!(block_on, spawn_local, tokios);

/// What `LocalSet` has for an operation.
pub(super) fn has(operation: Operation) -> Has {
    match operation {
        Operation::Blocking => Ok(blocking),
        other => shape(other).ok_or("its timers are those of tokio, which are measured there"),
    }
}

fn blocking(count: u64) -> Spent {
    in_task!(block_on, spawn_local, async move {
        let watch = Stopwatch::start();
        for _ in 0..count {
            spawn_blocking(|| ()).await.expect("it does nothing that could fail");
        }
        watch.stop(count)
    })
}
