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

mod call;
mod config;
mod deadline;
mod lifespan;
mod listener;
mod listeners;
mod serve;
mod shared;
mod stop;

pub use config::HalfClose;
pub use listener::{Listener, Stream};
pub use listeners::{AnyListener, AnyStream, Listeners, ListenersHandle};
pub use stop::StopHandle;

use crate::access_log::AccessLog;
use crate::asgi::{App, Endpoints, State};
use crate::codec::defaults::DefaultFields;
use crate::limits::{Limits, Timeouts};
use config::Config;
use evloop_runtime::TaskBuilder;
use evloop_runtime::future::race;
use evloop_runtime::net::{TcpListener, ToSocketAddrs, ToUnixAddr, UnixListener};
use evloop_runtime::sync::CancellationToken;
use evloop_runtime::time::sleep;
use lifespan::Running;
use serve::Serve;
use shared::{Shared, Stop};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A server that is bound and has not begun to accept.
#[derive(Debug)]
#[must_use = "a server does nothing until `serve`"]
pub struct Server<L = TcpListener> {
    listener: L,
    config: Config,
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

impl Server<UnixListener> {
    /// Listens on a Unix domain socket at a path or an abstract name, with a backlog of 2,048. A stale socket there is
    /// replaced.
    ///
    /// # Errors
    /// When somebody listens there, or what is there is no socket; and what the system says. Each tells the path.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn bind_unix(name: impl ToUnixAddr) -> io::Result<Server<UnixListener>> {
        UnixListener::bind(name).map(Server::new)
    }
}

impl<L: Listener> Server<L> {
    /// A server on a listener of any kind.
    pub fn new(listener: L) -> Server<L> {
        Server { listener, config: Config::default() }
    }

    /// What a request may cost at most.
    pub fn limits(mut self, limits: Limits) -> Server<L> {
        self.config.limits = limits;
        self
    }

