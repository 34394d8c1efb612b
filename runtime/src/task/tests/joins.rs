//! Who awaits a task, who is woken when it ends, and who gets its output; also tasks whose handle is gone.

use super::{CALLED_BACK, ComesBack, JoinHandle, Probe, Trace, Tracked, Wakes, join, join_with, output, tasks, turn};
use crate::waiter::Waiter;
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

#[test]
fn dropped_handle_lets_the_task_run_on() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    assert_eq!((probe.polls(), tasks.len()), (1, 1));
}

#[test]
fn task_may_drop_its_own_handle() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let own: Rc<RefCell<Option<JoinHandle<Tracked>>>> = Rc::default();
    let inner = Rc::clone(&own);
    *own.borrow_mut() = Some(tasks.spawn(None, async move {
        drop(inner.take());
        part
    }));
    turn(&tasks);
    assert_eq!((drops.get(), tasks.len()), (1, 0));
}

#[test]
fn joiner_is_woken_once_by_its_last_waker() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async { 1 });
    let (former, latter) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    assert!(join_with(&mut handle, &former.waker()).is_pending());
    assert!(join_with(&mut handle, &latter.waker()).is_pending());
    assert_eq!(Arc::strong_count(&former), 1, "a waker that was replaced is dropped");
    turn(&tasks);
    assert_eq!((former.count(), latter.count()), (0, 1));
    assert_eq!(output(&mut handle).unwrap(), 1);
}

#[test]
fn joiner_whose_handle_is_dropped_is_not_woken() {
    let tasks = tasks();
    let joiner = Arc::new(Wakes::default());
    let mut handle = tasks.spawn(None, async { 1 });
    assert!(join_with(&mut handle, &joiner.waker()).is_pending());
    drop(handle);
    assert_eq!(Arc::strong_count(&joiner), 1);
    turn(&tasks);
    assert_eq!(joiner.count(), 0);
}

#[test]
fn tasks_join_tasks() {
    let (tasks, trace) = (tasks(), Trace::default());
    let (inner, noted) = (Rc::clone(&tasks), trace.clone());
    let mut outer = tasks.spawn(None, async move {
        let theirs = noted.clone();
        let child = inner.spawn(None, async move {
            theirs.note("child");
            2
        });
        noted.note("parent waits");
        let sum = child.await.unwrap() + 1;
        noted.note("parent goes on");
        sum
    });
    turn(&tasks);
    assert_eq!(output(&mut outer).unwrap(), 3);
    assert_eq!(trace.take(), ["parent waits", "child", "parent goes on"]);
}

#[test]
fn handle_that_goes_to_another_task_wakes_that_one() {
    let (tasks, trace) = (tasks(), Trace::default());
    let gate = Rc::new(Cell::new(false));
    let opened = Rc::clone(&gate);
    let awaited = tasks.spawn(None, poll_fn(move |_| if opened.get() { Poll::Ready(7) } else { Poll::Pending }));
    let awaited_key = awaited.key();
    let shared = Rc::new(RefCell::new(awaited));
    let [mut first, mut second] = ["first", "second"].map(|name| {
        let (shared, noted) = (Rc::clone(&shared), trace.clone());
        tasks.spawn(
            None,
            poll_fn(move |cx| {
                noted.note(name);
                Pin::new(&mut *shared.borrow_mut()).poll(cx)
            }),
        )
    });
    turn(&tasks);
    assert_eq!(trace.take(), ["first", "second"]);
    gate.set(true);
    tasks.enter(|| tasks.wake(Waiter::Task(awaited_key)));
    turn(&tasks);
    assert_eq!(trace.take(), ["second"], "the last that has polled it");
    assert_eq!(output(&mut second).unwrap().unwrap(), 7);
    assert!(join(&mut first).is_pending());
    tasks.shut_down(); // what a task holds of the engine
}

