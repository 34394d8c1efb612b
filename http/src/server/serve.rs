//! One connection, from its first byte to its end.
//!
//! ```text
//!             bytes                  head whole                 response over
//!   idle ─────────────► Head ─────────────────────► Call ─────────────────────► Head    bytes of the next are here
//!    ▲                   │ nothing left, all written  │  │                         or idle
//!    └───────────────────┘                            │  └──► Drain ──► Head    the body was not read to its end
//!                        │ refused                    ▼
//!                        └──────────────────────► Close ──► (end)              written, and lingered if need be
//! ```
//!
//! All that can be done with the bytes at hand is done in one poll: requests that came together are answered together, and
//! their answers are written in one call. Before the task waits, what is left of the input is copied out of the thread's
//! scratch memory.

use super::listener::Stream;
use super::shared::{Shared, Stop, Working};
use crate::asgi::{App, Exchange, Receive, Result, Scope, Send};
use crate::connection::Next;
use crate::message::StatusCode;
use bytes::{Buf, BytesMut};
use evloop_runtime::engine::Key;
use evloop_runtime::time::{Sleep, sleep};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Bytes of a body that nobody wants which are read to save the connection; past it, closing costs less.
const DRAIN_BYTES_MAX: usize = 256 * 1024;

/// How long the end of a connection waits for the client to read the last answer, while what it still sends is thrown
/// away. Closing at once would answer that with a reset, which can destroy the answer before it is read (RFC 9112 section
/// 9.6).
const LINGER: Duration = Duration::from_secs(2);

/// The task of one connection.
pub(super) struct Serve<S, A: App> {
    stream: S,
    client: Option<SocketAddr>,
    shared: Rc<Shared<A>>,
    /// [`Key::NONE`] before the first poll.
    key: Key,
    /// `None` while the connection is idle.
    working: Option<Box<Working<A>>>,
    step: Step,
    /// Requests answered since the answers were last written.
    unwritten: u32,
    /// The client has ended its side.
    ended: bool,
}

/// What comes next. While the connection is idle, it is always [`Step::Head`].
enum Step {
    Head,
    Call,
    /// Of the body so many bytes have been thrown away.
    Drain(usize),
    /// Write what there is; then, if the client may still be sending, linger.
    Close {
        linger: bool,
    },
    Linger(Sleep, usize),
}

/// Bytes at hand: in the scratch memory when they have just come, else in the connection's own.
struct Input<'a> {
    scratch: &'a mut [u8],
    fresh: Range<usize>,
}

/// How a step ended.
enum Done {
    /// Another follows at once.
    Next,
    /// The connection is over.
    Over,
}

impl<S: Stream, A: App> Serve<S, A> {
    pub(super) fn new(stream: S, client: Option<SocketAddr>, shared: Rc<Shared<A>>) -> Serve<S, A> {
        Serve { stream, client, shared, key: Key::NONE, working: None, step: Step::Head, unwritten: 0, ended: false }
    }

