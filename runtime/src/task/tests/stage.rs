//! The future and the output of a task: whose their panics are, and where and how often they are dropped.

use super::{JoinHandle, OnDrop, Probe, Tasks, Trace, Tracked, elsewhere, error, output, panic_quietly, tasks, turn};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

// --- Panics ----------------------------------------------------------------------------------------------------------

#[test]
fn panic_in_a_poll_is_the_handles_and_nobody_elses() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let mut handle = tasks.spawn(None, async move {
        let _part = part;
        panic_quietly("in the poll");
    });
    let mut other: JoinHandle<u8> = tasks.spawn(None, async { 1 });
    turn(&tasks);
    assert_eq!(error::<()>(&mut handle).panic_message(), Some("in the poll"));
    assert_eq!(output(&mut other).unwrap(), 1);
    assert_eq!(drops.get(), 1);
}

#[test]
fn panic_of_a_detached_task_is_dropped_with_it() {
    let tasks = tasks();
    drop(tasks.spawn(None, async { panic_quietly("for nobody") }));
    turn(&tasks);
    assert!(tasks.is_empty());
}

/// A future that is ready at once with an output, and does something when it is dropped.
struct DoneThen<T, F: FnMut()>(Option<T>, OnDrop<F>);

impl<T: Unpin, F: FnMut()> Future for DoneThen<T, F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        // The pin is of no use to a future that borrows nothing from itself.
        let output = self.0.take();
        Poll::Ready(output.expect("polled once"))
    }
}

impl<T, F: FnMut()> Unpin for DoneThen<T, F> {}

#[test]
fn panic_while_the_future_is_dropped_takes_the_place_of_the_output() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let mut handle = tasks.spawn(None, DoneThen(Some(part), OnDrop(|| panic_quietly("in the drop"))));
    turn(&tasks);
    assert_eq!(error(&mut handle).panic_message(), Some("in the drop"));
    assert_eq!(drops.get(), 1, "the output that was there is dropped");
}

#[test]
fn panic_in_the_poll_and_in_the_drop_after_it_end_the_task_alone() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, {
        let guard = OnDrop(|| panic_quietly("in the drop"));
        let mut armed = Some(());
        poll_fn(move |_| -> Poll<()> {
            let _ = &guard;
            armed.take().map_or(Poll::Pending, |()| panic_quietly("in the poll"))
        })
    });
    turn(&tasks);
    assert_eq!(error(&mut handle).panic_message(), Some("in the drop"));
}

#[test]
fn panic_while_an_aborted_future_is_dropped_is_the_handles() {
    let tasks = tasks();
    let guard = OnDrop(|| panic_quietly("in the drop"));
    let mut handle = tasks.spawn(None, async move {
        let _guard = guard;
        pending::<()>().await;
    });
    turn(&tasks);
    handle.abort();
    turn(&tasks);
    assert!(error(&mut handle).is_panic());
}

#[test]
fn panic_while_the_output_of_a_detached_task_is_dropped_ends_there() {
    let tasks = tasks();
    drop(tasks.spawn(None, async { OnDrop(|| panic_quietly("in the drop of the output")) }));
    let mut other = tasks.spawn(None, async { "polled" });
    turn(&tasks);
    assert_eq!(output(&mut other).unwrap(), "polled");
}

#[test]
fn panic_while_an_output_is_dropped_that_nobody_took_ends_there() {
    let tasks = tasks();
    let handle = tasks.spawn(None, async { OnDrop(|| panic_quietly("in the drop of the output")) });
    turn(&tasks);
    drop(handle);
    assert!(tasks.is_empty());
}

#[test]
fn panic_while_an_output_is_dropped_that_was_taken_is_the_takers() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async { OnDrop(|| panic_quietly("in the drop of the output")) });
    turn(&tasks);
    let taken = output(&mut handle);
    assert!(catch_unwind(AssertUnwindSafe(move || drop(taken))).is_err());
    assert!(tasks.is_empty());
}

#[test]
fn panics_of_the_future_and_of_the_output_dropped_for_it_end_the_task_alone() {
    let tasks = tasks();
    let output_part = OnDrop(|| panic_quietly("in the drop of the output"));
    let mut handle = tasks.spawn(None, DoneThen(Some(output_part), OnDrop(|| panic_quietly("in the drop"))));
    let mut other = tasks.spawn(None, async { "polled" });
    assert!(catch_unwind(AssertUnwindSafe(|| turn(&tasks))).is_ok(), "the batch goes on");
    assert!(handle.is_finished());
    assert!(error(&mut handle).is_panic());
    assert_eq!(output(&mut other).unwrap(), "polled");
}

// --- Drops -----------------------------------------------------------------------------------------------------------

#[test]
fn last_waker_may_be_a_strangers_but_future_and_output_are_dropped_at_home() {
    let (tasks, probe) = (tasks(), Probe::default());
    let (future_part, future_drops) = Tracked::new();
    let (output_part, output_drops) = Tracked::new();
    let inner = probe.clone();
    let handle = tasks.spawn(None, async move {
        let _part = future_part;
        inner.await;
        output_part
    });
    turn(&tasks);
    let waker = probe.waker();
    probe.done.set(true);
    tasks.enter(|| waker.wake_by_ref());
    turn(&tasks);
    assert_eq!((future_drops.get(), output_drops.get()), (1, 0), "the output waits for the handle");
    drop(probe);
    drop(handle);
    assert_eq!((future_drops.get(), output_drops.get()), (1, 1));
    drop(tasks);
    elsewhere(move || drop(waker));
    assert_eq!((future_drops.get(), output_drops.get()), (1, 1));
}

#[test]
fn future_and_output_are_dropped_exactly_once_whatever_becomes_of_them() {
    type Way = fn(&Rc<Tasks>, JoinHandle<Tracked>);
    let ways: [(&str, Way); 6] = [
        ("joined", |tasks, mut handle| {
            turn(tasks);
            drop(output(&mut handle));
        }),
        ("dropped after the end", |tasks, handle| {
            turn(tasks);
            drop(handle);
        }),
        ("dropped before the end", |tasks, handle| {
            drop(handle);
            turn(tasks);
        }),
        ("aborted", |tasks, handle| {
            handle.abort();
            turn(tasks);
        }),
        ("shut down", |tasks, _handle| tasks.shut_down()),
        ("engine dropped first", |_, handle| drop(handle)),
    ];
    for (way, go) in ways {
        let tasks = tasks();
        let (future_part, future_drops) = Tracked::new();
        let (output_part, output_drops) = Tracked::new();
        let handle = tasks.spawn(None, async move {
            let _part = future_part;
            output_part
        });
        go(&tasks, handle);
        drop(tasks);
        assert_eq!((future_drops.get(), output_drops.get()), (1, 1), "{way}");
    }
}

#[test]
fn future_is_dropped_when_its_task_ends_and_not_with_the_handle() {
    let (tasks, trace) = (tasks(), Trace::default());
    let (of_future, of_output) = (trace.clone(), trace.clone());
    let handle = tasks.spawn(None, async move {
        let _guard = OnDrop(move || of_future.note("future"));
        OnDrop(move || of_output.note("output"))
    });
    turn(&tasks);
    trace.note("batch over");
    drop(handle);
    assert_eq!(trace.take(), ["future", "batch over", "output"]);
}
