use super::super::testing::Task;
use super::*;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

const READY: Poll<()> = Poll::Ready(());

#[test]
fn permits_do_not_add_up() {
    let (task, notify) = (Task::default(), Notify::new());
    notify.notify_one();
    notify.notify_one();
    assert_eq!(task.poll(&mut notify.notified()), READY);
    assert_eq!(task.poll(&mut notify.notified()), Poll::Pending);
}

#[test]
fn waiters_are_notified_in_the_order_of_their_first_poll() {
    let (a, b, notify) = (Task::default(), Task::default(), Notify::new());
    let (mut second, mut first) = (notify.notified(), notify.notified());
    assert_eq!(a.poll(&mut first), Poll::Pending);
    assert_eq!(b.poll(&mut second), Poll::Pending);
    notify.notify_one();
    assert_eq!((a.wakes(), b.wakes()), (1, 0));
    assert_eq!(b.poll(&mut second), Poll::Pending);
    assert_eq!(a.poll(&mut first), READY);
}

#[test]
fn dropped_waiter_leaves_the_line() {
    let (a, b, notify) = (Task::default(), Task::default(), Notify::new());
    let (mut first, mut second) = (notify.notified(), notify.notified());
    assert_eq!(a.poll(&mut first), Poll::Pending);
    assert_eq!(b.poll(&mut second), Poll::Pending);
    drop(first);
    notify.notify_one();
    assert_eq!((a.wakes(), b.wakes()), (0, 1));
    assert_eq!(a.wakers_kept(), 0);
}

#[test]
fn chosen_waiter_that_is_dropped_hands_its_permit_on() {
    let (a, b, notify) = (Task::default(), Task::default(), Notify::new());
    let (mut first, mut second) = (notify.notified(), notify.notified());
    assert_eq!(a.poll(&mut first), Poll::Pending);
    assert_eq!(b.poll(&mut second), Poll::Pending);
    notify.notify_one();
    drop(first);
    assert_eq!(b.wakes(), 1);
    drop(second);
    assert_eq!(a.poll(&mut notify.notified()), READY, "the permit is kept");
}

#[test]
fn permit_of_a_chosen_waiter_outlives_a_round() {
    let (task, notify) = (Task::default(), Notify::new());
    let mut chosen = notify.notified();
    assert_eq!(task.poll(&mut chosen), Poll::Pending);
    notify.notify_one();
    notify.notify_waiters();
    drop(chosen);
    assert_eq!(task.poll(&mut notify.notified()), READY);
}

#[test]
fn round_reaches_all_who_wait_and_leaves_nothing() {
    let (task, notify) = (Task::default(), Notify::new());
    let (mut polled, mut dropped, mut made) = (notify.notified(), notify.notified(), notify.notified());
    assert_eq!(task.poll(&mut polled), Poll::Pending);
    assert_eq!(task.poll(&mut dropped), Poll::Pending);
    notify.notify_waiters();
    assert_eq!(task.wakes(), 2);
    drop(dropped);
    assert_eq!(task.poll(&mut notify.notified()), Poll::Pending, "no permit");
    assert_eq!(task.poll(&mut polled), READY);
    assert_eq!(task.poll(&mut made), READY, "it was made before the round");
}

#[test]
fn waiter_that_moved_to_another_task_wakes_that_one() {
    let (a, b, notify) = (Task::default(), Task::default(), Notify::new());
    let mut notified = notify.notified();
    assert_eq!(a.poll(&mut notified), Poll::Pending);
    assert_eq!(b.poll(&mut notified), Poll::Pending);
    notify.notify_one();
    assert_eq!((a.wakes(), b.wakes()), (0, 1));
}

#[test]
fn notified_stays_done() {
    let (task, notify) = (Task::default(), Notify::new());
    let mut notified = notify.notified();
    notify.notify_one();
    assert_eq!(task.poll(&mut notified), READY);
    assert_eq!(task.poll(&mut notified), READY);
    assert_eq!(task.poll(&mut notify.notified()), Poll::Pending);
}

thread_local! {
    static NOTIFY: Rc<Notify> = Rc::default();
}

/// A waker whose wake, and whose drop, come back in.
struct Reentrant;

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {
        NOTIFY.with(|notify| notify.notify_waiters());
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        NOTIFY.with(|notify| notify.notify_waiters());
    }
}

#[test]
fn wakers_may_come_back_in_when_they_are_woken_and_when_they_are_dropped() {
    let (task, notify) = (Task::default(), NOTIFY.with(Rc::clone));
    let enter = || {
        let waker = Waker::from(Arc::new(Reentrant));
        let mut cx = Context::from_waker(&waker);
        let mut notified = notify.notified();
        assert!(Pin::new(&mut notified).poll(&mut cx).is_pending());
        notified
    };
    drop(enter());

    let mut moved = enter();
    assert_eq!(task.poll(&mut moved), Poll::Pending);
    assert_eq!(task.poll(&mut moved), READY, "by the drop of its old waker");

    let mut both = (enter(), enter());
    notify.notify_one();
    assert_eq!(task.poll(&mut both.0), READY);
    assert_eq!(task.poll(&mut both.1), READY, "by the wake of the other");
}
