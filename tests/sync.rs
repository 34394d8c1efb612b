//! Waiting for each other on real loops: across threads, and with many tasks.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::Trace;
use evloop::future::{join, yield_now};
use evloop::sync::{CancellationToken, Mutex, RwLock, remote};
use evloop::time::timeout;
use evloop::{Runtime, spawn};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

/// Runs a loop that waits for other threads. If a wake is lost, it fails instead of sleeping for ever, and drops its
/// halves of the channels, so that the others end too.
fn bounded<F: Future>(future: F) -> F::Output {
    evloop::block_on(async { timeout(Duration::from_secs(60), future).await.expect("no wake is lost") })
}

#[test]
fn two_loops_hand_each_other_messages_and_neither_sleeps_through_one() {
    const ROUNDS: u32 = 1_000;
    let (there, mut arrivals) = remote::channel(1);
    let (back, mut returns) = remote::channel(1);
    let other = thread::spawn(move || {
        bounded(async {
            while let Some(number) = arrivals.recv().await {
                back.send(number).await.unwrap();
            }
        });
    });
    bounded(async {
        let send = async move {
            for number in 0..ROUNDS {
                there.send(number).await.unwrap();
            }
        };
        let receive = async {
            for number in 0..ROUNDS {
                assert_eq!(returns.recv().await, Some(number));
            }
            assert_eq!(returns.recv().await, None, "the other loop has ended");
        };
        join(send, receive).await;
    });
    other.join().unwrap();
}

#[test]
fn loop_that_sleeps_is_woken_by_a_thread_without_one_and_the_other_way_round() {
    let (sender, mut receiver) = remote::channel(1);
    let (answers, mut answered) = remote::unbounded();
    let thread = thread::spawn(move || {
        for number in 0..1_000 {
            sender.blocking_send(number).unwrap();
            assert_eq!(answered.blocking_recv(), Some(number));
        }
    });
    bounded(async {
        while let Some(number) = receiver.recv().await {
            answers.send(number).unwrap();
        }
    });
    thread.join().unwrap();
}

#[test]
fn token_is_cancelled_from_another_thread_by_a_task_that_listens() {
    let (stop, mut stopped) = remote::unbounded::<()>();
    let thread = thread::spawn(move || drop(stop));
    bounded(async {
        let token = CancellationToken::new();
        let worker = spawn({
            let token = token.child_token();
            async move { token.cancelled().await }
        });
        assert_eq!(stopped.recv().await, None);
        token.cancel();
        worker.await.unwrap();
    });
    thread.join().unwrap();
}

#[test]
fn task_that_panics_or_is_aborted_with_the_lock_leaves_it_to_the_next() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let mutex = Rc::new(Mutex::new(0));
        let panics = spawn({
            let mutex = mutex.clone();
            async move {
                let mut guard = mutex.lock().await;
                *guard += 1;
                yield_now().await;
                resume_unwind(Box::new("with the lock"));
            }
        });
        let aborted = spawn({
            let mutex = mutex.clone();
            async move {
                *mutex.lock().await += 1;
                let _held = mutex.lock().await;
                std::future::pending::<()>().await;
            }
        });
        yield_now().await;
        assert!(panics.await.unwrap_err().is_panic());
        yield_now().await;
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
        assert_eq!(*mutex.lock().await, 2);
    });
}

#[test]
fn readers_and_writers_run_in_the_order_in_which_they_came() {
    let (runtime, trace) = (Runtime::new().unwrap(), Trace::default());
    runtime.block_on(async {
        let lock = Rc::new(RwLock::new(()));
        let tasks: Vec<_> = ["read 1", "read 2", "write 3", "read 4", "write 5", "read 6"]
            .into_iter()
            .map(|name| {
                let (lock, trace) = (lock.clone(), trace.clone());
                spawn(async move {
                    if name.starts_with("read") {
                        let _guard = lock.read().await;
                        trace.note(name);
                        yield_now().await;
                    } else {
                        let _guard = lock.write().await;
                        trace.note(name);
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(trace.take(), ["read 1", "read 2", "write 3", "read 4", "write 5", "read 6"]);
}
