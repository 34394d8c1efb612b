//! The end of all tasks at once, and what comes after it.

use super::{JoinHandle, OnDrop, Probe, Tasks, Trace, Tracked, error, tasks, turn};
use std::cell::RefCell;
use std::future::pending;
use std::rc::{Rc, Weak};

#[test]
fn shut_down_cancels_in_order_and_what_drops_spawn_goes_the_same_way() {
    let (tasks, trace) = (tasks(), Trace::default());
    let probe = Probe::default();
    let mut handles = Vec::new();
    for name in ["a", "b", "c"] {
        let (trace, weak, probe) = (trace.clone(), Rc::downgrade(&tasks), probe.clone());
        handles.push(tasks.spawn(None, async move {
            let _guard = OnDrop(move || {
                trace.note(name);
                let late = OnDrop({
                    let trace = trace.clone();
                    move || trace.note(format!("spawned by {name}"))
                });
                let tasks: Rc<Tasks> = Weak::upgrade(&weak).expect("it is shutting down, and still there");
                let mut handle = tasks.spawn(None, async move {
                    let _late = late;
                    unreachable!("it is not polled");
                });
                assert!(error::<()>(&mut handle).is_cancelled());
                probe.waker().wake();
            });
            pending::<()>().await;
        }));
    }
    handles.push(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    tasks.enter(|| tasks.shut_down());
    assert_eq!(trace.take(), ["a", "spawned by a", "b", "spawned by b", "c", "spawned by c"]);
    for mut handle in handles {
        assert!(error(&mut handle).is_cancelled());
    }
    assert!(tasks.is_empty());
    assert_eq!(tasks.referenced(), 0);
}

#[test]
fn shut_down_lets_drops_drop_the_handles_of_others() {
    let tasks = tasks();
    let handles: Rc<RefCell<Vec<JoinHandle<()>>>> = Rc::default();
    let (part, drops) = Tracked::new();
    for part in [None, Some(part)] {
        let theirs = Rc::clone(&handles);
        let handle = tasks.spawn(None, async move {
            let _part = part;
            let _guard = OnDrop(move || drop(theirs.take()));
            pending::<()>().await;
        });
        handles.borrow_mut().push(handle);
    }
    turn(&tasks);
    tasks.shut_down();
    assert_eq!((drops.get(), tasks.len()), (1, 0));
}

#[test]
fn spawn_after_shut_down_drops_the_future_at_once() {
    let tasks = tasks();
    tasks.shut_down();
    tasks.shut_down();
    let (part, drops) = Tracked::new();
    let mut handle = tasks.spawn(None, async move { part });
    assert_eq!(drops.get(), 1);
    assert!(error(&mut handle).is_cancelled());
    turn(&tasks);
    assert!(tasks.is_empty());
}

#[test]
fn shut_down_from_inside_a_task_ends_that_task_too() {
    let tasks = tasks();
    let (part, drops) = Tracked::new();
    let inner = Rc::clone(&tasks);
    let mut handle = tasks.spawn(None, async move {
        let _part = part;
        inner.shut_down();
        pending::<()>().await;
    });
    turn(&tasks);
    assert!(handle.is_finished());
    assert!(error(&mut handle).is_cancelled());
    assert_eq!(drops.get(), 1);
}

#[test]
fn engine_dropped_with_its_last_handle_drops_its_tasks() {
    let (part, drops) = Tracked::new();
    let tasks = tasks();
    let handle = tasks.spawn(None, async move {
        let _part = part;
        pending::<()>().await;
    });
    drop(tasks);
    assert_eq!(drops.get(), 0, "the handle holds it");
    drop(handle);
    assert_eq!(drops.get(), 1);
}
