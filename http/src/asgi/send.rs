//! The response, as the application gives it.

use super::exchange::Exchange;
use crate::codec::encode::ResponseHead;
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use bytes::Bytes;
use std::future::{Ready, ready as ready_future};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Takes the response: at once, or head first and then its body in pieces.
#[derive(Debug)]
pub struct Send {
    exchange: Rc<Exchange>,
    /// Head fields of a response whose first piece has not come: only with it is known how its body is framed.
    begun: Option<Box<Begun>>,
}

#[derive(Debug)]
struct Begun {
    status: StatusCode,
    fields: Vec<(String, Vec<u8>)>,
}

/// What can be given as the fields of a response head.
pub trait Fields {
    /// Adds them.
    ///
    /// # Errors
    /// When a name or a value cannot be written, or when the field is the server's to write.
    fn write_to(self, head: &mut ResponseHead<'_>) -> Result<(), Error>;
}

/// No fields at all.
pub const NO_FIELDS: [(&str, &str); 0] = [];

impl<I, N, V> Fields for I
where
    I: IntoIterator<Item = (N, V)>,
    N: AsRef<str>,
    V: AsRef<[u8]>,
{
    fn write_to(self, head: &mut ResponseHead<'_>) -> Result<(), Error> {
        self.into_iter().try_for_each(|(name, value)| head.header(name.as_ref(), value.as_ref()))
    }
}

impl Send {
    pub(crate) fn new(exchange: Rc<Exchange>) -> Send {
        Send { exchange, begun: None }
    }

    /// Begins a response. Nothing is sent before the first piece of its body, which decides how the body is framed: by its
    /// length if it is also the last, else in chunks, or to the connection's end for a client of HTTP/1.0.
    ///
    /// It is awaited as the other events are, and ready at once.
    ///
    /// # Errors
    /// When the status is none, or a response was begun already.
    pub fn response_start<N, V>(
        &mut self,
        status: u16,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Ready<Result<(), Error>>
    where
        N: Into<String>,
        V: Into<Vec<u8>>,
    {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        ready_future(self.begin(status, fields))
    }

    fn begin(&mut self, status: u16, fields: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        let status = StatusCode::from_u16(status).ok_or(Error::new(Kind::ResponseOrder))?;
        if self.begun.is_some() || !self.exchange.with(|connection, _| connection.is_due()) {
            return Err(Error::new(Kind::ResponseOrder));
        }
        self.begun = Some(Box::new(Begun { status, fields }));
        Ok(())
    }

    /// Gives the last piece of the body, which may be the only one, when there is room for it.
    ///
    /// # Errors
    /// When no response was begun, when a field cannot be written, when the body is not as long as was said, or when the
    /// client has gone.
    ///
    /// # Cancel safety
    /// The piece is given whole or not at all.
    pub fn response_body(&mut self, piece: impl Into<Bytes>) -> SendPiece<'_> {
        SendPiece { send: self, piece: Some(piece.into()), last: true }
    }

    /// Gives a piece of the body, when there is room for it.
    ///
    /// # Errors
    /// As [`response_body`](Send::response_body).
    ///
    /// # Cancel safety
    /// The piece is given whole or not at all.
    pub fn response_piece(&mut self, piece: impl Into<Bytes>) -> SendPiece<'_> {
        SendPiece { send: self, piece: Some(piece.into()), last: false }
    }

    /// Ends a response whose last piece was given as one of several.
    ///
    /// # Errors
    /// When no response was begun, or when the body is shorter than was said.
    pub fn response_end(&mut self) -> Result<(), Error> {
        self.flush_begun(None)?;
        self.exchange.write(|connection, out, _| connection.end(out))
    }

    /// Gives a whole response at once, its head written straight into the connection's buffer.
    ///
    /// # Errors
    /// When a response was begun already, or a field cannot be written.
    #[inline]
    pub fn respond(&mut self, status: StatusCode, body: &[u8], fields: impl Fields) -> Result<(), Error> {
        self.respond_with(status, body, |head| fields.write_to(head))
    }

    #[inline]
    pub(crate) fn respond_with(
        &mut self,
        status: StatusCode,
        body: &[u8],
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.exchange.write(|connection, out, date| connection.respond(out, status, date, body, fields))
    }

    /// Begins a response whose body has this length, if it is known, and follows in pieces.
    ///
    /// # Errors
    /// When a response was begun already, or a field cannot be written.
    pub fn start(&mut self, status: StatusCode, length: Option<u64>, fields: impl Fields) -> Result<(), Error> {
        self.start_with(status, length, |head| fields.write_to(head))
    }

    pub(crate) fn start_with(
        &mut self,
        status: StatusCode,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.exchange.write(|connection, out, date| connection.start(out, status, date, length, fields))
    }

    /// Ready when there is room for a piece of the body.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.exchange.poll_room(cx)
    }

    /// Whether the body need not be given.
    pub(crate) fn omits_body(&self) -> bool {
        self.exchange.with(|connection, _| connection.omits_body())
    }

    /// Writes a piece of the body, room or not.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.exchange.write(|connection, out, _| connection.body(out, piece))
    }

    /// Writes the head that was kept back; `length` is that of the body, if it is known now.
    fn flush_begun(&mut self, length: Option<u64>) -> Result<(), Error> {
        let Some(begun) = self.begun.take() else { return Ok(()) };
        self.start_with(begun.status, length, |head| {
            begun.fields.iter().try_for_each(|(name, value)| head.header(name, value))
        })
    }
}

/// A piece of a response's body on its way to the connection; see [`Send::response_body`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct SendPiece<'a> {
    send: &'a mut Send,
    piece: Option<Bytes>,
    last: bool,
}

impl Future for SendPiece<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(this.send.poll_room(cx))?;
        let piece = this.piece.take().expect("a future is not polled after it was ready");
        this.send.flush_begun(this.last.then_some(piece.len() as u64))?;
        this.send.push(&piece)?;
        Poll::Ready(if this.last { this.send.response_end() } else { Ok(()) })
    }
}
