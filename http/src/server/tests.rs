//! The server on a network in memory, under a clock that moves by hand: bytes in, bytes out.

mod applications;
mod bounds;
mod clauses;
mod clients;
mod content_length;
mod extensions;
mod filters;
mod grace;
mod headers;
mod leaving;
mod lifespan;
mod limits;
mod listeners;
mod losses;
mod patience;
mod receive;
mod scope;
mod send;
mod stop;
mod timeouts;
mod transcripts;
mod upgrade;

use super::Server;
use crate::asgi::App;
use crate::limits::Limits;
use crate::router::{BodyStream, Request, Response, Router};
use crate::testing::{logs, memory};
use bytes::Bytes;
use evloop_runtime::sync::oneshot;
use evloop_runtime::time::{sleep, timeout};
use evloop_runtime::{spawn, testing, turn};
use memory::{End, Faults, Network};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a pipe holds, where that does not matter.
const PIPE_BYTES: usize = 64 * 1024;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Waits until nothing can happen any more but that time passes: the clock stands still until then.
async fn quiet() {
    sleep(ms(1)).await;
}

/// Whether the tests run with a seed, as in `EVLOOP_SEED=17 cargo test -p evloop-http server::tests`: then tasks run in an
/// order that it chooses, and the network splits what goes over it. What looks at just that is left out.
fn is_seeded() -> bool {
    std::env::var_os("EVLOOP_SEED").is_some()
}

/// Runs a server for as long as `test` takes, stops it, and sees to it that nothing is left.
fn serve<A: App>(app: A, test: impl AsyncFnOnce(Network)) {
    serve_limited(Limits::default(), app, test);
}

fn serve_limited<A: App>(limits: Limits, app: A, test: impl AsyncFnOnce(Network)) {
    serve_as(|server| server.limits(limits), app, test);
}

fn serve_as<A: App>(
    configure: impl FnOnce(Server<Network>) -> Server<Network>,
    app: A,
    test: impl AsyncFnOnce(Network),
) {
    assert_eq!(serve_and_cut(configure, app, test), 0, "connections that did not end by themselves");
}

/// As [`serve_as`]; gives how many connections the stop has cut.
fn serve_and_cut<A: App>(
    configure: impl FnOnce(Server<Network>) -> Server<Network>,
    app: A,
    test: impl AsyncFnOnce(Network),
) -> usize {
    let runtime = testing::runtime();
    let cut = runtime.block_on(async {
        let split = Faults { split_percent: 50, short_percent: 50, ..Faults::default() };
        let network = if turn::seed().is_some() { Network::with_faults(split) } else { Network::default() };
        let (stop, stopped) = oneshot::channel();
        let server = configure(Server::new(network.clone()).graceful_timeout(ms(1_000)));
        let server = spawn(server.serve_until(app, async { stopped.await.unwrap_or(()) }));
        // An hour: none of the tests waits so long, but one that waits in vain shall fail and not hang.
        timeout(ms(3_600_000), test(network)).await.expect("the test waits for something that never comes");
        stop.send(()).expect("the server waits for it");
        server.await.expect("the server does not panic").expect("accepting does not fail here")
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
    cut
}

/// The application of most tests.
fn demo() -> Router {
    Router::new()
        .get("/", |_: Request| async { "Hello" })
        .get("/sleep", |_: Request| async {
            sleep(ms(100)).await;
            "slept"
        })
        .get("/panic", |_: Request| async { panics() })
        .get("/lines", |_: Request| async { Response::stream(Lines(3)) })
        .post("/echo", |request: Request| async { Response::stream(request.into_body()) })
        .post("/count", |mut request: Request| async move {
            request.bytes(1_000).await.map(|bytes| format!("{} bytes", bytes.len()))
        })
        .post("/ignore", |_: Request| async { "ignored" })
}

/// So many lines, whose length is not told beforehand.
struct Lines(usize);

impl BodyStream for Lines {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<crate::asgi::Result<Option<Bytes>>> {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        Poll::Ready(Ok(left.map(|_| Bytes::from_static(b"line\n"))))
    }
}

fn panics() -> Response {
    panic!("this handler panics whenever it is called")
}

/// Text without what depends on the day.
fn without_dates(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

/// Sends all of it and then nothing more; gives all that comes back.
async fn transcript(network: &Network, bytes: impl AsRef<[u8]>) -> String {
    let mut client = network.connect(PIPE_BYTES);
    client.send(bytes).await;
    client.finish();
    without_dates(&client.rest().await)
}

/// Whether it took as long as it may, and was late by no more than the roundings: early it never is.
fn is_about(seen: Duration, limit: Duration) -> bool {
    (limit..limit + ms(5)).contains(&seen)
}

/// An answer of the server's own, after which the connection ends; without its date.
fn refusal(status: &str) -> String {
    let text = &status[4..];
    let fields = format!("content-type: text/plain; charset=utf-8\r\ncontent-length: {}", text.len());
    format!("HTTP/1.1 {status}\r\n{fields}\r\nconnection: close\r\n\r\n{text}")
}

/// The answer to `GET /`, without its date.
const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 5\r\n\r\nHello";

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Sends one request more and sees it answered: the connection is as good as new.
async fn still_serves(client: &mut End) {
    client.send(GET).await;
    assert_eq!(without_dates(client.until("Hello").await.as_bytes()), HELLO);
}
