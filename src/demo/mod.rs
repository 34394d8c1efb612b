//! The application that `evloop serve` serves: one route for each thing there is to see, and a page that shows the loop.

mod gauge;
mod guard;
mod live;
mod numbers;
mod page;
mod play;
#[cfg(test)]
mod tests;

pub(crate) use live::Live;

use bytes::Bytes;
use evloop::http::asgi::{self, Address};
use evloop::http::codec::encode::FieldLine;
use evloop::http::router::BodyStream;
use evloop::http::{BlockingRequest, IntoResponse, Request, Response, Router, StatusCode};
use evloop::time::sleep;
use evloop::turn;
use serde_json::json;
use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

const HELLO: &str = "Hello, World!";

/// The longest wait that can be asked for: an hour, in milliseconds.
const MS_MAX: u64 = 3_600_000;

/// The demo.
pub(crate) fn app(live: &Live) -> Router {
    let on = |answer: fn(&Live, &Request) -> Response| {
        let live = live.clone();
        move |request: Request| std::future::ready(answer(&live, &request))
    };
    Router::new()
        .get("/", |request: Request| async move { page::home(&request) })
        .get("/page.css", |request: Request| async move { page::STYLE.answer(&request) })
        .get("/page.js", |request: Request| async move { page::SCRIPT.answer(&request) })
        .get("/live", on(Live::look))
        .post("/sleepers", on(|live, request| play::sleepers(live, request).into_response()))
        .post("/ticker", on(|live, request| play::ticker(live, request).into_response()))
        .get("/plaintext", |_: Request| async { HELLO })
        .get("/health", on(|live, _| health(live)))
        .post("/echo", |request: Request| async { echo(request) })
        .get("/stream", |_: Request| async { lines() })
        .get("/big", |request: Request| async move { big(&request) })
        .get("/metrics", numbers::numbers())
        .get("/headers", |request: Request| async move { headers(&request) })
        .get("/sleep", on_the_timer)
        .get_blocking("/block", |request: BlockingRequest| on_the_pool(&request))
        .get("/block-loop", |request: Request| async move { on_the_loop(&request) })
        .get("/panic", |_: Request| async { panics() })
        .get("/dump", |_: Request| async { turn::dump().to_string() })
        .get("/status/{code}", |request: Request| async move { status(&request) })
}

/// For a balancer: whether to send more requests here. While the server stops, whose connections are still open are told.
fn health(live: &Live) -> Response {
    let answer =
        if live.is_stopping() { (StatusCode::SERVICE_UNAVAILABLE, "stopping\n") } else { (StatusCode::OK, "ok\n") };
    answer.into_response().with_header("cache-control", "no-store")
}

/// The request's body, as it comes.
fn echo(request: Request) -> Response {
    let content_type = request.headers().get("content-type").unwrap_or(b"application/octet-stream").to_vec();
    Response::stream(request.into_body()).with_header("content-type", content_type)
}

/// How many lines `/stream` has, and the time between two of them.
const LINES: u32 = 10;
const BETWEEN_LINES: Duration = Duration::from_millis(100);

/// A line now and then, so that a client sees the body come.
fn lines() -> Response {
    let lines = Response::produce(|mut pieces| async move {
        for line in 1..=LINES {
            pieces.send(format!("line {line} of {LINES}\n")).await?;
            if line < LINES {
                sleep(BETWEEN_LINES).await;
            }
        }
        Ok(())
    });
    lines.with_line(FieldLine::TEXT_PLAIN)
}

/// So many bytes, of which only a piece is in memory, however slowly the client reads.
fn big(request: &Request) -> Result<Response, Response> {
    let left = request.query_param("n").and_then(|bytes| bytes.parse().ok());
    let left = left.ok_or_else(|| bad("the query says how much: ?n=1000000 bytes\n"))?;
    Ok(Response::stream(Big { left }).with_line(FieldLine::OCTET_STREAM))
}

struct Big {
    left: u64,
}

impl BodyStream for Big {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<asgi::Result<Option<Bytes>>> {
        static PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        let piece = usize::try_from(self.left).map_or(PIECE.len(), |left| left.min(PIECE.len()));
        self.left -= piece as u64;
        Poll::Ready(Ok((piece > 0).then(|| Bytes::from_static(&PIECE[..piece]))))
    }

    fn bytes_left(&self) -> Option<u64> {
        Some(self.left)
    }
}

/// The request as it is seen here.
fn headers(request: &Request) -> Response {
    let scope = request.scope();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let server = scope.server().map(|server| match server {
        Address::Inet(address) => address.to_string(),
        Address::Unix(path) => path.display().to_string(),
    });
    let seen = json!({
        "method": scope.head().method_str(),
        "target": scope.head().target(),
        "path": scope.path(),
        "query_string": scope.query_string(),
        "http_version": scope.http_version(),
        "scheme": scope.scheme(),
        "client": scope.client().map(|client| client.to_string()),
        "server": server,
        "headers": scope.headers().iter().map(|(name, value)| json!([name, text(value)])).collect::<Vec<_>>(),
    });
    Response::default().with_body(format!("{seen:#}\n")).with_line(FieldLine::JSON)
}

/// Waits without holding anybody: a deadline in the timer wheel.
async fn on_the_timer(request: Request) -> Result<String, Response> {
    let wait = wait(request.query_param("ms"))?;
    sleep(wait).await;
    Ok(format!("slept {} ms on the timer\n", wait.as_millis()))
}

/// Holds a thread of the pool; the loop turns on.
fn on_the_pool(request: &BlockingRequest) -> Result<String, Response> {
    let wait = wait(request.query_param("ms"))?;
    std::thread::sleep(wait);
    Ok(format!("blocked a thread of the pool for {} ms\n", wait.as_millis()))
}

/// The mistake, to be looked at: while this sleeps, nobody is served.
fn on_the_loop(request: &Request) -> Result<String, Response> {
    let wait = wait(request.query_param("ms"))?;
    std::thread::sleep(wait);
    Ok(format!("blocked the loop for {} ms\n", wait.as_millis()))
}

fn panics() -> Response {
    panic!("this handler panics whenever it is called")
}

fn status(request: &Request) -> Response {
    let code = request.raw_param("code").filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
    let code = code.and_then(|code| code.parse().ok()).and_then(StatusCode::from_u16);
    match code.filter(|code| !code.is_informational()) {
        Some(code) => code.into_response(),
        None => bad("the status is a number from 200 to 999\n"),
    }
}

/// What the query says after `ms=`.
fn wait(ms: Option<Cow<'_, str>>) -> Result<Duration, Response> {
    let ms = ms.and_then(|ms| ms.parse().ok()).filter(|ms| *ms <= MS_MAX);
    ms.map(Duration::from_millis).ok_or_else(|| bad("the query says how long: ?ms=100, an hour at most\n"))
}

fn bad(text: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, text).into_response()
}
