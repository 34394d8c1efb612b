//! A request as a handler sees it.

use super::content::{self, Form};
use super::path::Pattern;
use super::shared::Shared;
use crate::asgi::{Receive, Result, Scope};
use crate::error::{Error, Kind};
use crate::message::{Headers, Method};
use bytes::{Bytes, BytesMut};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// A request: its head, its body, and the parameters of its path.
pub struct Request {
    scope: Scope,
    receive: Receive,
    place: Rc<Place>,
}

/// What a route knows of where it is.
pub(super) struct Place {
    pattern: Pattern,
    shared: Rc<Shared>,
}

impl Place {
    pub(super) fn new(pattern: Pattern, shared: &Rc<Shared>) -> Place {
        Place { pattern, shared: Rc::clone(shared) }
    }
}

impl Request {
    pub(super) fn new(scope: Scope, receive: Receive, place: Rc<Place>) -> Request {
        Request { scope, receive, place }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.scope.method()
    }

    /// The path, as the client wrote it.
    #[must_use]
    pub fn path(&self) -> &str {
        self.scope.raw_path()
    }

    /// What stands in the path where the route has `{name}` or `{*name}`, decoded: percent-encoded bytes are bytes, and
    /// what is not UTF-8 is replaced.
    ///
    /// It is text, and any text: decoding may bring a `/` or a `..`, so that it is no name of a file to be opened.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Router};
    ///
    /// let app = Router::new().get("/users/{id}", |request: Request| async move { format!("user {}", request.param("id")) });
    /// # let _ = app;
    /// ```
    ///
    /// # Panics
    /// When the route has no parameter of this name, which is a mistake in the program.
    /// [`raw_param`](Request::raw_param) answers `None`.
    #[must_use]
    pub fn param(&self, name: &str) -> Cow<'_, str> {
        let raw = self.raw_param(name).unwrap_or_else(|| no_param(name));
        percent_decode_str(raw).decode_utf8_lossy()
    }

    /// The same as the client wrote it, not decoded; `None` when the route has no parameter of this name. A rest is split
    /// into its segments best before they are decoded.
    #[must_use]
    pub fn raw_param(&self, name: &str) -> Option<&str> {
        self.place.pattern.param(name, self.scope.route_path())
    }

    /// Names and values of the parameters, in the order of the path, decoded as [`param`](Request::param) does.
    pub fn params(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.place.pattern.names().map(|name| (name, self.param(name)))
    }

    /// The value of a field of the query: `a b` for `q` in `?q=a+b&x`; the first, if there are several. It is decoded as a
    /// form is: `+` is a space, percent-encoded bytes are bytes, and what is not UTF-8 is replaced.
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        content::value(self.scope.query_string().as_bytes(), name)
    }

    /// Names and values of the query, in order, decoded as [`query_param`](Request::query_param) does.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        content::pairs(self.scope.query_string().as_bytes())
    }

    /// The fields, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.scope.headers()
    }

    /// The value of a field, if it is there and text; the first, if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get_str(name)
    }

    /// The value of this type that [`Router::state`](super::Router::state) was given, or else the one that the
    /// application has kept in its [lifespan](crate::asgi::Lifespan).
    #[must_use]
    pub fn state<T: 'static>(&self) -> Option<&T> {
        self.place.shared.get().or_else(|| self.scope.state().get())
    }

    /// The rest of the request's head, and where it came from.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Waits for the next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// As [`Receive::piece`].
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn piece(&mut self) -> Result<Option<Bytes>> {
        self.receive.piece().await
    }

    /// Waits for the whole body, of at most so many bytes.
    ///
    /// # Errors
    /// When it is longer (413), when the client has gone, or when what it sent is not the body that its head announced.
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn bytes(&mut self, bytes_max: usize) -> Result<Bytes> {
        let too_long = || Error::new(Kind::BodyTooLong);
        if self.receive.bytes_left().is_some_and(|left| left > bytes_max as u64) {
            return Err(too_long());
        }
        let Some(first) = self.receive.piece().await? else { return Ok(Bytes::new()) };
        let mut whole = BytesMut::from(first);
        while let Some(piece) = self.receive.piece().await? {
            whole.extend_from_slice(&piece);
            if whole.len() > bytes_max {
                return Err(too_long());
            }
        }
        if whole.len() > bytes_max { Err(too_long()) } else { Ok(whole.freeze()) }
    }

    /// Waits for the whole body, which is text of at most so many bytes.
    ///
    /// # Errors
    /// As [`bytes`](Request::bytes); when the head names another charset than UTF-8 (415); and when the body is not UTF-8
    /// (400).
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn text(&mut self, bytes_max: usize) -> Result<String> {
        content::expect_utf8(self.headers())?;
        content::text(self.bytes(bytes_max).await?)
    }

    /// Waits for the whole body, which is a form of at most so many bytes, as `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// As [`bytes`](Request::bytes), and when the head says that the body is something else, or nothing of it (415).
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn form(&mut self, bytes_max: usize) -> Result<Form> {
        content::expect_form(self.headers())?;
        Ok(content::form(self.bytes(bytes_max).await?))
    }

    /// The body alone, to be sent on or answered with.
    #[must_use]
    pub fn into_body(self) -> Receive {
        self.receive
    }

    /// Head and body, as an application sees them.
    #[must_use]
    pub fn into_parts(self) -> (Scope, Receive) {
        (self.scope, self.receive)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("head", self.scope.head()).finish_non_exhaustive()
    }
}

pub(super) fn no_param(name: &str) -> ! {
    panic!("the route has no parameter `{name}`")
}
