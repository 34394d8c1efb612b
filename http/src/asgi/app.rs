//! What can be served.

use super::lifespan::{Lifespan, LifespanFuture};
use super::{Receive, Scope, Send};
use crate::error::Error;

/// How an application's call ends.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// An application: called once for each request, polled inside the connection's task.
///
/// A call that ends without a response, or fails before it began one, is answered with 500. One that fails or ends while
/// its response is under way has the connection cut, so that the client sees that something is missing. A panic is a
/// failure.
///
/// # Examples
/// Any function of the three is an application:
/// ```
/// use evloop_http::asgi::{App, Receive, Result, Scope, Send};
///
/// async fn echo(_: Scope, mut receive: Receive, mut send: Send) -> Result {
///     send.response_start(200, [("content-type", "application/octet-stream")]).await?;
///     while let Some(piece) = receive.piece().await? {
///         send.response_piece(piece).await?;
///     }
///     send.response_end()
/// }
///
/// fn serve(_: impl App) {}
/// serve(echo);
/// ```
pub trait App: 'static {
    /// The call under way.
    type Future: Future<Output = Result> + 'static;

    /// Begins to answer a request.
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Self::Future;

    /// Runs beside the requests, from before the first to after the last; see [`Lifespan`]. One that ends at once, as this
    /// does unless it is written anew, has nothing to do then. An application around another one passes this on.
    fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
        drop(lifespan);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl<A, F> App for A
where
    A: Fn(Scope, Receive, Send) -> F + 'static,
    F: Future<Output = Result> + 'static,
{
    type Future = F;

    fn call(&self, scope: Scope, receive: Receive, send: Send) -> F {
        self(scope, receive, send)
    }
}
