//! Waiting for both, or for the first error.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::part::Part;

/// Runs both futures within this task and gives both values, or the first error, with which the other future is dropped.
///
/// In each poll the first is polled before the second; if it has an error, the second is not polled any more.
///
/// For more than two there is [`try_join!`](crate::try_join!), for many of one type
/// [`try_join_all`](super::try_join_all).
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::try_join};
///
/// let good = async { Ok::<_, String>(1) };
/// let bad = async { Err::<(), _>("no such host".to_owned()) };
/// assert_eq!(block_on(try_join(good, bad)), Err("no such host".to_owned()));
/// ```
///
/// # Errors
/// The error of whichever future had one first.
///
/// # Cancel safety
/// Both futures are dropped, and with them the value of the one that was done.
pub fn try_join<A, B, T, U, E>(first: A, second: B) -> TryJoin<A, B>
where
    A: Future<Output = Result<T, E>>,
    B: Future<Output = Result<U, E>>,
{
    TryJoin { first: Part::Running { future: first }, second: Part::Running { future: second } }
}

pin_project! {
    /// The future that [`try_join`] returns.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct TryJoin<A: Future, B: Future> {
        #[pin]
        first: Part<A>,
        #[pin]
        second: Part<B>,
    }
}

impl<A, B, T, U, E> Future for TryJoin<A, B>
where
    A: Future<Output = Result<T, E>>,
    B: Future<Output = Result<U, E>>,
{
    type Output = Result<(T, U), E>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut done = this.first.as_mut().poll_done(cx);
        let mut error = this.first.as_mut().take_error();
        if error.is_none() {
            done &= this.second.as_mut().poll_done(cx);
            error = this.second.as_mut().take_error();
        }
        if let Some(error) = error {
            this.first.set(Part::Taken);
            this.second.set(Part::Taken);
            return Poll::Ready(Err(error));
        }
        if !done {
            return Poll::Pending;
        }
        match (this.first.take(), this.second.take()) {
            (Ok(first), Ok(second)) => Poll::Ready(Ok((first, second))),
            (Err(error), _) | (_, Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl<A: Future, B: Future> fmt::Debug for TryJoin<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoin").finish_non_exhaustive()
    }
}

/// Awaits several futures within this task and gives `Ok` of a tuple of their values, or the first error, with which
/// the others are dropped.
///
/// It is [`future::try_join`] laid flat, for any number, as [`join!`](crate::join!) is `join`. All errors are of one
/// type; `map_err` inside of a branch brings others to it.
///
/// [`future::try_join`]: crate::future::try_join()
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, try_join};
///
/// async fn number(text: &str) -> Result<i32, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// block_on(async {
///     assert_eq!(try_join!(number("1"), number("2"), number("3")), Ok((1, 2, 3)));
///     assert!(try_join!(number("1"), number("two"), std::future::pending::<Result<(), _>>()).is_err());
/// });
/// ```
///
/// # Errors
/// The error of whichever future had one first.
///
/// # Cancel safety
/// When the task is dropped at this place, so are all the futures, in their order, and the values of those that were
/// done. The same happens to the others with the first error.
#[macro_export]
macro_rules! try_join {
    ($first:expr $(, $rest:expr)* $(,)?) => {
        $crate::future::macros::__join!([try_join] [$first] [] [] $($rest,)*)
    };
}
