//! Futures that come and go, and their outputs as they come.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::parts::Parts;
use crate::trace;

/// Futures that run beside each other within this task; their outputs are taken in the order in which they are done.
///
/// It is what `FuturesUnordered` of the `futures` crate is elsewhere: a part is polled when it was woken, the others are
/// not touched, so it serves ten parts or a hundred thousand. The futures need no `'static`. They run only while
/// [`next`](FutureSet::next) is awaited; work that is to go on by itself belongs in tasks, and those in a
/// [`JoinSet`](crate::JoinSet).
///
/// Each part costs two allocations: one for the future, which must stay where it is, and one for its waker.
///
/// # Examples
/// At most two requests under way at a time:
/// ```
/// use evloop_runtime::future::FutureSet;
/// use evloop_runtime::{block_on, time::sleep};
/// use std::time::Duration;
///
/// async fn fetch(page: u64) -> u64 {
///     sleep(Duration::from_millis(5 - page)).await;
///     page
/// }
///
/// block_on(async {
///     let mut pages = 1..=4;
///     let mut under_way: FutureSet<_> = pages.by_ref().take(2).map(fetch).collect();
///     let mut sum = 0;
///     while let Some(page) = under_way.next().await {
///         sum += page;
///         under_way.extend(pages.next().map(fetch));
///     }
///     assert_eq!(sum, 10);
/// });
/// ```
pub struct FutureSet<F> {
    parts: Parts<Pin<Box<F>>>,
}

impl<F: Future> FutureSet<F> {
    /// A set without futures.
    #[must_use]
    pub fn new() -> FutureSet<F> {
        FutureSet { parts: Parts::new() }
    }

    /// Adds a future. It is polled first when [`next`](FutureSet::next) is awaited.
    pub fn push(&mut self, future: F) {
        self.parts.insert(Box::pin(future));
    }

    /// Waits until one of the futures is done and gives its output; `None` when the set is empty.
    ///
    /// Those that were woken are polled in the order of their wakes, new ones in the order in which they came.
    ///
    /// # Cancel safety
    /// Nothing is lost: the futures stay in the set, and an output is given as soon as its future is done.
    #[allow(clippy::should_implement_trait, reason = "the name that it has on streams; it is awaited")]
    pub fn next(&mut self) -> Next<'_, F> {
        Next { parts: &mut self.parts }
    }

    /// How many futures are not done.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether all futures are done, or there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Drops all futures, in the order in which they came.
    pub fn clear(&mut self) {
        self.parts.clear();
    }
}

impl<F: Future> Default for FutureSet<F> {
    fn default() -> Self {
        FutureSet::new()
    }
}

impl<F: Future> Extend<F> for FutureSet<F> {
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        futures.into_iter().for_each(|future| self.push(future));
    }
}

impl<F: Future> FromIterator<F> for FutureSet<F> {
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = FutureSet::new();
        set.extend(futures);
        set
    }
}

impl<F> fmt::Debug for FutureSet<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureSet").field("len", &self.parts.len()).finish_non_exhaustive()
    }
}

/// The future that [`FutureSet::next`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Next<'a, F> {
    parts: &'a mut Parts<Pin<Box<F>>>,
}

impl<F: Future> Future for Next<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A loop that adds a future for each that is done could go on for ever within one poll.
        std::task::ready!(trace::poll_budget(cx));
        let mut left = self.parts.begin(cx.waker());
        match self.parts.next_done(&mut left) {
            Some((_, output)) => Poll::Ready(Some(output)),
            None if self.parts.is_empty() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
