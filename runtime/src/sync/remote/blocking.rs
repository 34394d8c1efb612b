//! Waiting on a thread that has no loop.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::loom::{Thread, current, park};
use crate::trace::{self, Cause};

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls the future, and parks the thread in between.
///
/// # Panics
/// Within a task: the loop of this thread would stand still, and with it perhaps the very task that is waited for.
#[track_caller]
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    assert!(
        !matches!(trace::cause(), Cause::Task(_)),
        "a call that blocks would hold the loop of this task: await its sister instead"
    );
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        trace::end_poll(); // the budget is for tasks: here it is full for every poll
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => park(),
        }
    }
}
