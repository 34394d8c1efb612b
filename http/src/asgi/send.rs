//! The response, as the application gives it.

use super::app::Result;
use super::event::{FieldList, Outbound};
use super::exchange::Exchange;
use super::filter::Filter;
use crate::codec::encode::ResponseHead;
use crate::codec::framing::decimal;
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use bytes::Bytes;
use std::future::{Ready, ready as ready_future};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Takes the response: at once, or head first and then its body in pieces.
///
/// Clones are for the same response; what one has begun, the other can go on with.
#[derive(Debug, Clone)]
pub struct Send {
    exchange: Rc<Exchange>,
}

/// The head of a response whose first piece has not come.
#[derive(Debug)]
pub(super) struct Begun {
    status: StatusCode,
    fields: FieldList,
    /// How long the application says that the body is.
    length: Option<u64>,
}

/// What an application's fields say about framing, which they then lose: the server writes that itself.
#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    close: bool,
}

impl Framing {
    /// Takes what there is of `content-length` and `connection: close`. A `transfer-encoding` is ignored, as ASGI has it.
    fn take(fields: &mut FieldList) -> Result<Framing> {
        let mut framing = Framing::default();
        let mut broken = false;
        fields.retain(|(name, value)| {
            if name.eq_ignore_ascii_case("content-length") {
                let former = framing.length.replace(decimal(value).unwrap_or_default());
                broken |= former.is_some() || decimal(value).is_none();
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case(b"close") {
                framing.close = true;
            } else {
                return !name.eq_ignore_ascii_case("transfer-encoding");
            }
            false
        });
        if broken { Err(Error::new(Kind::ResponseContentLength)) } else { Ok(framing) }
    }
}

/// The trailers of a response that has announced some, as far as its events have come.
#[derive(Debug, Default)]
pub(super) struct Trailers {
    fields: FieldList,
    /// The whole body was given.
    due: bool,
}

/// What can be given as the fields of a response head.
pub trait Fields {
    /// Adds them.
    ///
    /// # Errors
    /// When a name or a value cannot be written, or when the field is the server's to write.
    fn write_to(self, head: &mut ResponseHead<'_>) -> Result;
}

/// No fields at all.
pub const NO_FIELDS: [(&str, &str); 0] = [];

impl<I, N, V> Fields for I
where
    I: IntoIterator<Item = (N, V)>,
    N: AsRef<str>,
    V: AsRef<[u8]>,
{
    fn write_to(self, head: &mut ResponseHead<'_>) -> Result {
        self.into_iter().try_for_each(|(name, value)| head.header(name.as_ref(), value.as_ref()))
    }
}

impl Send {
    pub(crate) fn new(exchange: Rc<Exchange>) -> Send {
        Send { exchange }
    }

    /// Begins a response. Nothing is sent before the first piece of its body, which decides how the body is framed: by its
    /// length if it is also the last, else in chunks, or to the connection's end for a client of HTTP/1.0.
    ///
    /// An application that knows the length beforehand may say so with a `content-length`: then the body is sent as it comes,
    /// and has to be as long; after HEAD, and with 304, it is told and need not be given. Other fields that frame the
    /// response are the server's: `connection: close` is heeded, `transfer-encoding` ignored, others are an error.
    ///
    /// It is awaited as the other events are, and ready at once.
    ///
    /// # Errors
    /// When the status is none, a length is no number or there twice, or a response was begun already.
    pub fn response_start<N, V>(&mut self, status: u16, fields: impl IntoIterator<Item = (N, V)>) -> Ready<Result>
    where
        N: Into<String>,
        V: Into<Vec<u8>>,
    {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        ready_future(self.begin(status, fields, None))
    }

