//! What is known of a task: its name, its place, who woke it, what it waits for, and whether it counts.

use super::{Probe, elsewhere, tasks, turn};
use crate::arena::Key;
use crate::trace::{Cause, Wait, waits_for};
use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;

#[test]
fn info_tells_name_place_parent_and_what_it_waits_for() {
    let tasks = tasks();
    let inner = Rc::clone(&tasks);
    let child: Rc<Cell<Key>> = Rc::new(Cell::new(Key::NONE));
    let told = Rc::clone(&child);
    let future = async move {
        let leaf = poll_fn(|_| {
            waits_for(Wait::Timer(Key::NONE));
            Poll::<()>::Pending
        });
        let handle = inner.spawn(None, leaf);
        told.set(handle.key());
        handle.await.unwrap();
    };
    let (here, parent) = (Location::caller(), tasks.spawn(Some("parent"), future));
    let info = tasks.info(parent.key()).unwrap();
    assert_eq!(info.name.as_deref(), Some("parent"));
    assert_eq!((info.spawned_at.file(), info.spawned_at.line()), (here.file(), here.line()));
    assert_eq!((info.parent, info.waits_for, info.woken_by), (Key::NONE, None, Cause::Spawn));

    turn(&tasks);
    let child = child.get();
    assert_eq!(tasks.info(parent.key()).unwrap().waits_for, Some(Wait::Task(child)));
    let info = tasks.info(child).unwrap();
    assert_eq!(info.name, None);
    assert_eq!((info.parent, info.waits_for), (parent.key(), Some(Wait::Timer(Key::NONE))));
    assert_eq!(tasks.infos().iter().map(|(key, _)| *key).collect::<Vec<_>>(), [parent.key(), child]);
    tasks.shut_down(); // the parent holds the engine by its child's handle
}

#[test]
fn info_tells_who_woke_the_task() {
    let (tasks, probe) = (tasks(), Probe::default());
    let handle = tasks.spawn(None, probe.clone());
    let woken_by = || tasks.info(handle.key()).unwrap().woken_by;
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Spawn);
    tasks.enter(|| probe.waker().wake());
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Outside);
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Mail);
    let waker = probe.waker();
    let waking = tasks.spawn(None, async move { waker.wake() });
    turn(&tasks);
    assert_eq!(woken_by(), Cause::Task(waking.key()));
}

#[test]
fn who_joins_is_woken_by_the_task_that_ended() {
    let tasks = tasks();
    let probe = Probe::default();
    let child = tasks.spawn(None, probe.clone());
    let key = child.key();
    let parent = tasks.spawn(None, async move {
        child.await.unwrap();
        pending::<()>().await;
    });
    turn(&tasks);
    probe.done.set(true);
    tasks.enter(|| probe.waker().wake());
    turn(&tasks);
    assert_eq!(tasks.info(parent.key()).unwrap().woken_by, Cause::Task(key));
}

#[test]
fn info_of_a_task_that_ended_is_gone_with_its_handle() {
    let tasks = tasks();
    let handle = tasks.spawn(Some("short"), ready(()));
    let key = handle.key();
    turn(&tasks);
    assert!(tasks.info(key).is_some(), "until the handle is awaited or dropped");
    assert!(tasks.infos().is_empty(), "though it has ended");
    drop(handle);
    assert!(tasks.info(key).is_none());
}

#[test]
fn referenced_counts_live_tasks_that_count() {
    let tasks = tasks();
    let handles: Vec<_> = (0..3).map(|_| tasks.spawn(None, pending::<()>())).collect();
    assert_eq!(tasks.referenced(), 3);
    handles[0].set_referenced(false);
    handles[0].set_referenced(false);
    assert_eq!(tasks.referenced(), 2);
    handles[0].abort();
    handles[1].abort();
    turn(&tasks);
    assert_eq!(tasks.referenced(), 1);
    handles[1].set_referenced(true);
    assert_eq!(tasks.referenced(), 1, "it has ended");
    handles[2].set_referenced(false);
    handles[2].set_referenced(true);
    assert_eq!(tasks.referenced(), 1);
    drop(handles);
    assert_eq!(tasks.referenced(), 1, "the last one runs on");
}
