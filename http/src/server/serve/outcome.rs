//! How a request ends: with the application's answer, with one in its place, or without any.

use super::{End, Serve, Step, own};
use crate::access_log::Entry;
use crate::asgi::{App, Result, Scope};
use crate::connection::Next;
use crate::error::Error;
use crate::message::StatusCode;
use crate::server::Stream;
use crate::server::shared::Stop;
use evloop_runtime::time::now;
use std::rc::Rc;
use std::time::Duration;

impl<S: Stream, A: App> Serve<S, A> {
    /// Answers in place of an application that has too much to do.
    #[cold]
    pub(super) fn turn_away(&mut self) {
        log::debug!("a request was turned away: too many are being served");
        let working = self.working.as_mut().expect("held until the connection is idle");
        if self.shared.stopping() != Stop::No {
            working.exchange.with(|connection, _| connection.close_after_response());
        }
        let next = working.exchange.turn_away();
        self.follow(next);
    }

    /// Answers what cannot be taken for a request, and ends the connection: where the next one begins, is not known.
    #[cold]
    pub(super) fn refuse(&mut self, error: &Error) {
        log::debug!("a request was refused: {error}");
        let working = self.working.as_mut().expect("it has the bytes that are refused");
        working.exchange.refuse(error.status().unwrap_or(StatusCode::BAD_REQUEST));
        self.step = Step::Close(End::Linger);
        if self.shared.config.access_log.is_on()
            && let Some((status, body_bytes)) = working.exchange.sent()
        {
            let (date, client) = (&self.shared.date(), self.endpoints.client);
            let entry = Entry { date, client, line: None, status, body_bytes, took: Duration::ZERO };
            self.shared.config.access_log.note(&entry);
        }
    }

    /// The application has ended, with `None` by a panic: sees to it that there is an answer, and what follows it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the other time it is called is where panics are")]
    pub(super) fn settle(&mut self, outcome: Option<Result>) {
        if let Some(Err(error)) = &outcome {
            self.tell(error);
        }
        self.shared.end_request();
        let working = self.working.as_mut().expect("held until the connection is idle");
        match working.exchange.with(|connection, _| connection.next_step()) {
            Some(next) => self.follow(next),
            None => self.fail(outcome),
        }
    }

    /// The application has ended by a panic.
    #[cold]
    pub(super) fn settle_panicked(&mut self) {
        self.settle(None);
    }

    /// The application has ended with an error.
    #[cold]
    fn tell(&self, error: &Error) {
        let working = self.working.as_ref().expect("held until the connection is idle");
        let target = working.exchange.head.target();
        if error.is_gone() || error.status().is_some() {
            // What a client does wrong is its own affair, and as frequent as it likes.
            log::debug!("the application gave up on {target}: {error}");
        } else {
            log::error!("the application failed on {target}: {error}");
        }
    }

    /// Answers for an application that has not, or ends what it has left half done.
    #[cold]
    fn fail(&mut self, outcome: Option<Result>) {
        let working = self.working.as_mut().expect("held until the connection is idle");
        if !working.exchange.with(|connection, _| connection.is_due()) {
            if let Some(Ok(())) = outcome
                && working.exchange.failure().is_none()
            {
                log::error!("a response on {} was not completed, and is cut", working.exchange.head.target());
            }
            let unseen = working.exchange.with(|connection, _| connection.ends_with_connection());
            self.step = Step::Close(if unseen { End::Reset } else { End::Cut }); // what was written before it is sent
            return self.note();
        }
        let why = match outcome {
            Some(Ok(())) => {
                let failure = working.exchange.failure(); // of the request's body: then it has a reason to be silent
                if failure.is_none() {
                    log::error!("the application gave no response on {}", working.exchange.head.target());
                }
                failure
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        let status = why.and_then(|error| if error.is_gone() { Some(StatusCode::BAD_REQUEST) } else { error.status() });
        working.exchange.refuse(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        self.step = Step::Close(End::Linger);
        self.note();
    }

    /// A response is over: this comes next.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "twice of three times it is called where requests are rare")]
    pub(super) fn follow(&mut self, next: Next) {
        self.note();
        self.unwritten += 1;
        self.step = match next {
            Next::Request => {
                let working = self.working.as_mut().expect("held until the connection is idle");
                own(&mut working.exchange, &self.endpoints).recycle(&self.endpoints);
                Step::Head
            }
            Next::Drain => Step::Drain(0),
            Next::Close => Step::Close(End::Linger),
        };
    }

    /// Logs the request that is over, if that is wanted and it was answered at all.
    #[inline]
    pub(super) fn note(&mut self) {
        let working = self.working.as_mut().expect("held until the connection is idle");
        if working.began.is_some() {
            self.log();
        }
    }

    #[inline(never)]
    fn log(&mut self) {
        let working = self.working.as_mut().expect("held until the connection is idle");
        if let Some(began) = working.began.take() {
            let scope = Scope::new(Rc::clone(&working.exchange));
            if let Some(entry) = Entry::of(&scope, &self.shared.date(), now().saturating_duration_since(began)) {
                self.shared.config.access_log.note(&entry);
            }
        }
    }
}