    fn begin(&mut self, status: u16, mut fields: FieldList, trailers: Option<Trailers>) -> Result {
        let status = StatusCode::from_u16(status).filter(|status| !status.is_informational());
        let status = status.ok_or(Error::new(Kind::ResponseStatus))?;
        let Framing { length, close } = Framing::take(&mut fields)?;
        self.exchange.write(|inner| {
            inner.check_not_begun()?;
            inner.connection.check_due()?;
            inner.touched = true;
            inner.trailers = trailers;
            if close {
                inner.connection.close_after_response();
            }
            inner.begun = Some(Box::new(Begun { status, fields, length }));
            Ok(())
        })
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
    pub fn response_end(&mut self) -> Result {
        self.flush_begun(None)?;
        self.exchange.end(&[])
    }

    /// Ends a response with trailers: fields that follow its body. They are sent where the client
    /// [takes them](super::Extensions::trailers) and the response is in chunks, and left out elsewhere.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{Receive, Result, Scope, Send};
    /// use evloop_http::testing;
    ///
    /// async fn application(_: Scope, _: Receive, mut send: Send) -> Result {
    ///     send.response_start(200, [("trailer", "x-checksum")]).await?;
    ///     send.response_piece("Hello").await?;
    ///     send.response_trailers([("x-checksum", "8b1a9953")])
    /// }
    ///
    /// testing::drive(application, async |client| {
    ///     let response = client.get("/").header("te", "trailers").send().await;
    ///     assert_eq!(response.trailers().get_str("x-checksum"), Some("8b1a9953"));
    ///     assert!(client.get("/").send().await.trailers().is_empty());
    /// });
    /// ```
    ///
    /// # Errors
    /// As [`response_end`](Send::response_end), and when a field may not be a trailer (RFC 9110 section 6.5.1).
    pub fn response_trailers<N, V>(&mut self, fields: impl IntoIterator<Item = (N, V)>) -> Result
    where
        N: Into<String>,
        V: Into<Vec<u8>>,
    {
        let fields: FieldList = fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.flush_begun(None)?;
        self.exchange.end(&fields)
    }

    /// Tells the client of what it will need, before there is a response: values of `Link` fields, as
    /// `</style.css>; rel=preload; as=style` (RFC 8297). A client of HTTP/1.0 is told nothing.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
    /// use evloop_http::testing;
    ///
    /// async fn application(_: Scope, _: Receive, mut send: Send) -> Result {
    ///     send.early_hint(["</style.css>; rel=preload; as=style"])?;
    ///     send.response_start(200, NO_FIELDS).await?;
    ///     send.response_body("Hello").await
    /// }
    ///
    /// testing::drive(application, async |client| {
    ///     let response = client.get("/").send().await;
    ///     assert_eq!(response.interim()[0].status().as_u16(), 103);
    ///     assert_eq!(response.text(), "Hello");
    /// });
    /// ```
    ///
    /// # Errors
    /// When a response was begun, or a value cannot be written.
    pub fn early_hint<V: AsRef<[u8]>>(&mut self, links: impl IntoIterator<Item = V>) -> Result {
        self.exchange.write(|inner| {
            inner.check_not_begun()?;
            inner.connection.interim(&mut inner.out, StatusCode::EARLY_HINTS, |head| {
                links.into_iter().try_for_each(|link| head.header("link", link.as_ref()))
            })
        })
    }

    /// Goes on in another protocol, one that the client offers in `Upgrade`: answers 101, and from then on the pieces of
    /// [`Receive`](super::Receive) are what the client sends, and those given here are sent to it as they are, until
    /// [`response_end`](Send::response_end). A client's offer may also be ignored, and its request answered as any other.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
    /// use evloop_http::testing;
    ///
    /// async fn echo(_: Scope, mut receive: Receive, mut send: Send) -> Result {
    ///     send.switch_protocols("echo", NO_FIELDS)?;
    ///     while let Some(piece) = receive.piece().await? {
    ///         send.response_piece(piece).await?;
    ///     }
    ///     send.response_end()
    /// }
    ///
    /// testing::drive(echo, async |client| {
    ///     let mut connection = client.connection();
    ///     connection.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await;
    ///     assert!(connection.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    ///     connection.send("Hello").await;
    ///     assert_eq!(connection.take(5).await, b"Hello");
    /// });
    /// ```
    ///
    /// # Errors
    /// When a response was begun, when the client does not offer this protocol or its body was not read to the end, or when
    /// a field cannot be written.
    pub fn switch_protocols(&mut self, protocol: &str, fields: impl Fields) -> Result {
        let offered = self.exchange.offers(protocol);
        self.exchange.write(|inner| {
            inner.check_not_begun()?;
            inner.connection.check_due()?;
            if !offered || inner.has_body() {
                return Err(Error::new(Kind::NoUpgrade));
            }
            let date = self.exchange.surroundings.date.get();
            inner.connection.switch_protocols(&mut inner.out, protocol, &date, |head| {
                fields.write_to(head)?;
                self.exchange.surroundings.complete(head);
                Ok(())
            })?;
            inner.filter = None;
            Ok(())
        })
    }

    /// Takes any event of the response, when there is room for it, as ASGI has it.
    ///
    /// # Errors
    /// When the event is out of its order, or asks for what cannot be written: the error names the rule. When the client
    /// has gone.
    ///
    /// # Cancel safety
    /// The event is taken whole or not at all.
    pub async fn event(&mut self, event: Outbound) -> Result {
        match event {
            Outbound::ResponseStart { status, headers, trailers } => {
                self.begin(status, headers, trailers.then(Trailers::default))
            }
            Outbound::ResponseBody { body, more_body } => {
                let trailers_due = self.exchange.change(|inner| inner.trailers.as_ref().map(|trailers| trailers.due));
                if trailers_due == Some(true) {
                    return Err(Error::new(Kind::ResponseTrailers));
                }
                let last = !more_body && trailers_due.is_none();
                SendPiece { send: self, piece: Some(body), last }.await?;
                self.exchange.change(|inner| inner.trailers.iter_mut().for_each(|trailers| trailers.due = !more_body));
                Ok(())
            }
            Outbound::ResponseTrailers { headers, more_trailers } => {
                let trailers = self.exchange.change(|inner| {
                    let known = inner.trailers.as_mut().filter(|trailers| trailers.due)?;
                    known.fields.extend(headers);
                    Some(if more_trailers { None } else { inner.trailers.take() })
                });
                match trailers.ok_or(Error::new(Kind::ResponseTrailers))? {
                    Some(trailers) => self.response_trailers(trailers.fields),
                    None => Ok(()),
                }
            }
            Outbound::EarlyHint { links } => self.early_hint(links),
        }
    }

    /// Lets a filter change the response, which has not begun. Of several, the one that was given last is the nearest to
    /// the application, and sees the response first.
    pub fn set_filter(&mut self, filter: Box<dyn Filter>) {
        self.exchange.change(|inner| inner.add_filter(filter));
    }

    /// Gives a whole response at once, its head written straight into the connection's buffer.
    ///
    /// # Errors
    /// When a response was begun already, or a field cannot be written.
    #[inline]
    pub fn respond(&mut self, status: StatusCode, body: &[u8], fields: impl Fields) -> Result {
        self.respond_with(status, body, |head| fields.write_to(head))
    }

    #[inline]
    pub(crate) fn respond_with(
        &mut self,
        status: StatusCode,
        body: &[u8],
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result,
    ) -> Result {
        self.exchange.respond(status, body, fields)
    }

    /// Begins a response whose body has this length, if it is known, and follows in pieces.
    ///
    /// # Errors
    /// When a response was begun already, or a field cannot be written.
    pub fn start(&mut self, status: StatusCode, length: Option<u64>, fields: impl Fields) -> Result {
        self.start_with(status, length, |head| fields.write_to(head))
    }

    pub(crate) fn start_with(
        &mut self,
        status: StatusCode,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result,
    ) -> Result {
        self.exchange.start(status, length, fields)
    }

    /// Forgets a response that was begun and of which nothing is written, so that another may take its place.
    pub(crate) fn take_back_begun(&mut self) {
        self.exchange.change(|inner| inner.begun = None);
    }

    /// Ready when there is room for a piece of the body.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result> {
        self.exchange.poll_room(cx)
    }

