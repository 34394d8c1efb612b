use super::*;
use ::loom::sync::Arc;
use ::loom::thread;
use std::pin::pin;
use std::task::{Wake, Waker};

/// Wakes a thread of the model.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls until it is ready, and parks in between: a lost wake is a deadlock, and loom reports it.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(std::sync::Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn loom_value_arrives_and_the_waiter_is_woken() {
    ::loom::model(|| {
        let (sender, receiver) = channel();
        let thread = thread::spawn(move || sender.send(Box::new(1)));
        assert_eq!(block_on(receiver), Ok(Box::new(1)));
        assert_eq!(thread.join().unwrap(), Ok(()));
    });
}

/// The other thread comes first as a rule, and nothing but the look at the state tells of it.
#[test]
fn loom_value_is_whole_for_who_asks_again_and_again() {
    ::loom::model(|| {
        let (sender, mut receiver) = channel();
        let thread = thread::spawn(move || sender.send(Box::new(1)));
        let outcome = loop {
            match receiver.try_recv() {
                Err(TryRecvError::Empty) => thread::yield_now(),
                outcome => break outcome,
            }
        };
        assert_eq!(outcome, Ok(Box::new(1)));
        assert_eq!(thread.join().unwrap(), Ok(()));
    });
}

#[test]
fn loom_dropped_sender_ends_the_wait() {
    ::loom::model(|| {
        let (sender, receiver) = channel::<Box<u8>>();
        let thread = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver), Err(RecvError));
        thread.join().unwrap();
    });
}

#[test]
fn loom_value_comes_back_or_is_dropped_with_the_receiver() {
    ::loom::model(|| {
        let value = Arc::new(());
        let (sender, receiver) = channel();
        let thread = {
            let value = Arc::clone(&value);
            thread::spawn(move || sender.send(value).is_ok())
        };
        drop(receiver);
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn loom_value_sent_against_close_is_with_one_side_exactly() {
    ::loom::model(|| {
        let (sender, mut receiver) = channel();
        let thread = thread::spawn(move || sender.send(Box::new(1)));
        receiver.close();
        let taken = receiver.try_recv().is_ok();
        assert_eq!(taken, thread.join().unwrap().is_ok());
    });
}

#[test]
fn loom_dropped_receiver_wakes_the_sender_that_waits_for_it() {
    ::loom::model(|| {
        let (mut sender, receiver) = channel::<Box<u8>>();
        let thread = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        assert!(sender.is_closed());
        thread.join().unwrap();
    });
}

#[test]
fn loom_receiver_that_moves_to_another_task_is_woken_there() {
    ::loom::model(|| {
        let (sender, mut receiver) = channel();
        let _ = Pin::new(&mut receiver).poll(&mut Context::from_waker(Waker::noop()));
        let thread = thread::spawn(move || sender.send(Box::new(1)));
        assert_eq!(block_on(receiver), Ok(Box::new(1)));
        assert_eq!(thread.join().unwrap(), Ok(()));
    });
}

#[test]
fn loom_both_may_wait_and_leave_at_once() {
    ::loom::model(|| {
        let (mut sender, mut receiver) = channel::<Box<u8>>();
        let mut noop = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut sender.closed()).poll(&mut noop).is_pending());
        let thread = thread::spawn(move || {
            let _ = Pin::new(&mut receiver).poll(&mut Context::from_waker(Waker::noop()));
        });
        drop(sender);
        thread.join().unwrap();
    });
}