    /// Takes steps until one has to wait, or the connection is over.
    fn drive(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<io::Result<()>> {
        let mut input = Input { scratch, fresh: 0..0 };
        loop {
            let step = match self.step {
                Step::Head => self.head(cx, &mut input),
                Step::Call => self.call(cx, &mut input),
                Step::Drain(thrown) => self.drain(cx, &mut input, thrown),
                Step::Close { linger } => self.close(cx, linger),
                Step::Linger(..) => self.linger(cx, &mut input),
            };
            match step {
                Poll::Ready(Ok(Done::Next)) => {}
                Poll::Ready(Ok(Done::Over)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.keep(&mut input);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Waits for a request, and calls the application.
    fn head(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let Some(working) = &mut self.working else {
            if self.shared.stopping() != Stop::No {
                return Poll::Ready(Ok(Done::Over));
            }
            let read = ready!(self.stream.poll_read(cx, input.scratch))?;
            if read == 0 {
                return Poll::Ready(Ok(Done::Over));
            }
            input.fresh = 0..read;
            self.working = Some(self.shared.take_working());
            return Poll::Ready(Ok(Done::Next));
        };
        let bytes = input.bytes(&working.input);
        if bytes.is_empty() {
            ready!(self.poll_write(cx))?;
            let working = self.working.take().expect("looked at above");
            self.shared.keep_working(working);
            return Poll::Ready(Ok(Done::Next));
        }
        let many = self.unwritten as usize >= self.shared.limits.pipelined_max.max(1);
        if many || working.exchange.is_full() {
            ready!(self.poll_write(cx))?;
            return Poll::Ready(Ok(Done::Next));
        }
        let exchange = own(&mut working.exchange);
        match exchange.receive_head(bytes, &self.shared.limits, &self.shared.date()) {
            Ok(Some(used)) => {
                exchange.client = self.client;
                input.use_up(&mut working.input, used);
                self.step = Step::Call;
                Poll::Ready(Ok(Done::Next))
            }
            Ok(None) => {
                ready!(self.poll_write(cx))?;
                let read = ready!(self.poll_more(cx, input))?;
                Poll::Ready(Ok(if read == 0 { Done::Over } else { Done::Next }))
            }
            Err(error) => {
                log::debug!("a request was refused: {error}");
                working.exchange.refuse(error.status().unwrap_or(StatusCode::BAD_REQUEST));
                self.step = Step::Close { linger: true };
                Poll::Ready(Ok(Done::Next))
            }
        }
    }

    /// Polls the application, and moves bytes as it needs them.
    fn call(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let working = self.working.as_mut().expect("held until the connection is idle");
        if self.shared.stopping() != Stop::No {
            working.exchange.with(|connection, _| connection.close_after_response());
        }
        working.exchange.look_at_handles();
        let (app, call, exchange) = (&self.shared.app, &mut working.call, &working.exchange);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if call.is_none() {
                let handles = (Rc::clone(exchange), Rc::clone(exchange), Rc::clone(exchange));
                call.set(Some(app.call(Scope::new(handles.0), Receive::new(handles.1), Send::new(handles.2))));
            }
            let under_way = call.as_mut().as_pin_mut().expect("set above, or before");
            let outcome = ready!(under_way.poll(cx));
            call.set(None);
            Poll::Ready(outcome)
        }));
        let outcome = match polled {
            Ok(Poll::Pending) => {
                let moved = self.move_bytes(cx, input);
                return if moved.is_pending() { self.watch(cx, input) } else { moved };
            }
            Ok(Poll::Ready(outcome)) => Some(outcome),
            Err(_panic) => {
                log_panic();
                drop(catch_unwind(AssertUnwindSafe(|| call.set(None)))); // what panics once may do so again
                None
            }
        };
        Poll::Ready(Ok(self.settle(outcome)))
    }

    /// The application waits, and so does its connection: for its handles, and for the client. One that has broken the
    /// connection is not waited for any longer. One that has ended its side may still read; and what it sends meanwhile is
    /// the next request's, of which as much is taken as one read brings.
    fn watch(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let working = self.working.as_ref().expect("held until the connection is idle");
        working.exchange.wait_for_handles(cx);
        if !self.ended
            && input.bytes(&working.input).is_empty()
            && let Poll::Ready(read) = self.poll_more(cx, input)?
        {
            self.ended = read == 0;
        }
        Poll::Pending
    }

    /// The application has ended, with `None` by a panic: sees to it that there is an answer, and what follows it.
    fn settle(&mut self, outcome: Option<Result>) -> Done {
        let working = self.working.as_mut().expect("held until the connection is idle");
        match outcome {
            Some(Err(error)) if error.is_gone() => log::debug!("{error}"),
            Some(Err(error)) => log::error!("the application failed on {}: {error}", working.exchange.head.target()),
            _ => {}
        }
        let (next, is_due) = working.exchange.with(|connection, _| (connection.next_step(), connection.is_due()));
        let next = match (next, outcome) {
            (Some(next), _) => next,
            (None, outcome) if is_due => {
                if let Some(Ok(())) = outcome {
                    log::error!("the application gave no response on {}", working.exchange.head.target());
                }
                let status = match outcome {
                    Some(Err(error)) => error.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                working.exchange.refuse(status);
                self.step = Step::Close { linger: true };
                return Done::Next;
            }
            (None, _) => {
                log::error!("a response on {} was not completed, and is cut", working.exchange.head.target());
                self.step = Step::Close { linger: false }; // what was written before it is sent
                return Done::Next;
            }
        };
        self.unwritten += 1;
        self.step = match next {
            Next::Request => {
                own(&mut working.exchange).recycle();
                Step::Head
            }
            Next::Drain => Step::Drain(0),
            Next::Close => Step::Close { linger: true },
        };
        Done::Next
    }

    /// The application waits: writes what it has sent, reads what it asks for, and waits if there is neither.
    fn move_bytes(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let _written = self.poll_write(cx)?;
        let working = self.working.as_mut().expect("held until the connection is idle");
        let mut moved = !working.exchange.is_full() && working.exchange.wake_sender();
        if working.exchange.wants_body() {
            if input.bytes(&working.input).is_empty() {
                match self.poll_more(cx, input)? {
                    Poll::Ready(0) => self.working.as_ref().expect("as above").exchange.end_input(),
                    Poll::Ready(_) => {}
                    Poll::Pending if moved => return Poll::Ready(Ok(Done::Next)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            moved = true;
            let working = self.working.as_mut().expect("as above");
            match working.exchange.receive_body(input.bytes(&working.input), true) {
                Ok(used) => input.use_up(&mut working.input, used),
                Err(error) => log::debug!("a body was refused: {error}"), // the application is told
            }
        }
        if moved { Poll::Ready(Ok(Done::Next)) } else { Poll::Pending }
    }

    /// Reads the rest of a body for nobody.
    fn drain(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>, thrown: usize) -> Poll<io::Result<Done>> {
        let working = self.working.as_mut().expect("held until the connection is idle");
        let bytes = input.bytes(&working.input);
        if bytes.is_empty() {
            ready!(self.poll_write(cx))?;
            let read = ready!(self.poll_more(cx, input))?;
            return Poll::Ready(Ok(if read == 0 { Done::Over } else { Done::Next }));
        }
        let used = working.exchange.receive_body(bytes, false);
        let next = working.exchange.with(|connection, _| connection.next_step());
        self.step = match used {
            Ok(used) if thrown + used <= DRAIN_BYTES_MAX => {
                input.use_up(&mut working.input, used);
                if next == Some(Next::Request) {
                    own(&mut working.exchange).recycle();
                    Step::Head
                } else {
                    Step::Drain(thrown + used)
                }
            }
            _ => Step::Close { linger: true },
        };
        Poll::Ready(Ok(Done::Next))
    }

    /// Writes what there is, and ends this side.
    fn close(&mut self, cx: &mut Context<'_>, linger: bool) -> Poll<io::Result<Done>> {
        ready!(self.poll_write(cx))?;
        if !linger {
            return Poll::Ready(Ok(Done::Over));
        }
        ready!(self.stream.poll_shutdown(cx))?;
        self.step = Step::Linger(sleep(LINGER), 0);
        self.shared.begin_lingering();
        Poll::Ready(Ok(Done::Next))
    }

    /// Throws away what the client still sends, until it has read the answer and closes, or long enough.
    fn linger(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let Step::Linger(limit, thrown) = &mut self.step else { unreachable!("called in this step alone") };
        if Pin::new(limit).poll(cx).is_ready() {
            return Poll::Ready(Ok(Done::Over));
        }
        let read = ready!(self.stream.poll_read(cx, input.scratch))?;
        *thrown += read;
        Poll::Ready(Ok(if read == 0 || *thrown > DRAIN_BYTES_MAX { Done::Over } else { Done::Next }))
    }

    /// Writes all that is to be written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(working) = &self.working else { return Poll::Ready(Ok(())) };
        let stream = &mut self.stream;
        let written = working.exchange.with(|_, out| write_all(stream, cx, out));
        if written.is_ready() {
            self.unwritten = 0;
        }
        written
    }

    /// Reads more, behind what is at hand; zero at the end of the stream.
    fn poll_more(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<usize>> {
        self.keep(input);
        let read = ready!(self.stream.poll_read(cx, input.scratch))?;
        input.fresh = 0..read;
        let working = self.working.as_ref().expect("held until the connection is idle");
        if !working.input.is_empty() {
            self.keep(input);
        }
        Poll::Ready(Ok(read))
    }

    /// Copies what is left out of the scratch memory.
    fn keep(&mut self, input: &mut Input<'_>) {
        if let Some(working) = &mut self.working {
            working.input.extend_from_slice(&input.scratch[input.fresh.clone()]);
        }
        input.fresh = 0..0;
    }
}

impl<S: Stream, A: App> Future for Serve<S, A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shared = Rc::clone(&this.shared);
        if this.key == Key::NONE {
            this.key = shared.enter(cx.waker());
        }
        if shared.stopping() == Stop::Now {
            return Poll::Ready(());
        }
        shared.refresh_date();
        match ready!(shared.with_scratch(|scratch| this.drive(cx, scratch))) {
            Ok(()) => {}
            Err(error) => log::debug!("a connection failed: {error}"),
        }
        Poll::Ready(())
    }
}

impl<S, A: App> Drop for Serve<S, A> {
    fn drop(&mut self) {
        if let Some(mut working) = self.working.take() {
            working.exchange.abandon();
            if catch_unwind(AssertUnwindSafe(|| working.call.set(None))).is_ok() {
                self.shared.keep_working(working);
            } else {
                log_panic();
            }
        }
        self.shared.leave(self.key, matches!(self.step, Step::Linger(..)));
    }
}

impl Input<'_> {
    /// What is at hand.
    #[inline]
    fn bytes<'a>(&'a self, kept: &'a BytesMut) -> &'a [u8] {
        if kept.is_empty() { &self.scratch[self.fresh.clone()] } else { kept }
    }

    /// So many bytes of it are not needed any more.
    #[inline]
    fn use_up(&mut self, kept: &mut BytesMut, used: usize) {
        if kept.is_empty() {
            self.fresh.start += used;
        } else {
            advance(kept, used);
        }
    }
}

/// As `advance`, but a buffer that is empty afterwards has all its memory before it.
#[inline]
fn advance(buffer: &mut BytesMut, used: usize) {
    if used == buffer.len() { buffer.clear() } else { buffer.advance(used) }
}

fn write_all<S: Stream>(stream: &mut S, cx: &mut Context<'_>, out: &mut BytesMut) -> Poll<io::Result<()>> {
    while !out.is_empty() {
        let written = ready!(stream.poll_write(cx, out))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        advance(out, written);
    }
    Poll::Ready(Ok(()))
}

/// The exchange, for the next request: this one, unless the application keeps a part of it.
#[inline]
fn own(exchange: &mut Rc<Exchange>) -> &mut Exchange {
    if Rc::get_mut(exchange).is_none() {
        *exchange = Rc::new(exchange.move_on());
    }
    Rc::get_mut(exchange).expect("just made, or just looked at")
}

#[cold]
fn log_panic() {
    log::error!("the application panicked; the request is answered with 500 if it can be");
}
