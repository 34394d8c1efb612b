//! What the test client shows of a response.

use super::HELD_BYTES_MAX;
use super::error::ClientError;
use super::exchange::Exchange;
use super::reader::Part;
use crate::message::{FieldRange, Headers, StatusCode};
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::future::poll_fn;
use std::panic::Location;

/// Field lines, with the text that they lie in; the names in small letters.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    text: Vec<u8>,
    ranges: Vec<FieldRange>,
}

impl Fields {
    /// A copy of fields that have been parsed.
    pub(super) fn new(parsed: &[httparse::Header<'_>]) -> Fields {
        let mut fields = Fields::default();
        for field in parsed {
            let [name_start, name_end] = fields.push(field.name.to_ascii_lowercase().as_bytes());
            let [value_start, value_end] = fields.push(field.value);
            fields.ranges.push(FieldRange { name_start, name_end, value_start, value_end });
        }
        fields
    }

    pub(super) fn headers(&self) -> Headers<'_> {
        Headers::new(&self.text, &self.text, &self.ranges)
    }

    fn push(&mut self, text: &[u8]) -> [u32; 2] {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        [start, self.text.len()].map(|at| u32::try_from(at).expect("a head has a bound far below 4 GiB"))
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headers().fmt(f)
    }
}

/// Status and fields: the head of a response, or a whole interim one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestHead {
    status: StatusCode,
    fields: Fields,
}

impl TestHead {
    pub(super) fn new(status: StatusCode, fields: Fields) -> TestHead {
        TestHead { status, fields }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields, in order.
    pub fn headers(&self) -> Headers<'_> {
        self.fields.headers()
    }

    /// The value of a field, if it is there and text; the first, if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.headers().get_str(name)
    }
}

/// A whole response.
///
/// # Examples
/// ```
/// use evloop_http::message::StatusCode;
/// use evloop_http::router::{Request, Response, Router};
/// use evloop_http::testing;
///
/// let app = Router::new().get("/", |_: Request| async { Response::html("<p>Hello").with_header("etag", "\"1\"") });
/// testing::drive(app, async |client| {
///     let response = client.get("/").send().await;
///     assert_eq!(response.status(), StatusCode::OK);
///     assert_eq!(response.header("ETag"), Some("\"1\""));
///     assert_eq!(response.text(), "<p>Hello");
///     let names: Vec<_> = response.headers().iter().map(|(name, _)| name).collect();
///     assert_eq!(names, ["content-type", "etag", "content-length", "date"]);
/// });
/// ```
#[derive(Debug, Clone)]
pub struct TestResponse {
    head: TestHead,
    interim: Vec<TestHead>,
    body: Bytes,
    trailers: Fields,
}

impl TestResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// The fields, in order.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of a field, if it is there and text; the first, if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body, without the chunks that it may have come in.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text in utf-8")
    }

    /// The fields behind a body that came in chunks.
    pub fn trailers(&self) -> Headers<'_> {
        self.trailers.headers()
    }

    /// What the server said before its response: 100, 103 and their like.
    pub fn interim(&self) -> &[TestHead] {
        &self.interim
    }
}

/// A response whose head has come, and whose body comes as it is asked for.
///
/// It need not be read to its end: dropped before, it closes its connection, as a client does that goes away.
///
/// # Examples
/// ```
/// use evloop_http::asgi::{Receive, Result, Scope, Send};
/// use evloop_http::testing;
/// use evloop_runtime::time::sleep;
/// use std::time::Duration;
///
/// async fn clock(_: Scope, _: Receive, mut send: Send) -> Result {
///     send.response_start(200, [("content-type", "text/plain")]).await?;
///     for hour in 1..=3 {
///         send.response_piece(format!("{hour}:00")).await?;
///         sleep(Duration::from_secs(3_600)).await;
///     }
///     send.response_end()
/// }
///
/// testing::drive(clock, async |client| {
///     let mut response = client.get("/").send_streaming().await;
///     assert_eq!(response.header("transfer-encoding"), Some("chunked"));
///     assert_eq!(response.piece().await.unwrap(), "1:00");
///     assert_eq!(response.piece().await.unwrap(), "2:00");
/// });
/// ```
pub struct StreamingResponse {
    head: TestHead,
    interim: Vec<TestHead>,
    /// `None` after the end, and after an error.
    exchange: Option<Exchange>,
    trailers: Fields,
}

impl StreamingResponse {
    /// Waits for the head.
    pub(super) async fn receive(mut exchange: Exchange) -> Result<StreamingResponse, ClientError> {
        let mut interim = Vec::new();
        loop {
            match poll_fn(|cx| exchange.poll_part(cx)).await? {
                Part::Interim(head) => interim.push(head),
                Part::Head(head) => {
                    let trailers = Fields::default();
                    return Ok(StreamingResponse { head, interim, exchange: Some(exchange), trailers });
                }
                part => unreachable!("{part:?} before a head"),
            }
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// The fields, in order.
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of a field, if it is there and text; the first, if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// What the server said before its response: 100, 103 and their like.
    pub fn interim(&self) -> &[TestHead] {
        &self.interim
    }

    /// Waits for more of the body: what has come of it, at least one byte; `None` at its end.
    ///
    /// # Panics
    /// When [`try_piece`](StreamingResponse::try_piece) fails: with what was wrong, and where it was asked for.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    #[track_caller]
    pub fn piece(&mut self) -> impl Future<Output = Option<Bytes>> {
        let at = Location::caller();
        async move { self.try_piece().await.unwrap_or_else(|error| panic!("a piece, asked for at {at}: {error}")) }
    }

    /// As [`piece`](StreamingResponse::piece), for responses that may be cut.
    ///
    /// # Errors
    /// When the connection ends before the body does, or what comes is no body. After that it is `None`.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn try_piece(&mut self) -> Result<Option<Bytes>, ClientError> {
        let Some(exchange) = &mut self.exchange else { return Ok(None) };
        match poll_fn(|cx| exchange.poll_part(cx)).await {
            Ok(Part::Piece(piece)) => Ok(Some(piece)),
            Ok(Part::End(trailers)) => {
                self.trailers = trailers;
                let exchange = self.exchange.take().expect("looked at above");
                exchange.finish(&self.head)?;
                Ok(None)
            }
            Ok(part) => unreachable!("{part:?} behind a head"),
            Err(error) => {
                self.exchange = None;
                Err(error)
            }
        }
    }

    /// The fields behind a body that came in chunks, when its end has come.
    pub fn trailers(&self) -> Headers<'_> {
        self.trailers.headers()
    }

    /// Waits for the end, and holds what is still to come of the body.
    ///
    /// # Errors
    /// As [`try_piece`](StreamingResponse::try_piece), and when the body is longer than [`HELD_BYTES_MAX`].
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn whole(mut self) -> Result<TestResponse, ClientError> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.try_piece().await? {
            body.extend_from_slice(&piece);
            if body.len() > HELD_BYTES_MAX {
                let text = format!("a body of more than {HELD_BYTES_MAX} bytes, which is to be read piece by piece");
                return Err(ClientError::too_long(text));
            }
        }
        Ok(TestResponse { head: self.head, interim: self.interim, body: body.freeze(), trailers: self.trailers })
    }
}

impl fmt::Debug for StreamingResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("StreamingResponse");
        shown.field("head", &self.head).field("is_over", &self.exchange.is_none()).finish_non_exhaustive()
    }
}
