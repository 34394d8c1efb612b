//! A request's way through a router, from the handler's value to the connection.

use super::into_response::IntoResponse;
use super::pooled::Pooled;
use super::response::{Body, Response};
use super::stream::BodyStream;
use crate::asgi::{self, Send};
use crate::codec::encode::ResponseHead;
use pin_project_lite::pin_project;
use std::fmt;
use std::future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request on its way through a [`Router`](super::Router).
///
/// Whoever answers it, a handler, an application that is mounted or the router itself, is a future in a box. So this is two
/// words, which are moved without a thought.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Routed {
    pub(super) answering: Pooled<asgi::Result>,
}

impl Routed {
    /// What the router says in a handler's place.
    pub(super) fn given(send: Send, response: impl IntoResponse) -> Routed {
        let response = future::ready(response.into_response());
        Routed { answering: Pooled::alone(Answering::new(response, send)) }
    }
}

impl fmt::Debug for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed").finish_non_exhaustive()
    }
}

impl Future for Routed {
    type Output = asgi::Result;

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "each kind of connection has its own, and a request passes through it once"
    )]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<asgi::Result> {
        Pin::new(&mut self.answering).poll(cx)
    }
}

pin_project! {
    /// Sends what a handler gives.
    #[project = Stage]
    pub(super) enum Answering<F> {
        Handler { #[pin] future: F, send: Option<Send> },
        /// The handler has given a body that is a stream.
        Stream { streaming: Streaming },
    }
}

impl<F> Answering<F> {
    #[inline]
    pub(super) fn new(future: F, send: Send) -> Answering<F> {
        Answering::Handler { future, send: Some(send) }
    }
}

impl<F: Future<Output: IntoResponse>> Future for Answering<F> {
    type Output = asgi::Result;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<asgi::Result> {
        loop {
            // Given as a place, and not returned, because most answers know that they put nothing there.
            let mut rest = None;
            match self.as_mut().project() {
                Stage::Handler { future, send } => {
                    let given = ready!(future.poll(cx));
                    let send = send.take().expect("a future is not polled after it was ready");
                    given.answer(send, cx, &mut rest)?;
                }
                Stage::Stream { streaming } => return streaming.pump(cx),
            }
            match rest {
                Some(streaming) => self.set(Answering::Stream { streaming }),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// A response whose body is a stream, and under way.
pub struct Streaming {
    stream: Pin<Box<dyn BodyStream>>,
    send: Send,
}

/// Writes a response, but for a body that is a stream: that goes to `rest`.
pub(super) fn answer(
    mut send: Send,
    response: Response,
    cx: &mut Context<'_>,
    rest: &mut Option<Streaming>,
) -> asgi::Result {
    let Response { head, body } = response;
    let write_fields = |out: &mut ResponseHead<'_>| {
        head.content_type.into_iter().chain(head.line).for_each(|line| out.line(line));
        head.fields.iter().try_for_each(|(name, value)| out.header(name, value))
    };
    match body {
        Body::Bytes(bytes) => send.respond_with(head.status, &bytes, write_fields),
        Body::Stream { mut stream, length } => {
            // Asked before the head is written: where the stream is the request's own body, the client may wait for
            // `100 Continue`, which goes before the head; and what fails at once can still be answered as a failure.
            let first = stream.as_mut().poll_piece(cx)?;
            send.start_with(head.status, length, write_fields)?;
            if let Poll::Ready(Some(piece)) = &first {
                send.push(piece)?;
            }
            if matches!(first, Poll::Ready(None)) || send.omits_body() {
                return send.response_end();
            }
            *rest = Some(Streaming { stream, send });
            Ok(())
        }
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").finish_non_exhaustive()
    }
}

impl Streaming {
    /// Moves the pieces to the connection, as there is room for them.
    fn pump(&mut self, cx: &mut Context<'_>) -> Poll<asgi::Result> {
        loop {
            ready!(self.send.poll_room(cx))?;
            match ready!(self.stream.as_mut().poll_piece(cx))? {
                Some(piece) => self.send.push(&piece)?,
                None => return Poll::Ready(self.send.response_end()),
            }
        }
    }
}
