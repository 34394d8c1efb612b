//! A request as a test writes it.

use super::client::Inner;
use super::error::ClientError;
use super::exchange::{Exchange, Outgoing, OutgoingBody};
use super::reader::Asked;
use super::response::{StreamingResponse, TestResponse};
use crate::asgi;
use crate::router::BodyStream;
use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What is encoded in a query: all but the unreserved characters (RFC 3986 section 2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request to be sent by a [`TestClient`](super::TestClient).
///
/// What is not said is usual: HTTP/1.1, `Host: localhost`, no other field, no body, a connection that is kept.
///
/// # Examples
/// ```
/// use evloop_http::router::{Request, Router};
/// use evloop_http::testing;
///
/// let app = Router::new().post("/notes/{id}", |mut request: Request| async move {
///     let body = request.bytes(100).await?;
///     let (id, by) = (request.param("id"), request.query_param("by").unwrap_or_default());
///     Ok::<_, evloop_http::error::Error>(format!("{id} by {by}: {}", body.escape_ascii()))
/// });
/// testing::drive(app, async |client| {
///     let request = client.post("/notes/7").query("by", "A & B").header("accept", "text/plain").text("a note");
///     assert_eq!(request.send().await.text(), "7 by A & B: a note");
/// });
/// ```
#[must_use = "a request does nothing until it is sent"]
pub struct TestRequest {
    client: Rc<Inner>,
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Body,
    expects: bool,
    http_1_0: bool,
}

enum Body {
    None,
    Bytes(Bytes),
    Stream(Pin<Box<dyn BodyStream>>),
}

impl TestRequest {
    pub(super) fn new(client: Rc<Inner>, method: &str, target: &str) -> TestRequest {
        TestRequest {
            client,
            method: method.to_string(),
            target: target.to_string(),
            fields: Vec::new(),
            body: Body::None,
            expects: false,
            http_1_0: false,
        }
    }

    /// Adds a pair to the query, both parts percent-encoded.
    pub fn query(mut self, name: &str, value: &str) -> TestRequest {
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        self.target.extend(utf8_percent_encode(name, QUERY));
        self.target.push('=');
        self.target.extend(utf8_percent_encode(value, QUERY));
        self
    }

    /// Adds a field, behind those that are there. `host` replaces the usual one; the fields that frame the body are the
    /// client's to write.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> TestRequest {
        self.fields.push((name.to_string(), value.as_ref().to_vec()));
        self
    }

    /// A body of these bytes, with its length.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> TestRequest {
        self.body = Body::Bytes(bytes.into());
        self
    }

    /// A body of text, with its length and the content type of text.
    pub fn text(self, text: impl Into<String>) -> TestRequest {
        self.header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    /// A body in pieces, as chunks. The server sees them one by one: each is sent when it has read the one before.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{Receive, Result, Scope, Send};
    /// use evloop_http::testing;
    ///
    /// async fn lengths(_: Scope, mut receive: Receive, mut send: Send) -> Result {
    ///     let mut lengths = Vec::new();
    ///     while let Some(piece) = receive.piece().await? {
    ///         lengths.push(piece.len());
    ///     }
    ///     send.response_start(200, [("content-type", "text/plain")]).await?;
    ///     send.response_body(format!("{lengths:?}")).await
    /// }
    ///
    /// testing::drive(lengths, async |client| {
    ///     assert_eq!(client.post("/").pieces(["one", "two", "three"]).send().await.text(), "[3, 3, 5]");
    /// });
    /// ```
    pub fn pieces<P: Into<Bytes>>(self, pieces: impl IntoIterator<Item = P>) -> TestRequest {
        self.stream(Pieces { left: pieces.into_iter().map(Into::into).collect(), says_length: false })
    }

    /// A body that is made while it is sent: with its length, if the stream tells one, else as chunks. A piece is asked for
    /// when the server has read the one before.
    pub fn stream(mut self, stream: impl BodyStream + 'static) -> TestRequest {
        self.body = Body::Stream(Box::pin(stream));
        self
    }

    /// Asks the server, by `Expect: 100-continue`, before it sends the body, which is not sent if a response comes first.
    pub fn expect_continue(mut self) -> TestRequest {
        self.expects = true;
        self
    }

    /// Speaks HTTP/1.0, where the connection is kept only if a `connection: keep-alive` asks for it, and no chunk may be
    /// sent.
    pub fn http_1_0(mut self) -> TestRequest {
        self.http_1_0 = true;
        self
    }

    /// Sends it and waits for the whole response.
    ///
    /// # Panics
    /// When [`try_send`](TestRequest::try_send) fails: with what was wrong, and where it was sent.
    ///
    /// # Cancel safety
    /// Its connection is closed.
    #[track_caller]
    pub fn send(self) -> impl Future<Output = TestResponse> {
        let (name, at) = (self.name(), Location::caller());
        async move { self.try_send().await.unwrap_or_else(|error| panic!("{name}, sent at {at}: {error}")) }
    }

    /// As [`send`](TestRequest::send), for responses that may be cut.
    ///
    /// # Errors
    /// When it is no request that this client sends, or when what comes back is not one whole response that keeps the
    /// rules of HTTP/1.1, or is longer than [`HELD_BYTES_MAX`](super::HELD_BYTES_MAX).
    ///
    /// # Cancel safety
    /// Its connection is closed.
    pub async fn try_send(self) -> Result<TestResponse, ClientError> {
        self.try_send_streaming().await?.whole().await
    }

    /// Sends it and waits for the head of the response; the body comes as it is asked for. While nobody asks, no more of
    /// the request's body is sent, either.
    ///
    /// # Panics
    /// When [`try_send_streaming`](TestRequest::try_send_streaming) fails: with what was wrong, and where it was sent.
    ///
    /// # Cancel safety
    /// Its connection is closed.
    #[track_caller]
    pub fn send_streaming(self) -> impl Future<Output = StreamingResponse> {
        let (name, at) = (self.name(), Location::caller());
        async move { self.try_send_streaming().await.unwrap_or_else(|error| panic!("{name}, sent at {at}: {error}")) }
    }

    /// As [`send_streaming`](TestRequest::send_streaming), for responses that may be cut.
    ///
    /// # Errors
    /// As [`try_send`](TestRequest::try_send), as far as the head goes.
    ///
    /// # Cancel safety
    /// Its connection is closed.
    pub async fn try_send_streaming(self) -> Result<StreamingResponse, ClientError> {
        self.check()?;
        let client = Rc::clone(&self.client);
        let asked = Asked { head: self.method == "HEAD", connect: self.method == "CONNECT", http_1_0: self.http_1_0 };
        let keeps = self.keeps_connection();
        let outgoing = self.outgoing();
        let wire = client.wire()?;
        StreamingResponse::receive(Exchange::new(client, wire, outgoing, asked, keeps)).await
    }

    /// Whether it can be sent so that the server reads what was meant.
    fn check(&self) -> Result<(), ClientError> {
        let is_token = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        };
        let ends_line = |text: &[u8]| text.iter().any(|byte| b"\r\n\0".contains(byte));
        if !is_token(&self.method) {
            return Err(ClientError::request(format!("not a method: {:?}", self.method)));
        }
        if self.target.is_empty() || self.target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(ClientError::request(format!("not a target: {:?}", self.target)));
        }
        for (name, value) in &self.fields {
            let own = ["content-length", "transfer-encoding", "expect"];
            if own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                return Err(ClientError::request(format!("{name} is the client's to write")));
            }
            if !is_token(name) || ends_line(value) {
                return Err(ClientError::request(format!("not a field: {name:?}: \"{}\"", value.escape_ascii())));
            }
        }
        let chunked = matches!(&self.body, Body::Stream(stream) if stream.bytes_left().is_none());
        if self.http_1_0 && (chunked || self.expects) {
            return Err(ClientError::request("http/1.0 has neither chunks nor expectations"));
        }
        if self.expects && matches!(self.body, Body::None) {
            return Err(ClientError::request("without a body there is nothing to be told to go on with"));
        }
        Ok(())
    }

    /// Whether the request lets its connection go on (RFC 9112 section 9.3).
    fn keeps_connection(&self) -> bool {
        let mut connection = self.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
        !connection.any(|(_, value)| {
            value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
        })
    }

    fn outgoing(self) -> Outgoing {
        let mut bytes = BytesMut::new();
        let version = if self.http_1_0 { "HTTP/1.0" } else { "HTTP/1.1" };
        bytes.extend_from_slice(format!("{} {} {version}\r\n", self.method, self.target).as_bytes());
        let mut field = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            field("host", b"localhost");
        }
        self.fields.iter().for_each(|(name, value)| field(name, value));
        let mut at_once = Bytes::new(); // with the head, in one write
        let body = match self.body {
            // Who usually has a body says that there is none (RFC 9110 section 8.6).
            Body::None if matches!(&*self.method, "POST" | "PUT" | "PATCH") => {
                field("content-length", b"0");
                OutgoingBody::Over
            }
            Body::None => OutgoingBody::Over,
            Body::Bytes(body) => {
                field("content-length", body.len().to_string().as_bytes());
                if self.expects {
                    let length = body.len() as u64;
                    OutgoingBody::Length(Box::pin(Pieces { left: [body].into(), says_length: true }), length)
                } else {
                    at_once = body;
                    OutgoingBody::Over
                }
            }
            Body::Stream(stream) => {
                if let Some(length) = stream.bytes_left() {
                    field("content-length", length.to_string().as_bytes());
                    OutgoingBody::Length(stream, length)
                } else {
                    field("transfer-encoding", b"chunked");
                    OutgoingBody::Chunks(stream)
                }
            }
        };
        if self.expects {
            field("expect", b"100-continue");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&at_once);
        Outgoing { bytes, body, waits: self.expects }
    }

    /// What it is called in a panic.
    fn name(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

impl fmt::Debug for TestRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TestRequest");
        shown.field("method", &self.method).field("target", &self.target).finish_non_exhaustive()
    }
}

/// Pieces that are all here.
struct Pieces {
    left: VecDeque<Bytes>,
    says_length: bool,
}

impl BodyStream for Pieces {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<asgi::Result<Option<Bytes>>> {
        Poll::Ready(Ok(self.left.pop_front()))
    }

    fn bytes_left(&self) -> Option<u64> {
        self.says_length.then(|| self.left.iter().map(|piece| piece.len() as u64).sum())
    }
}
