//! What the connections of one server share: the application, the pools, the date, and whether to stop.

use super::config::Config;
use super::deadline::Lengths;
use crate::asgi::{App, Endpoints, Exchange, Surroundings};
use crate::codec::date::Date;
use bytes::BytesMut;
use evloop_runtime::engine::{Arena, Key, ServedCounts};
use evloop_runtime::observe::Doing;
use evloop_runtime::time::{date, turn_millis};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Bytes that one read takes at most.
const SCRATCH_BYTES: usize = 64 * 1024;

/// How many sets of working memory are kept for connections that are idle now.
const KEPT_MAX: usize = 256;

/// What input memory a set may keep.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// How long the end of a connection waits for the client to read the last answer, while what it still sends is thrown
/// away. Closing at once would answer that with a reset, which can destroy the answer before it is read (RFC 9112 section
/// 9.6).
const LINGER: Duration = Duration::from_secs(2);

/// Whether the server goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It does.
    No,
    /// Requests that have begun are finished.
    Gracefully,
    /// Everything ends.
    Now,
}

pub(super) struct Shared<A: App> {
    pub(super) app: A,
    pub(super) config: Config,
    pub(super) lengths: Lengths,
    pub(super) surroundings: Rc<Surroundings>,
    /// What a dump calls the task of a connection.
    pub(super) task_name: Rc<str>,
    stop: Cell<Stop>,
    /// The task of each connection that has been polled.
    connections: RefCell<Arena<Waker>>,
    /// The loop's own counts of the same, for its metrics.
    counts: ServedCounts,
    /// Where the loop's watchdog, if there is one, sees which request is served.
    doing: Option<Doing>,
    /// Connections that were taken and have not ended.
    open: Cell<usize>,
    /// Requests that are being served.
    in_service: Cell<usize>,
    /// Requests that were taken, where there is a most of them.
    requests: Cell<u64>,
    /// Who accepts, and waits for room, or to be told to stop.
    acceptor: Cell<Option<Waker>>,
    /// Connections that were ended before they had said their last word.
    cut: Cell<usize>,
    /// Who waits for the last connection to end.
    drained: Cell<Option<Waker>>,
    #[expect(clippy::vec_box, reason = "the box itself goes to a connection, which holds a pointer while it is idle")]
    kept: RefCell<Vec<Box<Working<A>>>>,
    scratch: Cell<Option<Box<[u8]>>>,
    /// Until when the date of responses holds, in the loop's milliseconds.
    date_until: Cell<u64>,
}

/// What a connection needs while it is not idle.
pub(super) struct Working<A: App> {
    pub(super) exchange: Rc<Exchange>,
    /// The application's future, while it is called.
    pub(super) call: Pin<Box<Option<A::Future>>>,
    /// Bytes that have come and are not used up.
    pub(super) input: BytesMut,
    /// When the request's head was whole, if that is to be logged.
    pub(super) began: Option<Instant>,
    /// The application is being polled: a panic is its own.
    pub(super) is_polled: bool,
}

impl<A: App> Shared<A> {
    pub(super) fn new(app: A, config: Config, surroundings: Surroundings) -> Shared<A> {
        let lengths = Lengths::new(&config.timeouts, LINGER);
        Shared {
            app,
            config,
            lengths,
            surroundings: Rc::new(surroundings),
            task_name: Rc::from("connection"),
            counts: ServedCounts::current(),
            doing: Doing::current(),
            open: Cell::new(0),
            in_service: Cell::new(0),
            requests: Cell::new(0),
            acceptor: Cell::new(None),
            stop: Cell::new(Stop::No),
            connections: RefCell::default(),
            cut: Cell::new(0),
            drained: Cell::new(None),
            kept: RefCell::default(),
            scratch: Cell::new(None),
            date_until: Cell::new(0),
        }
    }

    pub(super) fn stopping(&self) -> Stop {
        self.stop.get()
    }

    /// A connection was taken.
    pub(super) fn open(&self) {
        self.open.set(self.open.get() + 1);
        self.counts.connection_opened();
    }

    /// A connection that was taken is no more.
    pub(super) fn close(&self) {
        self.open.set(self.open.get() - 1);
        self.counts.connection_closed();
        self.wake_drained();
        if self.config.connections_max.is_some() {
            self.wake_acceptor();
        }
    }

