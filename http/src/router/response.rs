//! A response as a handler gives it.

use crate::asgi::Result;
use crate::codec::encode::FieldLine;
use crate::error::Error;
use crate::message::StatusCode;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A response: status, fields, body. The fields that frame it are the server's.
#[derive(Debug)]
pub struct Response {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<FieldLine>,
    pub(super) line: Option<FieldLine>,
    pub(super) fields: Vec<(Cow<'static, str>, Vec<u8>)>,
    pub(super) body: Body,
}

/// What a response's body is made of.
pub enum Body {
    /// Bytes that are all here.
    Bytes(Bytes),
    /// Pieces that come as they are asked for.
    Stream {
        /// Gives the pieces.
        stream: Pin<Box<dyn BodyStream>>,
        /// How many bytes they are together, if that is known.
        length: Option<u64>,
    },
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Body::Stream { length, .. } => f.debug_struct("Stream").field("length", length).finish_non_exhaustive(),
        }
    }
}

/// A body that comes in pieces.
pub trait BodyStream {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Whatever keeps the body from being completed: the connection is then cut, so that the client sees it.
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>>;

    /// How many bytes are still to come, if that is known.
    fn bytes_left(&self) -> Option<u64> {
        None
    }
}

impl Default for Response {
    fn default() -> Self {
        Response::new(StatusCode::OK)
    }
}

impl Response {
    /// A response without fields and with an empty body.
    #[must_use]
    pub fn new(status: StatusCode) -> Response {
        Response { status, content_type: None, line: None, fields: Vec::new(), body: Body::Bytes(Bytes::new()) }
    }

    /// Text, as `text/plain` in UTF-8.
    #[must_use]
    pub fn text(text: impl Into<Bytes>) -> Response {
        Response::of(FieldLine::TEXT_PLAIN, text.into())
    }

    /// A page, as `text/html` in UTF-8.
    #[must_use]
    pub fn html(page: impl Into<Bytes>) -> Response {
        Response::of(FieldLine::TEXT_HTML, page.into())
    }

    #[inline]
    fn of(content_type: FieldLine, body: Bytes) -> Response {
        let (status, body) = (StatusCode::OK, Body::Bytes(body));
        Response { status, content_type: Some(content_type), line: None, fields: Vec::new(), body }
    }

    /// A body that comes in pieces, with its length if it says one.
    #[must_use]
    pub fn stream(stream: impl BodyStream + 'static) -> Response {
        let length = stream.bytes_left();
        Response { body: Body::Stream { stream: Box::pin(stream), length }, ..Response::default() }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Response {
        self.status = status;
        self
    }

    /// The same with a field more. That it can be written is checked when it is: one that cannot makes the answer 500.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Response {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The same with a field line more that was checked when the program was compiled, in place of an earlier one.
    #[must_use]
    pub fn with_line(mut self, line: FieldLine) -> Response {
        self.line = Some(line);
        self
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Response {
        self.body = Body::Bytes(body.into());
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }
}

/// What a handler may give.
pub trait IntoResponse {
    /// The response.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    #[inline]
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for &'static str {
    #[inline]
    fn into_response(self) -> Response {
        Response::text(Bytes::from_static(self.as_bytes()))
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::of(FieldLine::OCTET_STREAM, self)
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Bytes::from(self).into_response()
    }
}

/// The status, with its name as the body.
impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        super::status_text(self)
    }
}

/// What a request's own error says, or 500.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for std::result::Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}
