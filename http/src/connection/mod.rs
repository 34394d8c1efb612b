//! The protocol of one connection, without sockets, clocks or waiting.
//!
//! Bytes that came are shown to [`receive_head`](Connection::receive_head) and
//! [`receive_body`](Connection::receive_body), which say what they mean and how many are used up. What the application
//! wants to say goes through [`respond`](Connection::respond), or [`start`](Connection::start),
//! [`body`](Connection::body) and [`end`](Connection::end), which write bytes. In between stands [`Next`]: whether
//! another request may follow.
//!
//! So all of HTTP/1.1 that has state can be tested with every byte split every way, and the server above is left with
//! reading, writing and time.
//!
//! ```
//! use bytes::BytesMut;
//! use evloop_http::codec::date::Date;
//! use evloop_http::connection::{Connection, Next};
//! use evloop_http::limits::Limits;
//! use evloop_http::message::{RequestHead, StatusCode};
//!
//! let (limits, date) = (Limits::default(), Date::at(0));
//! let (mut connection, mut head, mut out) = (Connection::default(), RequestHead::default(), BytesMut::new());
//!
//! let input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
//! assert_eq!(connection.receive_head(&input[..10], &limits, &mut head)?, None);
//! assert_eq!(connection.receive_head(input, &limits, &mut head)?, Some(input.len()));
//! connection.respond(&mut out, StatusCode::OK, &date, b"Hello", |_| Ok(()))?;
//! assert_eq!(connection.next_step(), Some(Next::Request));
//! assert!(out.ends_with(b"\r\n\r\nHello"));
//! # Ok::<(), evloop_http::error::Error>(())
//! ```

mod state;

pub use state::Next;

use crate::codec::body::{BodyDecoder, Decoded};
use crate::codec::date::Date;
use crate::codec::encode::{BodyFraming, CONTINUE, ConnectionField, ResponseHead, chunk_end, chunk_head, last_chunk};
use crate::codec::framing::BodyLength;
use crate::codec::head;
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{Method, RequestHead, StatusCode, Version};
use bytes::BytesMut;
use state::{Client, Server};

/// The state of one connection between two requests, or in one.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    server: Server,
    decoder: BodyDecoder,
    version: Version,
    /// The request's method is HEAD: the response's head says what a GET would get, and no body follows.
    is_head: bool,
    keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    expects_continue: bool,
    sending: Sending,
}

/// How the body of the response under way is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// So many bytes are still owed.
    Length(u64),
    Chunked,
    /// Until the connection ends.
    ToClose,
    /// The head has said all; this many bytes may still be given and are dropped, any number if it is unknown.
    Nothing(Option<u64>),
}

impl Default for Connection {
    fn default() -> Self {
        Connection {
            client: Client::Idle,
            server: Server::Idle,
            decoder: BodyDecoder::new(BodyLength::None, &Limits::default()),
            version: Version::Http11,
            is_head: false,
            keep_alive: true,
            expects_continue: false,
            sending: Sending::Nothing(None),
        }
    }
}

impl Connection {
    /// Shows the bytes that have come since the last request: all that have not been used up. `None`: the head is not
    /// whole, show them again when more have come. `Some`: the head is in `head`, and so many bytes are used up.
    ///
    /// # Errors
    /// When the head is malformed, ambiguous or larger than allowed. The connection will not go on after the
    /// [refusal](Connection::refuse).
    #[inline]
    pub fn receive_head(
        &mut self,
        input: &[u8],
        limits: &Limits,
        head: &mut RequestHead,
    ) -> Result<Option<usize>, Error> {
        debug_assert!(self.client == Client::Idle, "a request begins when the one before is over");
        let Some(parsed) = head::parse(input, limits, head)? else { return Ok(None) };
        let framing = parsed.framing;
        self.version = head.version();
        self.is_head = head.method() == Method::Head;
        // What follows a CONNECT is meant for a tunnel: it could be read as a request here, and as something else there.
        self.keep_alive = framing.keep_alive && head.method() != Method::Connect;
        self.expects_continue = framing.expect_continue;
        self.server = Server::Due;
        self.client = Client::Done;
        if !framing.body.is_empty() {
            self.client = Client::Body;
            self.decoder = BodyDecoder::new(framing.body, limits);
        }
        Ok(Some(parsed.consumed))
    }

    /// Shows bytes that follow the head: what of them is body, how many are used up, and whether the body has ended.
    ///
    /// # Errors
    /// When the chunked coding is malformed, or the body larger than allowed.
    pub fn receive_body(&mut self, input: &[u8]) -> Result<Decoded, Error> {
        let decoded = self.decoder.decode(input).inspect_err(|_| self.keep_alive = false)?;
        if decoded.ended && self.client == Client::Body {
            self.client = Client::Done;
        }
        Ok(decoded)
    }

