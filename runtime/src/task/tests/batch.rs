//! In which order tasks are polled, and how far a batch goes.

use super::{Tasks, Trace, tasks, turn};
use crate::board::Board;
use crate::chance::Chance;
use crate::observer::Observers;
use crate::trace::{self, Cause};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

#[test]
fn tasks_are_polled_in_the_order_in_which_they_were_woken() {
    let (tasks, trace) = (tasks(), Trace::default());
    let wakers = Rc::new(RefCell::new(Vec::new()));
    for name in ["a", "b", "c"] {
        let (trace, wakers) = (trace.clone(), Rc::clone(&wakers));
        drop(tasks.spawn(None, async move {
            poll_fn(|cx| {
                trace.note(name);
                wakers.borrow_mut().push(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
        }));
    }
    turn(&tasks);
    assert_eq!(trace.take(), ["a", "b", "c"]);
    let wakers = wakers.take();
    tasks.enter(|| {
        for index in [2, 0, 2, 1, 0] {
            wakers[index].wake_by_ref();
        }
    });
    turn(&tasks);
    assert_eq!(trace.take(), ["c", "a", "b"], "a second wake before the poll changes nothing");
}

#[test]
fn self_waking_task_keeps_nobody_from_being_polled_in_its_batch() {
    let (tasks, trace) = (tasks(), Trace::default());
    for name in ["greedy", "a", "b"] {
        let trace = trace.clone();
        drop(tasks.spawn(None, async move {
            poll_fn(|cx| {
                trace.note(name);
                if name == "greedy" {
                    cx.waker().wake_by_ref();
                }
                Poll::<()>::Pending
            })
            .await;
        }));
    }
    turn(&tasks);
    let first_batch = trace.take();
    assert_eq!(first_batch[..4], ["greedy", "a", "b", "greedy"]);
    assert!(first_batch[4..].iter().all(|name| name == "greedy"));
    assert!(tasks.has_ready(), "the batch ends although it never stops waking itself");
}

#[test]
fn batch_polls_all_that_was_queued_when_it_began() {
    let (tasks, polled) = (tasks(), Rc::new(Cell::new(0)));
    for _ in 0..1_000 {
        let polled = Rc::clone(&polled);
        drop(tasks.spawn(None, async move { polled.set(polled.get() + 1) }));
    }
    turn(&tasks);
    assert_eq!((polled.get(), tasks.len()), (1_000, 0));
}

#[test]
fn batch_that_is_run_inside_of_a_poll_does_not_lengthen_the_one_around_it() {
    for seed in [None, Some(1)] {
        let board = Arc::new(Board::new(None));
        let tasks = Tasks::observed(Waker::noop().clone(), Observers::none(), board, seed.map(Chance::new)).unwrap();
        let polls = Rc::new(Cell::new(0));
        let (inner, counted) = (Rc::clone(&tasks), Rc::clone(&polls));
        let endless = tasks.spawn(
            None,
            poll_fn(move |cx| {
                counted.set(counted.get() + 1);
                assert!(counted.get() <= 1_000, "the batch has no end");
                inner.run_batch();
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }),
        );
        turn(&tasks);
        assert_eq!(polls.get(), 128, "as many as without");
        drop(endless);
        tasks.shut_down();
    }
}

#[test]
fn task_in_whose_poll_a_batch_is_run_is_the_one_that_runs_again_after_it() {
    let (tasks, seen) = (tasks(), Rc::new(Cell::new((Cause::Outside, false))));
    let (inner, noted) = (Rc::clone(&tasks), Rc::clone(&seen));
    let home = tasks.stamp();
    let outer = tasks.spawn(
        None,
        poll_fn(move |cx| {
            drop(inner.spawn(None, async {}));
            inner.run_batch();
            noted.set((trace::cause(), trace::task_of(cx.waker(), home).is_some()));
            Poll::Ready(())
        }),
    );
    turn(&tasks);
    assert_eq!(seen.get(), (Cause::Task(outer.key()), true));
    assert_eq!(trace::cause(), Cause::Outside);
}
