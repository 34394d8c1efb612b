//! The memory of futures whose types are forgotten.
//!
//! The calls of one route have one type of future, so a box that held one can hold the next. When a call is over, its box
//! goes back to where it came from; the next call takes it from there.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// How many boxes are kept at most.
const KEPT_MAX: usize = 256;

/// Boxes for futures of one type.
pub(super) struct Boxes<F> {
    kept: Rc<Kept<F>>,
}

/// Boxes of futures that are over.
type Kept<F> = RefCell<Vec<Pin<Box<Slot<F>>>>>;

impl<F> Default for Boxes<F> {
    fn default() -> Self {
        Boxes { kept: Rc::default() }
    }
}

impl<F: Future + 'static> Boxes<F> {
    /// Puts a future into a box.
    #[inline]
    pub(super) fn fill(&self, future: F) -> Pooled<F::Output> {
        let kept = self.kept.borrow_mut().pop();
        let mut slot = kept.unwrap_or_else(|| Box::pin(Slot { future: None, home: None }));
        let mut empty = slot.as_mut().project();
        empty.future.set(Some(future));
        *empty.home = Some(Rc::clone(&self.kept));
        Pooled { slot: Some(slot) }
    }
}

pin_project_lite::pin_project! {
    /// A future's place, and where it goes back to.
    struct Slot<F> {
        #[pin]
        future: Option<F>,
        home: Option<Rc<Kept<F>>>,
    }
}

/// A future whose type has been forgotten.
trait Running<O> {
    fn poll_output(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O>;

    /// Drops the future and gives the box back.
    fn recycle(self: Pin<Box<Self>>);
}

impl<F: Future> Running<F::Output> for Slot<F> {
    #[inline]
    fn poll_output(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.as_pin_mut().expect("a slot is filled while it is polled").poll(cx)
    }

    #[inline]
    fn recycle(mut self: Pin<Box<Self>>) {
        let mut this = self.as_mut().project();
        this.future.set(None);
        if let Some(home) = this.home.take() {
            let mut kept = home.borrow_mut();
            if kept.len() < KEPT_MAX {
                kept.push(self);
            }
        }
    }
}

/// A future in a box that others use after it.
#[must_use = "futures do nothing unless they are awaited"]
pub(super) struct Pooled<O> {
    slot: Option<Pin<Box<dyn Running<O>>>>,
}

impl<O> Pooled<O> {
    /// A future in a box that goes with it.
    pub(super) fn alone(future: impl Future<Output = O> + 'static) -> Pooled<O> {
        Pooled { slot: Some(Box::pin(Slot { future: Some(future), home: None })) }
    }
}

impl<O> Future for Pooled<O> {
    type Output = O;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        self.slot.as_mut().expect("there until this is dropped").as_mut().poll_output(cx)
    }
}

impl<O> Drop for Pooled<O> {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.recycle();
        }
    }
}
