//! Handlers of any type behind one.

use super::into_response::IntoResponse;
use super::pooled::{Boxes, Pooled};
use super::request::{Place, Request};
use super::routed::Streaming;
use crate::asgi::{Receive, Result, Scope, Send};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

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
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Pooled<Result<Option<Streaming>>>;
}

pub(super) fn route<H: Handler>(place: Place, handler: H) -> Box<dyn Route> {
    Box::new(Typed { place: Rc::new(place), handler, boxes: Boxes::default() })
}

struct Typed<H: Handler> {
    place: Rc<Place>,
    handler: H,
    boxes: Boxes<Answering<H::Future>>,
}

impl<H: Handler> Route for Typed<H> {
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Pooled<Result<Option<Streaming>>> {
        let future = self.handler.call(Request::new(scope, receive, Rc::clone(&self.place)));
        self.boxes.fill(Answering { future, send: Some(send) })
    }
}

pin_project_lite::pin_project! {
    /// Sends what a handler gives.
    struct Answering<F> {
        #[pin]
        future: F,
        send: Option<Send>,
    }
}

impl<F: Future<Output: IntoResponse>> Future for Answering<F> {
    type Output = Result<Option<Streaming>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let given = ready!(this.future.poll(cx));
        let send = this.send.take().expect("a future is not polled after it was ready");
        Poll::Ready(given.answer(send, cx))
    }
}
