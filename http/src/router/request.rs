//! A request as a handler sees it.

use super::path::Pattern;
use super::response::BodyStream;
use crate::asgi::{Receive, Result, Scope};
use crate::error::{Error, Kind};
use crate::message::{Headers, Method};
use bytes::{Bytes, BytesMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A request: its head, its body, and the parameters of its path.
#[derive(Debug)]
pub struct Request {
    scope: Scope,
    receive: Receive,
    pattern: Rc<Pattern>,
}

impl Request {
    pub(super) fn new(scope: Scope, receive: Receive, pattern: Rc<Pattern>) -> Request {
        Request { scope, receive, pattern }
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

    /// What stands in the path where the route has `{name}`, as the client wrote it: not decoded.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.pattern.param(name, self.scope.route_path())
    }

    /// The value of a field of the query, as the client wrote it: `5` for `ms` in `?ms=5&x`.
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<&str> {
        let pairs = self.scope.query_string().split('&');
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
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
    /// When it is longer, when the client has gone, or when what it sent is not the body that its head announced.
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

    /// The body alone, to be sent on or answered with.
    #[must_use]
    pub fn into_body(self) -> Receive {
        self.receive
    }
}

/// The request's own body as a response's: what `/echo` does.
impl BodyStream for Receive {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        Receive::poll_piece(&mut self, cx)
    }

    fn bytes_left(&self) -> Option<u64> {
        Receive::bytes_left(self)
    }
}
