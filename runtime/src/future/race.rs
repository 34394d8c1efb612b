//! Waiting for whichever is done first.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::trace;

/// Runs both futures within this task until one is done, drops the other, and gives the winner's output.
///
/// In each poll the first is polled before the second: when both could be done, the first wins.
///
/// # Examples
/// ```
/// use evloop_runtime::future::{Either, race};
/// use evloop_runtime::{block_on, sync::oneshot};
///
/// let (sender, receiver) = oneshot::channel::<&str>();
/// let winner = block_on(race(receiver, async { 7 }));
/// assert_eq!(winner, Either::Right(7));
/// assert_eq!(sender.send("too late"), Err("too late")); // the receiver lost, and is gone
/// ```
///
/// # Cancel safety
/// Both futures are dropped. What the loser had done half-way is lost as if it had been dropped by itself; the race
/// adds nothing to that.
pub fn race<A: Future, B: Future>(first: A, second: B) -> Race<A, B> {
    Race { first: Some(first), second: Some(second) }
}

/// One of two.
///
/// # Examples
/// ```
/// use evloop_runtime::future::Either;
///
/// let either: Either<u8, &str> = Either::Left(1);
/// match either {
///     Either::Left(number) => assert_eq!(number, 1),
///     Either::Right(_) => unreachable!(),
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Either<L, R> {
    /// The first: of a race, the output of the future that was given first.
    Left(L),
    /// The second.
    Right(R),
}

impl<T> Either<T, T> {
    /// What is in it, when it does not matter which it was.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, future::race};
    ///
    /// let (quick, slow) = (async { "quick" }, std::future::pending());
    /// assert_eq!(block_on(race(slow, quick)).into_inner(), "quick");
    /// ```
    pub fn into_inner(self) -> T {
        match self {
            Either::Left(value) | Either::Right(value) => value,
        }
    }
}

pin_project! {
    /// The future that [`race`] returns.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Race<A, B> {
        // Both are there, or, after the end, neither.
        #[pin]
        first: Option<A>,
        #[pin]
        second: Option<B>,
    }
}

impl<A: Future, B: Future> Future for Race<A, B> {
    type Output = Either<A::Output, B::Output>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (Some(first), Some(second)) = (this.first.as_mut().as_pin_mut(), this.second.as_mut().as_pin_mut()) else {
            panic!("a race was polled after it was ready");
        };
        let winner = match trace::poll_part(first, cx) {
            Poll::Ready(output) => Either::Left(output),
            Poll::Pending => match trace::poll_part(second, cx) {
                Poll::Ready(output) => Either::Right(output),
                Poll::Pending => return Poll::Pending,
            },
        };
        this.first.set(None);
        this.second.set(None);
        Poll::Ready(winner)
    }
}

impl<A, B> fmt::Debug for Race<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::{poll_fn, ready};
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::Waker;

    #[test]
    fn first_wins_when_both_could() {
        let mut cx = Context::from_waker(Waker::noop());
        let winner = pin!(race(ready(1), ready(2))).poll(&mut cx);
        assert_eq!(winner, Poll::Ready(Either::Left(1)));
    }

    #[test]
    fn loser_is_dropped_with_the_win_and_not_with_the_race() {
        let held = Rc::new(());
        let done = Rc::new(Cell::new(false));
        let loser = {
            let held = Rc::clone(&held);
            poll_fn(move |_| -> Poll<()> {
                let _ = &held;
                Poll::Pending
            })
        };
        let winner = {
            let done = Rc::clone(&done);
            poll_fn(move |_| if done.get() { Poll::Ready(()) } else { Poll::Pending })
        };
        let mut cx = Context::from_waker(Waker::noop());
        let mut race = pin!(race(loser, winner));

        assert_eq!(race.as_mut().poll(&mut cx), Poll::Pending);
        assert_eq!(Rc::strong_count(&held), 2);
        done.set(true);
        assert_eq!(race.as_mut().poll(&mut cx), Poll::Ready(Either::Right(())));
        assert_eq!(Rc::strong_count(&held), 1);
    }

    #[test]
    #[should_panic(expected = "a race was polled after it was ready")]
    fn poll_after_the_end_panics() {
        let mut race = pin!(race(ready(1), ready(2)));
        let mut cx = Context::from_waker(Waker::noop());
        while race.as_mut().poll(&mut cx).is_pending() {}
        let _ = race.as_mut().poll(&mut cx);
    }
}
