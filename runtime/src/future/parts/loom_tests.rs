//! What the parts' wakers and the poll of the whole do to each other from two threads.

use super::*;
use ::loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use ::loom::thread;
use std::sync::Mutex as StdMutex;

/// Wakes a thread of the model.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Ready when the counter has come to two; leaves its waker for the other thread.
struct Part {
    count: ::loom::sync::Arc<AtomicUsize>,
    waker: Arc<StdMutex<Option<Waker>>>,
}

impl Future for Part {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        *self.waker.lock().unwrap() = Some(cx.waker().clone());
        if self.count.load(SeqCst) == 2 { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[test]
fn loom_wake_that_meets_a_poll_is_not_lost() {
    ::loom::model(|| {
        let count = ::loom::sync::Arc::new(AtomicUsize::new(0));
        let waker = Arc::new(StdMutex::new(None));
        let parts = Parts::new();
        parts.insert_pending(Part { count: ::loom::sync::Arc::clone(&count), waker: Arc::clone(&waker) });
        let stranger = waker.lock().unwrap().clone().expect("it was polled");
        // Not joined: loom takes an unpark that finds the thread in a join for the end of that. It runs to its end all the same.
        drop(thread::spawn(move || {
            for _ in 0..2 {
                count.fetch_add(1, SeqCst);
                stranger.wake_by_ref();
            }
        }));

        // Polls until the part is done, and parks in between: a lost wake is a deadlock, and loom reports it.
        let task = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            let mut left = parts.begin(&task);
            if parts.next_done(&mut left).is_some() {
                break;
            }
            thread::park();
        }
        assert!(parts.is_empty());
    });
}
