//! What a handler may give in place of a response.

use super::response::Response;
use super::routed::{self, Streaming};
use crate::asgi::{self, Send};
use crate::codec::encode::FieldLine;
use crate::error::Error;
use crate::message::StatusCode;
use bytes::Bytes;
use std::borrow::Cow;
use std::task::Context;

/// What a handler may give.
///
/// | | becomes |
/// |---|---|
/// | `&'static str`, `String`, `Cow<'static, str>` | text, in UTF-8 |
/// | `Bytes`, `Vec<u8>`, `&'static [u8]` | bytes, as `application/octet-stream` |
/// | [`StatusCode`] | the status, its name as text |
/// | `()` | 204, for whoever has nothing to say has done what was asked |
/// | `Option<T>` | 404 for `None` |
/// | `Result<T, E>` | what either is |
/// | [`Error`] | what it says of the request, or 500 |
/// | `(FieldLine, &'static str)` | text, with a field line that was checked when the program was compiled |
/// | `(StatusCode, T)`, `([(name, value); N], T)`, `(StatusCode, [(name, value); N], T)` | the same with another status, with fields, with both |
///
/// With the feature `json` there is `Json<T>`, with the feature `http-types` the response of the `http` crate.
pub trait IntoResponse {
    /// The response.
    fn into_response(self) -> Response;

    /// Sends the response; if its body is a stream, that goes to `rest`. Text and bytes do so without a [`Response`]
    /// between, which is large to move about.
    #[doc(hidden)]
    #[inline]
    fn answer(self, send: Send, cx: &mut Context<'_>, rest: &mut Option<Streaming>) -> asgi::Result
    where
        Self: Sized,
    {
        routed::answer(send, self.into_response(), cx, rest)
    }
}

impl IntoResponse for Response {
    #[inline]
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::text(Bytes::from_static(self.as_bytes()))
    }

    #[inline]
    fn answer(self, send: Send, _: &mut Context<'_>, _: &mut Option<Streaming>) -> asgi::Result {
        whole(send, FieldLine::TEXT_PLAIN, self.as_bytes())
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }

    #[inline]
    fn answer(self, send: Send, _: &mut Context<'_>, _: &mut Option<Streaming>) -> asgi::Result {
        whole(send, FieldLine::TEXT_PLAIN, self.as_bytes())
    }
}

impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Response {
        match self {
            Cow::Borrowed(text) => text.into_response(),
            Cow::Owned(text) => text.into_response(),
        }
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::of(FieldLine::OCTET_STREAM, self)
    }

    #[inline]
    fn answer(self, send: Send, _: &mut Context<'_>, _: &mut Option<Streaming>) -> asgi::Result {
        whole(send, FieldLine::OCTET_STREAM, &self)
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Bytes::from(self).into_response()
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        Bytes::from_static(self).into_response()
    }
}

/// 204: there is nothing to say.
impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::new(StatusCode::NO_CONTENT)
    }
}

/// The status, with its name as the body.
impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        status_text(self)
    }
}

/// What a request's own error says. One of the application is 500, and its text is for the log alone.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Some(status) = self.status() else {
            let level = if self.is_gone() { log::Level::Debug } else { log::Level::Error };
            log::log!(level, "a handler failed: {self}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        match status {
            // Here the name of the status does not say what is wrong.
            StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => (status, self.to_string()).into_response(),
            status => status.into_response(),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<N, V, T, const COUNT: usize> IntoResponse for ([(N, V); COUNT], T)
where
    N: Into<Cow<'static, str>>,
    V: Into<Vec<u8>>,
    T: IntoResponse,
{
    fn into_response(self) -> Response {
        let (fields, body) = self;
        fields.into_iter().fold(body.into_response(), |response, (name, value)| response.with_header(name, value))
    }
}

impl<N, V, T, const COUNT: usize> IntoResponse for (StatusCode, [(N, V); COUNT], T)
where
    N: Into<Cow<'static, str>>,
    V: Into<Vec<u8>>,
    T: IntoResponse,
{
    fn into_response(self) -> Response {
        (self.0, (self.1, self.2)).into_response()
    }
}

/// A text, with a field line that was checked when the program was compiled.
impl IntoResponse for (FieldLine, &'static str) {
    fn into_response(self) -> Response {
        self.1.into_response().with_line(self.0)
    }

    #[inline]
    fn answer(self, mut send: Send, _: &mut Context<'_>, _: &mut Option<Streaming>) -> asgi::Result {
        send.respond_with(StatusCode::OK, self.1.as_bytes(), |head| {
            head.line(FieldLine::TEXT_PLAIN);
            head.line(self.0);
            Ok(())
        })
    }
}

/// 404 for `None`.
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Response {
        self.ok_or(StatusCode::NOT_FOUND).into_response()
    }

    #[inline]
    fn answer(self, send: Send, cx: &mut Context<'_>, rest: &mut Option<Streaming>) -> asgi::Result {
        self.ok_or(StatusCode::NOT_FOUND).answer(send, cx, rest)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }

    #[inline]
    fn answer(self, send: Send, cx: &mut Context<'_>, rest: &mut Option<Streaming>) -> asgi::Result {
        match self {
            Ok(value) => value.answer(send, cx, rest),
            Err(error) => error.answer(send, cx, rest),
        }
    }
}

/// Sends a response of 200 that is all here.
#[inline]
fn whole(mut send: Send, content_type: FieldLine, body: &[u8]) -> asgi::Result {
    send.respond_with(StatusCode::OK, body, |head| {
        head.line(content_type);
        Ok(())
    })
}

/// Text that a status says by itself.
pub(super) fn status_text(status: StatusCode) -> Response {
    // A 205 is framed as others are, but has no content (RFC 9110 section 15.3.6).
    if status.forbids_body() || status == StatusCode::RESET_CONTENT {
        return Response::new(status);
    }
    Response::build(status, Some(FieldLine::TEXT_PLAIN), Bytes::from_static(status.reason().as_bytes()))
}