    /// How long a client may take.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Server<L> {
        self.config.timeouts = timeouts;
        self
    }

    /// How long a stop waits for the requests that have begun. The default is 10 seconds.
    pub fn graceful_timeout(mut self, limit: Duration) -> Server<L> {
        self.config.graceful = limit;
        self
    }

    /// How long a stop keeps the connections that idle, and those that have not sent anything yet: each may send one more
    /// request, whose response says that it is the last. The default is not at all: they are closed at once.
    ///
    /// A client that keeps its connections may be sending a request on one just when it is closed, and cannot know whether
    /// that was served (RFC 9112 section 9.3.1). With a second of grace, a client that sends often is told by its next
    /// response to go elsewhere, so that no request fails when a server is replaced by another one. A response that had
    /// begun before the stop leaves its client the same time for one more request.
    ///
    /// The [limit](Server::graceful_timeout) of the stop and that of an idle connection hold all the same, and the stop does
    /// not wait for longer than there are connections.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Router};
    /// use evloop_http::testing;
    /// use evloop_runtime::time::sleep;
    /// use std::time::Duration;
    ///
    /// let app = Router::new().get("/", |_: Request| async { "Hello" });
    /// testing::drive_with(|server| server.idle_grace(Duration::from_secs(1)), app, async |client| {
    ///     let mut connection = client.connection();
    ///     sleep(Duration::from_millis(1)).await; // it is taken, and idles
    ///     let stop = evloop_runtime::spawn({
    ///         let client = client.clone();
    ///         async move { client.stop().await }
    ///     });
    ///     sleep(Duration::from_millis(1)).await; // the stop has begun
    ///     connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    ///     assert!(connection.until("Hello").await.contains("connection: close\r\n"));
    ///     drop(connection);
    ///     assert_eq!(stop.await.expect("nothing panics"), 0);
    /// });
    /// ```
    pub fn idle_grace(mut self, idle: Duration) -> Server<L> {
        self.config.idle_grace = idle;
        self
    }

    /// Lets this handle, too, tell the server to stop, and how; see there.
    pub fn stop_handle(mut self, handle: StopHandle) -> Server<L> {
        self.config.stop_handle = handle;
        self
    }

    /// How many connections may be open; past it, the next wait in the system's backlog. By default, any number.
    pub fn connections_max(mut self, connections: usize) -> Server<L> {
        self.config.connections_max = Some(connections);
        self
    }

    /// How many requests may be served at once; past it, the next are answered with 503, and their clients told to come
    /// again in a second. By default, any number.
    pub fn concurrency_max(mut self, requests: usize) -> Server<L> {
        self.config.concurrency_max = Some(requests);
        self
    }

    /// After how many requests the server stops by itself, as it stops when it is told to. By default, never. Those who
    /// run several processes let each begin anew now and then.
    ///
    /// Who has another one started in its place learns of it as the stop begins, by the token of
    /// [`stopping`](Server::stopping), while nobody has told the server to stop.
    pub fn requests_max(mut self, requests: u64) -> Server<L> {
        self.config.requests_max = Some(requests);
        self
    }

    /// Cancels this token when the application's [lifespan](App::lifespan) has begun and connections are taken: from then on, a
    /// server that ends with an error did start.
    pub fn started(mut self, token: CancellationToken) -> Server<L> {
        self.config.started = token;
        self
    }

    /// Cancels this token when a stop begins, for whatever reason, so that answers without an end can come to theirs: a
    /// graceful stop waits for every request, and an application's [lifespan](App::lifespan) ends after the last of them.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Response, Router};
    /// use evloop_http::testing;
    /// use evloop_runtime::sync::CancellationToken;
    /// use std::future::pending;
    ///
    /// let stopping = CancellationToken::new();
    /// let stopped = stopping.clone();
    /// let app = Router::new().get("/events", move |_: Request| {
    ///     let stopped = stopped.clone();
    ///     async { Response::produce(|_| async move { stopped.run_until_cancelled(pending()).await.unwrap_or(Ok(())) }) }
    /// });
    /// testing::drive_with(|server| server.stopping(stopping), app, async |client| {
    ///     let mut events = client.get("/events").send_streaming().await;
    ///     assert_eq!(client.stop().await, 0, "nothing had to be cut");
    ///     assert_eq!(events.piece().await, None);
    /// });
    /// ```
    pub fn stopping(mut self, token: CancellationToken) -> Server<L> {
        self.config.stopping = token;
        self
    }

    /// The path under which a proxy in front offers the application, as `/api`, where the proxy takes it off the paths of the
    /// requests that it hands on. It is written as in a URL; slashes at its end are of no matter. By default there is none.
    ///
    /// It is the beginning of [`root_path`](crate::asgi::Scope::root_path) and [`path`](crate::asgi::Scope::path), as with
    /// uvicorn. A router does not look at it: what it is asked for is what comes behind it.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
    /// use evloop_http::message::StatusCode;
    /// use evloop_http::testing;
    ///
    /// async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
    ///     let text = format!("{} is {} below {}", scope.path(), scope.route_path(), scope.root_path());
    ///     send.respond(StatusCode::OK, text.as_bytes(), NO_FIELDS)
    /// }
    ///
    /// testing::drive_with(|server| server.root_path("/api"), app, async |client| {
    ///     assert_eq!(client.get("/users").send().await.text(), "/api/users is /users below /api");
    /// });
    /// ```
    pub fn root_path(mut self, path: impl Into<String>) -> Server<L> {
        self.config.root_path = path.into();
        self
    }

    /// Fields for each response that does not have them already, also for those that the server gives in the application's
    /// place. By default there are none.
    pub fn headers(mut self, fields: DefaultFields) -> Server<L> {
        self.config.fields = fields;
        self
    }

    /// Whether each response that does not say otherwise tells the server's name, as `server: evloop`. By default none does.
    pub fn server_header(mut self, tell: bool) -> Server<L> {
        self.config.server_header = tell;
        self
    }

    /// Whether each response tells the time in `date`, as RFC 9110 section 6.6.1 wants it of those who have a clock that can
    /// be relied on. By default it does.
    pub fn date_header(mut self, tell: bool) -> Server<L> {
        self.config.date_header = tell;
        self
    }

    /// Whether a client that ends its own side may still be answered. It is, by default.
    pub fn half_close(mut self, half_close: HalfClose) -> Server<L> {
        self.config.half_close = half_close;
        self
    }

    /// Whether and how requests are logged. They are not, by default.
    pub fn access_log(mut self, access_log: AccessLog) -> Server<L> {
        self.config.access_log = access_log;
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

    /// Serves until `stop` is done; then ends gracefully: but for connections that wait already, none is accepted any more,
    /// idle ones are closed, at once or after a [while](Server::idle_grace), and requests that have begun are finished, unless the
    /// [limit](Server::graceful_timeout) ends them. How many it ended is given.
    ///
    /// The application's [lifespan](App::lifespan) begins before the first connection is taken, and is told to end after
    /// the last has ended. Where the stop comes before it is ready, it is dropped.
    ///
    /// # Errors
    /// As [`serve`](Server::serve); or when the application fails to start, or the [root path](Server::root_path) is none.
    ///
    /// # Cancel safety
    /// As [`serve`](Server::serve).
    pub async fn serve_until<A: App>(self, app: A, stop: impl Future<Output = ()>) -> io::Result<usize> {
        let Server { mut listener, config } = self;
        listener.prepare()?;
        let mut surroundings = config.surroundings(listener.address())?;
        let (graceful, idle_grace) = (config.graceful, config.idle_grace);
        let (stopping, handle) = (config.stopping.clone(), config.stop_handle.clone());
        let mut stop = pin!(race(handle.stopped(), stop));
        let Some(started) = start(&app, stop.as_mut()).await else { return Ok(0) };
        let (lifespan, state) = started?;
        config.started.cancel();
        surroundings.state = state;
        let shared = Rc::new(Shared::new(app, config, surroundings));
        accept(listener, &shared, stop).await?;

        shared.lengths.leave_after(handle.idle_grace().unwrap_or(idle_grace));
        shared.stop(Stop::Gracefully);
        stopping.cancel();
        let drained = poll_fn(|cx| shared.poll_drained(cx));
        race(handle.ended(), race(drained, sleep(graceful))).await;
        shared.stop(Stop::Now);
        poll_fn(|cx| shared.poll_drained(cx)).await;
        race(handle.ended(), lifespan.stop(graceful)).await;
        Ok(shared.cut())
    }
}

