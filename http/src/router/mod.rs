//! Paths to handlers: an application made of small ones.
//!
//! ```
//! use evloop_http::router::{Request, Router};
//!
//! let app = Router::new()
//!     .get("/", |_: Request| async { "Hello, World!" })
//!     .get("/users/{id}", |request: Request| async move { format!("user {}", request.param("id").unwrap_or("?")) });
//! # let _ = app;
//! ```
//!
//! A path is a tree of segments; what is literal goes before what is a parameter. A path that is known with another method
//! gets 405 with `Allow`; HEAD is answered as GET, and its body left out by the connection.
//!
//! Handlers have as many types as there are routes. Each route keeps the memory of its futures for the next requests, so
//! that calling one allocates nothing once the route has been as busy before.

mod handler;
mod path;
mod request;
mod response;

pub use handler::Handler;
pub use request::Request;
pub use response::{Body, BodyStream, IntoResponse, Response};

use crate::asgi::{self, App, Receive, Scope, Send};
use crate::codec::encode::FieldLine;
use crate::error::Error;
use crate::message::{Method, StatusCode};
use bytes::Bytes;
use handler::{Call, Route};
use path::{Pattern, Tree};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// An application that finds a handler by path and method.
#[derive(Default)]
pub struct Router {
    tree: Tree<Methods>,
}

/// The handlers of one path.
#[derive(Default)]
struct Methods {
    routes: Vec<(Method, Rc<dyn Route>)>,
}

impl Methods {
    fn find(&self, method: Method) -> Option<&Rc<dyn Route>> {
        let find = |wanted| self.routes.iter().find(|(method, _)| *method == wanted).map(|(_, route)| route);
        match method {
            Method::Head => find(Method::Head).or_else(|| find(Method::Get)),
            method => find(method),
        }
    }

    /// The value of `Allow` (RFC 9110 section 10.2.1).
    fn allow(&self) -> String {
        let mut names: Vec<&str> = self.routes.iter().filter_map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        names.join(", ")
    }
}

impl Router {
    /// A router that answers everything with 404.
    #[must_use]
    pub fn new() -> Router {
        Router::default()
    }

    /// Answers GET, and HEAD, on a path. A segment like `{id}` stands for any one segment that is not empty.
    ///
    /// # Panics
    /// When the path does not begin with `/`, names a parameter twice, or has a handler for the method already.
    #[must_use]
    pub fn get<H: Handler>(self, path: &str, handler: H) -> Router {
        self.route(Method::Get, path, handler)
    }

    /// Answers POST on a path.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn post<H: Handler>(self, path: &str, handler: H) -> Router {
        self.route(Method::Post, path, handler)
    }

    /// Answers PUT on a path.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn put<H: Handler>(self, path: &str, handler: H) -> Router {
        self.route(Method::Put, path, handler)
    }

    /// Answers DELETE on a path.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn delete<H: Handler>(self, path: &str, handler: H) -> Router {
        self.route(Method::Delete, path, handler)
    }

    /// Answers a method on a path.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn route<H: Handler>(mut self, method: Method, path: &str, handler: H) -> Router {
        let pattern = Rc::new(Pattern::new(path));
        let methods = self.tree.entry(&pattern);
        let taken = methods.routes.iter().any(|(known, _)| *known == method);
        assert!(!taken, "{} {path} has a handler already", method.as_str().unwrap_or("the method"));
        methods.routes.push((method, handler::route(pattern, handler)));
        self
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

impl App for Router {
    type Future = Routed;

    #[inline]
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Routed {
        let methods = self.tree.find(scope.route_path_bytes());
        let state = match methods.and_then(|methods| methods.find(scope.method())) {
            Some(route) => State::Handler(Rc::clone(route).call(scope, receive)),
            None => State::NoHandler(methods.map(Methods::allow)),
        };
        Routed { state, send }
    }
}

/// What is said where there is no handler: that there is no such path, or which methods it has.
#[cold]
fn no_handler(allow: Option<String>) -> Response {
    match allow {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(methods) => StatusCode::METHOD_NOT_ALLOWED.into_response().with_header("allow", methods),
    }
}

/// A request on its way through a [`Router`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Routed {
    state: State,
    send: Send,
}

enum State {
    Handler(Call),
    /// The methods that the path has, if it has any.
    NoHandler(Option<String>),
    Stream(Pin<Box<dyn BodyStream>>),
}

impl fmt::Debug for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed").finish_non_exhaustive()
    }
}

impl Future for Routed {
    type Output = asgi::Result;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<asgi::Result> {
        let this = &mut *self;
        loop {
            let response = match &mut this.state {
                State::Handler(call) => ready!(call.poll_response(cx)),
                State::NoHandler(allow) => no_handler(allow.take()),
                State::Stream(stream) => return pump(stream, &mut this.send, cx),
            };
            match answer(&mut this.send, response, cx)? {
                Some(stream) => this.state = State::Stream(stream),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Writes a response, but for a body that is a stream: that comes back.
#[inline]
fn answer(
    send: &mut Send,
    response: Response,
    cx: &mut Context<'_>,
) -> Result<Option<Pin<Box<dyn BodyStream>>>, Error> {
    let Response { status, content_type, line, fields, body } = response;
    let write_fields = |head: &mut crate::codec::encode::ResponseHead<'_>| {
        content_type.into_iter().chain(line).for_each(|line| head.line(line));
        fields.iter().try_for_each(|(name, value)| head.header(name, value))
    };
    match body {
        Body::Bytes(bytes) => send.respond_with(status, &bytes, write_fields).map(|()| None),
        Body::Stream { mut stream, length } => {
            // Asked before the head is written: where the stream is the request's own body, the client may wait for
            // `100 Continue`, which goes before the head; and what fails at once can still be answered as a failure.
            let first = stream.as_mut().poll_piece(cx)?;
            send.start_with(status, length, write_fields)?;
            if let Poll::Ready(Some(piece)) = &first {
                send.push(piece)?;
            }
            if matches!(first, Poll::Ready(None)) || send.omits_body() {
                return send.response_end().map(|()| None);
            }
            Ok(Some(stream))
        }
    }
}

/// Moves a stream's pieces to the connection, as there is room for them.
fn pump(stream: &mut Pin<Box<dyn BodyStream>>, send: &mut Send, cx: &mut Context<'_>) -> Poll<asgi::Result> {
    loop {
        ready!(send.poll_room(cx))?;
        match ready!(stream.as_mut().poll_piece(cx))? {
            Some(piece) => send.push(&piece)?,
            None => return Poll::Ready(send.response_end()),
        }
    }
}

/// Text that a status says by itself.
fn status_text(status: StatusCode) -> Response {
    // A 205 is framed as others are, but has no content (RFC 9110 section 15.3.6).
    if status.forbids_body() || status == StatusCode::RESET_CONTENT {
        return Response::new(status);
    }
    let body = Bytes::from_static(status.reason().as_bytes());
    Response { content_type: Some(FieldLine::TEXT_PLAIN), ..Response::new(status) }.with_body(body)
}

#[cfg(test)]
mod tests;