#[test]
fn waker_of_its_own_that_a_task_polls_a_handle_with_is_the_one_that_is_woken() {
    let tasks = tasks();
    let (own, polls) = (Arc::new(Wakes::default()), Rc::new(Cell::new(0)));
    let awaited = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let (waker, counted, handle) = (own.waker(), Rc::clone(&polls), Rc::clone(&awaited));
    let _poller = tasks.spawn(
        None,
        poll_fn(move |_| -> Poll<()> {
            counted.set(counted.get() + 1);
            assert!(join_with(handle.borrow_mut().as_mut().unwrap(), &waker).is_pending());
            Poll::Pending
        }),
    );
    awaited.replace(Some(tasks.spawn(None, async {})));
    turn(&tasks);
    turn(&tasks);
    assert_eq!((own.count(), polls.get()), (1, 1));
    tasks.shut_down(); // what a task holds of the engine
}

#[test]
fn task_of_another_loop_that_joins_is_woken_there_whatever_was_polled_between() {
    for spawned in [false, true] {
        let (home, abroad) = (tasks(), tasks());
        let (turned, polls) = (Rc::clone(&abroad), Rc::new(Cell::new(0)));
        let counted = Rc::clone(&polls);
        let mut awaited = abroad.spawn(None, pending::<()>());
        turn(&abroad);
        let end = awaited.abort_handle();
        let aborted = spawned.then(|| {
            let handle = abroad.spawn(None, pending::<()>());
            handle.abort();
            handle
        });
        // It turns the other loop, which polls nobody, or drops a task that was aborted, and joins a task of that loop.
        let joins = home.spawn(
            None,
            poll_fn(move |cx| {
                counted.set(counted.get() + 1);
                turn(&turned);
                Pin::new(&mut awaited).poll(cx)
            }),
        );
        turn(&home);
        end.abort();
        turn(&abroad);
        turn(&home);
        assert_eq!((polls.get(), joins.is_finished()), (2, true), "{spawned}");
        drop(aborted);
    }
}

#[test]
fn task_that_ends_what_it_awaits_in_its_own_poll_is_polled_again() {
    let tasks = tasks();
    let mut awaited = tasks.spawn(None, pending::<()>());
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let joiner = tasks.spawn(
        None,
        poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            match counted.get() {
                1 => cx.waker().wake_by_ref(),
                2 => {
                    assert!(Pin::new(&mut awaited).poll(cx).is_pending());
                    awaited.end_now();
                }
                _ => return Pin::new(&mut awaited).poll(cx),
            }
            Poll::Pending
        }),
    );
    turn(&tasks);
    turn(&tasks);
    assert_eq!(polls.get(), 3);
    assert!(joiner.is_finished());
}

#[test]
#[should_panic(expected = "a handle gives its output once")]
fn handle_polled_after_its_output_panics() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async {});
    turn(&tasks);
    assert!(output(&mut handle).is_ok());
    let _ = join(&mut handle);
}

#[test]
fn joiners_waker_may_come_back_into_the_engine() {
    let (tasks, calls) = (tasks(), Rc::new(Cell::new(0)));
    let foreign = || Waker::from(Arc::new(ComesBack));
    let (inner, counted) = (Rc::clone(&tasks), Rc::clone(&calls));
    CALLED_BACK.set(Some(Rc::new(move || {
        counted.set(counted.get() + 1);
        let mut handle = inner.spawn(None, async {});
        handle.abort();
        assert!(join(&mut handle).is_pending());
        assert!(!inner.infos().is_empty());
    })));
    let mut handle = tasks.spawn(None, async {});
    assert!(join_with(&mut handle, &foreign()).is_pending());
    assert!(join_with(&mut handle, &foreign()).is_pending()); // drops the former
    turn(&tasks); // wakes the latter, and drops it
    assert!(output(&mut handle).is_ok());
    let mut handle = tasks.spawn(None, async {});
    assert!(join_with(&mut handle, &foreign()).is_pending());
    drop(handle); // drops it as well
    CALLED_BACK.set(None);
    assert_eq!(calls.get(), 4);
}
