//! Wakes at home and from afar, and how many polls they make; and wakers that outlive their tasks.

use super::{Probe, elsewhere, output, tasks, turn};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

// --- Wakes -----------------------------------------------------------------------------------------------------------

#[test]
fn wakes_before_the_poll_make_one_poll() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let waker = probe.waker();
    tasks.enter(|| {
        waker.wake_by_ref();
        waker.wake();
    });
    turn(&tasks);
    turn(&tasks);
    assert_eq!(probe.polls(), 2);
}

#[test]
fn wake_during_the_poll_runs_the_task_once_more() {
    let (tasks, polls) = (tasks(), Rc::new(Cell::new(0)));
    let counted = Rc::clone(&polls);
    drop(tasks.spawn(
        None,
        poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            if counted.get() == 1 {
                cx.waker().wake_by_ref();
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        }),
    ));
    for _ in 0..3 {
        turn(&tasks);
    }
    assert_eq!(polls.get(), 2);
}

#[test]
fn wake_during_the_poll_that_ends_the_task_runs_nothing() {
    let tasks = tasks();
    let mut handle = tasks.spawn(
        None,
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::Ready("once")
        }),
    );
    turn(&tasks);
    turn(&tasks);
    assert_eq!(output(&mut handle).unwrap(), "once");
}

#[test]
fn wake_from_another_thread_while_the_poll_is_under_way_is_not_lost() {
    let (tasks, polls) = (tasks(), Rc::new(Cell::new(0)));
    let counted = Rc::clone(&polls);
    let mut handle = tasks.spawn(
        None,
        poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            let waker = cx.waker().clone();
            if counted.get() == 1 {
                elsewhere(move || waker.wake());
                return Poll::Pending;
            }
            Poll::Ready(())
        }),
    );
    turn(&tasks);
    turn(&tasks);
    assert!(output(&mut handle).is_ok());
    assert_eq!(polls.get(), 2);
}

#[test]
fn task_woken_at_home_and_from_afar_is_polled_once() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let (waker, other) = (probe.waker(), probe.waker());
    tasks.enter(|| waker.wake());
    elsewhere(move || other.wake());
    turn(&tasks);
    turn(&tasks);
    assert_eq!(probe.polls(), 2);
}

#[test]
fn two_engines_take_turns_on_one_thread() {
    let (first, second) = (tasks(), tasks());
    let (a, b) = (Probe::default(), Probe::default());
    drop(first.spawn(None, a.clone()));
    drop(second.spawn(None, b.clone()));
    turn(&first);
    turn(&second);
    first.enter(|| {
        second.enter(|| a.waker().wake()); // from inside of the other's, it is a stranger's
        b.waker().wake();
        a.waker().wake();
    });
    assert!(first.has_ready() && !second.has_ready());
    turn(&first);
    turn(&second);
    turn(&first);
    assert_eq!((a.polls(), b.polls()), (2, 2));
}

// --- Wakers that outlive ---------------------------------------------------------------------------------------------

#[test]
fn stale_wakers_of_a_task_that_ended_wake_nobody() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let stale = probe.waker();
    probe.done.set(true);
    tasks.enter(|| stale.wake_by_ref());
    turn(&tasks);
    assert!(tasks.is_empty());

    let next = Probe::default();
    drop(tasks.spawn(None, next.clone())); // in the same place
    turn(&tasks);
    let other = stale.clone();
    elsewhere(move || other.wake());
    tasks.enter(|| stale.wake());
    turn(&tasks);
    assert_eq!((next.polls(), probe.polls()), (1, 2));
}

#[test]
fn wakers_outlive_their_tasks_on_any_thread() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let [woken, dropped, sent, dropped_elsewhere] = [(); 4].map(|()| probe.waker());
    drop(probe.waker.take());
    drop(tasks);
    woken.wake_by_ref();
    woken.wake();
    drop(dropped);
    elsewhere(move || {
        sent.wake_by_ref();
        sent.wake();
        drop(dropped_elsewhere);
    });
}
