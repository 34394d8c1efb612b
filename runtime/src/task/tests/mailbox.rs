//! The bell, and the mail from other threads: wakes, and calls posted through a door.

use super::{CALLED_BACK, ComesBack, Probe, Tasks, Wakes, elsewhere, panic_quietly, tasks, turn};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn wakes_from_other_threads_ring_once_and_make_one_poll() {
    let bell = Arc::new(Wakes::default());
    let (tasks, probe) = (Tasks::new(bell.waker()), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    assert!(tasks.try_sleep());
    for waker in [probe.waker(), probe.waker()] {
        elsewhere(move || waker.wake());
    }
    assert_eq!(bell.count(), 1, "home sleeps until the first letter");
    assert!(!tasks.has_ready(), "a letter that is not read wakes nobody");
    turn(&tasks);
    assert_eq!(probe.polls(), 2);
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    assert_eq!(bell.count(), 1, "home does not sleep, so nobody rings");
    assert!(!tasks.try_sleep(), "there is mail");
    turn(&tasks);
    assert_eq!(probe.polls(), 3);
}

#[test]
fn try_sleep_refuses_while_anything_is_queued() {
    let tasks = tasks();
    assert!(tasks.try_sleep());
    drop(tasks.spawn(None, async {}));
    assert!(!tasks.try_sleep());
    turn(&tasks);
    assert!(tasks.try_sleep());
}

#[test]
fn mail_for_a_former_tenant_of_the_mailbox_is_thrown_away() {
    let former = Probe::default();
    let first = tasks();
    drop(first.spawn(None, former.clone()));
    turn(&first);
    let stale = former.waker();
    let door = first.door();
    drop(first);

    // The same mailbox, unless another test was quicker, and the same key.
    let (second, probe) = (tasks(), Probe::default());
    drop(second.spawn(None, probe.clone()));
    turn(&second);
    elsewhere(move || {
        stale.wake();
        assert!(!door.is_open());
        assert!(door.post(|| unreachable!("nobody reads it")).is_err());
    });
    turn(&second);
    assert_eq!(probe.polls(), 1);
}

#[test]
fn call_that_panics_does_not_take_the_letters_behind_it_along() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    assert!(tasks.door().post(|| panic_quietly("in a call")).is_ok());
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    // Whether the panic comes out is not the matter here.
    let _caught = catch_unwind(AssertUnwindSafe(|| turn(&tasks)));
    turn(&tasks);
    let waker = probe.waker();
    elsewhere(move || waker.wake());
    turn(&tasks);
    assert!(probe.polls() > 1, "a wake was lost, and all that follow");
}

#[test]
fn posted_calls_are_made_in_order_with_the_wakes() {
    let (tasks, probe) = (tasks(), Probe::default());
    drop(tasks.spawn(None, probe.clone()));
    turn(&tasks);
    let calls = Arc::new(AtomicUsize::new(0));
    for n in 0..3 {
        let (door, calls) = (tasks.door(), Arc::clone(&calls));
        elsewhere(move || {
            let call = move || assert_eq!(calls.fetch_add(1, SeqCst), n);
            assert!(door.post(call).is_ok());
        });
    }
    assert_eq!(calls.load(SeqCst), 0);
    tasks.enter(|| tasks.collect_mail());
    assert_eq!(calls.load(SeqCst), 3);
}

#[test]
fn call_that_is_never_made_is_dropped_with_the_engine() {
    let tasks = tasks();
    let kept = Arc::new(());
    let theirs = Arc::clone(&kept);
    assert!(tasks.door().post(move || drop(theirs)).is_ok());
    drop(tasks);
    assert_eq!(Arc::strong_count(&kept), 1);
}

#[test]
fn wake_by_who_is_still_inside_of_a_loop_that_has_shut_down_reaches_the_next_tenant_of_its_home() {
    let former = tasks();
    former.enter(|| {
        former.shut_down();
        let (next, probe) = (tasks(), Probe::default()); // in the same home, unless another test was quicker
        drop(next.spawn(None, probe.clone()));
        turn(&next);
        probe.waker().wake();
        turn(&next);
        assert_eq!(probe.polls(), 2);
    });
}

#[test]
fn call_that_is_never_made_may_wake_the_next_tenant_when_it_is_dropped() {
    let (former, polls) = (tasks(), Rc::new(Cell::new(0)));
    let counted = Rc::clone(&polls);
    CALLED_BACK.set(Some(Rc::new(move || {
        let (next, probe) = (tasks(), Probe::default());
        drop(next.spawn(None, probe.clone()));
        turn(&next);
        probe.waker().wake();
        turn(&next);
        counted.set(probe.polls());
    })));
    let dropped = ComesBack;
    assert!(former.door().post(move || drop(dropped)).is_ok());
    former.enter(|| former.shut_down());
    CALLED_BACK.set(None);
    assert_eq!(polls.get(), 2);
}
