//! Applications around applications.
//!
//! A middleware is an [`App`](crate::asgi::App) that holds another one. It sees each request before that one does, may
//! answer in its place, may watch its call, and may change its response on the way out. To the server it is an
//! application like any other, so it can stand around everything that is one: a function, a router, a folder of files,
//! another middleware. Which one is inside is known when the program is compiled; there is no list that is walked for
//! each request.
//!
//! Four are here: [`RequestLog`] writes a line for each request, [`Timeout`] bounds the time of a response,
//! [`ProxyHeaders`] takes a proxy's word for who the client is, and, with the feature `compression`, `Compression`
//! compresses what gains by it.
//!
//! ```
//! use evloop_http::access_log::AccessLog;
//! use evloop_http::middleware::{RequestLog, Timeout};
//! use evloop_http::testing;
//! use evloop_http::{Request, Router};
//! use std::time::Duration;
//!
//! let router = Router::new().get("/", |_: Request| async { "Hello" });
//! // The outermost sees a request first and its response last: so the log has what the time-out answers, too.
//! let app = RequestLog::new(Timeout::new(router, Duration::from_secs(10)), AccessLog::Common);
//!
//! testing::drive(app, async |client| assert_eq!(client.get("/").send().await.text(), "Hello"));
//! ```
//!
//! # How to write one
//! Whatever it does, it passes [`App::lifespan`](crate::asgi::App::lifespan) on; else the application inside is never
//! told that the server starts.
//!
//! One that only changes responses gives a [`Filter`](crate::asgi::Filter) to the request, and its future is that of
//! the application inside:
//! ```
//! use evloop_http::asgi::{App, Filter, Lifespan, LifespanFuture, Receive, Scope, Send};
//! use evloop_http::codec::encode::ResponseHead;
//! use evloop_http::error::Error;
//! use evloop_http::testing;
//! use evloop_http::{Request, Router, StatusCode};
//!
//! /// Forbids browsers to guess the types of an application's responses.
//! struct NoSniff<A>(A);
//!
//! impl<A: App> App for NoSniff<A> {
//!     type Future = A::Future;
//!
//!     fn call(&self, scope: Scope, receive: Receive, mut send: Send) -> A::Future {
//!         send.set_filter(Box::new(AddNoSniff));
//!         self.0.call(scope, receive, send)
//!     }
//!
//!     fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
//!         self.0.lifespan(lifespan)
//!     }
//! }
//!
//! struct AddNoSniff;
//!
//! impl Filter for AddNoSniff {
//!     fn head(&mut self, _: StatusCode, head: &mut ResponseHead<'_>, _: Option<u64>) -> Result<bool, Error> {
//!         head.replace("x-content-type-options", b"nosniff")?;
//!         Ok(false) // the body stays as it is
//!     }
//! }
//!
//! let app = NoSniff(Router::new().get("/", |_: Request| async { "Hello" }));
//! testing::drive(app, async |client| {
//!     let response = client.get("/").send().await;
//!     assert_eq!((response.header("x-content-type-options"), response.text()), (Some("nosniff"), "Hello"));
//! });
//! ```
//!
//! One that may answer in the place of the application, or watches over its call, has a future of its own around the
//! other one. It is polled where it stands, so it costs no allocation:
//! ```
//! use evloop_http::asgi::{App, Lifespan, LifespanFuture, Receive, Result, Scope, Send};
//! use evloop_http::testing;
//! use evloop_http::{Request, Router, StatusCode};
//! use pin_project_lite::pin_project;
//! use std::pin::Pin;
//! use std::task::{Context, Poll};
//!
//! /// Refuses requests without the right token.
//! struct RequireToken<A> {
//!     app: A,
//!     authorization: String,
//! }
//!
//! impl<A> RequireToken<A> {
//!     fn new(app: A, token: &str) -> RequireToken<A> {
//!         RequireToken { app, authorization: format!("Bearer {token}") }
//!     }
//! }
//!
//! impl<A: App> App for RequireToken<A> {
//!     type Future = Guarded<A::Future>;
//!
//!     fn call(&self, scope: Scope, receive: Receive, mut send: Send) -> Guarded<A::Future> {
//!         if scope.header("authorization") == Some(&self.authorization) {
//!             return Guarded::Let { call: self.app.call(scope, receive, send) };
//!         }
//!         let fields = [("content-type", "text/plain"), ("www-authenticate", "Bearer")];
//!         Guarded::Refused { outcome: Some(send.respond(StatusCode::UNAUTHORIZED, b"a token is needed", fields)) }
//!     }
//!
//!     fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
//!         self.app.lifespan(lifespan)
//!     }
//! }
//!
//! pin_project! {
//!     #[project = GuardedProjection]
//!     enum Guarded<F> {
//!         Let { #[pin] call: F },
//!         Refused { outcome: Option<Result> },
//!     }
//! }
//!
//! impl<F: Future<Output = Result>> Future for Guarded<F> {
//!     type Output = Result;
//!
//!     fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result> {
//!         match self.project() {
//!             GuardedProjection::Let { call } => call.poll(cx),
//!             GuardedProjection::Refused { outcome } => {
//!                 Poll::Ready(outcome.take().expect("a future is not polled after it was ready"))
//!             }
//!         }
//!     }
//! }
//!
//! let app = RequireToken::new(Router::new().get("/", |_: Request| async { "the plans" }), "sesame");
//! testing::drive(app, async |client| {
//!     assert_eq!(client.get("/").send().await.status(), StatusCode::UNAUTHORIZED);
//!     let response = client.get("/").header("authorization", "Bearer sesame").send().await;
//!     assert_eq!(response.text(), "the plans");
//! });
//! ```

#[cfg(feature = "compression")]
mod compression;
mod proxy_headers;
mod request_log;
mod timeout;

#[cfg(feature = "compression")]
pub use compression::{BODY_BYTES_MIN, Compression, STREAMS_MAX};
pub use proxy_headers::{ParseTrustedError, ProxyHeaders, TrustedProxies};
pub use request_log::{CLIENT_GONE, Logged, RequestLog};
pub use timeout::{Timed, Timeout};

#[cfg(test)]
mod tests;
