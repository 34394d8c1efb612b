//! Paths to handlers: an application made of small ones.
//!
//! ```
//! use evloop_http::router::{BlockingRequest, Request, Router};
//!
//! let app = Router::new()
//!     .get("/", |_: Request| async { "Hello, World!" })
//!     .get("/users/{id}", |request: Request| async move { format!("user {}", request.param("id")) })
//!     .get_blocking("/report", |_: BlockingRequest| std::fs::read_to_string("report.txt").ok());
//! # let _ = app;
//! ```
//!
//! # Paths
//!
//! A path is made of segments, each after a `/`. A segment of a route is one of three:
//!
//! | | matches |
//! |---|---|
//! | `users` | a segment that says the same when it is decoded: `/café` is found as `/caf%C3%A9` |
//! | `{id}` | any one segment that is not empty |
//! | `{*path}` | at the end: one segment or more, of which the first is not empty |
//!
//! Where several routes match, the first segment in which they differ decides: what is literal goes before `{id}`, and
//! that before `{*path}`. The order in which routes are added does not matter. `%2F` separates nothing. A slash at the end
//! makes another path, and nothing is redirected: `/users/` is not `/users`.
//!
//! # Methods
//!
//! HEAD is answered as GET where it has no handler of its own, and its body is left out by the connection. OPTIONS is
//! answered with 204 and `Allow` where it has none, `OPTIONS *` with all methods of the router. A method that its path does
//! not have gets 405 with `Allow` (RFC 9110 section 15.5.6): the path is chosen first, then its method.
//!
//! CONNECT, which has no path and is looked up as `/`, and TRACE get 501 where there is no handler for them. This is no
//! proxy, so there is nobody to connect to; and a TRACE would send back what the request carried on its way, cookies and
//! what proxies have added, to be read by whoever made a browser send it.
//!
//! # Features
//!
//! Off unless they are asked for: `json` for values in and out of JSON, queries and forms, by the derive of `serde`;
//! `http-types` for conversions from and to the types of the `http` crate.
//!
//! # Memory
//!
//! Handlers have as many types as there are routes. Each route keeps the memory of its futures for the next requests, so
//! that calling one allocates nothing once the route has been as busy before.

mod blocking;
mod content;
mod handler;
#[cfg(feature = "http-types")]
mod http_types;
mod into_response;
#[cfg(feature = "json")]
mod json;
mod methods;
mod mount;
mod path;
mod pooled;
mod request;
mod response;
mod routed;
mod shared;
mod stream;
mod turns;

pub use blocking::BlockingRequest;
pub use content::Form;
pub use handler::Handler;
pub use into_response::IntoResponse;
#[cfg(feature = "json")]
pub use json::Json;
pub use request::Request;
pub use response::{Body, Response};
pub use routed::Routed;
pub use stream::{BodyStream, Pieces};

use crate::asgi::{App, Receive, Scope, Send};
use crate::message::{Method, StatusCode};
use handler::Route;
use methods::{Answers, Methods, allow};
use mount::Mounts;
use path::{Pattern, Tree};
use request::Place;
use shared::Shared;
use std::fmt;
use std::rc::Rc;

/// An application that finds a handler by path and method.
///
/// It has no [lifespan](crate::asgi::Lifespan) of its own; [`with_lifespan`](crate::asgi::with_lifespan) gives it one.
#[derive(Default)]
pub struct Router {
    tree: Tree<Methods>,
    mounts: Mounts,
    fallback: Option<Box<dyn Route>>,
    /// The methods that have a handler somewhere.
    methods: Vec<String>,
    shared: Rc<Shared>,
    rules: Rc<blocking::Rules>,
}

impl Router {
    /// A router that answers everything with 404.
    #[must_use]
    pub fn new() -> Router {
        Router::default()
    }

    /// Answers GET, and HEAD, on a path; see [the module](self) for what a path can be.
    ///
    /// # Panics
    /// When the path does not begin with `/`, has a brace that is not around a whole segment, has a parameter without a
    /// name or two of one name, goes on after `{*rest}`, or has a handler for the method already.
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

