//! A bound on the time of a response.

use crate::asgi::{App, Lifespan, LifespanFuture, Receive, Result, Scope, Send};
use crate::codec::encode::FieldLine;
use crate::error::Error;
use crate::message::StatusCode;
use evloop_runtime::time::{Sleep, sleep};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Gives the application inside so long for each response.
///
/// When the time is up, the call is dropped where it waits. If nothing of its response has been written, the client
/// gets 503; else the response is cut, so that the client sees that something is missing, and the server's log says
/// why. A call whose response is over in time may go on for as long as it likes.
///
/// The time begins when the call first waits: one that never does, costs no timer. It counts while the client sends its
/// body and while it reads the response, so it is a bound on what one request can hold, whoever is slow. What streams
/// without an end, and what tunnels, does not belong into it.
///
/// Why 503: it says that the server cannot handle the request now (RFC 9110 section 15.6.4), which is what has
/// happened. 504 is a gateway's word, for the server behind it (15.6.5), and 408 puts the blame on a client that has
/// not sent its request in time (15.5.9), and invites it to send the same again.
///
/// # Cancel safety
/// The application inside must bear to be dropped at any point where it waits, as it must when its client goes away.
/// What must not be left half done goes to a task of its own, of which the call awaits the handle: dropping that lets
/// the task run on.
///
/// # Examples
/// ```
/// use evloop_http::middleware::Timeout;
/// use evloop_http::testing;
/// use evloop_http::{Request, Router, StatusCode};
/// use evloop_runtime::time::sleep;
/// use std::time::Duration;
///
/// let router = Router::new().get("/{seconds}", |request: Request| {
///     let seconds = request.param("seconds").parse().unwrap_or(0);
///     async move {
///         sleep(Duration::from_secs(seconds)).await;
///         "done"
///     }
/// });
/// testing::drive(Timeout::new(router, Duration::from_secs(10)), async |client| {
///     assert_eq!(client.get("/9").send().await.text(), "done");
///     assert_eq!(client.get("/11").send().await.status(), StatusCode::SERVICE_UNAVAILABLE);
/// });
/// ```
#[derive(Clone)]
#[must_use = "an application does nothing unless it is served"]
pub struct Timeout<A> {
    app: A,
    duration: Duration,
}

impl<A> Timeout<A> {
    /// Gives `app` so long for each response.
    pub fn new(app: A, duration: Duration) -> Timeout<A> {
        Timeout { app, duration }
    }
}

impl<A> fmt::Debug for Timeout<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("duration", &self.duration).finish_non_exhaustive()
    }
}

impl<A: App> App for Timeout<A> {
    type Future = Timed<A::Future>;

    #[inline]
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Timed<A::Future> {
        let call = Some(self.app.call(scope, receive, send.clone()));
        Timed { call, send, time: Time::Unbegun(self.duration) }
    }

    fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
        self.app.lifespan(lifespan)
    }
}

pin_project! {
    /// A call that has so long; see [`Timeout`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Timed<F> {
        // `None` once its time was up.
        #[pin]
        call: Option<F>,
        send: Send,
        time: Time,
    }
}

#[derive(Debug)]
enum Time {
    /// The call has not waited yet.
    Unbegun(Duration),
    Running(Sleep, Duration),
    /// The time was up when the response was over already.
    Unbounded,
}

impl<F> fmt::Debug for Timed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").field("time", &self.time).finish_non_exhaustive()
    }
}

impl<F: Future<Output = Result>> Future for Timed<F> {
    type Output = Result;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result> {
        let mut this = self.project();
        let call = this.call.as_mut().as_pin_mut().expect("a future is not polled after it was ready");
        if let Poll::Ready(outcome) = call.poll(cx) {
            return Poll::Ready(outcome);
        }
        if let Time::Unbegun(duration) = *this.time {
            *this.time = Time::Running(sleep(duration), duration);
        }
        let Time::Running(sleep, duration) = this.time else { return Poll::Pending };
        ready!(Pin::new(sleep).poll(cx));
        if this.send.is_over() {
            *this.time = Time::Unbounded;
            return Poll::Pending;
        }
        this.call.set(None); // what it holds is free before the client is told
        Poll::Ready(time_out(this.send, *duration))
    }
}

/// Answers for a call that was dropped, or says why its response is cut.
#[cold]
fn time_out(send: &mut Send, duration: Duration) -> Result {
    if send.is_over() {
        return Ok(()); // ended by what the call did while it was dropped
    }
    if !send.is_due() {
        return Err(Error::application(format!("its response was not over after {duration:?}")));
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    send.take_back_begun();
    send.respond_with(status, status.reason().as_bytes(), |head| {
        head.line(FieldLine::TEXT_PLAIN);
        Ok(())
    })
}
