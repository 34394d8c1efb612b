//! A response as a handler gives it.

use super::into_response::status_text;
use super::stream::{BodyStream, Iterated, Pieces, Produced};
use crate::asgi::Result;
use crate::codec::encode::FieldLine;
use crate::message::StatusCode;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;

/// A response: status, fields, body. The fields that frame it are the server's.
#[derive(Debug)]
pub struct Response {
    pub(super) head: Head,
    pub(super) body: Body,
}

/// What goes before the body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<FieldLine>,
    pub(super) line: Option<FieldLine>,
    pub(super) fields: Vec<(Cow<'static, str>, Vec<u8>)>,
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

impl Default for Response {
    fn default() -> Self {
        Response::new(StatusCode::OK)
    }
}

impl Response {
    /// A response without fields and with an empty body.
    #[must_use]
    pub fn new(status: StatusCode) -> Response {
        Response::build(status, None, Bytes::new())
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
    pub(super) fn of(content_type: FieldLine, body: Bytes) -> Response {
        Response::build(StatusCode::OK, Some(content_type), body)
    }

    #[inline]
    pub(super) fn build(status: StatusCode, content_type: Option<FieldLine>, body: Bytes) -> Response {
        Response { head: Head { status, content_type, line: None, fields: Vec::new() }, body: Body::Bytes(body) }
    }

    /// Sends the client elsewhere: to a path as `/login` or a whole URL. Whoever takes the place from a request should
    /// know that it is the client's choice then.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Response, Router};
    /// use evloop_http::StatusCode;
    ///
    /// let moved = |_: Request| async { Response::redirect("/new", StatusCode::PERMANENT_REDIRECT) };
    /// let app = Router::new().any("/old", moved);
    /// # let _ = app;
    /// ```
    ///
    /// # Panics
    /// When the status is none of 301, 302, 303, 307 and 308 (RFC 9110 section 15.4).
    #[must_use]
    pub fn redirect(location: impl Into<Vec<u8>>, status: StatusCode) -> Response {
        assert!(matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308), "{status} is no redirection");
        status_text(status).with_header("location", location)
    }

    /// A body that comes in pieces, with its length if it says one.
    #[must_use]
    pub fn stream(stream: impl BodyStream + 'static) -> Response {
        let length = stream.bytes_left();
        Response { body: Body::Stream { stream: Box::pin(stream), length }, ..Response::default() }
    }

    /// A body of the pieces that an iterator gives. It is asked for the next when there is room for it.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Response, Router};
    ///
    /// let numbers = |_: Request| async { Response::pieces((0..1_000_000).map(|number| format!("{number}\n"))) };
    /// let app = Router::new().get("/numbers", numbers);
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn pieces<I>(pieces: I) -> Response
    where
        I: IntoIterator<Item: Into<Bytes>, IntoIter: 'static>,
    {
        Response::stream(Iterated::new(pieces.into_iter()))
    }

    /// A body that a future writes, which is polled as the response is sent. When it fails, the connection is cut, so that
    /// the client sees that something is missing.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::router::{Request, Response, Router};
    /// use evloop_runtime::time::sleep;
    /// use std::time::Duration;
    ///
    /// async fn clock(_: Request) -> Response {
    ///     Response::produce(|mut pieces| async move {
    ///         for second in 0..10 {
    ///             pieces.send(format!("{second} s\n")).await?;
    ///             sleep(Duration::from_secs(1)).await;
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// let app = Router::new().get("/clock", clock);
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn produce<P, F>(produce: P) -> Response
    where
        P: FnOnce(Pieces) -> F,
        F: Future<Output = Result> + 'static,
    {
        Response::stream(Produced::new(produce))
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Response {
        self.head.status = status;
        self
    }

    /// The same with a field more; a `Content-Type` takes the place of the one that came with the body. That it can be
    /// written is checked when it is: one that cannot makes the answer 500.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Response {
        let name = name.into();
        if name.eq_ignore_ascii_case("content-type") {
            self.head.content_type = None;
        }
        self.head.fields.push((name, value.into()));
        self
    }

    /// The same with this field in place of all that have its name; see [`with_header`](Response::with_header).
    #[must_use]
    pub fn replace_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Response {
        let name = name.into();
        self.head.line = self.head.line.filter(|line| !line.name().eq_ignore_ascii_case(&name));
        self.head.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.with_header(name, value)
    }

    /// The same with a field line more that was checked when the program was compiled, in place of an earlier one.
    #[must_use]
    pub fn with_line(mut self, line: FieldLine) -> Response {
        self.head.line = Some(line);
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
        self.head.status
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }
}
