use super::*;
use ::loom::thread;
use std::pin::Pin;
use std::task::Context;

#[test]
fn loom_messages_of_two_senders_arrive_and_the_waiter_is_woken_for_each() {
    ::loom::model(|| {
        let (sender, mut receiver) = unbounded();
        let other = sender.clone();
        let thread = thread::spawn(move || other.send(1).is_ok());
        let sent = thread::spawn(move || sender.send(2).is_ok());
        let mut received = [receiver.blocking_recv(), receiver.blocking_recv()];
        received.sort_unstable();
        assert_eq!(received, [Some(1), Some(2)]);
        assert_eq!(receiver.blocking_recv(), None, "the last drop is not slept through");
        assert!(thread.join().unwrap() && sent.join().unwrap());
    });
}

#[test]
fn loom_sender_that_waits_for_room_is_woken() {
    ::loom::model(|| {
        let (sender, mut receiver) = channel(1);
        let thread = thread::spawn(move || (1..=3).all(|number| sender.blocking_send(number).is_ok()));
        for number in 1..=3 {
            assert_eq!(receiver.blocking_recv(), Some(number));
        }
        assert_eq!(receiver.blocking_recv(), None);
        assert!(thread.join().unwrap());
    });
}

#[test]
fn loom_sender_that_waits_is_woken_by_the_drop_of_the_receiver() {
    ::loom::model(|| {
        let message = Arc::new(());
        let (sender, receiver) = channel(1);
        assert!(sender.try_send(Arc::clone(&message)).is_ok());
        let thread = {
            let message = Arc::clone(&message);
            thread::spawn(move || sender.blocking_send(message).is_err())
        };
        drop(receiver);
        assert!(thread.join().unwrap(), "there was no room, so it came back");
        assert_eq!(Arc::strong_count(&message), 1);
    });
}

#[test]
fn loom_message_sent_against_close_is_with_one_side_exactly() {
    ::loom::model(|| {
        let (sender, mut receiver) = channel(1);
        let thread = thread::spawn(move || sender.try_send(1).is_ok());
        receiver.close();
        let taken = receiver.blocking_recv().is_some();
        let sent = thread.join().unwrap();
        assert_eq!(taken || receiver.try_recv().is_ok(), sent);
    });
}

#[test]
fn loom_promise_of_a_send_that_is_dropped_goes_to_the_next() {
    ::loom::model(|| {
        let (sender, mut receiver) = channel(1);
        assert!(sender.try_send(0).is_ok());
        let (mut gives_up, mut waits) = (Box::pin(sender.send(1)), sender.send(2));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(gives_up.as_mut().poll(&mut cx).is_pending());
        assert!(Pin::new(&mut waits).poll(&mut cx).is_pending());
        let thread = thread::spawn(move || (receiver.blocking_recv(), receiver.blocking_recv()));
        drop(gives_up);
        assert!(blocking::wait(waits).is_ok());
        assert_eq!(thread.join().unwrap(), (Some(0), Some(2)));
    });
}
