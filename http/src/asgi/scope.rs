//! What is asked.

use super::exchange::Exchange;
use super::state::State;
use crate::message::{Headers, Method, RequestHead, StatusCode, Version};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

/// The head of a request and where it came from: ASGI's connection scope of type `http`.
///
/// Each of its keys is a method here, with the same name: `type`, `asgi`, `http_version`, `method`, `scheme`, `path`,
/// `raw_path`, `query_string`, `root_path`, `headers`, `client`, `server`, `state` and `extensions`. What else there is to
/// know has a method too.
///
/// It may be kept after the response is over; the memory of its head is then not used again but freed with it.
///
/// # Examples
/// ```
/// use evloop_http::asgi::{Receive, Result, Scope, Send};
///
/// async fn application(scope: Scope, _receive: Receive, mut send: Send) -> Result {
///     let text = format!("{} asks for {}", scope.header("user-agent").unwrap_or("somebody"), scope.path());
///     send.response_start(200, [("content-type", "text/plain; charset=utf-8")]).await?;
///     send.response_body(text).await
/// }
/// # let _ = application;
/// ```
#[derive(Debug, Clone)]
pub struct Scope {
    exchange: Rc<Exchange>,
    /// Bytes of the raw path at which the application is mounted.
    root_bytes: usize,
}

/// The versions that [`Scope::asgi`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The version of ASGI.
    pub version: &'static str,
    /// The version of its HTTP specification.
    pub spec_version: &'static str,
}

/// What this client and server can do beyond plain requests and responses; see [`Scope::extensions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions {
    /// `http.response.trailers`: the client has said that it takes trailers, and it speaks HTTP/1.1.
    pub trailers: bool,
    /// `http.response.early_hint`: the client speaks HTTP/1.1, and so takes interim responses.
    pub early_hint: bool,
}

/// An end of a connection, as [`Scope::server`] tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Inet(SocketAddr),
    /// The path of a Unix domain socket.
    Unix(Rc<Path>),
}

impl Scope {
    pub(crate) fn new(exchange: Rc<Exchange>) -> Scope {
        Scope { exchange, root_bytes: 0 }
    }

    /// The same request for an application that is mounted below a path: so many bytes more of the raw path belong to
    /// its [`root_path`](Scope::root_path).
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
    /// use evloop_http::message::StatusCode;
    /// use evloop_http::testing;
    ///
    /// async fn inner(scope: Scope, _: Receive, mut send: Send) -> Result {
    ///     let text = format!("{} below {}", scope.route_path(), scope.root_path());
    ///     send.respond(StatusCode::OK, text.as_bytes(), NO_FIELDS)
    /// }
    ///
    /// let outer = |scope: Scope, receive, send| inner(scope.mounted("/api".len()), receive, send);
    /// testing::drive(outer, async |client| {
    ///     assert_eq!(client.get("/api/users").send().await.text(), "/users below /api");
    /// });
    /// ```
    ///
    /// # Panics
    /// When the raw path is not so long.
    #[must_use]
    pub fn mounted(mut self, bytes: usize) -> Scope {
        self.root_bytes += bytes;
        assert!(self.root_bytes <= self.raw_path().len(), "an application is mounted at a part of the path");
        self
    }