    /// Answers PATCH on a path.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn patch<H: Handler>(self, path: &str, handler: H) -> Router {
        self.route(Method::Patch, path, handler)
    }

    /// Answers HEAD on a path, in place of the handler for GET.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn head<H: Handler>(self, path: &str, handler: H) -> Router {
        self.route(Method::Head, path, handler)
    }

    /// Answers OPTIONS on a path, in place of the router.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn options<H: Handler>(self, path: &str, handler: H) -> Router {
        self.route(Method::Options, path, handler)
    }

    /// Answers a method on a path.
    ///
    /// # Panics
    /// As [`get`](Router::get), and when the method is [`Method::Other`]: [`route_named`](Router::route_named) tells
    /// which.
    #[must_use]
    pub fn route<H: Handler>(self, method: Method, path: &str, handler: H) -> Router {
        self.add(Answers::method(method), path, handler)
    }

    /// Answers a method of any name on a path: `PURGE`, `PROPFIND`. Names are compared as they are, capitals and all.
    ///
    /// # Panics
    /// As [`get`](Router::get), and when the name is no token.
    #[must_use]
    pub fn route_named<H: Handler>(self, method: &str, path: &str, handler: H) -> Router {
        self.add(Answers::named(method), path, handler)
    }

    /// Answers every method on a path that has no handler of its own there, also those that nobody knows; but for CONNECT,
    /// whose target is no path.
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn any<H: Handler>(self, path: &str, handler: H) -> Router {
        self.add(Answers::Any, path, handler)
    }

    /// Answers GET, and HEAD, on a path with a function that may block: it is called on a thread of the loop's
    /// [pool](evloop_runtime::spawn_blocking), and the loop turns on meanwhile. It is what a plain `def` is to Starlette.
    ///
    /// The function gets the whole request, its body read beforehand: up to 1 MiB, or what
    /// [`blocking_body_bytes_max`](Router::blocking_body_bytes_max) says. A longer one is answered with 413. It gives what
    /// can be a response with a whole body; that is made on the same thread. A panic in it is a 500.
    ///
    /// At most 40 such functions of a router run at once, or as many as [`blocking_limit`](Router::blocking_limit) says;
    /// the next wait their turn, first come, first served. One whose client goes away meanwhile leaves the line; one that
    /// runs cannot be stopped.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{BlockingRequest, Router};
    ///
    /// fn report(request: BlockingRequest) -> std::result::Result<String, evloop_http::error::Error> {
    ///     let name = if request.query_param("long").is_some() { "long.txt" } else { "short.txt" };
    ///     Ok(std::fs::read_to_string(name)?)
    /// }
    /// let app = Router::new().get_blocking("/report", report);
    /// # let _ = app;
    /// ```
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn get_blocking<H, R>(self, path: &str, handler: H) -> Router
    where
        H: Fn(BlockingRequest) -> R + std::marker::Send + Sync + 'static,
        R: IntoResponse + 'static,
    {
        self.route_blocking(Method::Get, path, handler)
    }

    /// Answers POST on a path with a function that may block; see [`get_blocking`](Router::get_blocking).
    ///
    /// # Panics
    /// As [`get`](Router::get).
    #[must_use]
    pub fn post_blocking<H, R>(self, path: &str, handler: H) -> Router
    where
        H: Fn(BlockingRequest) -> R + std::marker::Send + Sync + 'static,
        R: IntoResponse + 'static,
    {
        self.route_blocking(Method::Post, path, handler)
    }

    /// Answers a method on a path with a function that may block; see [`get_blocking`](Router::get_blocking).
    ///
    /// # Panics
    /// As [`route`](Router::route).
    #[must_use]
    pub fn route_blocking<H, R>(self, method: Method, path: &str, handler: H) -> Router
    where
        H: Fn(BlockingRequest) -> R + std::marker::Send + Sync + 'static,
        R: IntoResponse + 'static,
    {
        let handler = blocking::handler(&self.rules, handler);
        self.route(method, path, handler)
    }

    /// Lets so many of its handlers block at once, 40 unless this is called. The loop's pool may have fewer threads.
    ///
    /// # Panics
    /// When that is none.
    #[must_use]
    pub fn blocking_limit(self, limit: usize) -> Router {
        self.rules.turns.set_limit(limit);
        self
    }

    /// Reads bodies of at most so many bytes for handlers that block, 1 MiB unless this is called. So much may be held
    /// for each request that waits for its turn.
    #[must_use]
    pub fn blocking_body_bytes_max(self, bytes: usize) -> Router {
        self.rules.body_bytes_max.set(bytes);
        self
    }

    /// Keeps a value for the handlers, which find it by its type with [`Request::state`]. Handlers that block cannot: what
    /// they share goes into their closure, in an `Arc`.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Router};
    /// use std::cell::Cell;
    ///
    /// async fn count(request: Request) -> Option<String> {
    ///     let visits: &Cell<u64> = request.state()?;
    ///     visits.set(visits.get() + 1);
    ///     Some(format!("visit {}", visits.get()))
    /// }
    /// let app = Router::new().state(Cell::new(0_u64)).get("/", count);
    /// # let _ = app;
    /// ```
    ///
    /// # Panics
    /// When there is one of this type already.
    #[must_use]
    pub fn state<T: 'static>(self, value: T) -> Router {
        self.shared.insert(value);
        self
    }

    /// Answers what leads nowhere, whatever its method, in place of 404. A path that is known with another method still
    /// gets 405.
    ///
    /// # Panics
    /// When there is a fall-back already.
    #[must_use]
    pub fn fallback<H: Handler>(mut self, handler: H) -> Router {
        assert!(self.fallback.is_none(), "the router has a fall-back already");
        self.fallback = Some(handler::route(Place::new(Pattern::default(), &self.shared), handler));
        self
    }

    /// Leaves a path, and all below it, to an application: `/api` is `/api` and `/api/...`, but not `/apis`. `/` is
    /// everything. There the path is the application's [`root_path`](Scope::root_path), and a router that is mounted looks
    /// at what follows; `/api` itself is its `/`, as `/api/` is.
    ///
    /// The router's own paths go before, and of several mounts the longest. Lifespans are not run for applications that are
    /// mounted, as in Starlette: what they need is made by that of the whole, and lies in [`Scope::state`].
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Router};
    ///
    /// let users = Router::new()
    ///     .get("/", |_: Request| async { "all users" })
    ///     .get("/{id}", |request: Request| async move { format!("user {}", request.param("id")) });
    /// let app = Router::new().mount("/users", users);
    /// # let _ = app;
    /// ```
    ///
    /// # Panics
    /// When the path does not begin with `/`, ends with one and is longer, has a parameter, or is taken.
    #[must_use]
    pub fn mount<A: App>(mut self, path: &str, app: A) -> Router {
        self.mounts.insert(path, app);
        self
    }

    fn add<H: Handler>(mut self, answers: Answers<'_>, path: &str, handler: H) -> Router {
        let pattern = Pattern::new(path);
        let methods = self.tree.entry(&pattern);
        let added = methods.insert(answers, handler::route(Place::new(pattern, &self.shared), handler));
        assert!(added, "{} {path} has a handler already", answers.name().unwrap_or("any method on"));
        let is_new = |name: &&str| self.methods.iter().all(|known| known != name);
        self.methods.extend(answers.name().filter(is_new).map(str::to_owned));
        self
    }

    /// Where a request goes whose path has no handlers.
    #[cold]
    fn leave(&self, scope: Scope, receive: Receive, send: Send) -> Routed {
        let (path, method) = (scope.route_path_bytes(), scope.method());
        if method == Method::Connect {
            return Routed::given(send, StatusCode::NOT_IMPLEMENTED);
        }
        if let Some((app, bytes)) = self.mounts.find(path) {
            return app.call(scope.mounted(bytes), receive, send);
        }
        match &self.fallback {
            _ if method == Method::Trace => Routed::given(send, StatusCode::NOT_IMPLEMENTED),
            _ if path == b"*" => Routed::given(send, options(allow(self.methods.iter().map(String::as_str)))),
            Some(route) => route.call(scope, receive, send),
            None => Routed::given(send, StatusCode::NOT_FOUND),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

impl App for Router {
    type Future = Routed;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "each kind of connection has its own, and a request passes through it once"
    )]
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Routed {
        match self.tree.find(scope.route_path_bytes()) {
            Some(methods) => match methods.find(&scope) {
                Some(route) => route.call(scope, receive, send),
                None => no_handler(send, methods, scope.method()),
            },
            None => self.leave(scope, receive, send),
        }
    }
}

/// What is said on a path that has handlers, but none for this method.
#[cold]
fn no_handler(send: Send, methods: &Methods, method: Method) -> Routed {
    match method {
        Method::Connect | Method::Trace => Routed::given(send, StatusCode::NOT_IMPLEMENTED),
        Method::Options => Routed::given(send, options(methods.allow())),
        _ => Routed::given(send, StatusCode::METHOD_NOT_ALLOWED.into_response().with_header("allow", methods.allow())),
    }
}

fn options(allow: String) -> Response {
    Response::new(StatusCode::NO_CONTENT).with_header("allow", allow)
}

#[cfg(test)]
mod tests;
