//! One request on its way out and its response on its way in, both at once.
//!
//! Both, because a server may answer while it still receives: a client that first sent all and then read would wait for a
//! server that waits for it.

use super::client::Inner;
use super::error::ClientError;
use super::memory::End;
use super::reader::{Asked, Part, ResponseReader, excerpt};
use super::response::TestHead;
use crate::router::BodyStream;
use bytes::{Buf, Bytes, BytesMut};
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A read brings so many bytes at most.
const READ_BYTES: usize = 16 * 1024;

/// A connection of the client, with what has come on it and was not looked at.
pub(super) struct Wire {
    end: End,
    input: BytesMut,
    ended: bool,
}

impl Wire {
    pub(super) fn new(end: End) -> Wire {
        Wire { end, input: BytesMut::new(), ended: false }
    }

    /// Whether the server has closed it, or is about to.
    pub(super) fn is_closed(&self) -> bool {
        self.ended || self.end.is_ended() || self.end.seen().is_gone()
    }

    /// Between two responses nothing may come.
    pub(super) fn check_idle(&self) -> Result<(), ClientError> {
        let stray = self.input.len() + self.end.unread_bytes();
        if stray == 0 {
            return Ok(());
        }
        let shown = if self.input.is_empty() { String::new() } else { format!(": {}", excerpt(&self.input)) };
        Err(ClientError::malformed(format!("{stray} bytes that belong to no response{shown}")))
    }

    /// Waits for bytes, or for the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut room = [0; READ_BYTES];
        let read = ready!(self.end.poll_read(cx, &mut room))?;
        self.input.extend_from_slice(&room[..read]);
        self.ended = read == 0;
        Poll::Ready(Ok(()))
    }
}

/// What is still to be sent.
pub(super) struct Outgoing {
    pub(super) bytes: BytesMut,
    /// What follows the bytes.
    pub(super) body: OutgoingBody,
    /// `100 Continue`, or a reason to send no body, is to come after the bytes and before what follows them.
    pub(super) waits: bool,
}

/// A body, or what is left of it.
pub(super) enum OutgoingBody {
    /// Nothing more.
    Over,
    /// Pieces that are together as long as the head said.
    Length(Pin<Box<dyn BodyStream>>, u64),
    Chunks(Pin<Box<dyn BodyStream>>),
    /// The server closed its side; what was to be sent is thrown away.
    Refused,
}

impl Outgoing {
    fn is_over(&self) -> bool {
        self.bytes.is_empty() && matches!(self.body, OutgoingBody::Over)
    }

    /// Sends what can be sent now.
    fn advance(&mut self, cx: &mut Context<'_>, end: &mut End) -> Result<(), ClientError> {
        loop {
            while !self.bytes.is_empty() {
                match end.poll_write(cx, &self.bytes) {
                    Poll::Ready(Ok(written)) => self.bytes.advance(written),
                    Poll::Ready(Err(_)) => {
                        // The answer may be here all the same; if it is not, reading will tell.
                        self.bytes.clear();
                        self.body = OutgoingBody::Refused;
                    }
                    Poll::Pending => return Ok(()),
                }
            }
            // A piece is sent when the server has read the one before: so it sees them one by one.
            if self.waits || end.poll_taken(cx).is_pending() {
                return Ok(());
            }
            match self.poll_next(cx) {
                Poll::Ready(made) => made?,
                Poll::Pending => return Ok(()),
            }
        }
    }

    /// Makes bytes of the next piece; `Pending` also when there is none.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        match &mut self.body {
            OutgoingBody::Over | OutgoingBody::Refused => return Poll::Pending,
            OutgoingBody::Length(stream, left) => match ready!(poll_piece(stream, cx))? {
                Some(piece) if piece.len() as u64 <= *left => {
                    *left -= piece.len() as u64;
                    self.bytes.extend_from_slice(&piece);
                }
                None if *left == 0 => self.body = OutgoingBody::Over,
                _ => return Poll::Ready(Err(ClientError::request("the body to be sent is not as long as it said"))),
            },
            OutgoingBody::Chunks(stream) => match ready!(poll_piece(stream, cx))? {
                Some(piece) if piece.is_empty() => {} // as a chunk it would be the end
                Some(piece) => {
                    self.bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    self.bytes.extend_from_slice(&piece);
                    self.bytes.extend_from_slice(b"\r\n");
                }
                None => {
                    self.bytes.extend_from_slice(b"0\r\n\r\n");
                    self.body = OutgoingBody::Over;
                }
            },
        }
        Poll::Ready(Ok(()))
    }
}

fn poll_piece(stream: &mut Pin<Box<dyn BodyStream>>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ClientError>> {
    let piece = stream.as_mut().poll_piece(cx);
    piece.map_err(|error| ClientError::request(format!("the body to be sent failed: {error}")))
}

/// A request and its response, on a connection of their own as long as they last.
pub(super) struct Exchange {
    wire: Wire,
    outgoing: Outgoing,
    reader: ResponseReader,
    /// What the request said of the connection.
    keeps: bool,
    client: Rc<Inner>,
    asked: Asked,
}

impl Exchange {
    pub(super) fn new(client: Rc<Inner>, wire: Wire, outgoing: Outgoing, asked: Asked, keeps: bool) -> Exchange {
        Exchange { wire, outgoing, reader: ResponseReader::new(asked), keeps, client, asked }
    }

    /// Sends what can be sent, and waits for the next part of the response.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, ClientError>> {
        loop {
            self.outgoing.advance(cx, &mut self.wire.end)?;
            match self.reader.next(&mut self.wire.input, self.wire.ended)? {
                Some(Part::Interim(head)) => {
                    if head.status().as_u16() == 100 {
                        self.outgoing.waits = false;
                    }
                    return Poll::Ready(Ok(Part::Interim(head)));
                }
                Some(part) => return Poll::Ready(Ok(part)),
                None => {
                    let filled = ready!(self.wire.poll_fill(cx));
                    filled.map_err(|_reset| self.reader.cut(&self.wire.input))?;
                }
            }
        }
    }

    /// The response is over: its connection is kept for the next request, if both sides wish so.
    ///
    /// One whose request was not sent to its end is closed: the server has answered without it (RFC 9112 section 9.5).
    pub(super) fn finish(self, head: &TestHead) -> Result<(), ClientError> {
        let closing = says(head, "close");
        let kept = self.keeps && !closing && (!self.asked.http_1_0 || says(head, "keep-alive"));
        self.wire.check_idle()?;
        if kept && !self.asked.connect && self.outgoing.is_over() && !self.wire.is_closed() {
            self.client.keep(self.wire);
        }
        Ok(())
    }
}

/// Whether the head's Connection field has this option.
fn says(head: &TestHead, option: &str) -> bool {
    let mut options = head.headers().get_all("connection").flat_map(|value| value.split(|byte| *byte == b','));
    options.any(|said| said.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
}
