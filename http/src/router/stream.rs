//! Bodies that come in pieces.

use crate::asgi::{Receive, Result};
use crate::error::{Error, Kind};
use bytes::Bytes;
use evloop_runtime::sync::mpsc;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body that comes in pieces.
///
/// Iterators are one by [`Response::pieces`](super::Response::pieces), futures that write one by
/// [`Response::produce`](super::Response::produce), and the receiving half of a channel is one by itself.
pub trait BodyStream {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Whatever keeps the body from being completed: the connection is then cut, so that the client sees it.
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>>;

    /// How many bytes are still to come, if that is known.
    fn bytes_left(&self) -> Option<u64> {
        None
    }
}

/// The request's own body as a response's: what `/echo` does.
impl BodyStream for Receive {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        Receive::poll_piece(&mut self, cx)
    }

    fn bytes_left(&self) -> Option<u64> {
        Receive::bytes_left(self)
    }
}

/// What another task sends. The body is over, and complete, when no sender is left, for whatever reason: a task that may
/// fail sends results, and one that may panic is better written as [`Response::produce`](super::Response::produce) takes it.
impl BodyStream for mpsc::Receiver<Bytes> {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.poll_recv(cx).map(Ok)
    }
}

/// What another task sends, up to the first error.
impl BodyStream for mpsc::Receiver<Result<Bytes>> {
    fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.poll_recv(cx).map(Option::transpose)
    }
}

/// Pieces that an iterator gives.
pub(super) struct Iterated<I> {
    pieces: I,
}

impl<I> Iterated<I> {
    pub(super) fn new(pieces: I) -> Iterated<I> {
        Iterated { pieces }
    }
}

/// The iterator is never pinned.
impl<I> Unpin for Iterated<I> {}

impl<I: Iterator<Item: Into<Bytes>>> BodyStream for Iterated<I> {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        Poll::Ready(Ok(self.pieces.next().map(Into::into)))
    }
}

/// Takes the pieces of a body from the future that writes it; see [`Response::produce`](super::Response::produce).
#[derive(Debug)]
pub struct Pieces {
    sender: mpsc::Sender<Bytes>,
}

impl Pieces {
    /// Gives the next piece, when there is room for it.
    ///
    /// # Errors
    /// When the client has gone.
    ///
    /// # Cancel safety
    /// The piece is given whole or not at all.
    pub async fn send(&mut self, piece: impl Into<Bytes>) -> Result {
        self.sender.send(piece.into()).await.map_err(|_| Error::new(Kind::Gone))
    }
}

pin_project_lite::pin_project! {
    /// Pieces that a future writes.
    pub(super) struct Produced<F> {
        #[pin]
        producer: Option<F>,
        receiver: mpsc::Receiver<Bytes>,
    }
}

impl<F> Produced<F> {
    pub(super) fn new(produce: impl FnOnce(Pieces) -> F) -> Produced<F> {
        let (sender, receiver) = mpsc::channel(1);
        Produced { producer: Some(produce(Pieces { sender })), receiver }
    }
}

impl<F: Future<Output = Result>> BodyStream for Produced<F> {
    fn poll_piece(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let mut this = self.project();
        if let Ok(piece) = this.receiver.try_recv() {
            return Poll::Ready(Ok(Some(piece)));
        }
        if let Some(producer) = this.producer.as_mut().as_pin_mut()
            && let Poll::Ready(produced) = producer.poll(cx)
        {
            this.producer.set(None);
            produced?;
        }
        this.receiver.poll_recv(cx).map(Ok)
    }
}
