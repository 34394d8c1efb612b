//! The protocol of one connection, without sockets, clocks or waiting.
//!
//! Bytes that came are shown to [`receive_head`](Connection::receive_head) and
//! [`receive_body`](Connection::receive_body), which say what they mean and how many are used up. What the application
//! wants to say goes through [`respond`](Connection::respond), or [`start`](Connection::start),
//! [`body`](Connection::body) and [`end`](Connection::end), which write bytes. In between stands [`Next`]: whether
//! another request may follow.
//!
//! So all of HTTP/1.1 that has state can be tested with every byte split every way, and the server above is left with
//! reading, writing and time. Which rule of the RFCs is kept how, and held by which test, is told in [`clauses`].
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

#[doc = include_str!("clauses.md")]
pub mod clauses {}

pub use state::Next;

use crate::codec::body::{BodyDecoder, Decoded};
use crate::codec::date::Date;
use crate::codec::encode::{BodyFraming, CONTINUE, ConnectionField, ResponseHead};
use crate::codec::encode::{chunk_end, chunk_head, last_chunk, last_chunk_with};
use crate::codec::framing::BodyLength;
use crate::codec::head;
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{Method, RequestHead, StatusCode, Version};
use bytes::BytesMut;
use state::{Client, Server};

/// Bytes of a body that nobody wants which are read to save the connection; past it, closing costs less.
pub const DRAIN_BYTES_MAX: u64 = 256 * 1024;

