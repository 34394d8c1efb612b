use super::super::testing::Task;
use super::*;
use crate::arena::Key;
use crate::trace::{self, Wait};
use std::task::Poll;

const CHANGED: Poll<Result<(), RecvError>> = Poll::Ready(Ok(()));
const ENDED: Poll<Result<(), RecvError>> = Poll::Ready(Err(RecvError(())));

#[test]
fn many_changes_are_one_and_the_latest_is_seen() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(0));
    let mut changed = receiver.changed();
    trace::begin_poll(Key::NONE);
    assert!(task.poll(&mut changed).is_pending());
    assert!(matches!(trace::end_poll_that_waits(), Wait::Change(_)));
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(&mut changed), CHANGED);
    drop(changed);
    assert_eq!(*receiver.borrow(), 2);
    assert!(task.poll(&mut receiver.changed()).is_pending());
    assert_eq!(task.wakers_kept(), 0, "a dropped future left the line");
}

#[test]
fn receivers_are_woken_in_order_and_each_sees_the_change() {
    let (a, b, (sender, mut one)) = (Task::default(), Task::default(), channel(0));
    let mut two = one.clone();
    {
        let (mut first, mut second) = (one.changed(), two.changed());
        assert!(a.poll(&mut first).is_pending() && b.poll(&mut second).is_pending());
        sender.send_modify(|value| *value += 1);
        assert_eq!((a.wakes(), b.wakes()), (1, 1));
        assert_eq!((a.poll(&mut first), b.poll(&mut second)), (CHANGED, CHANGED));
    }
    assert!(!one.borrow().has_changed() && !two.has_changed().unwrap());
    assert!(one.same_channel(&two));
}

#[test]
fn borrow_leaves_a_change_unseen_and_borrow_and_update_does_not() {
    let (sender, mut receiver) = channel(0);
    sender.send(1).unwrap();
    assert!(receiver.borrow().has_changed());
    assert_eq!(receiver.has_changed(), Ok(true));
    assert!(receiver.borrow_and_update().has_changed());
    assert_eq!(receiver.has_changed(), Ok(false));
    receiver.mark_changed();
    assert_eq!(receiver.has_changed(), Ok(true));
    receiver.mark_unchanged();
    assert_eq!(receiver.has_changed(), Ok(false));
}

#[test]
fn change_that_says_it_did_nothing_wakes_nobody() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(0));
    let mut changed = receiver.changed();
    assert!(task.poll(&mut changed).is_pending());
    assert!(!sender.send_if_modified(|_| false));
    assert_eq!(task.wakes(), 0);
}

#[test]
fn last_change_is_seen_before_the_end() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(0));
    let other = sender.clone();
    let mut changed = receiver.changed();
    assert!(task.poll(&mut changed).is_pending());
    drop(sender);
    assert_eq!(task.wakes(), 0, "another sender is left");
    other.send(1).unwrap();
    drop(other);
    assert_eq!(task.poll(&mut changed), CHANGED);
    drop(changed);
    assert_eq!(task.poll(&mut receiver.changed()), ENDED);
    assert_eq!(receiver.has_changed(), Err(RecvError(())));
    assert_eq!(*receiver.borrow(), 1);
}

#[test]
fn last_dropped_sender_ends_the_wait() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(0));
    let mut changed = receiver.changed();
    assert!(task.poll(&mut changed).is_pending());
    drop(sender);
    assert_eq!((task.wakes(), task.poll(&mut changed)), (1, ENDED));
}

#[test]
fn wait_for_looks_at_what_is_there_then_at_changes() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(1));
    assert!(task.poll(&mut receiver.wait_for(|value| *value == 1)).is_ready());
    let mut waiting = receiver.wait_for(|value| *value > 2);
    assert!(task.poll(&mut waiting).is_pending());
    sender.send(2).unwrap();
    assert!(task.poll(&mut waiting).is_pending());
    sender.send(3).unwrap();
    assert_eq!(task.wakes(), 2);
    assert!(matches!(task.poll(&mut waiting), Poll::Ready(Ok(value)) if *value == 3));
    drop(waiting);
    let mut waiting = receiver.wait_for(|value| *value > 3);
    assert!(task.poll(&mut waiting).is_pending());
    drop(sender);
    assert!(matches!(task.poll(&mut waiting), Poll::Ready(Err(_))));
    drop(waiting);
    assert_eq!(task.wakers_kept(), 0);
}

#[test]
fn sender_learns_that_no_receiver_is_left() {
    let (task, (sender, receiver)) = (Task::default(), channel(0));
    let other = receiver.clone();
    let mut closed = sender.closed();
    assert!(task.poll(&mut closed).is_pending());
    drop(receiver);
    assert_eq!((task.wakes(), sender.receiver_count()), (0, 1));
    drop(other);
    assert_eq!((task.wakes(), task.poll(&mut closed)), (1, Poll::Ready(())));
    assert_eq!(sender.send(1), Err(SendError(1)));
    assert_eq!(sender.send_replace(2), 0);
    assert_eq!(*sender.subscribe().borrow(), 2);
}

#[test]
#[should_panic(expected = "changed while it is borrowed")]
fn value_is_not_changed_while_it_is_borrowed() {
    let (sender, receiver) = channel(0);
    let _look = receiver.borrow();
    let _ = sender.send(1);
}

#[test]
#[should_panic(expected = "borrowed while it is changed")]
fn value_is_not_borrowed_while_it_is_changed() {
    let (sender, receiver) = channel(0);
    sender.send_modify(|_| drop(receiver.borrow()));
}

#[test]
fn panic_in_a_change_tells_nobody_and_keeps_the_watch_usable() {
    let (sender, receiver) = channel(0);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sender.send_modify(|_| std::panic::resume_unwind(Box::new("change")));
    }));
    assert!(panicked.is_err());
    assert_eq!(receiver.has_changed(), Ok(false));
    assert_eq!(sender.send(1), Ok(()));
}
