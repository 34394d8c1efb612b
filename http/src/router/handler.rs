//! Handlers of any type behind one, and the memory of their futures.
//!
//! A route's calls have one type of future, so a box that held one can hold the next. When a call is over, its box goes
//! back to its route; the next call takes it from there.

use super::path::Pattern;
use super::request::Request;
use super::response::{IntoResponse, Response};
use crate::asgi::{Receive, Scope};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// How many boxes a route keeps at most.
const KEPT_MAX: usize = 256;

/// Answers requests: any function from a [`Request`] to a future of what can be a response.
pub trait Handler: 'static {
    /// The answer under way.
    type Future: Future<Output: IntoResponse> + 'static;

    /// Begins to answer.
    fn call(&self, request: Request) -> Self::Future;
}

impl<H, F> Handler for H
where
    H: Fn(Request) -> F + 'static,
    F: Future<Output: IntoResponse> + 'static,
{
    type Future = F;

    #[inline]
    fn call(&self, request: Request) -> F {
        self(request)
    }
}

/// A handler whose type has been forgotten.
pub(super) trait Route {
    fn call(self: Rc<Self>, scope: Scope, receive: Receive) -> Call;
}

pub(super) fn route<H: Handler>(pattern: Rc<Pattern>, handler: H) -> Rc<dyn Route> {
    Rc::new(Typed { pattern, handler, kept: RefCell::default() })
}

struct Typed<H: Handler> {
    pattern: Rc<Pattern>,
    handler: H,
    /// Boxes of calls that are over.
    kept: RefCell<Vec<Pin<Box<Slot<H>>>>>,
}

impl<H: Handler> Route for Typed<H> {
    fn call(self: Rc<Self>, scope: Scope, receive: Receive) -> Call {
        let future = self.handler.call(Request::new(scope, receive, Rc::clone(&self.pattern)));
        let kept = self.kept.borrow_mut().pop();
        let mut slot = kept.unwrap_or_else(|| Box::pin(Slot { future: None, route: None }));
        slot.as_mut().fill(future, self);
        Call { slot: Some(slot) }
    }
}

pin_project_lite::pin_project! {
    /// A future's place, and where it goes back to.
    struct Slot<H: Handler> {
        #[pin]
        future: Option<H::Future>,
        route: Option<Rc<Typed<H>>>,
    }
}

impl<H: Handler> Slot<H> {
    fn fill(self: Pin<&mut Self>, future: H::Future, route: Rc<Typed<H>>) {
        let mut this = self.project();
        this.future.set(Some(future));
        *this.route = Some(route);
    }
}

/// A call whose type has been forgotten.
trait Running {
    fn poll_response(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response>;

    /// Drops the future and gives the box back to its route.
    fn recycle(self: Pin<Box<Self>>);
}

impl<H: Handler> Running for Slot<H> {
    #[inline]
    fn poll_response(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let future = self.project().future.as_pin_mut().expect("a slot is filled while it is called");
        future.poll(cx).map(IntoResponse::into_response)
    }

    #[inline]
    fn recycle(mut self: Pin<Box<Self>>) {
        let mut this = self.as_mut().project();
        this.future.set(None);
        if let Some(route) = this.route.take() {
            let mut kept = route.kept.borrow_mut();
            if kept.len() < KEPT_MAX {
                kept.push(self);
            }
        }
    }
}

/// A handler's answer under way.
pub(super) struct Call {
    slot: Option<Pin<Box<dyn Running>>>,
}

impl Call {
    #[inline]
    pub(super) fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Response> {
        self.slot.as_mut().expect("there until the call is dropped").as_mut().poll_response(cx)
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.recycle();
        }
    }
}
