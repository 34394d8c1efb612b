//! What keeps the test client from showing a response.

use std::fmt;

/// Why there is no response to show: the request could not be sent so, or what came back is no response to it.
///
/// Its text says what was expected and what came instead.
///
/// # Examples
/// ```
/// use evloop_http::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
/// use evloop_http::message::StatusCode;
/// use evloop_http::testing;
///
/// /// Announces five bytes and gives three.
/// async fn liar(_: Scope, _: Receive, mut send: Send) -> Result {
///     send.start(StatusCode::OK, Some(5), NO_FIELDS)?;
///     send.response_body("abc").await
/// }
///
/// testing::drive(liar, async |client| {
///     let error = client.get("/").try_send().await.unwrap_err();
///     assert_eq!(error.to_string(), "the connection ended after 3 of 5 bytes of the body");
///     assert!(error.is_cut());
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    kind: Kind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Cut,
    TooLong,
    Malformed,
}

impl ClientError {
    /// The request is none that this client can send.
    pub(super) fn request(text: impl Into<String>) -> ClientError {
        ClientError { kind: Kind::Request, text: text.into() }
    }

    /// The connection ended before the response did.
    pub(super) fn cut(text: impl Into<String>) -> ClientError {
        ClientError { kind: Kind::Cut, text: text.into() }
    }

    /// The response is longer than this client holds.
    pub(super) fn too_long(text: impl Into<String>) -> ClientError {
        ClientError { kind: Kind::TooLong, text: text.into() }
    }

    /// What came is no response, or not the one whose turn it is.
    pub(super) fn malformed(text: impl Into<String>) -> ClientError {
        ClientError { kind: Kind::Malformed, text: text.into() }
    }

    /// Whether the request was at fault: it is none that can be sent so, or its body failed on the way.
    pub fn is_request(&self) -> bool {
        self.kind == Kind::Request
    }

    /// Whether the connection ended before the response was whole: what the server does when the application fails in the
    /// midst of its response.
    pub fn is_cut(&self) -> bool {
        self.kind == Kind::Cut
    }

    /// Whether the response is longer than the client holds.
    pub fn is_too_long(&self) -> bool {
        self.kind == Kind::TooLong
    }

    /// Whether the server broke a rule of HTTP/1.1.
    pub fn is_malformed(&self) -> bool {
        self.kind == Kind::Malformed
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ClientError {}
