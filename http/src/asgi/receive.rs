//! The request's body, as it comes.

use super::exchange::Exchange;
use crate::error::Error;
use bytes::Bytes;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Gives the request's body in pieces.
///
/// Before the body is asked for, no more of it is read from the socket than one read brings; afterwards, no more than
/// 64 KiB ahead of the application.
#[derive(Debug)]
pub struct Receive {
    exchange: Rc<Exchange>,
}

impl Receive {
    pub(crate) fn new(exchange: Rc<Exchange>) -> Receive {
        Receive { exchange }
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

    /// Polls for the next piece; see [`piece`](Receive::piece).
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
