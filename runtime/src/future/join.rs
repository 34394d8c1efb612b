//! Waiting for both, or for all of a few.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::part::Part;

/// Runs both futures within this task and gives both outputs when the second of them is done.
///
/// In each poll the first is polled before the second, and whichever is done is not polled again.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join, sync::oneshot};
///
/// let (sender, receiver) = oneshot::channel();
/// let both = block_on(join(receiver, async { sender.send("here") }));
/// assert_eq!(both, (Ok("here"), Ok(())));
/// ```
///
/// # Cancel safety
/// Both futures are dropped, and with them the output of the one that was done.
///
/// For more than two there is [`join!`](crate::join!), for many of one type [`join_all`](super::join_all).
pub fn join<A: Future, B: Future>(first: A, second: B) -> Join<A, B> {
    Join { first: Part::Running { future: first }, second: Part::Running { future: second } }
}

pin_project! {
    /// The future that [`join`] returns.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Join<A: Future, B: Future> {
        #[pin]
        first: Part<A>,
        #[pin]
        second: Part<B>,
    }
}

impl<A: Future, B: Future> Future for Join<A, B> {
    type Output = (A::Output, B::Output);

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Both are polled in any case: `&`, not `&&`.
        if this.first.as_mut().poll_done(cx) & this.second.as_mut().poll_done(cx) {
            return Poll::Ready((this.first.take(), this.second.take()));
        }
        Poll::Pending
    }
}

impl<A: Future, B: Future> fmt::Debug for Join<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}

/// Awaits several futures within this task and gives their outputs as a tuple when the last of them is done.
///
/// In each poll they are polled in the order in which they are written, and whichever is done is dropped and not polled
/// again. The futures need no `'static`, and may borrow from their surroundings. It is [`future::join`] laid flat, for
/// any number: `join!(a, b, c)` is `join(join(a, b), c)` that is awaited and whose output is a plain triple.
///
/// [`future::join`]: crate::future::join()
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, join, sync::oneshot};
///
/// block_on(async {
///     let (sender, receiver) = oneshot::channel();
///     let name = String::from("here");
///     let (received, length, sent) = join!(receiver, async { name.len() }, async { sender.send(1) });
///     assert_eq!((received, length, sent), (Ok(1), 4, Ok(())));
/// });
/// ```
///
/// # Cancel safety
/// When the task is dropped at this place, so are all the futures, in their order, and the outputs of those that were
/// done.
#[macro_export]
macro_rules! join {
    ($first:expr $(, $rest:expr)* $(,)?) => {
        $crate::future::macros::__join!([join] [$first] [] [] $($rest,)*)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Waker;

    /// Ready in its n-th poll; each poll and the drop leave a line in the trace.
    fn part(name: &str, polls: usize, trace: &Rc<RefCell<Vec<String>>>) -> impl Future<Output = usize> {
        struct Dropped(String, Rc<RefCell<Vec<String>>>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.1.borrow_mut().push(format!("{} dropped", self.0));
            }
        }

        let dropped = Dropped(name.to_owned(), Rc::clone(trace));
        let mut polled = 0;
        poll_fn(move |_| {
            polled += 1;
            let Dropped(name, trace) = &dropped;
            trace.borrow_mut().push(format!("{name} {polled}"));
            if polled == polls { Poll::Ready(polls) } else { Poll::Pending }
        })
    }

    #[test]
    fn what_the_futures_are_made_with_is_free_when_they_run() {
        let cell = RefCell::new(vec![1]);
        crate::block_on(async {
            let (len, ()) = crate::join!(std::future::ready(cell.borrow().len()), async { cell.borrow_mut().push(2) });
            assert_eq!(len, 1);
        });
    }

    #[test]
    fn parts_are_polled_in_order_and_dropped_when_they_are_done() {
        let trace = Rc::default();
        let mut both = pin!(join(part("a", 1, &trace), part("b", 2, &trace)));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(both.as_mut().poll(&mut cx), Poll::Pending);
        assert_eq!(both.as_mut().poll(&mut cx), Poll::Ready((1, 2)));
        assert_eq!(*trace.borrow(), ["a 1", "a dropped", "b 1", "b 2", "b dropped"]);
    }

    #[test]
    #[should_panic(expected = "a join was polled after it was ready")]
    fn poll_after_the_end_panics() {
        let mut both = pin!(join(async {}, async {}));
        let mut cx = Context::from_waker(Waker::noop());
        while both.as_mut().poll(&mut cx).is_pending() {}
        let _ = both.as_mut().poll(&mut cx);
    }
}
