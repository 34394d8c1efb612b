//! Tasks that are aborted, also by themselves: when they end, and what becomes of their output.

use super::{JoinHandle, OnDrop, Trace, Tracked, error, join, output, tasks, turn};
use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;

#[test]
fn aborted_task_ends_in_the_next_batch_whether_idle_or_queued() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let mut queued = tasks.spawn(None, async move {
        let _part = part;
        unreachable!("it is not polled");
    });
    queued.abort();
    let mut idle = tasks.spawn(None, pending::<()>());
    assert_eq!(drops.get(), 0, "not before the batch");
    turn(&tasks);
    assert!(error::<()>(&mut queued).is_cancelled());
    assert_eq!(drops.get(), 1);
    idle.abort();
    idle.abort();
    assert!(join(&mut idle).is_pending() && tasks.has_ready());
    turn(&tasks);
    assert!(error(&mut idle).is_cancelled());
    assert!(tasks.is_empty() && !tasks.has_ready());
}

#[test]
fn task_that_aborts_itself_is_dropped_after_its_poll() {
    let (tasks, trace) = (tasks(), Trace::default());
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let (inner, noted) = (Rc::clone(&own), trace.clone());
    *own.borrow_mut() = Some(tasks.spawn(None, async move {
        let _guard = OnDrop(|| noted.note("dropped"));
        inner.borrow().as_ref().expect("it was put there").abort();
        noted.note("goes on to its next await");
        pending::<()>().await;
    }));
    turn(&tasks);
    assert_eq!(trace.take(), ["goes on to its next await", "dropped"]);
    let mut handle = own.take().unwrap();
    assert!(error(&mut handle).is_cancelled());
}

#[test]
fn task_that_aborts_itself_and_ends_in_the_same_poll_keeps_its_output() {
    let tasks = tasks();
    let own: Rc<RefCell<Option<JoinHandle<u8>>>> = Rc::default();
    let inner = Rc::clone(&own);
    *own.borrow_mut() = Some(tasks.spawn(None, async move {
        inner.borrow().as_ref().expect("it was put there").abort();
        7
    }));
    turn(&tasks);
    assert_eq!(output(&mut own.take().unwrap()).unwrap(), 7);
}

#[test]
fn abort_after_the_end_changes_nothing() {
    let tasks = tasks();
    let mut handle = tasks.spawn(None, async { 1 });
    turn(&tasks);
    handle.abort();
    turn(&tasks);
    assert_eq!(output(&mut handle).unwrap(), 1);
    handle.abort();
    assert!(handle.is_finished());
}

#[test]
fn future_that_holds_its_own_handle_is_dropped_on_abort() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let inner = Rc::clone(&own);
    let handle = tasks.spawn(None, async move {
        let _part = part;
        let own = inner.take().expect("it was put there");
        own.abort();
        let _awaits_itself = own.await;
    });
    *own.borrow_mut() = Some(handle);
    drop(own);
    turn(&tasks);
    assert_eq!((drops.get(), tasks.len()), (1, 0));
}
