//! Tests of applications, without sockets and without waiting.
//!
//! [`drive`] serves an application in memory, by the real server, and hands the test a [`TestClient`]. The loop's clock
//! moves by hand: as soon as nobody has anything to do, it moves to the next deadline, so sleeps and time-outs pass at
//! once, in their order. What comes back is checked as well: the client reads it with a parser of its own, and a response
//! that breaks a rule of HTTP/1.1 fails the test.
//!
//! # Examples
//! A router:
//! ```
//! use evloop_http::message::StatusCode;
//! use evloop_http::router::{Request, Router};
//! use evloop_http::testing;
//!
//! let app = Router::new().get("/users/{id}", |request: Request| {
//!     let greeting = format!("Hello, user {}", request.param("id"));
//!     async { greeting }
//! });
//!
//! testing::drive(app, async |client| {
//!     let response = client.get("/users/7").header("accept", "text/plain").send().await;
//!     assert_eq!(response.status(), StatusCode::OK);
//!     assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
//!     assert_eq!(response.text(), "Hello, user 7");
//!     assert_eq!(client.get("/").send().await.status(), StatusCode::NOT_FOUND);
//! });
//! ```
//!
//! A plain function, which echoes as it receives:
//! ```
//! use evloop_http::asgi::{Receive, Result, Scope, Send};
//! use evloop_http::testing;
//!
//! async fn echo(_: Scope, mut receive: Receive, mut send: Send) -> Result {
//!     send.response_start(200, [("content-type", "application/octet-stream")]).await?;
//!     while let Some(piece) = receive.piece().await? {
//!         send.response_piece(piece).await?;
//!     }
//!     send.response_end()
//! }
//!
//! testing::drive(echo, async |client| {
//!     let mut response = client.post("/").pieces(["one", "two"]).send_streaming().await;
//!     assert_eq!(response.piece().await.unwrap(), "one");
//!     assert_eq!(response.piece().await.unwrap(), "two");
//!     assert_eq!(response.piece().await, None);
//! });
//! ```
//!
//! A handler that takes an hour:
//! ```
//! use evloop_http::router::{Request, Router};
//! use evloop_http::testing;
//! use evloop_runtime::time::{now, sleep};
//! use std::time::Duration;
//!
//! const HOUR: Duration = Duration::from_secs(3_600);
//!
//! let app = Router::new().get("/", |_: Request| async {
//!     sleep(HOUR).await;
//!     "at last"
//! });
//! testing::drive(app, async |client| {
//!     let before = now();
//!     assert_eq!(client.get("/").send().await.text(), "at last");
//!     assert_eq!(now() - before, HOUR);
//! });
//! ```

pub mod memory;

mod client;
mod error;
mod exchange;
#[cfg(test)]
pub(crate) mod logs;
mod reader;
mod request;
mod response;

pub use client::{PIPE_BYTES, TestClient};
pub use error::ClientError;
pub use evloop_runtime::testing::HELD_BYTES_MAX;
pub use memory::{End, Faults, Network};
pub use request::TestRequest;
pub use response::{StreamingResponse, TestHead, TestResponse};

use crate::asgi::App;
use crate::server::Server;
use evloop_runtime::testing;
use evloop_runtime::time::timeout;
use std::time::Duration;

/// How long a test may take by its own clock, so that one that waits in vain fails and does not hang.
pub const TEST_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs a test of an application, and gives what the test gives.
///
/// It makes a loop whose clock moves by hand, serves the application there, and stops the server gracefully when the test
/// is done. The clock stands still while a job of the blocking pool is under way, or while a socket or signal is waited
/// for: then time passes as usual. With `EVLOOP_SEED=17` in the environment, the order in which tasks run is that of the
/// seed; to run a test under many, see [`seeds`](evloop_runtime::testing::seeds()) and [`TestClient::over`].
///
/// # Examples
/// ```
/// use evloop_http::router::{Request, Router};
/// use evloop_http::testing;
///
/// let app = Router::new().get("/", |_: Request| async { "Hello" });
/// testing::drive(app, async |client| {
///     assert_eq!(client.get("/").send().await.text(), "Hello");
/// });
/// ```
///
/// # Panics
/// When the test panics, when it waits for longer than [`TEST_TIME_MAX`], when the server has sent what belongs to no
/// response, when this thread is in a loop already, or when there are no descriptors for one.
pub fn drive<A: App, T>(app: A, test: impl AsyncFnOnce(TestClient) -> T) -> T {
    drive_with(|server| server, app, test)
}

/// As [`drive`], with a server that is told more.
///
/// # Examples
/// ```
/// use evloop_http::limits::Limits;
/// use evloop_http::message::StatusCode;
/// use evloop_http::router::{Request, Router};
/// use evloop_http::testing;
///
/// let app = Router::new().post("/", |mut request: Request| async move {
///     request.bytes(1_000).await.map(|body| format!("{} bytes", body.len()))
/// });
/// let limits = Limits { body_bytes_max: 8, ..Limits::default() };
/// testing::drive_with(|server| server.limits(limits), app, async |client| {
///     assert_eq!(client.post("/").body("12345678").send().await.text(), "8 bytes");
///     assert_eq!(client.post("/").body("123456789").send().await.status(), StatusCode::CONTENT_TOO_LARGE);
/// });
/// ```
///
/// # Panics
/// As [`drive`].
pub fn drive_with<A: App, T>(
    configure: impl FnOnce(Server<Network>) -> Server<Network>,
    app: A,
    test: impl AsyncFnOnce(TestClient) -> T,
) -> T {
    testing::runtime().block_on(async {
        let client = TestClient::with(configure, app);
        let output = timeout(TEST_TIME_MAX, test(client.clone())).await;
        let output = output.expect("the test waits for something that never comes");
        client.stop().await;
        output
    })
}

#[cfg(test)]
mod tests;
