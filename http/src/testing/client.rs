//! The test client: a server of its own, and connections to it.

use super::error::ClientError;
use super::exchange::Wire;
use super::memory::{End, Network};
use super::request::TestRequest;
use crate::asgi::App;
use crate::server::Server;
use evloop_runtime::sync::oneshot;
use evloop_runtime::{JoinHandle, spawn};
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What a pipe of the client's connections holds in each direction.
pub const PIPE_BYTES: usize = 64 * 1024;

/// A client of an application, which is served on this loop by the real server over a network in memory.
///
/// Requests go over one connection that is kept alive; where several are under way at once, each has its own. Clones are
/// the same client, so a task can take one along. When the last of them is dropped, the server stops.
///
/// [`drive`](super::drive) makes one together with a loop; on a loop that is there already, [`new`](TestClient::new) does.
///
/// # Examples
/// ```
/// use evloop_http::router::{Request, Router};
/// use evloop_http::testing::TestClient;
///
/// let app = Router::new().get("/", |_: Request| async { "Hello" });
/// evloop_runtime::block_on(async {
///     let client = TestClient::new(app);
///     assert_eq!(client.get("/").send().await.text(), "Hello");
///     assert_eq!(client.get("/").send().await.text(), "Hello");
///     assert_eq!(client.network().accepted(), 1);
/// });
/// ```
#[derive(Clone)]
pub struct TestClient {
    inner: Rc<Inner>,
}

pub(super) struct Inner {
    network: Network,
    /// Connections between two requests.
    idle: RefCell<Vec<Wire>>,
    /// `None` once it was stopped.
    running: RefCell<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<usize>>,
}

/// Done when the client says so, or is dropped.
pub(super) struct Stop(oneshot::Receiver<()>);

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

impl TestClient {
    /// Serves an application, and is its client.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn new(app: impl App) -> TestClient {
        TestClient::with(|server| server, app)
    }

    /// Serves an application with a server that is told more, and is its client.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::limits::Limits;
    /// use evloop_http::message::StatusCode;
    /// use evloop_http::router::Router;
    /// use evloop_http::testing::TestClient;
    ///
    /// evloop_runtime::block_on(async {
    ///     let limits = Limits { request_line_bytes_max: 100, ..Limits::default() };
    ///     let client = TestClient::with(|server| server.limits(limits), Router::new());
    ///     let response = client.get(&"/long".repeat(100)).send().await;
    ///     assert_eq!(response.status(), StatusCode::URI_TOO_LONG);
    /// });
    /// ```
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn with(configure: impl FnOnce(Server<Network>) -> Server<Network>, app: impl App) -> TestClient {
        TestClient::over(Network::default(), configure, app)
    }

    /// As [`with`](TestClient::with), over a network that is there already: one with faults.
    ///
    /// A request that meets a broken connection fails, as [`TestRequest::try_send`] tells.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Router};
    /// use evloop_http::testing::{Faults, Network, TestClient};
    /// use evloop_runtime::testing;
    ///
    /// testing::seeds(0..20, async || {
    ///     let app = Router::new().get("/", |_: Request| async { "Hello" });
    ///     let client = TestClient::over(Network::with_faults(Faults::rough()), |server| server, app);
    ///     assert_eq!(client.get("/").send().await.text(), "Hello");
    ///     client.stop().await;
    /// });
    /// ```
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn over(
        network: Network,
        configure: impl FnOnce(Server<Network>) -> Server<Network>,
        app: impl App,
    ) -> TestClient {
        let server = configure(Server::new(network.clone()));
        TestClient::start(network, |stop| server.serve_until(app, stop))
    }

    /// Runs a server, which is told when to stop, and is its client.
    #[track_caller]
    pub(super) fn start<F>(network: Network, serve: impl FnOnce(Stop) -> F) -> TestClient
    where
        F: Future<Output = io::Result<usize>> + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let (server, listener) = (serve(Stop(stopped)), network.clone());
        let server = spawn(async move {
            let outcome = server.await;
            listener.close(); // so that nobody waits for a server that has ended by itself
            outcome
        });
        let running = RefCell::new(Some(Running { stop, server }));
        TestClient { inner: Rc::new(Inner { network, idle: RefCell::default(), running }) }
    }

    /// A GET request, to be sent.
    pub fn get(&self, target: &str) -> TestRequest {
        self.request("GET", target)
    }

    /// A HEAD request, to be sent.
    pub fn head(&self, target: &str) -> TestRequest {
        self.request("HEAD", target)
    }

    /// A POST request, to be given a body and sent.
    pub fn post(&self, target: &str) -> TestRequest {
        self.request("POST", target)
    }

    /// A PUT request, to be given a body and sent.
    pub fn put(&self, target: &str) -> TestRequest {
        self.request("PUT", target)
    }

    /// A PATCH request, to be given a body and sent.
    pub fn patch(&self, target: &str) -> TestRequest {
        self.request("PATCH", target)
    }

    /// A DELETE request, to be sent.
    pub fn delete(&self, target: &str) -> TestRequest {
        self.request("DELETE", target)
    }

    /// A request by any method, to be sent. The target goes out as it is given: a path and perhaps a query, or `*`, an
    /// authority or a whole URI, where the method takes such.
    pub fn request(&self, method: &str, target: &str) -> TestRequest {
        TestRequest::new(Rc::clone(&self.inner), method, target)
    }

    /// A connection of its own, for what the requests of this client are too well-formed for: bytes in, bytes out.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::Router;
    /// use evloop_http::testing;
    ///
    /// testing::drive(Router::new(), async |client| {
    ///     let mut connection = client.connection();
    ///     connection.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
    ///     assert!(connection.rest().await.starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
    /// });
    /// ```
    pub fn connection(&self) -> End {
        self.inner.network.connect(PIPE_BYTES)
    }

    /// The network between client and server: for connections whose pipes hold less, and to count connections.
    pub fn network(&self) -> &Network {
        &self.inner.network
    }

    /// Stops the server gracefully, and tells how many connections it had to end by force. Afterwards no request can be
    /// sent; a second stop finds nothing to do.
    ///
    /// # Panics
    /// When the server has sent what belongs to no response, or has failed.
    ///
    /// # Cancel safety
    /// The server stops all the same.
    pub async fn stop(&self) -> usize {
        let Some(Running { stop, server }) = self.inner.running.take() else { return 0 };
        let _ = stop.send(()); // a server that has failed hears it no more, and says so below
        let outcome = server.await.expect("the server does not panic");
        let ended = outcome.unwrap_or_else(|error| panic!("the server failed: {error}"));
        for wire in self.inner.idle.take() {
            wire.check_idle().unwrap_or_else(|error| panic!("{error}"));
        }
        ended
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TestClient");
        shown.field("network", self.network()).field("is_stopped", &self.inner.running.borrow().is_none());
        shown.finish_non_exhaustive()
    }
}

impl Inner {
    /// A connection for one exchange: one that is idle, or a new one.
    pub(super) fn wire(&self) -> Result<Wire, ClientError> {
        if self.running.borrow().is_none() {
            return Err(ClientError::request("the server was stopped"));
        }
        loop {
            let idle = self.idle.borrow_mut().pop();
            let Some(wire) = idle else { return Ok(Wire::new(self.network.connect(PIPE_BYTES))) };
            wire.check_idle()?;
            if !wire.is_closed() {
                return Ok(wire);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, wire: Wire) {
        self.idle.borrow_mut().push(wire);
    }
}
