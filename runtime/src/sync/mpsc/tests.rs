use super::super::testing::Task;
use super::*;
use crate::trace::OPERATIONS_PER_POLL;
use std::sync::Arc;
use std::task::Wake;

const SENT: Poll<Result<(), SendError<u8>>> = Poll::Ready(Ok(()));

fn received<T>(receiver: &mut Receiver<T>) -> Vec<T> {
    std::iter::from_fn(|| receiver.try_recv().ok()).collect()
}

#[test]
#[should_panic(expected = "its capacity is 0")]
fn channel_without_room_is_refused() {
    let _ = channel::<u8>(0);
}

#[test]
fn message_wakes_the_receiver_once_for_each_wait() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(4));
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Pending);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(task.wakes(), 1);
    assert_eq!(received(&mut receiver), [1, 2]);
    sender.try_send(3).unwrap();
    assert_eq!(task.wakes(), 1, "nobody waits");
}

#[test]
fn receiver_that_moved_to_another_task_wakes_that_one() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    assert_eq!(a.poll(&mut receiver.recv()), Poll::Pending);
    assert_eq!(b.poll(&mut receiver.recv()), Poll::Pending);
    sender.try_send(1).unwrap();
    assert_eq!((a.wakes(), b.wakes()), (0, 1));
    assert_eq!((a.wakers_kept(), b.wakers_kept()), (0, 1));
    drop(receiver);
    assert_eq!(b.wakers_kept(), 0);
}

#[test]
fn waiting_senders_are_served_in_order_and_nobody_overtakes() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    let (mut first, mut second) = (sender.send(1), sender.send(2));
    sender.try_send(0).unwrap();
    assert_eq!(a.poll(&mut first), Poll::Pending);
    assert_eq!(b.poll(&mut second), Poll::Pending);

    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!((a.wakes(), b.wakes()), (1, 0));
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)), "the room is promised");
    assert_eq!(b.poll(&mut second), Poll::Pending);
    assert_eq!(a.poll(&mut first), SENT);

    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(b.wakes(), 1);
    assert_eq!(b.poll(&mut second), SENT);
    assert_eq!(received(&mut receiver), [2]);
    assert_eq!(sender.try_send(9), Ok(()));
}

#[test]
fn dropped_send_leaves_the_line() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    let (mut first, mut second) = (sender.send(1), sender.send(2));
    sender.try_send(0).unwrap();
    assert_eq!(a.poll(&mut first), Poll::Pending);
    assert_eq!(b.poll(&mut second), Poll::Pending);
    drop(first);
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!((a.wakes(), b.wakes()), (0, 1));
    assert_eq!(b.poll(&mut second), SENT);
    assert_eq!(received(&mut receiver), [2]);
}

#[test]
fn dropped_send_hands_its_promise_on() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    let (mut first, mut second) = (sender.send(1), sender.send(2));
    sender.try_send(0).unwrap();
    assert_eq!(a.poll(&mut first), Poll::Pending);
    assert_eq!(b.poll(&mut second), Poll::Pending);
    assert_eq!(receiver.try_recv(), Ok(0));
    drop(first);
    assert_eq!(b.wakes(), 1);
    drop(second);
    assert_eq!(sender.try_send(3), Ok(()), "the room is free again");
}

#[test]
fn end_comes_after_the_last_message_of_the_last_sender() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(2));
    let other = sender.clone();
    sender.try_send(1).unwrap();
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Pending);
    drop(other);
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(None));
}

#[test]
fn close_gives_every_waiting_sender_its_value_back() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    let (mut promised, mut waiting, mut late) = (sender.send(1), sender.send(2), sender.send(3));
    sender.try_send(0).unwrap();
    assert_eq!(a.poll(&mut promised), Poll::Pending);
    assert_eq!(b.poll(&mut waiting), Poll::Pending);
    assert_eq!(receiver.try_recv(), Ok(0));

    receiver.close();
    assert_eq!((a.wakes(), b.wakes()), (1, 1));
    assert_eq!(a.poll(&mut promised), Poll::Ready(Err(SendError(1))));
    assert_eq!(b.poll(&mut waiting), Poll::Ready(Err(SendError(2))));
    assert_eq!(a.poll(&mut late), Poll::Ready(Err(SendError(3))));
    assert_eq!(a.poll(&mut receiver.recv()), Poll::Ready(None));
}