    /// Whether a part of the request's body is still to come.
    #[inline]
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        self.client == Client::Body
    }

    /// How many bytes of the request's body are still to come, if that is known.
    #[must_use]
    pub fn body_left(&self) -> Option<u64> {
        if self.is_receiving() { self.decoder.remaining_hint() } else { Some(0) }
    }

    /// The application asks for the body: tells a client that waits for that to go on (RFC 9110 section 10.1.1).
    pub fn continue_body(&mut self, out: &mut BytesMut) {
        if std::mem::take(&mut self.expects_continue) && self.server == Server::Due {
            out.extend_from_slice(CONTINUE);
        }
    }

    /// Whether a response is due and nothing of it has been written.
    #[inline]
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.server == Server::Due
    }

    /// Writes a whole response. `fields` adds what the application wants in its head.
    ///
    /// # Errors
    /// When a response was started already, or a field cannot be written; then nothing is.
    #[inline]
    pub fn respond(
        &mut self,
        out: &mut BytesMut,
        status: StatusCode,
        date: &Date,
        body: &[u8],
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.start(out, status, date, Some(body.len() as u64), fields)?;
        if !matches!(self.sending, Sending::Nothing(_)) {
            out.extend_from_slice(body);
        }
        self.server = Server::Done;
        Ok(())
    }

    /// Writes the head of a response whose body follows; `length` is its size, if that is known.
    ///
    /// # Errors
    /// When a response was started already, or a field cannot be written; then nothing is.
    #[inline]
    pub fn start(
        &mut self,
        out: &mut BytesMut,
        status: StatusCode,
        date: &Date,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.server != Server::Due || status.is_informational() {
            return Err(Error::new(Kind::ResponseOrder));
        }
        let mut head = ResponseHead::begin(out, status);
        fields(&mut head)?;
        let (framing, sending) = match length {
            _ if status.forbids_body() => (BodyFraming::None, Sending::Nothing(length)),
            Some(length) => (BodyFraming::Length(length), Sending::Length(length)),
            None if self.version == Version::Http11 => (BodyFraming::Chunked, Sending::Chunked),
            None => (BodyFraming::Close, Sending::ToClose),
        };
        self.sending = if self.is_head { Sending::Nothing(length) } else { sending };
        // A client that was not told to go on may send its body or not: what it sends next could be read in two ways.
        self.keep_alive &= !self.expects_continue && self.sending != Sending::ToClose;
        let connection = match (self.keep_alive, self.version) {
            (false, _) => ConnectionField::Close,
            (true, Version::Http10) => ConnectionField::KeepAlive,
            (true, Version::Http11) => ConnectionField::Omit,
        };
        head.finish(framing, connection, date);
        self.server = Server::Body;
        Ok(())
    }

    /// Whether the body of the response under way is left out, as after HEAD: it need not be given.
    #[inline]
    #[must_use]
    pub fn omits_body(&self) -> bool {
        matches!(self.sending, Sending::Nothing(_))
    }

    /// Writes a piece of the response's body.
    ///
    /// # Errors
    /// When no response was started or it has ended, or when the body grows longer than its head said.
    pub fn body(&mut self, out: &mut BytesMut, piece: &[u8]) -> Result<(), Error> {
        if self.server != Server::Body {
            return Err(Error::new(Kind::ResponseOrder));
        }
        if let Sending::Length(left) | Sending::Nothing(Some(left)) = &mut self.sending {
            *left = left.checked_sub(piece.len() as u64).ok_or(Error::new(Kind::ResponseLength))?;
        }
        match self.sending {
            Sending::Nothing(_) => {}
            Sending::Length(_) | Sending::ToClose => out.extend_from_slice(piece),
            Sending::Chunked if piece.is_empty() => {} // an empty chunk would end the body
            Sending::Chunked => {
                chunk_head(out, piece.len());
                out.extend_from_slice(piece);
                chunk_end(out);
            }
        }
        Ok(())
    }

    /// Ends the response.
    ///
    /// # Errors
    /// When no response was started or it has ended, or when the body is shorter than its head said: then the connection
    /// must be cut, so that the client sees that something is missing.
    pub fn end(&mut self, out: &mut BytesMut) -> Result<(), Error> {
        match (self.server, self.sending) {
            (Server::Body, Sending::Length(1..)) => return Err(Error::new(Kind::ResponseLength)),
            (Server::Body, Sending::Chunked) => last_chunk(out),
            (Server::Body, _) => {}
            _ => return Err(Error::new(Kind::ResponseOrder)),
        }
        self.server = Server::Done;
        Ok(())
    }

    /// Refuses the request, if nothing of a response has been written: the answer is plain, short, and the last one.
    pub fn refuse(&mut self, out: &mut BytesMut, status: StatusCode, date: &Date) {
        if matches!(self.server, Server::Idle | Server::Due) {
            if self.server == Server::Idle {
                // What is known of the request is not this one's, but that of the one before.
                *self = Connection { server: Server::Due, ..Connection::default() };
            }
            self.keep_alive = false;
            let text = status.reason();
            let written = self.respond(out, status, date, text.as_bytes(), |head| {
                head.line(crate::codec::encode::FieldLine::TEXT_PLAIN);
                Ok(())
            });
            debug_assert!(written.is_ok(), "a refusal has nothing that could be refused");
        }
    }

    /// The response under way, or the next, is the last one.
    pub fn close_after_response(&mut self) {
        self.keep_alive = false;
    }

    /// What follows; `None` while a response is due or under way. After [`Next::Request`] the connection is ready for the
    /// next head.
    #[inline]
    pub fn next_step(&mut self) -> Option<Next> {
        let next = state::next(self.client, self.server, self.keep_alive);
        if next == Some(Next::Request) {
            self.client = Client::Idle;
            self.server = Server::Idle;
        }
        next
    }
}

#[cfg(test)]
mod tests;
