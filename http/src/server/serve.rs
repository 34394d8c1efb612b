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
//!
//! Whatever the task then waits for has its [`Deadline`]. Only the application may take as long as it likes.

mod end;
mod outcome;

use super::call;
use super::config::HalfClose;
use super::deadline::{Deadline, Moment, Wait};
use super::listener::Stream;
use super::shared::{Shared, Stop, Working};
use crate::asgi::{App, Endpoints, Exchange};
use bytes::{Buf, BytesMut};
use evloop_runtime::engine::Key;
use evloop_runtime::time::now;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// The task of one connection.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Serve<S, A: App> {
    stream: S,
    endpoints: Endpoints,
    shared: Rc<Shared<A>>,
    /// [`Key::NONE`] before the first poll.
    key: Key,
    /// `None` while the connection is idle.
    working: Option<Box<Working<A>>>,
    step: Step,
    deadline: Deadline,
    /// What it waits for while it is idle.
    idle: Wait,
    /// Requests whose heads have come.
    requests: u64,
    /// Requests answered since the answers were last written.
    unwritten: u32,
    /// The client has ended its side.
    ended: bool,
    /// This side was ended while the application goes on.
    shut_down: bool,
    /// Since the deadline was looked at, the client has done something for which it is given more time.
    progress: bool,
    /// It was told as one that a stop has cut.
    is_cut: bool,
}

/// What comes next. While the connection is idle, it is always [`Step::Head`].
enum Step {
    Head,
    Call,
    /// Of the body so many bytes have been thrown away.
    Drain(u64),
    /// Write what there is, and then end.
    Close(End),
    /// The client may still be sending: that is thrown away.
    Linger,
}

/// How a connection ends.
#[derive(Clone, Copy)]
enum End {
    /// This side first, and the other when the client has read the last answer.
    Linger,
    /// Both sides at once.
    Cut,
    /// So that the client sees that what it has got is not whole.
    Reset,
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
    pub(super) fn new(stream: S, endpoints: Endpoints, shared: Rc<Shared<A>>) -> Serve<S, A> {
        shared.open();
        Serve {
            stream,
            endpoints,
            shared,
            key: Key::NONE,
            working: None,
            step: Step::Head,
            deadline: Deadline::new(),
            idle: Wait::Head,
            requests: 0,
            unwritten: 0,
            ended: false,
            shut_down: false,
            progress: false,
            is_cut: false,
        }
    }

