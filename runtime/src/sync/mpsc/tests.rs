use super::super::testing::Task;
use super::*;
use crate::arena::Key;
use crate::trace::{self, OPERATIONS_PER_POLL, Wait};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake};

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
    assert_eq!(trace::end_poll_that_waits(), Wait::Turn);
    assert_eq!((task.wakes(), receiver.len()), (1, 1));
}

#[test]
fn receivers_that_wait_take_nothing_from_the_budget() {
    let (task, (_sender, mut receiver)) = (Task::default(), channel::<u8>(1));
    trace::begin_poll(Key::NONE);
    for _ in 0..=OPERATIONS_PER_POLL {
        assert_eq!(task.poll(&mut receiver.recv()), Poll::Pending);
    }
    assert!(matches!(trace::end_poll_that_waits(), Wait::Receive(_)));
    assert_eq!(task.wakes(), 0);
}

#[test]
fn reserved_room_is_nobody_elses_until_it_is_used_or_given_back() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    let permit = sender.try_reserve().unwrap();
    assert_eq!((sender.room(), sender.len(), sender.try_send(1)), (0, 0, Err(TrySendError::Full(1))));
    let (mut reserve, mut send) = (sender.reserve(), sender.send(3));
    trace::begin_poll(Key::NONE);
    assert!(a.poll(&mut reserve).is_pending());
    assert!(matches!(trace::end_poll_that_waits(), Wait::Send(_)));
    assert_eq!(b.poll(&mut send), Poll::Pending);
    drop(permit);
    let Poll::Ready(Ok(permit)) = a.poll(&mut reserve) else { panic!("it is the first in line") };
    permit.send(2);
    assert_eq!((a.wakes(), b.wakes()), (1, 0));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(b.poll(&mut send), SENT);
    assert_eq!((sender.len(), sender.is_empty()), (1, false));
}

#[test]
fn reservation_outlasts_close_and_the_end_comes_after_it() {
    for used in [true, false] {
        let (task, (sender, mut receiver)) = (Task::default(), channel(2));
        let permit = sender.try_reserve().unwrap();
        receiver.close();
        assert_eq!(sender.try_reserve().unwrap_err(), TrySendError::Closed(()));
        assert_eq!(task.poll(&mut receiver.recv()), Poll::Pending, "one may still come");
        if used {
            permit.send(1);
        } else {
            drop(permit);
        }
        assert_eq!(task.wakes(), 1);
        assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(used.then_some(1)));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    }
}

#[test]
fn what_is_sent_into_reserved_room_of_a_receiver_that_is_gone_is_dropped() {
    let (message, (sender, receiver)) = (Rc::new(()), channel(1));
    let permit = sender.try_reserve().unwrap();
    drop(receiver);
    permit.send(Rc::clone(&message));
    assert_eq!(Rc::strong_count(&message), 1);
}

#[test]
fn many_that_are_taken_at_once_make_room_for_as_many_who_wait() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(2));
    (0..2).for_each(|n| sender.try_send(n).unwrap());
    let (mut first, mut second) = (sender.send(2), sender.send(3));
    assert!(a.poll(&mut first).is_pending() && b.poll(&mut second).is_pending());
    let mut buffer = Vec::new();
    assert_eq!(a.poll(&mut receiver.recv_many(&mut buffer, 0)), Poll::Ready(0));
    assert_eq!(a.poll(&mut receiver.recv_many(&mut buffer, 9)), Poll::Ready(2));
    assert_eq!((buffer.as_slice(), a.wakes(), b.wakes()), (&[0, 1][..], 1, 1));
    assert_eq!(sender.room(), 0, "both places are promised");
    assert_eq!((b.poll(&mut second), a.poll(&mut first)), (SENT, SENT));
    assert_eq!(received(&mut receiver), [3, 2], "both had room, and the second came first");
    assert!(a.poll(&mut receiver.recv_many(&mut buffer, 1)).is_pending());
}

#[test]
fn sender_learns_that_the_receiver_is_closed() {
    let (task, (sender, mut receiver)) = (Task::default(), channel::<u8>(1));
    let other = sender.clone();
    let mut closed = sender.closed();
    assert_eq!(task.poll(&mut closed), Poll::Pending);
    receiver.close();
    assert_eq!((task.wakes(), task.poll(&mut closed)), (1, Poll::Ready(())));
    assert!(sender.same_channel(&other) && !sender.same_channel(&channel(1).0));
}

#[test]
fn weak_sender_does_not_keep_the_channel_open() {
    let (task, (sender, mut receiver)) = (Task::default(), unbounded());
    let weak = sender.downgrade();
    weak.upgrade().unwrap().send(1).unwrap();
    drop(sender);
    assert!(weak.upgrade().is_none());
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(Some(1)));
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(None));
}

#[test]
fn unbounded_channel_never_makes_a_sender_wait_and_tells_how_many_are_queued() {
    let (sender, mut receiver) = unbounded();
    (0..1_000).for_each(|n| sender.send(n).unwrap());
    assert_eq!((sender.len(), receiver.len()), (1_000, 1_000));
    let mut buffer = Vec::new();
    assert_eq!(Task::default().poll(&mut receiver.recv_many(&mut buffer, 999)), Poll::Ready(999));
    receiver.close();
    assert_eq!((sender.send(7), receiver.try_recv()), (Err(SendError(7)), Ok(999)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

thread_local! {
    static CHATTY: RefCell<Option<(UnboundedSender<u8>, UnboundedReceiver<u8>)>> = const { RefCell::new(None) };
}

/// Runs the receiver within the wake, as another task, and sends when it is dropped.
struct Chatty(Waker);

impl Wake for Chatty {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        CHATTY.with_borrow_mut(|channel| {
            let (_, receiver) = channel.as_mut().unwrap();
            while receiver.poll_recv(&mut Context::from_waker(&self.0)).is_ready() {}
        });
    }
}

impl Drop for Chatty {
    fn drop(&mut self) {
        CHATTY.with_borrow(|channel| channel.as_ref().unwrap().0.send(2).unwrap());
    }
}

#[test]
fn message_that_the_drop_of_a_waker_sends_wakes_the_receiver() {
    let (task, (sender, mut receiver)) = (Task::default(), unbounded());
    let chatty = Waker::from(Arc::new(Chatty(task.waker())));
    assert!(receiver.poll_recv(&mut Context::from_waker(&chatty)).is_pending());
    drop(chatty);
    CHATTY.set(Some((sender.clone(), receiver)));
    sender.send(1).unwrap();
    let (_, receiver) = CHATTY.take().unwrap();
    assert_eq!((receiver.len(), task.wakes()), (1, 1));
}

#[test]
fn close_wakes_the_task_that_polled_last() {
    let (task, (_sender, mut receiver)) = (Task::default(), channel::<u8>(1));
    assert!(task.poll(&mut receiver.recv()).is_pending());
    receiver.close();
    assert_eq!(task.wakes(), 1);
}
