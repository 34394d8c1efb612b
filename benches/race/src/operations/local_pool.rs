//! The `LocalPool` of the futures crate: an executor alone, which parks its thread where others wait for the kernel.

use super::shapes::{BATCH, Flag, Yield, in_task, shapes};
use super::spent::asks;
use super::words::tokios;
use super::{Has, Operation, Spent, Stopwatch, Work};
use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;
use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

thread_local! {
    /// Of the pool that runs.
    static SPAWNER: RefCell<Option<LocalSpawner>> = const { RefCell::new(None) };
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut pool = LocalPool::new();
    SPAWNER.set(Some(pool.spawner()));
    pool.run_until(future)
}

fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> RemoteHandle<T> {
    SPAWNER.with_borrow(|spawner| {
        let spawner = spawner.as_ref().expect("tasks are spawned while the pool runs");
        spawner.spawn_local_with_handle(future).expect("the pool runs")
    })
}

shapes!(block_on, spawn, tokios);

/// What `LocalPool` has for an operation.
pub(super) fn has(operation: Operation) -> Has {
    match operation {
        Operation::Blocking => Err("it has no threads for jobs that block"),
        other => shape(other).ok_or("it has no timers"),
    }
}