/// The state of one connection between two requests, or in one.
#[derive(Debug)]
pub struct Connection {
    client: Client,
    server: Server,
    decoder: BodyDecoder,
    version: Version,
    /// After HEAD no body follows the response's head, which says what a GET would get; after CONNECT a tunnel may.
    method: Method,
    /// The client would go on in another protocol.
    offers_upgrade: bool,
    keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body.
    expects_continue: bool,
    sending: Sending,
    /// The status of the response under way, or of the last one.
    status: StatusCode,
    /// Bytes of its body that have been written, without the chunked coding around them.
    sent_bytes: u64,
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
            method: Method::Get,
            offers_upgrade: false,
            keep_alive: true,
            expects_continue: false,
            sending: Sending::Nothing(None),
            status: StatusCode::OK,
            sent_bytes: 0,
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
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "several servers in one program would each call it, at 40 instructions")]
    pub fn receive_head(
        &mut self,
        input: &[u8],
        limits: &Limits,
        head: &mut RequestHead,
    ) -> Result<Option<usize>, Error> {
        debug_assert!(self.client == Client::Idle, "a request begins when the one before is over");
        let parsed = match head::parse(input, limits, head) {
            Ok(Some(parsed)) => parsed,
            unfinished => {
                self.note_method(input);
                return unfinished.map(|_| None);
            }
        };
        let framing = parsed.framing;
        self.version = head.version();
        self.method = head.method();
        self.offers_upgrade = framing.upgrade;
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

    /// A head that is not whole, or is refused, may still be known to be a HEAD's: then its refusal has no content.
    #[cold]
    fn note_method(&mut self, input: &[u8]) {
        let line = input.strip_prefix(b"\r\n").unwrap_or(input);
        self.method = if line.starts_with(b"HEAD ") { Method::Head } else { Method::Get };
    }

    /// Shows bytes that follow the head: what of them is body, how many are used up, and whether the body has ended.
    ///
    /// # Errors
    /// When the chunked coding is malformed, or the body larger than allowed.
    pub fn receive_body(&mut self, input: &[u8]) -> Result<Decoded, Error> {
        if self.client == Client::Tunnel {
            return Ok(Decoded { consumed: input.len(), data: 0..input.len(), ended: false });
        }
        let decoded = self.decoder.decode(input).inspect_err(|_| self.keep_alive = false)?;
        if decoded.ended && self.client == Client::Body {
            self.client = Client::Done;
        }
        Ok(decoded)
    }

    /// The stream has ended: a tunnel's way in has, too. A body that is not whole stays so.
    pub fn end_tunnel(&mut self) {
        if self.client == Client::Tunnel {
            self.client = Client::Done;
        }
    }

    /// Whether a part of the request's body, or of what comes through a tunnel, is still to come.
    #[inline]
    #[must_use]
    pub fn is_receiving(&self) -> bool {
        matches!(self.client, Client::Body | Client::Tunnel)
    }

    /// Whether the connection has ceased to speak HTTP.
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        self.client == Client::Tunnel
    }

    /// How many bytes of the request's body are still to come, if that is known.
    #[must_use]
    pub fn body_left(&self) -> Option<u64> {
        match self.client {
            Client::Idle | Client::Done => Some(0),
            Client::Body => self.decoder.remaining_hint(),
            Client::Tunnel => None,
        }
    }

    /// The application asks for the body: tells a client that waits for that to go on (RFC 9110 section 10.1.1).
    pub fn continue_body(&mut self, out: &mut BytesMut) {
        if std::mem::take(&mut self.expects_continue) && self.server == Server::Due {
            out.extend_from_slice(CONTINUE);
        }
    }

    /// Whether it is between two requests, where one connection is as good as another.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.client == Client::Idle && self.server == Server::Idle
    }

    /// Whether a response is due and nothing of it has been written.
    #[inline]
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.server == Server::Due
    }

    /// Whether a response was begun and is not over.
    #[inline]
    #[must_use]
    pub fn is_responding(&self) -> bool {
        self.server == Server::Body
    }

    /// The status of the response under way, or of the last one, and how many bytes of its body have been written.
    #[must_use]
    pub fn sent(&self) -> (StatusCode, u64) {
        (self.status, self.sent_bytes)
    }

    /// Whether the end of the connection alone tells the client that the response is whole: one that is cut, or of which
    /// not all has been written, must then end with a reset.
    #[must_use]
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.server, Server::Body | Server::Done) && self.sending == Sending::ToClose
    }

    /// Writes an interim response: `fields` that the client may make use of before the response comes. Clients of HTTP/1.0
    /// know none, and get none (RFC 9110 section 15.2).
    ///
    /// # Errors
    /// When a response was started already, when the status is no interim one or has a meaning of its own (100, 101), or
    /// when a field cannot be written.
    pub fn interim(
        &mut self,
        out: &mut BytesMut,
        status: StatusCode,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_due()?;
        if !status.is_informational() || status <= StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::new(Kind::ResponseStatus));
        }
        if self.version == Version::Http11 {
            let mut head = ResponseHead::begin(out, status);
            fields(&mut head)?;
            head.finish_interim();
        }
        Ok(())
    }

    /// Goes on in another protocol, one of those that the client has offered: writes `101 Switching Protocols`, and from
    /// then on all bytes are the application's, in both directions (RFC 9110 section 7.8).
    ///
    /// # Errors
    /// When a response was started already, when the client has not offered to switch or is sending a body, or when a
    /// field cannot be written.
    pub fn switch_protocols(
        &mut self,
        out: &mut BytesMut,
        protocol: &str,
        date: &Date,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_due()?;
        if !self.offers_upgrade || self.client != Client::Done {
            return Err(Error::new(Kind::NoUpgrade));
        }
        let mut head = ResponseHead::begin(out, StatusCode::SWITCHING_PROTOCOLS);
        head.header("upgrade", protocol.as_bytes())?;
        fields(&mut head)?;
        head.finish(BodyFraming::None, ConnectionField::Omit, date);
        self.begin_tunnel(StatusCode::SWITCHING_PROTOCOLS);
        Ok(())
    }

    fn begin_tunnel(&mut self, status: StatusCode) {
        self.status = status;
        self.sent_bytes = 0;
        self.keep_alive = false;
        self.client = Client::Tunnel;
        self.server = Server::Body;
        self.sending = Sending::ToClose;
    }

    /// What is left here of a connection that goes on elsewhere: it sends no more, and still tells what was sent.
    pub(crate) fn remains(&self) -> Connection {
        let (status, sent_bytes) = self.sent();
        Connection { server: Server::Done, status, sent_bytes, ..Connection::default() }
    }

    /// Whether a response with this status would make a tunnel of the connection (RFC 9110 section 9.3.6).
    pub(crate) fn opens_tunnel(&self, status: StatusCode) -> bool {
        self.method == Method::Connect && status.is_success()
    }

    /// Whether a response with this status would have no body, whatever its head says of one.
    pub(crate) fn leaves_body_out(&self, status: StatusCode) -> bool {
        self.method == Method::Head || status.forbids_body()
    }

    /// Whether both sides have said all that belongs to the request, and what follows does not concern it.
    pub(crate) fn is_complete(&self) -> bool {
        self.client == Client::Done && self.server == Server::Done
    }

    /// Whether the response is over, and was the last one: this side has no more to say.
    pub(crate) fn has_said_all(&self) -> bool {
        self.server == Server::Done && !self.keep_alive
    }

    /// Whether a response may begin here.
    ///
    /// # Errors
    /// When one was begun, or is over.
    #[inline]
    pub(crate) fn check_due(&self) -> Result<(), Error> {
        if self.server == Server::Due { Ok(()) } else { Err(self.misplaced()) }
    }

    /// What is wrong with the beginning of a response here.
    #[cold]
    fn misplaced(&self) -> Error {
        Error::new(match self.server {
            Server::Body => Kind::ResponseBegun,
            _ => Kind::ResponseEnded,
        })
    }

    /// What is wrong with a part of a response's body here.
    #[cold]
    fn body_misplaced(&self) -> Error {
        Error::new(match self.server {
            Server::Due => Kind::ResponseNotBegun,
            _ => Kind::ResponseEnded,
        })
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
        let keep_alive = self.keep_alive;
        // What will not be read to its end cannot be followed by another request, and the client may stop sending it.
        if self.client == Client::Body && self.decoder.remaining_hint().is_some_and(|left| left > DRAIN_BYTES_MAX) {
            self.keep_alive = false;
        }
        // Where no body is allowed, an empty one says nothing of the length that it would have had (RFC 9110 section 8.6).
        let length = (!status.forbids_body()).then_some(body.len() as u64);
        self.begin(out, status, date, length, fields).inspect_err(|_| self.keep_alive = keep_alive)?;
        if self.omits_body() {
            self.sent_bytes = 0;
        } else {
            out.extend_from_slice(body);
            self.sent_bytes = body.len() as u64;
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
        self.begin(out, status, date, length, fields)?;
        self.sent_bytes = 0;
        self.server = Server::Body;
        Ok(())
    }

    /// Writes the head of a response, and notes how its body is framed.
    #[inline]
    fn begin(
        &mut self,
        out: &mut BytesMut,
        status: StatusCode,
        date: &Date,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_due()?;
        if status.is_informational() {
            return Err(Error::new(Kind::ResponseStatus));
        }
        let mut head = ResponseHead::begin(out, status);
        fields(&mut head)?;
        if self.opens_tunnel(status) {
            // Neither framing nor a word about the connection: it is the application's (RFC 9110 section 9.3.6).
            head.finish(BodyFraming::None, ConnectionField::Omit, date);
            self.begin_tunnel(status);
            return Ok(());
        }
        let (framing, sending) = match length {
            Some(length) if status == StatusCode::NOT_MODIFIED => {
                (BodyFraming::Length(length), Sending::Nothing(Some(length)))
            }
            _ if status.forbids_body() => (BodyFraming::None, Sending::Nothing(length)),
            // It has a length, but no content (RFC 9110 section 15.3.6).
            _ if status == StatusCode::RESET_CONTENT => (BodyFraming::Length(0), Sending::Nothing(length)),
            Some(length) => (BodyFraming::Length(length), Sending::Length(length)),
            None if self.version == Version::Http11 => (BodyFraming::Chunked, Sending::Chunked),
            None => (BodyFraming::Close, Sending::ToClose),
        };
        self.sending = if self.method == Method::Head { Sending::Nothing(length) } else { sending };
        // A client that was not told to go on may send its body or not: what it sends next could be read in two ways.
        self.keep_alive &= !self.expects_continue && self.sending != Sending::ToClose;
        let connection = match (self.keep_alive, self.version) {
            (false, _) => ConnectionField::Close,
            (true, Version::Http10) => ConnectionField::KeepAlive,
            (true, Version::Http11) => ConnectionField::Omit,
        };
        head.finish(framing, connection, date);
        self.status = status;
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
            return Err(self.body_misplaced());
        }
        if let Sending::Length(left) | Sending::Nothing(Some(left)) = &mut self.sending {
            *left = left.checked_sub(piece.len() as u64).ok_or(Error::new(Kind::ResponseLength))?;
        }
        match self.sending {
            Sending::Nothing(_) => return Ok(()),
            Sending::Length(_) | Sending::ToClose => out.extend_from_slice(piece),
            Sending::Chunked if piece.is_empty() => {} // an empty chunk would end the body
            Sending::Chunked => {
                chunk_head(out, piece.len());
                out.extend_from_slice(piece);
                chunk_end(out);
            }
        }
        self.sent_bytes += piece.len() as u64;
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
            _ => return Err(self.body_misplaced()),
        }
        self.server = Server::Done;
        Ok(())
    }

    /// Ends the response with trailers, if it is chunked: elsewhere there is no place for them, and they are left out.
    ///
    /// # Errors
    /// As [`end`](Connection::end); or when a trailer cannot be written, and then nothing is.
    pub fn end_with<'t>(
        &mut self,
        out: &mut BytesMut,
        trailers: impl IntoIterator<Item = (&'t str, &'t [u8])>,
    ) -> Result<(), Error> {
        if self.server == Server::Body && self.sending == Sending::Chunked {
            last_chunk_with(out, trailers)?;
            self.server = Server::Done;
            return Ok(());
        }
        self.end(out)
    }

    /// Refuses the request, if nothing of a response has been written: the answer is plain, short, and the last one.
    pub fn refuse(&mut self, out: &mut BytesMut, status: StatusCode, date: &Date) {
        self.refuse_with(out, status, date, |_| {});
    }

    /// The same, with what `fields` adds in its head.
    pub(crate) fn refuse_with(
        &mut self,
        out: &mut BytesMut,
        status: StatusCode,
        date: &Date,
        fields: impl FnOnce(&mut ResponseHead<'_>),
    ) {
        if matches!(self.server, Server::Idle | Server::Due) {
            if self.server == Server::Idle {
                // What else there is, is known of the request before.
                *self = Connection { server: Server::Due, method: self.method, ..Connection::default() };
            }
            self.keep_alive = false;
            let text = status.reason();
            let written = self.respond(out, status, date, text.as_bytes(), |head| {
                head.line(crate::codec::encode::FieldLine::TEXT_PLAIN);
                fields(head);
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
            self.method = Method::Get; // until more is known of the next
            self.client = Client::Idle;
            self.server = Server::Idle;
        }
        next
    }
}

#[cfg(test)]
mod tests;