/// Begins the lifespan; `None` when the stop comes first.
async fn start<A: App, F: Future>(app: &A, mut stop: Pin<&mut F>) -> Option<io::Result<(Running, State)>> {
    let mut start = pin!(Running::start(app));
    poll_fn(|cx| match start.as_mut().poll(cx) {
        Poll::Ready(started) => Poll::Ready(Some(started)),
        Poll::Pending => stop.as_mut().poll(cx).map(|_| None),
    })
    .await
}

/// Gives each connection a task, until `stop` is done or enough requests were served.
async fn accept<L: Listener, A: App, F: Future>(
    mut listener: L,
    shared: &Rc<Shared<A>>,
    mut stop: Pin<&mut F>,
) -> io::Result<()> {
    let asks_address = shared.surroundings.server.is_none();
    let mut take = |cx: &mut Context<'_>| -> Poll<io::Result<()>> {
        ready!(shared.poll_room(cx));
        let (stream, client) = ready!(listener.poll_accept(cx))?;
        let address = if asks_address { stream.local_addr() } else { None };
        let server = address.map(|address| shared.surroundings.place(address));
        let connection = Serve::new(stream, Endpoints { client, server }, Rc::clone(shared));
        drop(TaskBuilder::new().shared_name(&shared.task_name).spawn(connection));
        Poll::Ready(Ok(()))
    };
    let mut poll = |cx: &mut Context<'_>| loop {
        if stop.as_mut().poll(cx).is_ready() || shared.poll_exhausted(cx).is_ready() {
            // Those who wait have been connected, and may have sent a request: where nobody else accepts them, the kernel
            // resets them when the listener closes. No more than a poll's budget of them are taken.
            while take(cx)?.is_ready() {}
            return Poll::Ready(Ok(()));
        }
        ready!(take(cx))?;
    };
    poll_fn(&mut poll).await
}

#[cfg(test)]
mod tests;
