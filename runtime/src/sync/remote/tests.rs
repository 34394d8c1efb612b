use super::super::testing::Task;
use super::*;
use crate::arena::Key;
use crate::trace::{self, OPERATIONS_PER_POLL, Wait};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::thread;

const SENT: Poll<Result<(), SendError<u8>>> = Poll::Ready(Ok(()));

#[test]
fn message_wakes_the_receiver_once_for_each_wait() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(4));
    trace::begin_poll(Key::NONE);
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Pending);
    assert!(matches!(trace::end_poll_that_waits(), Wait::Receive(_)));
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!((task.wakes(), task.wakers_kept()), (1, 0));
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(Some(1)));
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(2), Err(TryRecvError::Empty)));
}

#[test]
fn waiting_senders_are_served_in_order_and_nobody_overtakes() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    let (mut first, mut second) = (sender.send(1), sender.send(2));
    sender.try_send(0).unwrap();
    trace::begin_poll(Key::NONE);
    assert!(a.poll(&mut first).is_pending() && b.poll(&mut second).is_pending());
    assert!(matches!(trace::end_poll_that_waits(), Wait::Send(_)));
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!((a.wakes(), b.wakes()), (1, 0));
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)), "the room is promised");
    assert_eq!(a.poll(&mut first), SENT);
    drop(second);
    assert_eq!(b.wakers_kept(), 0);
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn dropped_send_hands_its_promise_on() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel(1));
    let (mut first, mut second) = (sender.send(1), sender.send(2));
    sender.try_send(0).unwrap();
    assert!(a.poll(&mut first).is_pending() && b.poll(&mut second).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    drop(first);
    assert_eq!((b.wakes(), b.poll(&mut second)), (1, SENT));
}

#[test]
fn close_gives_values_back_and_leaves_messages_to_be_taken() {
    let (task, (sender, mut receiver)) = (Task::default(), channel(1));
    let mut waiting = sender.send(1);
    sender.try_send(0).unwrap();
    assert!(task.poll(&mut waiting).is_pending());
    receiver.close();
    assert_eq!((task.wakes(), task.poll(&mut waiting)), (1, Poll::Ready(Err(SendError(1)))));
    assert_eq!(sender.blocking_send(2), Err(SendError(2)));
    assert!(sender.is_closed());
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(Some(0)));
    assert_eq!(task.poll(&mut receiver.recv()), Poll::Ready(None));
}

#[test]
fn end_comes_with_the_last_sender() {
    let (task, (sender, mut receiver)) = (Task::default(), unbounded::<u8>());
    let other = sender.clone();
    assert!(sender.same_channel(&other));
    let mut recv = receiver.recv();
    assert!(task.poll(&mut recv).is_pending());
    drop(sender);
    assert_eq!(task.wakes(), 0);
    drop(other);
    assert_eq!((task.wakes(), task.poll(&mut recv)), (1, Poll::Ready(None)));
}

#[test]
fn messages_and_wakers_are_dropped_with_the_receiver() {
    let (message, task, (sender, mut receiver)) = (Rc::new(()), Task::default(), channel(2));
    assert!(task.poll(&mut receiver.recv()).is_pending());
    sender.try_send(Rc::clone(&message)).unwrap();
    drop(receiver);
    assert_eq!((Rc::strong_count(&message), task.wakers_kept()), (1, 0));
    assert!(sender.try_send(message).is_err());
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
    assert_eq!((a.wakes(), b.wakes(), sender.room()), (1, 1, 0));
    assert_eq!((a.poll(&mut first), b.poll(&mut second)), (SENT, SENT));
    assert_eq!(a.poll(&mut receiver.recv_many(&mut buffer, 9)), Poll::Ready(2));
    receiver.close();
    assert_eq!(a.poll(&mut receiver.recv_many(&mut buffer, 9)), Poll::Ready(0));
    assert_eq!(buffer, [0, 1, 2, 3]);
}

#[test]
fn full_channel_lets_a_poll_take_its_budget_and_no_more() {
    let (task, (sender, mut receiver)) = (Task::default(), unbounded());
    (0..=OPERATIONS_PER_POLL).for_each(|n| sender.send(n).unwrap());
    trace::begin_poll(Key::NONE);
    let taken = (0..1_000).take_while(|_| task.poll(&mut receiver.recv()).is_ready()).count();
    assert_eq!(taken, OPERATIONS_PER_POLL as usize);
    assert_eq!(trace::end_poll_that_waits(), Wait::Turn);
    assert_eq!((task.wakes(), receiver.len()), (1, 1));
}

#[test]
fn threads_hand_each_other_more_than_there_is_room_for_and_more_than_a_budget() {
    let count = if cfg!(miri) { 20 } else { 2_000 };
    let (sender, mut receiver) = channel(2);
    let senders: Vec<_> = (0..2)
        .map(|_| {
            let sender = sender.clone();
            thread::spawn(move || (0..count).for_each(|n| sender.blocking_send(n).unwrap()))
        })
        .collect();
    drop(sender);
    let numbers: Vec<usize> = std::iter::from_fn(|| receiver.blocking_recv()).collect();
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!((numbers.len(), numbers.iter().sum()), (2 * count, count * (count - 1)));
}

#[test]
fn call_that_would_block_a_task_is_refused() {
    let (sender, mut receiver) = channel(1);
    trace::begin_poll(Key::NONE);
    sender.blocking_send(1).expect("there is room, so it does not block");
    let refused = catch_unwind(AssertUnwindSafe(|| sender.blocking_send(2))).unwrap_err();
    assert!(refused.downcast_ref::<&str>().unwrap().contains("would hold the loop"));
    assert_eq!(receiver.blocking_recv(), Some(1));
    assert!(catch_unwind(AssertUnwindSafe(|| receiver.blocking_recv())).is_err());
    trace::end_poll();
}

#[test]
#[should_panic(expected = "its capacity is 0")]
fn channel_without_room_is_refused() {
    let _ = channel::<u8>(0);
}

#[test]
fn halves_and_futures_go_wherever_the_messages_may() {
    fn anywhere<T: std::marker::Send + Sync>() {}
    anywhere::<Sender<std::cell::Cell<u8>>>();
    anywhere::<Receiver<std::cell::Cell<u8>>>();
    anywhere::<UnboundedSender<std::cell::Cell<u8>>>();
    anywhere::<Send<'static, u8>>();
    anywhere::<Recv<'static, u8>>();
}

#[test]
fn close_wakes_the_task_that_polled_last() {
    let (task, (_sender, mut receiver)) = (Task::default(), channel::<u8>(1));
    assert!(task.poll(&mut receiver.recv()).is_pending());
    receiver.close();
    assert_eq!(task.wakes(), 1);
}

#[test]
fn sender_that_waits_learns_of_the_end_also_when_a_message_panics_as_it_is_dropped() {
    struct Brittle;
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let (task, (sender, receiver)) = (Task::default(), channel(1));
    let mut waiting = sender.send(None);
    sender.try_send(Some(Brittle)).unwrap();
    assert!(task.poll(&mut waiting).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    assert_eq!(task.wakes(), 1);
}
