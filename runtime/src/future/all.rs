//! All of many, the first of many.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::parts::Parts;

/// Runs all futures within this task and gives their outputs, in the order of the futures, when the last is done.
///
/// First they are polled in their order, later in the order of their wakes, each only when it was woken: a thousand
/// futures cost as many polls as they have wakes. Without futures the output is there at once. It allocates twice for
/// each future, once for where it stays and once for its waker.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join_all};
///
/// let words = ["one", "three", "five"];
/// let lengths = block_on(join_all(words.iter().map(|word| async move { word.len() })));
/// assert_eq!(lengths, [3, 5, 4]);
/// ```
///
/// # Cancel safety
/// All futures are dropped, in their order, and with them the outputs of those that were done.
pub fn join_all<I>(futures: I) -> JoinAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let parts = all(futures);
    JoinAll { outputs: Outputs::new(parts.len()), parts }
}

/// Runs all futures within this task and gives their values, in the order of the futures, or the first error, with
/// which the others are dropped, in their order.
///
/// As for the rest it is as [`join_all`].
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::try_join_all};
///
/// let parse = |texts: [&'static str; 3]| try_join_all(texts.map(|text| async move { text.parse::<u8>() }));
/// assert_eq!(block_on(parse(["1", "2", "3"])), Ok(vec![1, 2, 3]));
/// assert!(block_on(parse(["1", "two", "3"])).is_err());
/// ```
///
/// # Errors
/// The error of whichever future had one first.
///
/// # Cancel safety
/// All futures are dropped, in their order, and with them the values of those that were done.
pub fn try_join_all<I, T, E>(futures: I) -> TryJoinAll<I::Item, T>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>>,
{
    let parts = all(futures);
    TryJoinAll { outputs: Outputs::new(parts.len()), parts }
}

/// Runs all futures within this task until one is done, drops the others, in their order, and gives the winner's
/// output; `None` when there are no futures.
///
/// First they are polled in their order, later in the order of their wakes: when several could be done, the one that was
/// given first wins, or else the one that was woken first.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::race_all, time::sleep};
/// use std::time::Duration;
///
/// let runners = [30, 1, 20].map(|ms| async move {
///     sleep(Duration::from_millis(ms)).await;
///     ms
/// });
/// assert_eq!(block_on(race_all(runners)), Some(1));
/// ```
///
/// # Cancel safety
/// All futures are dropped. What a loser had done half-way is lost as if it had been dropped by itself.
pub fn race_all<I>(futures: I) -> RaceAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    RaceAll { parts: all(futures) }
}

/// The futures as parts; the keys of a new set have the places 0, 1, 2 and so on.
fn all<I>(futures: I) -> Parts<Pin<Box<I::Item>>>
where
    I: IntoIterator,
    I::Item: Future,
{
    let parts = Parts::new();
    for future in futures {
        parts.insert(Box::pin(future));
    }
    parts
}

/// Outputs by the place of their future.
struct Outputs<T>(Vec<Option<T>>);

impl<T> Outputs<T> {
    fn new(len: usize) -> Outputs<T> {
        Outputs(std::iter::repeat_with(|| None).take(len).collect())
    }

    fn put(&mut self, place: u32, output: T) {
        self.0[place as usize] = Some(output);
    }

    /// # Panics
    /// When an output is missing: a future panicked, or they were taken before.
    fn take(&mut self, what: &str) -> Vec<T> {
        let outputs: Option<Vec<T>> = std::mem::take(&mut self.0).into_iter().collect();
        outputs.unwrap_or_else(|| panic!("{what} was polled after one of its futures panicked"))
    }
}

/// The future that [`join_all`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinAll<F: Future> {
    parts: Parts<Pin<Box<F>>>,
    outputs: Outputs<F::Output>,
}

// The futures are in boxes, and the outputs are not pinned.
impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    /// Polled again after it was ready, it has no outputs more.
    ///
    /// # Panics
    /// When it is polled again after one of the futures panicked, and the others are done.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut left = this.parts.begin(cx.waker());
        while let Some((key, output)) = this.parts.next_done(&mut left) {
            this.outputs.put(key.index(), output);
        }
        if this.parts.is_empty() { Poll::Ready(this.outputs.take("a join")) } else { Poll::Pending }
    }
}

/// The future that [`try_join_all`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct TryJoinAll<F, T> {
    parts: Parts<Pin<Box<F>>>,
    outputs: Outputs<T>,
}

// As `JoinAll`.
impl<F, T> Unpin for TryJoinAll<F, T> {}

impl<F: Future<Output = Result<T, E>>, T, E> Future for TryJoinAll<F, T> {
    type Output = Result<Vec<T>, E>;

    /// Polled again after it was ready, it has no values more.
    ///
    /// # Panics
    /// When it is polled again after one of the futures panicked, and the others are done.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut left = this.parts.begin(cx.waker());
        while let Some((key, result)) = this.parts.next_done(&mut left) {
            match result {
                Ok(value) => this.outputs.put(key.index(), value),
                Err(error) => {
                    this.parts.clear();
                    this.outputs = Outputs::new(0);
                    return Poll::Ready(Err(error));
                }
            }
        }
        if this.parts.is_empty() { Poll::Ready(Ok(this.outputs.take("a join"))) } else { Poll::Pending }
    }
}

/// The future that [`race_all`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct RaceAll<F> {
    parts: Parts<Pin<Box<F>>>,
}

impl<F: Future> Future for RaceAll<F> {
    type Output = Option<F::Output>;

    /// Polled again after it was ready, it gives `None`.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut left = self.parts.begin(cx.waker());
        if let Some((_, output)) = self.parts.next_done(&mut left) {
            self.parts.clear();
            return Poll::Ready(Some(output));
        }
        if self.parts.is_empty() { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll").field("left", &self.parts.len()).finish_non_exhaustive()
    }
}

impl<F, T> fmt::Debug for TryJoinAll<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryJoinAll").field("left", &self.parts.len()).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for RaceAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaceAll").field("left", &self.parts.len()).finish_non_exhaustive()
    }
}
