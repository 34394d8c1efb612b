//! A request's way through a router, from the handler's value to the connection.

use super::pooled::Pooled;
use super::response::{Body, Response};
use super::stream::BodyStream;
use crate::asgi::{self, Send};
use crate::codec::encode::ResponseHead;
use crate::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A request on its way through a [`Router`](super::Router).
#[must_use = "futures do nothing unless they are awaited"]
pub struct Routed {
    pub(super) way: Way,
    pub(super) send: Send,
}

/// How far it is.
pub(super) enum Way {
    Handler(Pooled<Response>),
    /// An application that is mounted, which sends by itself.
    Mounted(Pooled<asgi::Result>),
    /// What the router says in a handler's place.
    Given(Option<Box<Response>>),
    Stream(Pin<Box<dyn BodyStream>>),
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
            let response = match &mut this.way {
                Way::Handler(call) => ready!(Pin::new(call).poll(cx)),
                Way::Mounted(call) => return Pin::new(call).poll(cx),
                Way::Given(response) => *response.take().expect("a future is not polled after it was ready"),
                Way::Stream(stream) => return pump(stream, &mut this.send, cx),
            };
            match answer(&mut this.send, response, cx)? {
                Some(stream) => this.way = Way::Stream(stream),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Writes a response, but for a body that is a stream: that comes back.
#[inline]
fn answer(
    send: &mut Send,
    response: Response,
    cx: &mut Context<'_>,
) -> Result<Option<Pin<Box<dyn BodyStream>>>, Error> {
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
            Ok(Some(stream))
        }
    }
}

/// Moves a stream's pieces to the connection, as there is room for them.
fn pump(stream: &mut Pin<Box<dyn BodyStream>>, send: &mut Send, cx: &mut Context<'_>) -> Poll<asgi::Result> {
    loop {
        ready!(send.poll_room(cx))?;
        match ready!(stream.as_mut().poll_piece(cx))? {
            Some(piece) => send.push(&piece)?,
            None => return Poll::Ready(send.response_end()),
        }
    }
}
