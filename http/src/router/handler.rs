//! Handlers of any type behind one.

use super::into_response::IntoResponse;
use super::pooled::Boxes;
use super::request::{Place, Request};
use super::routed::{Answering, Routed};
use crate::asgi::{Receive, Scope, Send};
use std::rc::Rc;

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
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Routed;
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
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Routed {
        let future = self.handler.call(Request::new(scope, receive, Rc::clone(&self.place)));
        Routed { answering: self.boxes.fill(Answering::new(future, send)) }
    }
}