#[test]
fn sends_that_waited_for_a_closed_channel_may_be_dropped() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(1));
    let (mut promised, mut waiting) = (sender.send(1), sender.send(2));
    sender.try_send(0).unwrap();
    assert_eq!(task.poll(&mut promised), Poll::Pending);
    assert_eq!(task.poll(&mut waiting), Poll::Pending);
    assert_eq!(receiver.try_recv(), Ok(0));
    drop(receiver);
    drop((promised, waiting));
    assert!(sender.is_closed());
    assert_eq!(task.wakers_kept(), 0);
}

#[test]
fn messages_that_nobody_takes_are_dropped_with_the_receiver() {
    let (message, (sender, receiver)) = (Rc::new(()), channel(1));
    sender.try_send(Rc::clone(&message)).unwrap();
    drop(receiver);
    assert_eq!(Rc::strong_count(&message), 1);
}

#[test]
fn message_may_hold_a_sender_of_its_own_channel() {
    struct Letter(#[expect(dead_code, reason = "it is only dropped")] Sender<Letter>);
    let (sender, receiver) = channel(2);
    sender.try_send(Letter(sender.clone())).unwrap();
    drop(receiver);
    assert_eq!(Rc::strong_count(&sender.channel), 1);
}

thread_local! {
    static CHANNEL: RefCell<Option<Receiver<u8>>> = const { RefCell::new(None) };
}

/// A waker whose wake receives a message, and whose drop closes the channel.
struct Reentrant;

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {
        let message = CHANNEL.with_borrow_mut(|receiver| receiver.as_mut().unwrap().try_recv());
        assert!(message.is_ok());
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        CHANNEL.with_borrow_mut(|receiver| receiver.as_mut().unwrap().close());
    }
}

#[test]
fn wakers_may_come_back_in_when_they_are_woken_and_when_they_are_dropped() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(1));
    let waker = Waker::from(Arc::new(Reentrant));
    let mut cx = Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut cx).is_pending());
    CHANNEL.set(Some(receiver));
    sender.try_send(1).unwrap();
    sender.try_send(2).expect("the first was received when the receiver was woken");

    let mut waiting = sender.send(3);
    assert!(Pin::new(&mut waiting).poll(&mut cx).is_pending());
    CHANNEL.with_borrow_mut(|receiver| {
        let kept = receiver.as_ref().unwrap().channel.seat.waker.take();
        assert!(kept.is_some());
    });
    drop(waker);
    assert_eq!(task.poll(&mut waiting), Poll::Pending);
    assert_eq!(task.poll(&mut waiting), Poll::Ready(Err(SendError(3))), "by the drop of its old waker");
}

thread_local! {
    static SENDER: Cell<Option<Sender<u8>>> = const { Cell::new(None) };
}

/// A waker that holds a sender, as that of a task whose future lives as long as its last waker.
struct Holder;

impl Wake for Holder {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(SENDER.take());
    }
}

#[test]
fn end_that_comes_with_the_drop_of_the_old_waker_is_not_slept_through() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(1));
    SENDER.set(Some(sender));
    let waker = Waker::from(Arc::new(Holder));
    assert!(receiver.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Pending);
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(None));
}

#[test]
fn full_channel_lets_a_poll_take_its_budget_and_no_more() {
    let room = OPERATIONS_PER_POLL as usize + 1;
    let (task, (sender, mut receiver)) = (Task::default(), channel(room));
    (0..room).for_each(|n| sender.try_send(n).unwrap());

    trace::begin_poll(Key::NONE);
    let taken = std::iter::from_fn(|| match task.poll(&mut receiver.recv()) {
        Poll::Ready(message) => message,
        Poll::Pending => None,
    });
    assert_eq!(taken.count(), OPERATIONS_PER_POLL as usize);
    assert_eq!(trace::end_poll(), Wait::Turn);
    assert_eq!((task.wakes(), receiver.len()), (1, 1));
}

#[test]
fn receivers_that_wait_take_nothing_from_the_budget() {
    let (task, (_sender, mut receiver)) = (Task::default(), channel::<u8>(1));
    trace::begin_poll(Key::NONE);
    for _ in 0..=OPERATIONS_PER_POLL {
        assert_eq!(task.poll(&mut receiver.recv()), Poll::Pending);
    }
    assert_eq!(trace::end_poll(), Wait::Receive);
    assert_eq!(task.wakes(), 0);
}
