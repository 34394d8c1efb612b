//! An event loop runtime written by hand, with a strict HTTP/1.1 server on top.
//!
//! A loop belongs to one thread. It polls the tasks that were woken, waits for the kernel, takes in what other threads
//! have posted, and turns deadlines that have passed into wakes; then it begins again. Futures stay on the thread where
//! they were spawned, so they need not be `Send`.
//!
//! # Tasks and time
//! ```
//! use evloop::time::{sleep, timeout};
//! use std::time::Duration;
//!
//! fn main() -> evloop::Result<()> {
//!     evloop::run(async {
//!         let slow = evloop::spawn(async {
//!             sleep(Duration::from_millis(2)).await;
//!             40
//!         });
//!         let blocking = evloop::spawn_blocking(|| 2); // on a thread of the pool
//!         assert_eq!(slow.await? + blocking.await?, 42);
//!
//!         let never = std::future::pending::<()>();
//!         assert!(timeout(Duration::from_millis(1), never).await.is_err());
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # A server, and a client of it
//! ```
//! use evloop::http::{Request, Router, Server};
//! use evloop::io::{AsyncRead, AsyncWrite};
//! use evloop::net::TcpStream;
//!
//! fn main() -> evloop::Result<()> {
//!     evloop::run(async {
//!         let app = Router::new()
//!             .get("/", |_: Request| async { "Hello, World!" })
//!             .get("/users/{id}", |request: Request| async move { format!("user {}", request.param("id")) });
//!         let server = Server::bind("127.0.0.1:0")?;
//!         let address = server.local_addr()?;
//!         drop(evloop::spawn(server.serve(app))); // it serves for as long as the loop turns
//!
//!         let mut client = TcpStream::connect(address).await?;
//!         client.write_all(b"GET /users/7 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
//!         let mut answer = Vec::new();
//!         client.read_to_end(&mut answer).await?;
//!         assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
//!         assert!(answer.ends_with(b"\r\n\r\nuser 7"));
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # Where things are
//!
//! - **To start a loop:** [`run`] in a `main` function, [`block_on`] elsewhere. [`Runtime`] and its [`Builder`] make
//!   one that is kept, turned by hand ([`Mode`]), or run on a clock that is moved by hand.
//! - **To have something run beside:** [`spawn`], and [`spawn_blocking`] for calls that block; [`task`] has what they
//!   return.
//! - **To take part in the turn,** or to know what keeps it turning: [`turn`], [`Runtime::walk`] and [`Runtime::close`].
//! - **To reach a loop from another thread:** [`Handle`], and the [`RemoteHandle`] of what was spawned through it.
//! - **To wait:** for time, [`time`]; for the network, [`net`], and other streams of bytes, [`pipe`], all read and written
//!   with [`io`]; for files, [`fs`]; for the standard streams and terminals, [`stdio`]; for children, [`process`];
//!   for a signal, [`signal`]; for any other descriptor, [`fd`]; for each other, [`sync`]; for several things at once,
//!   [`future`], [`join!`] and [`select!`].
//! - **To serve HTTP/1.1:** [`http`] has the server, the router, the application interface modelled on ASGI, and the
//!   limits; [`serve`] runs a server as a whole, with its threads, workers and signals.
//! - **To come from elsewhere:** [`guide`] has the names of libuv, asyncio and tokio, and what stands for them here.
//! - **To test:** [`testing`] runs a body under many seeds, on a network in memory; [`http::testing`] has a client of an
//!   application.
//! - **To see it turn:** [`observe`] has its numbers, and lets anybody look on.
//! - **To take the loop apart:** [`engine`] has its parts, each usable by itself, for study and measurement. They are
//!   outside the promise of stability.
//!
//! How the parts work is told where they are: `ARCHITECTURE.md` has the whole in one piece, and
//! `cargo doc --workspace --no-deps --document-private-items` makes a book of it.

// The loop, and what goes into it.
pub use evloop_runtime::{Builder, Busy, Mode, Runtime, Work, WorkKind, block_on, run, turn};
pub use evloop_runtime::{Handle, RemoteHandle};
pub use evloop_runtime::{spawn, spawn_blocking};

// What tasks await.
pub use evloop_runtime::{fd, fs, future, io, net, pipe, process, signal, stdio, sync, time};
pub use evloop_runtime::{join, select, try_join};

#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio-io"))]
pub use evloop_runtime::compat;

// The server on top, and the parts beneath.
pub use evloop_http as http;
pub use evloop_runtime::{engine, observe, testing};

pub mod guide;
pub mod serve;

pub mod task {
    //! Tasks: spawn them, wait for them, abort them, and keep them together.
    //!
    //! ```
    //! use evloop::task;
    //!
    //! evloop::block_on(async {
    //!     let adder = task::Builder::new().name("adder").spawn(async { 2 + 2 });
    //!     assert_eq!(adder.await.unwrap(), 4);
    //!
    //!     let endless = evloop::spawn(std::future::pending::<()>());
    //!     endless.abort();
    //!     assert!(endless.await.unwrap_err().is_cancelled());
    //! });
    //! ```
    //!
    //! Several of them, as a set whose ends are taken as they come, or as a group that ends as one:
    //! ```
    //! use evloop::task::{JoinSet, group};
    //!
    //! evloop::block_on(async {
    //!     let mut set = JoinSet::new();
    //!     set.spawn(async { 1 });
    //!     set.spawn(async { 2 });
    //!     let ended = evloop::select! {
    //!         Some(ended) = set.join_next() => ended.unwrap(),
    //!         else => 0,
    //!     };
    //!     assert_eq!(ended, 1);
    //!
    //!     let whole = group(async |g| {
    //!         let (left, right) = (g.spawn(async { Ok(3) }), g.spawn(async { Ok(4) }));
    //!         let (left, right) = evloop::join!(left, right);
    //!         Ok::<_, ()>(left.unwrap() + right.unwrap())
    //!     });
    //!     assert_eq!(whole.await.unwrap(), 7);
    //!     assert_eq!(evloop::try_join!(async { Ok::<_, ()>(5) }, async { Ok(6) }), Ok((5, 6)));
    //! });
    //! ```

    pub use evloop_runtime::future::{YieldNow, yield_now};
    pub use evloop_runtime::{AbortHandle, AbortOnDrop, JoinError, JoinHandle};
    pub use evloop_runtime::{Blocking, ClassLoad, JobClass, PoolLimits, PoolLoad, pool, spawn_blocking_in};
    pub use evloop_runtime::{Child, Failure, GroupError, GroupScope, TaskGroup, group};
    pub use evloop_runtime::{JoinAllTasks, JoinNext, JoinSet, Shutdown};
    pub use evloop_runtime::{TaskBuilder as Builder, current, spawn, spawn_blocking};
}

/// What the functions of a program on this loop mostly give.
///
/// The errors of the loop are [`std::io::Error`]s, and a [`JoinError`](task::JoinError) becomes one with `?`.
pub type Result<T> = std::io::Result<T>;

/// The Rust snippets of the README, compiled and run with the other documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