    /// `http`. (A lifespan is no scope here, but [has a type of its own](super::Lifespan).)
    #[must_use]
    pub fn r#type(&self) -> &'static str {
        "http"
    }

    /// The versions of ASGI that this interface follows.
    #[must_use]
    pub fn asgi(&self) -> Versions {
        Versions { version: "3.0", spec_version: "2.5" }
    }

    /// The version that the client speaks, as `1.0` or `1.1`.
    #[must_use]
    pub fn http_version(&self) -> &'static str {
        match self.version() {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
        }
    }

    /// The method, as a number to match on.
    #[inline]
    #[must_use]
    pub fn method(&self) -> Method {
        self.head().method()
    }

    /// `http`: this server speaks no TLS. It is `https` where a proxy in front does, and its word is
    /// [taken](crate::middleware::ProxyHeaders).
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.exchange.is_secure() { "https" } else { "http" }
    }

    /// The whole path, decoded: percent-encoded bytes are bytes, and what is not UTF-8 is replaced. What a proxy in front has
    /// taken off it ([`Server::root_path`](crate::server::Server::root_path)) is there again.
    ///
    /// Decoding may bring a `/` that separated nothing: to split a path, split the [raw one](Scope::raw_path).
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        match self.outer_path() {
            "" => decoded(self.raw_path()),
            outer => Cow::Owned([decoded(outer), decoded(self.raw_path())].concat()),
        }
    }

    /// The path, as it has come.
    #[must_use]
    pub fn raw_path(&self) -> &str {
        self.head().path()
    }

    /// What follows the first `?`, as the client wrote it; empty when nothing does.
    #[must_use]
    pub fn query_string(&self) -> &str {
        self.head().query().unwrap_or_default()
    }

    /// The part of the path at which the application is mounted, decoded; empty when it is not. What a proxy in front has
    /// taken off the path is a part of it.
    #[must_use]
    pub fn root_path(&self) -> Cow<'_, str> {
        let mounted = decoded(&self.raw_path()[..self.root_bytes]);
        match &*self.exchange.surroundings.root_path {
            "" => mounted,
            outer => Cow::Owned([decoded(outer), mounted].concat()),
        }
    }

    /// What a proxy in front has taken off the path, as a client writes it; empty when nothing was, and for a target that
    /// is no path.
    fn outer_path(&self) -> &str {
        if self.raw_path().starts_with('/') { &self.exchange.surroundings.root_path } else { "" }
    }

    /// The part of the path below [`root_path`](Scope::root_path), as the client wrote it: what a router looks at.
    #[inline]
    #[must_use]
    pub fn route_path(&self) -> &str {
        &self.raw_path()[self.root_bytes..]
    }

    /// The same as bytes, for those who only compare: making them text looks at each once more.
    #[inline]
    pub(crate) fn route_path_bytes(&self) -> &[u8] {
        &self.head().path_bytes()[self.root_bytes..]
    }

    /// The fields, in order, their names in small letters.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.head().headers()
    }

    /// The value of a field, if it is there and text; the first, if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get_str(name)
    }

    /// The client's address, if it has one.
    #[must_use]
    pub fn client(&self) -> Option<SocketAddr> {
        self.exchange.endpoints.get().client
    }

    /// The address at which the client found the server, if it has one.
    #[must_use]
    pub fn server(&self) -> Option<Address> {
        let surroundings = &self.exchange.surroundings;
        match self.exchange.endpoints.get().server {
            Some(place) => Some(surroundings.address(place)),
            None => surroundings.server.clone(),
        }
    }

    /// Tells another address of the client, as one knows who stands between it and the server: from now on, all who have the
    /// scope of this request are told so, and the server's log.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{App, Receive, Scope, Send};
    /// use evloop_http::testing;
    /// use evloop_http::{Request, Router};
    ///
    /// let app = Router::new().get("/", |request: Request| async move { format!("{:?}", request.scope().client()) });
    /// // Behind a proxy that writes its own header, and alone can be reached by clients.
    /// let app = move |mut scope: Scope, receive: Receive, send: Send| {
    ///     if let Some(client) = scope.header("cf-connecting-ip").and_then(|address| address.parse().ok()) {
    ///         scope.set_client(Some(std::net::SocketAddr::new(client, 0)));
    ///     }
    ///     app.call(scope, receive, send)
    /// };
    /// testing::drive(app, async |client| {
    ///     let response = client.get("/").header("cf-connecting-ip", "203.0.113.7").send().await;
    ///     assert_eq!(response.text(), "Some(203.0.113.7:0)");
    /// });
    /// ```
    pub fn set_client(&mut self, client: Option<SocketAddr>) {
        self.exchange.set_client(client);
    }

    /// Tells whether the client has come by `https`, to a proxy in front: in the same way.
    pub fn set_secure(&mut self, secure: bool) {
        self.exchange.set_secure(secure);
    }

    /// What the application has kept for its requests while it started up.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.exchange.surroundings.state
    }

    /// What can be sent beyond a plain response.
    #[must_use]
    pub fn extensions(&self) -> Extensions {
        let early_hint = self.version() == Version::Http11;
        Extensions { trailers: early_hint && self.exchange.accepts_trailers(), early_hint }
    }

    /// The whole head.
    #[inline]
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.exchange.head
    }

    /// The version that the client speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The status of the response, if its head has been written, and how many bytes of its body have: for those who
    /// watch over an application.
    #[must_use]
    pub fn sent(&self) -> Option<(StatusCode, u64)> {
        self.exchange.sent()
    }
}

fn decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}
