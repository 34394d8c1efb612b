//! A line for each request of a part of an application.

use crate::access_log::{AccessLog, Entry};
use crate::asgi::{App, Lifespan, LifespanFuture, Receive, Result, Scope, Send};
use crate::codec::date::Date;
use crate::message::StatusCode;
use evloop_runtime::time::{date, now};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Instant, UNIX_EPOCH};

/// The status that is logged where the client has gone before there was a response. It is never sent; logs have it from
/// nginx, by the name of "client closed request".
pub const CLIENT_GONE: StatusCode = match StatusCode::from_u16(499) {
    Some(status) => status,
    None => unreachable!(),
};

/// Logs the requests of the application inside, as [`Server::access_log`](crate::server::Server::access_log) does those
/// of a whole server: in the same forms, to the same [target](crate::access_log::TARGET).
///
/// A line is written when the call has ended, however that was:
///
/// | the call | is logged with |
/// |---|---|
/// | responds | its status, the bytes of the body as they are sent, and how long it took |
/// | fails, panics, or is dropped after it has begun a response | the same, of what it has sent |
/// | fails, panics, or ends before that | the status that the server answers with, mostly 500, and no bytes |
/// | is dropped before that, as its client has gone or the server stops at once | [`CLIENT_GONE`], and no bytes |
///
/// What never gets as far as the application inside, as a request that is malformed, is the server's to log. What both
/// are told to log has two lines.
///
/// Nothing is kept and no clock is read when nobody wants the lines: when the format is [`AccessLog::Off`], or the
/// logger does not take them.
///
/// # Examples
/// ```
/// use evloop_http::access_log::AccessLog;
/// use evloop_http::middleware::RequestLog;
/// use evloop_http::testing;
/// use evloop_http::{Request, Router};
///
/// let app = RequestLog::new(Router::new().get("/", |_: Request| async { "Hello" }), AccessLog::Json);
/// testing::drive(app, async |client| assert_eq!(client.get("/").send().await.text(), "Hello"));
/// ```
#[derive(Clone)]
#[must_use = "an application does nothing unless it is served"]
pub struct RequestLog<A> {
    app: A,
    format: AccessLog,
}

impl<A> RequestLog<A> {
    /// Logs the requests of `app` in this form.
    pub fn new(app: A, format: AccessLog) -> RequestLog<A> {
        RequestLog { app, format }
    }
}

impl<A> fmt::Debug for RequestLog<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLog").field("format", &self.format).finish_non_exhaustive()
    }
}

impl<A: App> App for RequestLog<A> {
    type Future = Logged<A::Future>;

    #[inline]
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Logged<A::Future> {
        let line = self.format.is_on().then(|| Line {
            scope: scope.clone(),
            format: self.format,
            began: now(),
            unanswered: StatusCode::INTERNAL_SERVER_ERROR,
        });
        Logged { call: self.app.call(scope, receive, send), line }
    }

    fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
        self.app.lifespan(lifespan)
    }
}

pin_project! {
    /// A call that is logged when it ends; see [`RequestLog`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Logged<F> {
        // Dropped first, so that the line has what it does while it is dropped.
        #[pin]
        call: F,
        // `None` when nobody wants it, and once it was written.
        line: Option<Line>,
    }
}

impl<F> fmt::Debug for Logged<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logged").field("is_wanted", &self.line.is_some()).finish_non_exhaustive()
    }
}

impl<F: Future<Output = Result>> Future for Logged<F> {
    type Output = Result;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result> {
        let this = self.project();
        let Some(line) = this.line else { return this.call.poll(cx) };
        line.unanswered = StatusCode::INTERNAL_SERVER_ERROR; // should it panic
        let polled = this.call.poll(cx);
        line.unanswered = match &polled {
            Poll::Pending => CLIENT_GONE,
            Poll::Ready(Err(error)) if error.is_gone() => CLIENT_GONE,
            Poll::Ready(Err(error)) => error.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Poll::Ready(Ok(())) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if polled.is_ready() {
            *this.line = None;
        }
        polled
    }
}

/// Writes itself when it is dropped.
struct Line {
    scope: Scope,
    format: AccessLog,
    began: Instant,
    /// What is logged as the status if there is no response.
    unanswered: StatusCode,
}

impl Drop for Line {
    fn drop(&mut self) {
        let took = now().saturating_duration_since(self.began);
        let since_1970 = date().duration_since(UNIX_EPOCH).unwrap_or_default();
        let sent = self.scope.sent().unwrap_or((self.unanswered, 0));
        self.format.note(&Entry::with(&self.scope, sent, &Date::at(since_1970.as_secs()), took));
    }
}
