//! The request's body, as it comes.

use super::event::Inbound;
use super::exchange::Exchange;
use crate::error::Error;
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Gives the request's body in pieces.
///
/// Before the body is asked for, no more of it is read from the socket than one read brings; afterwards, no more than
/// 64 KiB ahead of the application.
#[derive(Debug)]
pub struct Receive {
    exchange: Rc<Exchange>,
    /// The event was given that says that no more of the body follows.
    told_end: bool,
}

impl Receive {
    pub(crate) fn new(exchange: Rc<Exchange>) -> Receive {
        Receive { exchange, told_end: false }
    }

    /// Waits for the next event, as ASGI has it: parts of the body, at least one, and then
    /// [`Disconnect`](Inbound::Disconnect) when the client has gone or the response is over. A body that breaks off or is
    /// malformed ends with a disconnect, too; [`piece`](Receive::piece) tells the reason.
    ///
    /// # Examples
    /// ```
    /// use evloop_http::asgi::{Inbound, Receive, Result, Scope, Send};
    ///
    /// async fn application(_scope: Scope, mut receive: Receive, mut send: Send) -> Result {
    ///     let mut length = 0;
    ///     while let Inbound::Request { body, more_body } = receive.event().await {
    ///         length += body.len();
    ///         if !more_body {
    ///             break;
    ///         }
    ///     }
    ///     send.response_start(200, [("content-type", "text/plain")]).await?;
    ///     send.response_body(format!("{length} bytes")).await
    /// }
    /// # let _ = application;
    /// ```
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn event(&mut self) -> Inbound {
        let _wish = Wish(Rc::clone(&self.exchange));
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Polls for the next event; see [`event`](Receive::event).
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Inbound> {
        if self.told_end {
            return self.poll_disconnect(cx).map(|()| Inbound::Disconnect);
        }
        let event = match ready!(self.poll_piece(cx)) {
            Ok(Some(body)) => Inbound::Request { body, more_body: self.bytes_left() != Some(0) },
            Ok(None) => Inbound::Request { body: Bytes::new(), more_body: false },
            Err(_) => Inbound::Disconnect,
        };
        self.told_end = !matches!(event, Inbound::Request { more_body: true, .. });
        Poll::Ready(event)
    }

    /// Waits until the client has gone, or the response is over.
    ///
    /// A client that has only ended its own side has not gone: it may read on, and gets its whole answer. So one that
    /// closes without a word is noticed when something is written to it.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn disconnect(&mut self) {
        poll_fn(|cx| self.poll_disconnect(cx)).await;
    }

    /// Polls for the client's going away; see [`disconnect`](Receive::disconnect).
    pub fn poll_disconnect(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.exchange.poll_disconnect(cx)
    }

    /// Lets the application go on when its client has gone, or not: then it is dropped, wherever it waits. It is dropped
    /// unless this says otherwise.
    ///
    /// What goes on holds no socket any more; all it sends is an error that says that the client has gone.
    pub fn finish_alone(&mut self, alone: bool) {
        self.exchange.finish_alone(alone);
    }

    /// Waits for the next piece of the body; `None` at its end. A client that waits for `100 Continue` is told to go on.
    ///
    /// # Errors
    /// When the client has gone, or what it sent is not the body that its head announced.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn piece(&mut self) -> Piece<'_> {
        Piece { receive: self }
    }

    /// Polls for the next piece; see [`piece`](Receive::piece). Who is told to wait counts as waiting, and its client's time
    /// runs, until a piece has come.
    ///
    /// # Errors
    /// As [`piece`](Receive::piece).
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        self.exchange.poll_piece(cx)
    }

    /// How many bytes of the body are still to be given, if that is known: not for a chunked body.
    #[must_use]
    pub fn bytes_left(&self) -> Option<u64> {
        self.exchange.body_left()
    }
}

/// That the application waits for the body: when it does so no longer, a slow client has all the time.
struct Wish(Rc<Exchange>);

impl Drop for Wish {
    fn drop(&mut self) {
        self.0.stop_wanting_body();
    }
}

/// A piece to come; see [`Receive::piece`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Piece<'a> {
    receive: &'a mut Receive,
}

impl Future for Piece<'_> {
    type Output = Result<Option<Bytes>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.receive.poll_piece(cx)
    }
}

impl Drop for Piece<'_> {
    fn drop(&mut self) {
        self.receive.exchange.stop_wanting_body();
    }
}
