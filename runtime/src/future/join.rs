//! Waiting for both.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

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

pin_project! {
    /// One side of a join, from its future to its output to nothing.
    #[project = PartProjected]
    #[project_replace = PartReplaced]
    enum Part<F: Future> {
        Running {
            #[pin]
            future: F,
        },
        Done {
            output: F::Output,
        },
        Taken,
    }
}

impl<F: Future> Part<F> {
    /// Polls the future unless it is done, and tells whether it is now.
    fn poll_done(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        match self.as_mut().project() {
            PartProjected::Running { future } => match future.poll(cx) {
                Poll::Ready(output) => {
                    self.set(Part::Done { output }); // drops the future, in place
                    true
                }
                Poll::Pending => false,
            },
            PartProjected::Done { .. } => true,
            PartProjected::Taken => panic!("a join was polled after it was ready"),
        }
    }

    fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project_replace(Part::Taken) {
            PartReplaced::Done { output } => output,
            PartReplaced::Running { .. } | PartReplaced::Taken => {
                unreachable!("an output is taken once, when both are done")
            }
        }
    }
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
