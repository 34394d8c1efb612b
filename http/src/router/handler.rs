//! Handlers of any type behind one.

use super::into_response::IntoResponse;
use super::pooled::{Boxes, Pooled};
use super::request::{Place, Request};
use super::response::Response;
use crate::asgi::{Receive, Scope};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

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
    fn call(&self, scope: Scope, receive: Receive) -> Pooled<Response>;
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
    fn call(&self, scope: Scope, receive: Receive) -> Pooled<Response> {
        let future = self.handler.call(Request::new(scope, receive, Rc::clone(&self.place)));
        self.boxes.fill(Answering { future })
    }
}

pin_project_lite::pin_project! {
    /// Makes a response of what a handler gives.
    struct Answering<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output: IntoResponse>> Future for Answering<F> {
    type Output = Response;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        self.project().future.poll(cx).map(IntoResponse::into_response)
    }
}