    /// Whether the body need not be given.
    pub(crate) fn omits_body(&self) -> bool {
        self.exchange.with(|connection, _| connection.omits_body())
    }

    /// Whether nothing of the response has been written.
    pub(crate) fn is_due(&self) -> bool {
        self.exchange.with(|connection, _| connection.is_due())
    }

    /// Whether the response has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.exchange.with(|connection, _| !connection.is_due() && !connection.is_responding())
    }

    /// Writes a piece of the body, room or not.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result {
        self.exchange.push(piece)
    }

    /// Writes the head that was kept back; `given` is the length of the body, if all of it is given now. What contradicts
    /// the application's own word is not even begun.
    fn flush_begun(&mut self, given: Option<u64>) -> Result {
        let begun = self.exchange.change(|inner| {
            let begun = inner.begun.take()?;
            Some((inner.connection.leaves_body_out(begun.status), inner.trailers.is_some(), begun))
        });
        let Some((no_body, has_trailers, begun)) = begun else { return Ok(()) };
        let length = match (begun.length, given) {
            (Some(said), Some(given)) if said != given && !no_body => return Err(Error::new(Kind::ResponseLength)),
            _ if has_trailers => None, // they have a place behind chunks alone
            (Some(said), _) => Some(said),
            (None, _) if begun.status.forbids_body() => None,
            (None, given) => given,
        };
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
    type Output = Result;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(this.send.poll_room(cx))?;
        let piece = this.piece.take().expect("a future is not polled after it was ready");
        this.send.flush_begun(this.last.then_some(piece.len() as u64))?;
        this.send.push(&piece)?;
        Poll::Ready(if this.last { this.send.response_end() } else { Ok(()) })
    }
}