    /// Ready when there is room for another connection.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.config.connections_max.is_none_or(|max| self.open.get() < max) {
            return Poll::Ready(());
        }
        self.acceptor.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Ready when so many requests were served that the server shall stop.
    pub(super) fn poll_exhausted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(max) = self.config.requests_max else { return Poll::Pending };
        if self.requests.get() >= max {
            return Poll::Ready(());
        }
        self.acceptor.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn wake_acceptor(&self) {
        self.acceptor.take().into_iter().for_each(Waker::wake);
    }

    /// A request has come: whether it can be served, or too many are.
    #[inline]
    pub(super) fn begin_request(&self) -> bool {
        let in_service = self.in_service.get();
        if self.config.concurrency_max.is_some_and(|max| in_service >= max) {
            return false;
        }
        self.in_service.set(in_service + 1);
        self.counts.request_begun();
        if let Some(max) = self.config.requests_max {
            let requests = self.requests.get() + 1;
            self.requests.set(requests);
            if requests == max {
                self.wake_acceptor();
            }
        }
        true
    }

    /// The application is about to be polled for that request.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a look whether there is a watchdog, once in each request")]
    pub(super) fn note(&self, working: &Working<A>) {
        if let Some(doing) = &self.doing {
            doing.note(working.exchange.head.line_bytes());
        }
    }

    /// A request that was served is over.
    #[inline]
    pub(super) fn end_request(&self) {
        self.in_service.set(self.in_service.get() - 1);
        self.counts.request_ended();
    }

    /// Tells all connections.
    pub(super) fn stop(&self, stop: Stop) {
        self.stop.set(stop);
        let wakers: Vec<Waker> = self.connections.borrow().iter().map(|(_, waker)| waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A connection is ended that has not said its last word.
    pub(super) fn cut_one(&self) {
        self.cut.set(self.cut.get() + 1);
    }

    /// How many were.
    pub(super) fn cut(&self) -> usize {
        self.cut.get()
    }

    /// Ready when no connection is open, be it one that was taken a moment ago and has not run yet, and no request goes on
    /// without one.
    pub(super) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_drained() {
            return Poll::Ready(());
        }
        drop(self.drained.replace(Some(cx.waker().clone())));
        Poll::Pending
    }

    fn is_drained(&self) -> bool {
        self.open.get() == 0 && self.in_service.get() == 0
    }

    fn wake_drained(&self) {
        if self.is_drained()
            && let Some(waiting) = self.drained.take()
        {
            waiting.wake();
        }
    }

    /// A connection has its task.
    pub(super) fn enter(&self, task: &Waker) -> Key {
        self.connections.borrow_mut().insert(task.clone())
    }

    /// A task of a connection has ended.
    pub(super) fn leave(&self, key: Key) {
        let task = self.connections.borrow_mut().remove(key);
        drop(task);
        self.wake_drained();
    }

    /// The memory that reads go to, to be given back. It is the thread's, so to speak: whatever is not used up before the
    /// task waits is copied out of it.
    #[inline]
    pub(super) fn take_scratch(&self) -> Box<[u8]> {
        self.scratch.take().unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice())
    }

    /// Takes it back.
    #[inline]
    pub(super) fn keep_scratch(&self, scratch: Box<[u8]>) {
        self.scratch.set(Some(scratch));
    }

    /// Working memory for a connection with these ends that is not idle any more.
    #[inline]
    #[expect(clippy::unnecessary_box_returns, reason = "the box is what the pool lends")]
    pub(super) fn take_working(&self, endpoints: &Endpoints) -> Box<Working<A>> {
        let kept = self.kept.borrow_mut().pop();
        let working = kept.unwrap_or_else(|| Box::new(self.new_working()));
        working.exchange.endpoints.set(*endpoints);
        working
    }

    #[cold]
    fn new_working(&self) -> Working<A> {
        let exchange = Rc::new(Exchange::new(Rc::clone(&self.surroundings)));
        Working { exchange, call: Box::pin(None), input: BytesMut::new(), began: None, is_polled: false }
    }

    /// Working memory of a connection that is idle again, or gone. Its call is over.
    #[inline]
    pub(super) fn keep_working(&self, mut working: Box<Working<A>>) {
        let Some(exchange) = Rc::get_mut(&mut working.exchange) else { return }; // the application keeps a part of it
        exchange.reset();
        working.began = None;
        working.input.clear();
        if working.input.capacity() > KEPT_BYTES_MAX {
            working.input = BytesMut::new();
        }
        let mut kept = self.kept.borrow_mut();
        if kept.len() < KEPT_MAX {
            kept.push(working);
        }
    }

    /// The date of responses, as of the last refresh.
    #[inline]
    pub(super) fn date(&self) -> Date {
        self.surroundings.date.get()
    }

    /// Looks whether it is another second: once a poll, for all the requests that are answered in it. The system is asked
    /// once a second.
    #[inline]
    pub(super) fn refresh_date(&self) {
        let now = turn_millis();
        if now >= self.date_until.get() {
            self.read_date(now);
        }
    }

    #[cold]
    fn read_date(&self, now: u64) {
        let time = date().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.surroundings.date.set(Date::at(time.as_secs()));
        self.date_until.set(now + u64::from(1_000 - time.subsec_millis()));
    }
}
