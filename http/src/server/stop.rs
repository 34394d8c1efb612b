//! Telling a server to stop while it serves.

use evloop_runtime::sync::CancellationToken;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Tells one server to stop, and how, where that is not known beforehand or may change meanwhile. Clones tell the same
/// server, which is given one by [`Server::stop_handle`](super::Server::stop_handle).
///
/// A server with several loops has one for each, on the thread of that loop.
///
/// # Examples
/// ```
/// use evloop_http::router::{Request, Router};
/// use evloop_http::server::{Server, StopHandle};
/// use evloop_runtime::time::sleep;
/// use std::time::Duration;
///
/// const HOUR: Duration = Duration::from_secs(3_600);
///
/// fn main() -> std::io::Result<()> {
///     evloop_runtime::run(async {
///         let app = Router::new().get("/", |_: Request| async { "Hello" });
///         let stop = StopHandle::new();
///         let server = Server::bind("127.0.0.1:0")?.graceful_timeout(HOUR).stop_handle(stop.clone());
///         let server = evloop_runtime::spawn(server.serve(app));
///         sleep(Duration::from_millis(10)).await;
///         stop.drain(Duration::from_secs(1)); // an hour for what has begun, a second for who idles
///         stop.end(); // and now we are in a hurry
///         server.await.expect("the server does not panic")
///     })
/// }
/// ```
#[derive(Clone, Default)]
pub struct StopHandle {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Cancelled when the server shall stop, in whichever way.
    stop: CancellationToken,
    /// Cancelled when it shall end at once.
    end: CancellationToken,
    /// What was said of connections that idle.
    idle_grace: Cell<Option<Duration>>,
}

impl StopHandle {
    /// One that has told nothing yet.
    #[must_use]
    pub fn new() -> StopHandle {
        StopHandle::default()
    }

    /// Stops the server as [`Server::serve_until`](super::Server::serve_until) tells, with this time in place of its
    /// [`idle_grace`](super::Server::idle_grace). When it stops already, this does nothing.
    pub fn drain(&self, idle_grace: Duration) {
        if !self.inner.stop.is_cancelled() {
            self.inner.idle_grace.set(Some(idle_grace));
            self.inner.stop.cancel();
        }
    }

    /// Ends the server and all of its connections at once, also while it stops gracefully. An application's
    /// [lifespan](crate::asgi::App::lifespan) is dropped where it is.
    pub fn end(&self) {
        self.inner.end.cancel();
        self.inner.stop.cancel();
    }

    /// Waits until the server shall stop, in whichever way.
    pub(super) async fn stopped(&self) {
        self.inner.stop.cancelled().await;
    }

    /// Waits until the server shall end at once.
    pub(super) async fn ended(&self) {
        self.inner.end.cancelled().await;
    }

    /// What was said of connections that idle, if anything was.
    pub(super) fn idle_grace(&self) -> Option<Duration> {
        self.inner.idle_grace.get()
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle")
            .field("is_stopped", &self.inner.stop.is_cancelled())
            .field("is_ended", &self.inner.end.is_cancelled())
            .finish_non_exhaustive()
    }
}
