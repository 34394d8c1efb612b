//! How a connection ends: in order, by its deadline, or by its client.

use super::{Done, End, Input, Serve, Step, own};
use crate::asgi::App;
use crate::connection::{DRAIN_BYTES_MAX, Next};
use crate::error::{Error, Kind};
use crate::server::Stream;
use crate::server::call;
use crate::server::deadline::{Moment, Wait};
use crate::server::shared::Stop;
use std::io;
use std::mem;
use std::task::{Context, Poll, ready};

impl<S: Stream, A: App> Serve<S, A> {
    /// The server stops, and the connection idles: whether it stays for a while, for a last request.
    #[cold]
    pub(super) fn stays(&mut self) -> bool {
        if self.idle != Wait::Leave {
            self.idle = Wait::Leave;
            self.deadline.begin_leaving(&self.shared.lengths, Moment::now());
        }
        self.shared.lengths.keeps_idle()
    }

    /// The server stops, and a request is being served: its response says that it is the last one. Where it has said
    /// otherwise already, the client may have a while for one more.
    #[cold]
    pub(super) fn announce_end(&self) {
        let working = self.working.as_ref().expect("held until the connection is idle");
        working.exchange.with(|connection, _| {
            if connection.is_due() || !self.shared.lengths.keeps_idle() {
                connection.close_after_response();
            }
        });
    }

    /// Takes a step that is neither [`Step::Head`] nor [`Step::Call`], out of the way of those.
    #[inline(never)]
    pub(super) fn take_rare_step(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        match self.step {
            Step::Drain(thrown) => self.drain(cx, input, thrown),
            Step::Close(end) => self.close(cx, end),
            _ => self.linger(cx, input),
        }
    }

    /// Reads the rest of a body for nobody.
    fn drain(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>, thrown: u64) -> Poll<io::Result<Done>> {
        if self.shared.stopping() != Stop::No && !self.shared.lengths.keeps_idle() {
            self.step = Step::Close(End::Linger); // there will be no request that it could be saved for
            return Poll::Ready(Ok(Done::Next));
        }
        let working = self.working.as_mut().expect("held until the connection is idle");
        let bytes = input.bytes(&working.input);
        if bytes.is_empty() {
            return self.go_on_reading(cx, input);
        }
        let used = working.exchange.receive_body(bytes, false);
        let next = working.exchange.with(|connection, _| connection.next_step());
        self.step = match used {
            Ok(used) if thrown + used as u64 <= DRAIN_BYTES_MAX => {
                self.progress = true;
                input.use_up(&mut working.input, used);
                if next == Some(Next::Request) {
                    own(&mut working.exchange, &self.endpoints).recycle(&self.endpoints);
                    Step::Head
                } else {
                    Step::Drain(thrown + used as u64)
                }
            }
            _ => Step::Close(End::Linger),
        };
        Poll::Ready(Ok(Done::Next))
    }

    /// Writes what there is, and ends this side.
    fn close(&mut self, cx: &mut Context<'_>, end: End) -> Poll<io::Result<Done>> {
        ready!(self.poll_write(cx))?;
        match end {
            End::Linger => {
                ready!(self.stream.poll_shutdown(cx))?;
                self.step = Step::Linger;
                return Poll::Ready(Ok(Done::Next));
            }
            End::Cut => {}
            End::Reset => self.stream.abort(),
        }
        Poll::Ready(Ok(Done::Over))
    }

    /// Throws away what the client still sends, until it has read the answer and closes, or long enough. How much that is
    /// does not matter: a proxy that is sending a large body reads the answer only when nothing breaks (and a reset while
    /// it writes makes a 502 of it).
    fn linger(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) -> Poll<io::Result<Done>> {
        let read = ready!(self.stream.poll_read(cx, input.scratch))?;
        Poll::Ready(Ok(if read == 0 { Done::Over } else { Done::Next }))
    }

    /// What the task waits for.
    pub(super) fn waits_for(&self) -> Wait {
        let Some(working) = &self.working else {
            return self.idle;
        };
        match self.step {
            Step::Linger => Wait::Linger,
            _ if working.exchange.has_output() => Wait::Write,
            Step::Head => Wait::Head,
            Step::Call if working.exchange.wants_body_of_request() => Wait::Body,
            Step::Call => Wait::Application,
            Step::Drain(_) => Wait::Body,
            Step::Close(_) => Wait::Write,
        }
    }

    /// The task has waited for too long.
    #[cold]
    pub(super) fn time_out(&mut self) -> Done {
        log::debug!("a client was too slow: {:?}", self.deadline.wait());
        let waits_for_request = matches!(self.deadline.wait(), Wait::Head | Wait::Body)
            && matches!(self.step, Step::Head | Step::Call)
            && self.working.is_some();
        if (waits_for_request || self.deadline.wait() == Wait::Write) && self.shared.stopping() != Stop::No {
            self.cut(); // in a stop it is told whose request was not answered as it was asked
        }
        match (self.deadline.wait(), &self.step, &self.working) {
            (Wait::Head, _, Some(_)) => self.refuse(&Error::new(Kind::HeadTimeout)),
            (Wait::Body, Step::Call, Some(working)) => working.exchange.time_out_body(),
            (Wait::Body, ..) => self.step = Step::Close(End::Linger),
            (Wait::Write, ..) => {
                self.stream.abort();
                return Done::Over;
            }
            _ => return Done::Over,
        }
        Done::Next
    }

    /// Everything ends, and the connection with it.
    #[cold]
    pub(super) fn end_now(&mut self) {
        if self.working.is_some() && !matches!(self.step, Step::Linger) {
            self.cut();
        }
        self.give_up();
    }

    /// The connection is told as one that was cut, once.
    fn cut(&mut self) {
        if !mem::replace(&mut self.is_cut, true) {
            self.shared.cut_one();
        }
    }

    /// The connection ends where it is. The client shall not take half an answer for the whole.
    #[cold]
    pub(super) fn give_up(&mut self) {
        let Some(working) = &self.working else { return };
        if working.exchange.with(|connection, out| {
            connection.ends_with_connection() && (connection.is_responding() || !out.is_empty())
        }) {
            self.stream.abort();
        }
        if matches!(self.step, Step::Call) {
            self.note();
        }
    }

    /// The client has gone: the application is dropped, unless it goes on alone.
    #[cold]
    pub(super) fn lose_client(&mut self) {
        self.give_up();
        if matches!(self.step, Step::Call)
            && self.working.as_ref().is_some_and(|working| working.exchange.finishes_alone())
            && let Some(working) = self.working.take()
        {
            self.step = Step::Head; // the request is not this task's any more
            call::leave_alone(&self.shared, working, self.is_cut);
        }
    }
}
