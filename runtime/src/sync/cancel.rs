//! The word to stop, passed down a tree.
//!
//! A child keeps its parent alive, a parent knows its children only for as long as they live. So a tree needs no order
//! in which it is dropped, and a parent that lives long is not filled by children that come and go. Neither the word
//! nor the drop goes down by recursion: a chain of a million tokens needs no stack.

use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::line::Line;
use crate::arena::{Key, Queue};
use crate::trace::{self, Place, Wait};

/// Tells tasks of this thread to stop: once, for good, and to all who ask.
///
/// Clones are the same token. A [`child_token`](CancellationToken::child_token) is cancelled with its parent, but can be
/// cancelled without it. It asks, it does not force: `JoinHandle::abort` ends a task where it waits, a token lets it end
/// in its own time. As tokio-util's, but it stays on its thread.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, spawn, sync::CancellationToken};
///
/// block_on(async {
///     let stop = CancellationToken::new();
///     let worker = spawn({
///         let stop = stop.child_token();
///         async move {
///             stop.cancelled().await;
///             "put everything back"
///         }
///     });
///     stop.cancel();
///     assert_eq!(worker.await.unwrap(), "put everything back");
/// });
/// ```
#[derive(Clone)]
pub struct CancellationToken {
    node: Rc<Node>,
}

struct Node {
    cancelled: Cell<bool>,
    line: Line,
    /// Invariant: empty once it is cancelled.
    children: RefCell<Queue<Weak<Node>>>,
    /// Whose child it is, and its place there.
    parent: Option<(Rc<Node>, Key)>,
    made_at: Place,
}

impl CancellationToken {
    /// One that is not cancelled, and nobody's child.
    #[must_use]
    #[track_caller]
    pub fn new() -> CancellationToken {
        CancellationToken { node: Rc::new(Node::new(false, None, Location::caller())) }
    }

    /// A token that is cancelled with this one; at once, if this one is already.
    #[must_use]
    #[track_caller]
    pub fn child_token(&self) -> CancellationToken {
        let made_at = Location::caller();
        if self.is_cancelled() {
            return CancellationToken { node: Rc::new(Node::new(true, None, made_at)) };
        }
        let parent = &self.node;
        let node = Rc::new_cyclic(|child: &Weak<Node>| {
            let place = parent.children.borrow_mut().push_back(child.clone());
            Node::new(false, Some((Rc::clone(parent), place)), made_at)
        });
        CancellationToken { node }
    }

    /// Cancels this token and all that descend from it. Doing so again does nothing.
    ///
    /// All of them are cancelled before anyone is woken; then parents before children, older before younger.
    pub fn cancel(&self) {
        if self.node.cancelled.replace(true) {
            return;
        }
        let mut nodes = vec![Rc::clone(&self.node)];
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            let mut children = mem::take(&mut *node.children.borrow_mut());
            let living = std::iter::from_fn(|| children.pop_front()).filter_map(|child| child.upgrade());
            nodes.extend(living.filter(|child| !child.cancelled.replace(true)));
            at += 1;
        }
        for node in &nodes {
            node.line.wake_all();
        }
    }

    /// Whether it is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.node.cancelled.get()
    }

    /// Waits until it is cancelled.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn cancelled(&self) -> Cancelled<&CancellationToken> {
        Cancelled { token: self, place: None }
    }

    /// As [`cancelled`](CancellationToken::cancelled), for a future that may be kept anywhere on this thread.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn cancelled_owned(self) -> Cancelled<CancellationToken> {
        Cancelled { token: self, place: None }
    }

    /// Cancels the token when the guard is dropped: whichever way a function is left.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::CancellationToken;
    ///
    /// let stop = CancellationToken::new();
    /// drop(stop.clone().drop_guard().disarm());
    /// assert!(!stop.is_cancelled());
    /// drop(stop.clone().drop_guard());
    /// assert!(stop.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }

    /// Runs the future until it is done, or the token is cancelled; then it gives `None`.
    ///
    /// In each poll the token is asked first: when both could be, it is cancelled.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::CancellationToken};
    ///
    /// let stop = CancellationToken::new();
    /// assert_eq!(block_on(stop.run_until_cancelled(async { 1 })), Some(1));
    /// stop.cancel();
    /// assert_eq!(block_on(stop.run_until_cancelled(async { 1 })), None);
    /// ```
    ///
    /// # Cancel safety
    /// What the future has done half-way is lost, as if it had been dropped by itself.
    pub fn run_until_cancelled<F: Future>(&self, future: F) -> RunUntilCancelled<'_, F> {
        RunUntilCancelled { cancelled: self.cancelled(), future }
    }
}

impl Default for CancellationToken {
    #[track_caller]
    fn default() -> Self {
        CancellationToken::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let children = self.node.children.borrow().len();
        f.debug_struct("CancellationToken")
            .field("cancelled", &self.is_cancelled())
            .field("waiting", &self.node.line.len())
            .field("children", &children)
            .finish()
    }
}

impl Node {
    fn new(cancelled: bool, parent: Option<(Rc<Node>, Key)>, made_at: Place) -> Node {
        Node { cancelled: Cell::new(cancelled), line: Line::new(), children: RefCell::default(), parent, made_at }
    }
}

impl Drop for Node {
    /// Leaves the parent, and drops it if this was the last to keep it; and so on upward, one after the other.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some((parent, place)) = next {
            let own = parent.children.borrow_mut().remove(place);
            drop(own);
            next = Rc::into_inner(parent).and_then(|mut parent| parent.parent.take());
        }
    }
}

/// The future that [`CancellationToken::cancelled`] and [`CancellationToken::cancelled_owned`] return.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Cancelled<C: Borrow<CancellationToken>> {
    token: C,
    place: Option<Key>,
}

/// Nothing in it is pinned.
impl<C: Borrow<CancellationToken>> Unpin for Cancelled<C> {}

impl<C: Borrow<CancellationToken>> Future for Cancelled<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let node = &this.token.borrow().node;
        if node.cancelled.get() {
            return Poll::Ready(());
        }
        node.line.stand(&mut this.place, cx);
        trace::waits_for(Wait::Cancel(node.made_at));
        Poll::Pending
    }
}

impl<C: Borrow<CancellationToken>> Drop for Cancelled<C> {
    fn drop(&mut self) {
        self.token.borrow().node.line.leave(&mut self.place);
    }
}

impl<C: Borrow<CancellationToken>> fmt::Debug for Cancelled<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled").field("token", self.token.borrow()).finish_non_exhaustive()
    }
}

/// Cancels its token when it is dropped; made by [`CancellationToken::drop_guard`].
#[derive(Debug)]
#[must_use = "the token is cancelled as soon as its guard is dropped"]
pub struct DropGuard {
    /// `None` once it is disarmed.
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// Gives the token back, and does not cancel it.
    #[must_use]
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect("only this takes it, and the guard with it")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}

pin_project! {
    /// The future that [`CancellationToken::run_until_cancelled`] returns.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RunUntilCancelled<'a, F> {
        cancelled: Cancelled<&'a CancellationToken>,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for RunUntilCancelled<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match Pin::new(this.cancelled).poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => this.future.poll(cx).map(Some),
        }
    }
}

impl<F> fmt::Debug for RunUntilCancelled<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelled").field("cancelled", &self.cancelled).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
