//! The server: sockets, tasks and time around the protocol.
//!
//! One task accepts, one task serves each connection. A connection that idles holds its socket and no buffer: the
//! buffers, the exchange and the application's future are borrowed when its next bytes come, from the pools of its
//! server, and given back when its answer is written.
//!
//! The server knows a [`Listener`] and a [`Stream`], not TCP; so it runs in memory as well, under a clock that moves by
//! hand.
//!
//! ```no_run
//! use evloop_http::router::{Request, Router};
//! use evloop_http::server::Server;
//!
//! fn main() -> std::io::Result<()> {
//!     evloop_runtime::run(async {
//!         let app = Router::new().get("/", |_: Request| async { "Hello, World!" });
//!         Server::bind("127.0.0.1:8000")?.serve(app).await
//!     })
//! }
//! ```

mod listener;
mod serve;
mod shared;

pub use listener::{Listener, Stream};

use crate::asgi::App;
use crate::limits::Limits;
use evloop_runtime::net::{TcpListener, ToSocketAddrs};
use evloop_runtime::spawn;
use evloop_runtime::time::sleep;
use serve::Serve;
use shared::{Shared, Stop};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A server that is bound and has not begun to accept.
#[derive(Debug)]
#[must_use = "a server does nothing until `serve`"]
pub struct Server<L = TcpListener> {
    listener: L,
    limits: Limits,
    graceful: Duration,
}

impl Server<TcpListener> {
    /// Listens on an address, with a backlog of 2,048. Port 0 is a free one.
    ///
    /// # Errors
    /// When `address` is a name and not an address, and what the system says; each tells the address.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Server> {
        TcpListener::bind(address).map(Server::new)
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// What `getsockname` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl<L: Listener> Server<L> {
    /// A server on a listener of any kind.
    pub fn new(listener: L) -> Server<L> {
        Server { listener, limits: Limits::default(), graceful: Duration::from_secs(10) }
    }

    /// What a request may cost at most.
    pub fn limits(mut self, limits: Limits) -> Server<L> {
        self.limits = limits;
        self
    }

    /// How long a stop waits for the requests that have begun. The default is 10 seconds.
    pub fn graceful_timeout(mut self, limit: Duration) -> Server<L> {
        self.graceful = limit;
        self
    }

    /// Serves until accepting fails.
    ///
    /// # Errors
    /// What the listener says. Being out of descriptors is no error, but a pause.
    ///
    /// # Cancel safety
    /// Dropping it stops accepting; connections that are open go on.
    pub async fn serve(self, app: impl App) -> io::Result<()> {
        self.serve_until(app, std::future::pending()).await.map(|_| ())
    }

    /// Serves an application that is made here, on the thread of its loop: what it holds need not be `Send`, while what
    /// makes it may have come from another thread. With several loops, each has its server and makes its own.
    ///
    /// # Errors
    /// As [`serve`](Server::serve).
    pub async fn serve_with<A: App>(self, make: impl FnOnce() -> A) -> io::Result<()> {
        self.serve(make()).await
    }

    /// Serves until `stop` is done; then ends gracefully: no connection is accepted any more, idle ones are closed, and
    /// requests that have begun are finished, unless the [limit](Server::graceful_timeout) ends them. How many it ended is
    /// given.
    ///
    /// # Errors
    /// As [`serve`](Server::serve).
    ///
    /// # Cancel safety
    /// As [`serve`](Server::serve).
    pub async fn serve_until<A: App>(self, app: A, stop: impl Future<Output = ()>) -> io::Result<usize> {
        let Server { listener, limits, graceful } = self;
        let shared = Rc::new(Shared::new(app, limits));
        accept(listener, &shared, pin!(stop)).await?;

        shared.stop(Stop::Gracefully);
        let mut limit = pin!(sleep(graceful));
        poll_fn(|cx| if shared.poll_drained(cx).is_ready() { Poll::Ready(()) } else { limit.as_mut().poll(cx) }).await;
        let ended = shared.unanswered();
        shared.stop(Stop::Now);
        poll_fn(|cx| shared.poll_drained(cx)).await;
        Ok(ended)
    }
}

/// Gives each connection a task, until `stop` is done.
async fn accept<L: Listener, A: App, F: Future<Output = ()>>(
    mut listener: L,
    shared: &Rc<Shared<A>>,
    mut stop: Pin<&mut F>,
) -> io::Result<()> {
    let mut poll = |cx: &mut Context<'_>| loop {
        if stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        match listener.poll_accept(cx) {
            Poll::Ready(Ok((stream, client))) => drop(spawn(Serve::new(stream, client, Rc::clone(shared)))),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    };
    poll_fn(&mut poll).await
}

#[cfg(test)]
mod tests;
