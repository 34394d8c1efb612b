//! evloop, as its user writes it: [`Server`] and [`Router`], one loop on one thread.
//!
//! What is set, and why:
//! - `keep_alive` is 75 s in place of 5 s, as it is with nginx, so that the connections that are counted while they idle are
//!   not closed meanwhile. The deadline is kept for each of them all the same.
//! - Everything else is as it comes: no access log, the deadlines for heads, bodies and writes, the limits, a `Date` in
//!   each answer, `TCP_NODELAY`.

use super::answers::{PLAINTEXT, POSTED_BYTES, ROUTES, large_body, route_body, route_path};
use bytes::Bytes;
use evloop::http::asgi;
use evloop::http::limits::Timeouts;
use evloop::http::{Request, Response, Router, Server};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// Serves until killed.
///
/// # Errors
///
/// What the system says.
pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    evloop::run(async move {
        let listener = evloop::net::TcpListener::from_std(listener)?;
        let timeouts = Timeouts { keep_alive: Some(Duration::from_secs(75)), ..Timeouts::default() };
        Server::new(listener).timeouts(timeouts).serve(router()).await
    })
}

fn router() -> Router {
    let large = Bytes::from(large_body());
    let router = Router::new()
        .get("/plaintext", |_: Request| async { PLAINTEXT })
        .post("/echo-length", echo_length)
        .get("/100k", move |_: Request| {
            let body = large.clone();
            async move { Response::text(body) }
        });
    (0..ROUTES).fold(router, |router, index| {
        let body = Bytes::from(route_body(index));
        router.get(&route_path(index), move |_: Request| {
            let body = body.clone();
            async move { Response::text(body) }
        })
    })
}

async fn echo_length(mut request: Request) -> asgi::Result<String> {
    Ok(request.bytes(POSTED_BYTES).await?.len().to_string())
}
