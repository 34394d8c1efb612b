use super::super::testing::Task;
use super::*;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

#[test]
fn value_sent_before_the_first_poll_is_there_at_once() {
    let (sender, mut receiver) = channel();
    assert_eq!(sender.send(1), Ok(()));
    assert_eq!(Task::default().poll(&mut receiver), Poll::Ready(Ok(1)));
}

#[test]
fn send_wakes_the_receiver_once_and_keeps_no_waker() {
    let (task, (sender, mut receiver)) = (Task::default(), channel());
    assert_eq!(task.poll(&mut receiver), Poll::Pending);
    assert_eq!(task.poll(&mut receiver), Poll::Pending);
    assert_eq!(task.wakers_kept(), 1);
    assert_eq!(sender.send(1), Ok(()));
    assert_eq!((task.wakes(), task.wakers_kept()), (1, 0));
    assert_eq!(task.poll(&mut receiver), Poll::Ready(Ok(1)));
    assert_eq!(task.poll(&mut receiver), Poll::Ready(Err(RecvError)));
}

#[test]
fn receiver_that_moved_to_another_task_wakes_that_one() {
    let (a, b, (sender, mut receiver)) = (Task::default(), Task::default(), channel());
    assert_eq!(a.poll(&mut receiver), Poll::Pending);
    assert_eq!(b.poll(&mut receiver), Poll::Pending);
    assert_eq!(sender.send(1), Ok(()));
    assert_eq!((a.wakes(), b.wakes()), (0, 1));
}

#[test]
fn dropped_sender_ends_the_wait() {
    let (task, (sender, mut receiver)) = (Task::default(), channel::<u8>());
    assert_eq!(task.poll(&mut receiver), Poll::Pending);
    drop(sender);
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(&mut receiver), Poll::Ready(Err(RecvError)));
}

#[test]
fn sender_learns_that_the_receiver_is_closed() {
    for close in [Receiver::close as fn(&mut Receiver<u8>), |receiver| {
        *receiver = channel().1;
    }] {
        let (task, (mut sender, mut receiver)) = (Task::default(), channel());
        assert_eq!(task.poll(&mut sender.closed()), Poll::Pending);
        close(&mut receiver);
        assert_eq!(task.wakes(), 1);
        assert_eq!(task.poll(&mut sender.closed()), Poll::Ready(()));
        assert!(sender.is_closed());
        assert_eq!(sender.send(1), Err(1));
    }
}

#[test]
fn who_has_gone_is_woken_no_more_and_leaves_no_waker() {
    let (task, (sender, mut receiver)) = (Task::default(), channel::<u8>());
    assert_eq!(task.poll(&mut receiver), Poll::Pending);
    drop(receiver);
    assert_eq!((task.wakes(), task.wakers_kept()), (0, 0));
    drop(sender);
    let (mut sender, receiver) = channel::<u8>();
    assert_eq!(task.poll(&mut sender.closed()), Poll::Pending);
    drop(sender);
    assert_eq!((task.wakes(), task.wakers_kept()), (0, 0));
    drop(receiver);
}

#[test]
fn value_sent_before_close_can_still_be_taken() {
    let (sender, mut receiver) = channel();
    assert_eq!(sender.send(1), Ok(()));
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));
}

/// Two threads that nothing brings together but the channel: under Miri, a look that takes too little with it is a race.
#[test]
fn value_is_whole_for_a_thread_that_asks_again_and_again() {
    let (task, (sender, mut receiver)) = (Task::default(), channel());
    assert_eq!(task.poll(&mut receiver), Poll::Pending);
    let thread = std::thread::spawn(move || sender.send(vec![1; 3]));
    let outcome = loop {
        match receiver.try_recv() {
            Err(TryRecvError::Empty) => std::thread::yield_now(),
            outcome => break outcome,
        }
    };
    assert_eq!(outcome, Ok(vec![1; 3]));
    assert_eq!(thread.join().unwrap(), Ok(()));
}

#[test]
fn value_that_nobody_takes_is_dropped_with_the_receiver() {
    let (value, (sender, receiver)) = (Rc::new(()), channel());
    assert!(sender.send(Rc::clone(&value)).is_ok());
    drop(receiver);
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn halves_go_wherever_the_value_may() {
    fn anywhere<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    anywhere::<Sender<std::cell::Cell<u8>>>();
    anywhere::<Receiver<std::cell::Cell<u8>>>();
}