    /// Takes steps until one has to wait, or the connection is over. A panic of the application ends its call, and no more.
    fn drive(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<io::Result<()>> {
        let mut input = Input { scratch, fresh: 0..0 };
        if let Some(working) = &self.working {
            working.exchange.look_at_handles();
        }
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.take_steps(cx, &mut input))) {
                Ok(driven) => return driven,
                Err(panic) => {
                    call::bury(panic, self.working.as_deref_mut());
                    self.settle_panicked();
                }
            }
        }
    }

    /// The same, but for the panics.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is called in one place, and large to call")]
    fn take_steps(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<()>> {
        loop {
            let step = match self.step {
                Step::Head => self.head(cx, input),
                Step::Call => self.call(cx, input),
                Step::Drain(_) | Step::Close(_) | Step::Linger => self.take_rare_step(cx, input),
            };
            match step {
                Poll::Ready(Ok(Done::Next)) => {}
                Poll::Ready(Ok(Done::Over)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.keep(input);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Waits for a request, and calls the application.
    fn head(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let Some(working) = &mut self.working else {
            if self.shared.stopping() != Stop::No && !self.stays() {
                return Poll::Ready(Ok(Done::Over));
            }
            let read = ready!(self.stream.poll_read(cx, input.scratch))?;
            if read == 0 {
                return Poll::Ready(Ok(Done::Over));
            }
            input.fresh = 0..read;
            self.working = Some(self.shared.take_working(&self.endpoints));
            return Poll::Ready(Ok(Done::Next));
        };
        let bytes = input.bytes(&working.input);
        if bytes.is_empty() {
            ready!(self.poll_write(cx))?;
            let working = self.working.take().expect("looked at above");
            self.shared.keep_working(working);
            self.idle = Wait::KeepAlive;
            return Poll::Ready(Ok(Done::Next));
        }
        let many = self.unwritten as usize >= self.shared.config.limits.pipelined_max.max(1);
        if many || working.exchange.is_full() {
            ready!(self.poll_write(cx))?;
            return Poll::Ready(Ok(Done::Next));
        }
        let exchange = own(&mut working.exchange, &self.endpoints);
        match exchange.receive_head(bytes, &self.shared.config.limits) {
            Ok(Some(used)) => {
                input.use_up(&mut working.input, used);
                self.begin();
                Poll::Ready(Ok(Done::Next))
            }
            Ok(None) => self.go_on_reading(cx, input),
            Err(error) => {
                self.refuse(&error);
                Poll::Ready(Ok(Done::Next))
            }
        }
    }

    /// A request's head is whole: the application is called, unless too many requests are being served.
    #[inline]
    fn begin(&mut self) {
        let working = self.working.as_mut().expect("its exchange has the head");
        let config = &self.shared.config;
        self.progress = true;
        self.requests += 1;
        if config.limits.requests_per_connection_max.is_some_and(|max| self.requests >= max) {
            working.exchange.with(|connection, _| connection.close_after_response());
        }
        if config.access_log.is_on() {
            working.began = Some(now());
        }
        if self.shared.begin_request() {
            self.step = Step::Call;
        } else {
            self.turn_away();
        }
    }

    /// Polls the application, and moves bytes as it needs them.
    fn call(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        if self.shared.stopping() != Stop::No {
            self.announce_end();
        }
        let working = self.working.as_mut().expect("held until the connection is idle");
        self.shared.note(working);
        match call::poll(&self.shared.app, working, cx) {
            Poll::Ready(outcome) => {
                self.settle(Some(outcome));
                Poll::Ready(Ok(Done::Next))
            }
            Poll::Pending if working.exchange.with(|connection, _| connection.is_complete()) => {
                self.part_from_call();
                Poll::Ready(Ok(Done::Next))
            }
            Poll::Pending => {
                let moved = self.move_bytes(cx, input);
                if moved.is_pending() { self.watch(cx, input) } else { moved }
            }
        }
    }

    /// The application goes on though its response is over: alone, so that neither the next request waits for it nor the
    /// client's going ends it.
    #[cold]
    fn part_from_call(&mut self) {
        self.note();
        let mut parted = self.working.take().expect("held until the connection is idle");
        let mut working = self.shared.take_working(&self.endpoints);
        working.exchange = Rc::new(parted.exchange.move_on(&self.endpoints));
        std::mem::swap(&mut working.input, &mut parted.input);
        let next = working.exchange.with(|connection, _| connection.next_step());
        self.working = Some(working);
        self.follow(next.expect("the response is over"));
        call::leave_alone(&self.shared, parted, self.is_cut);
    }

    /// The application waits, and so does its connection: for its handles, and for the client. One that has broken the
    /// connection is not waited for any longer. One that has ended its side may still read; and what it sends meanwhile is
    /// a body that nobody has asked for, or the next request's: as much of it is taken as one read can bring, for its end
    /// lies behind it.
    #[inline(never)] // as what follows: out of the way of requests that are answered at once
    fn watch(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let working = self.working.as_ref().expect("held until the connection is idle");
        working.exchange.wait_for_handles(cx);
        while !self.ended
            && !input.is_full(&self.working.as_ref().expect("as above").input)
            && let Poll::Ready(read) = self.poll_more(cx, input)?
        {
            self.ended = read == 0;
            if self.ended && self.shared.config.half_close == HalfClose::Gone {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        Poll::Pending
    }

    /// The application waits: writes what it has sent, reads what it asks for, and waits if there is neither.
    #[inline(never)]
    fn move_bytes(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let written = self.poll_write(cx)?;
        let working = self.working.as_ref().expect("held until the connection is idle");
        if written.is_ready() && !self.shut_down && working.exchange.with(|connection, _| connection.has_said_all()) {
            // The application goes on, but the client may wait for the end.
            self.shut_down = self.stream.poll_shutdown(cx)?.is_ready();
        }
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
                Ok(used) => {
                    self.progress |= used > 0;
                    input.use_up(&mut working.input, used);
                }
                Err(error) => log::debug!("a body was refused: {error}"), // the application is told
            }
        }
        if moved { Poll::Ready(Ok(Done::Next)) } else { Poll::Pending }
    }

    /// Writes all that is to be written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(working) = &self.working else { return Poll::Ready(Ok(())) };
        let stream = &mut self.stream;
        let (written, progress) = working.exchange.with(|_, out| {
            let before = out.len();
            (write_all(stream, cx, out), out.len() < before)
        });
        self.progress |= progress;
        if written.is_ready() {
            self.unwritten = 0;
        }
        written
    }

    /// What is at hand is not enough: when all is written, reads more. The end of the stream is the end here.
    #[inline(never)]
    fn go_on_reading(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        ready!(self.poll_write(cx))?;
        let read = ready!(self.poll_more(cx, input))?;
        Poll::Ready(Ok(if read == 0 { Done::Over } else { Done::Next }))
    }

    /// Reads more, behind what is at hand; zero at the end of the stream.
    fn poll_more(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<usize>> {
        self.keep(input);
        let kept = self.working.as_ref().map_or(0, |working| working.input.len());
        let room = input.scratch.len().saturating_sub(kept).max(1);
        let read = ready!(self.stream.poll_read(cx, &mut input.scratch[..room]))?;
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
        if this.key == Key::NONE {
            this.key = this.shared.enter(cx.waker());
        }
        if this.shared.stopping() == Stop::Now {
            this.end_now();
            return Poll::Ready(());
        }
        this.shared.refresh_date();
        loop {
            let mut scratch = this.shared.take_scratch();
            let driven = this.drive(cx, &mut scratch);
            this.shared.keep_scratch(scratch);
            match driven {
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                Poll::Ready(Err(error)) => {
                    log::debug!("a connection failed: {error}");
                    this.lose_client();
                    return Poll::Ready(());
                }
                Poll::Pending => {}
            }
            let (wait, progress) = (this.waits_for(), std::mem::take(&mut this.progress));
            ready!(this.deadline.poll(cx, wait, progress, &this.shared.lengths, Moment::now()));
            if let Done::Over = this.time_out() {
                this.lose_client();
                return Poll::Ready(());
            }
        }
    }
}

impl<S, A: App> Drop for Serve<S, A> {
    fn drop(&mut self) {
        if let Some(mut working) = self.working.take() {
            working.exchange.abandon();
            if matches!(self.step, Step::Call) {
                self.shared.end_request();
            }
            if call::end(&mut working) {
                self.shared.keep_working(working);
            }
        }
        self.shared.leave(self.key);
        self.shared.close();
    }
}

impl Input<'_> {
    /// What is at hand.
    #[inline]
    fn bytes<'a>(&'a self, kept: &'a BytesMut) -> &'a [u8] {
        if kept.is_empty() { &self.scratch[self.fresh.clone()] } else { kept }
    }

    /// Whether as much is at hand as one read can bring.
    fn is_full(&self, kept: &BytesMut) -> bool {
        kept.len() + self.fresh.len() >= self.scratch.len()
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
#[inline(always)]
#[expect(clippy::inline_always, reason = "two comparisons, twice in each request")]
fn own<'e>(exchange: &'e mut Rc<Exchange>, endpoints: &Endpoints) -> &'e mut Exchange {
    if Rc::get_mut(exchange).is_none() {
        part_from(exchange, endpoints);
    }
    Rc::get_mut(exchange).expect("just made, or just looked at")
}

#[cold]
fn part_from(exchange: &mut Rc<Exchange>, endpoints: &Endpoints) {
    *exchange = Rc::new(exchange.move_on(endpoints));
}
