//! A request's way through a router, from the handler's value to the connection.

use super::pooled::Pooled;
use super::response::{Body, Response};
use super::stream::BodyStream;
use crate::asgi::{self, Send};
use crate::codec::encode::ResponseHead;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request on its way through a [`Router`](super::Router).
#[must_use = "futures do nothing unless they are awaited"]
pub struct Routed {
    pub(super) way: Way,
}

/// How far it is.
pub(super) enum Way {
    /// A handler, which leaves the pieces of its body, if that is a stream.
    Handler(Pooled<asgi::Result<Option<Streaming>>>),
    /// An application that is mounted, which sends by itself.
    Mounted(Pooled<asgi::Result>),
    /// What the router says in a handler's place.
    Given(Option<Box<(Response, Send)>>),
    Stream(Streaming),
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
        let this = &mut *self;
        loop {
            let streaming = match &mut this.way {
                Way::Handler(call) => ready!(Pin::new(call).poll(cx))?,
                Way::Mounted(call) => return Pin::new(call).poll(cx),
                Way::Given(given) => {
                    let (response, send) = *given.take().expect("a future is not polled after it was ready");
                    answer(send, response, cx)?
                }
                Way::Stream(streaming) => return streaming.pump(cx),
            };
            match streaming {
                Some(streaming) => this.way = Way::Stream(streaming),
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

/// Writes a response, but for a body that is a stream: that comes back.
pub(super) fn answer(mut send: Send, response: Response, cx: &mut Context<'_>) -> asgi::Result<Option<Streaming>> {
    let Response { head, body } = response;
    let write_fields = |out: &mut ResponseHead<'_>| {
        head.content_type.into_iter().chain(head.line).for_each(|line| out.line(line));
        head.fields.iter().try_for_each(|(name, value)| out.header(name, value))
    };
    match body {
        Body::Bytes(bytes) => send.respond_with(head.status, &bytes, write_fields).map(|()| None),
        Body::Stream { mut stream, length } => {
            // Asked before the head is written: where the stream is the request's own body, the client may wait for
            // `100 Continue`, which goes before the head; and what fails at once can still be answered as a failure.
            let first = stream.as_mut().poll_piece(cx)?;
            send.start_with(head.status, length, write_fields)?;
            if let Poll::Ready(Some(piece)) = &first {
                send.push(piece)?;
            }
            if matches!(first, Poll::Ready(None)) || send.omits_body() {
                return send.response_end().map(|()| None);
            }
            Ok(Some(Streaming { stream, send }))
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
