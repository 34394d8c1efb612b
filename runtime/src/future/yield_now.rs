//! Letting the others run.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::trace::{self, Wait};

/// Gives way once: the task goes to the end of the queue and continues in its next turn.
///
/// Everything that was runnable runs before it continues, and the kernel is asked for events. Long calculations stay
/// polite this way.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::yield_now};
///
/// let sum = block_on(async {
///     let mut sum = 0u64;
///     for n in 1..=10_000 {
///         sum += n;
///         if n % 1_000 == 0 {
///             yield_now().await;
///         }
///     }
///     sum
/// });
/// assert_eq!(sum, 50_005_000);
/// ```
///
/// # Cancel safety
/// Nothing is lost; there is nothing to lose.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future that [`yield_now`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        trace::waits_for(Wait::Turn);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn yield_wakes_its_task_once_and_is_done_in_the_next_poll() {
        let count = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let mut future = yield_now();

        assert_eq!(Pin::new(&mut future).poll(&mut cx), Poll::Pending);
        assert_eq!(count.0.load(Relaxed), 1);
        assert_eq!(Pin::new(&mut future).poll(&mut cx), Poll::Ready(()));
        assert_eq!(count.0.load(Relaxed), 1);
    }
}
