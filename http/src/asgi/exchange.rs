//! What the application and its connection hand each other.
//!
//! One request and its response are an exchange. The application's three handles and the connection's task share it; all
//! are on one thread. Both directions are bounded: before it is asked for a body, the connection reads no more than one
//! read brings, and afterwards no further ahead than [`BODY_BYTES_MAX`]; the application's pieces wait while
//! [`OUT_BYTES_MAX`] have not been written.
//!
//! An exchange is used again for the next request, of any connection, unless the application has kept a part of it.

use crate::codec::date::Date;
use crate::connection::Connection;
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{RequestHead, StatusCode};
use bytes::{Bytes, BytesMut};
use std::cell::{RefCell, RefMut};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

/// Bytes of a request's body that are held for the application at most: what one read can bring.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a response that may wait for the socket before the application waits, too.
pub(crate) const OUT_BYTES_MAX: usize = 64 * 1024;

/// What memory an exchange takes along to the next request at most.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// One request and its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Changed only while nobody shares the exchange.
    pub(crate) head: RequestHead,
    pub(crate) client: Option<SocketAddr>,
    inner: RefCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    date: Date,
    /// Response bytes that have not been written to the socket.
    out: BytesMut,
    /// Body bytes that the application has not taken.
    body: BytesMut,
    /// The application has asked for more of the body than was here.
    wants_body: bool,
    /// Why no more of the body will come.
    failed: Option<Error>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    /// The connection's task.
    connection_task: Option<Waker>,
    /// It waits for the application: whoever uses a handle from elsewhere wakes it.
    connection_waits: bool,
}

impl Exchange {
    pub(crate) fn new() -> Exchange {
        let inner = Inner {
            connection: Connection::default(),
            date: Date::at(0),
            out: BytesMut::new(),
            body: BytesMut::new(),
            wants_body: false,
            failed: None,
            receiver: None,
            sender: None,
            connection_task: None,
            connection_waits: false,
        };
        Exchange { head: RequestHead::default(), client: None, inner: RefCell::new(inner) }
    }

    // The connection's side.

    /// Shows the input between two requests; see [`Connection::receive_head`].
    #[inline]
    pub(crate) fn receive_head(&mut self, input: &[u8], limits: &Limits, date: &Date) -> Result<Option<usize>, Error> {
        let inner = self.inner.get_mut();
        inner.date = *date;
        inner.connection.receive_head(input, limits, &mut self.head)
    }

    /// Shows the input that follows the head, and tells how much of it is used up. What is body is kept for the
    /// application, or dropped if `keep` says so.
    pub(crate) fn receive_body(&self, input: &[u8], keep: bool) -> Result<usize, Error> {
        let mut inner = self.inner.borrow_mut();
        let mut used = 0;
        while inner.connection.is_receiving() && used < input.len() && (!keep || inner.body.len() < BODY_BYTES_MAX) {
            let rest = &input[used..];
            let decoded = match inner.connection.receive_body(rest) {
                Ok(decoded) => decoded,
                Err(error) => {
                    inner.failed = Some(error);
                    wake_receiver(inner);
                    return Err(error);
                }
            };
            used += decoded.consumed;
            if keep {
                inner.body.extend_from_slice(&rest[decoded.data]);
            }
        }
        if !inner.body.is_empty() || !inner.connection.is_receiving() {
            wake_receiver(inner);
        }
        Ok(used)
    }

    /// The client will send no more: a body that is under way stays cut.
    pub(crate) fn end_input(&self) {
        let mut inner = self.inner.borrow_mut();
        if inner.connection.is_receiving() {
            inner.failed.get_or_insert(Error::new(Kind::Gone));
            inner.connection.close_after_response();
            wake_receiver(inner);
        }
    }

    /// Looks at the protocol's state and the bytes to be written.
    #[inline]
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut Connection, &mut BytesMut) -> R) -> R {
        let inner = &mut *self.inner.borrow_mut();
        look(&mut inner.connection, &mut inner.out)
    }

    /// The connection waits for the application, which may use its handles from another task.
    pub(crate) fn wait_for_handles(&self, cx: &Context<'_>) {
        let inner = &mut *self.inner.borrow_mut();
        park(&mut inner.connection_task, cx);
        inner.connection_waits = true;
    }

    /// The connection is about to poll the application, and sees by itself what its handles do meanwhile.
    #[inline]
    pub(crate) fn look_at_handles(&self) {
        self.inner.borrow_mut().connection_waits = false;
    }

    /// Whether so much waits to be written that the application has to wait, too.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.inner.borrow().out.len() >= OUT_BYTES_MAX
    }

    /// Whether the application waits for more of the body than is here.
    #[inline]
    pub(crate) fn wants_body(&self) -> bool {
        self.inner.borrow().wants_body
    }

    /// Answers in the application's place, if it has not begun to.
    pub(crate) fn refuse(&self, status: StatusCode) {
        let inner = &mut *self.inner.borrow_mut();
        inner.connection.refuse(&mut inner.out, status, &inner.date);
    }

    /// Bytes have been written: whoever waited for room may go on. Tells whether anybody did.
    pub(crate) fn wake_sender(&self) -> bool {
        let sender = self.inner.borrow_mut().sender.take();
        sender.map(Waker::wake).is_some()
    }

    /// Makes it ready for another request; what is still to be written stays.
    #[inline]
    pub(crate) fn recycle(&mut self) {
        let inner = self.inner.get_mut();
        inner.wants_body = false;
        inner.failed = None;
        inner.receiver = None;
        inner.sender = None;
        inner.connection_task = None;
        inner.connection_waits = false;
        if !inner.body.is_empty() {
            inner.body.clear();
        }
    }

    /// Makes it ready for another connection.
    pub(crate) fn reset(&mut self) {
        self.recycle();
        let inner = self.inner.get_mut();
        inner.connection = Connection::default();
        inner.out.clear();
        if inner.out.capacity() > KEPT_BYTES_MAX {
            inner.out = BytesMut::new();
        }
        if inner.body.capacity() > KEPT_BYTES_MAX {
            inner.body = BytesMut::new();
        }
        self.head.retire(KEPT_BYTES_MAX);
    }

    /// A fresh exchange goes on with what is still to be written, where the application keeps this one.
    pub(crate) fn move_on(&self) -> Exchange {
        let mut fresh = Exchange::new();
        let mut inner = self.inner.borrow_mut();
        std::mem::swap(&mut fresh.inner.get_mut().out, &mut inner.out);
        std::mem::swap(&mut fresh.inner.get_mut().connection, &mut inner.connection);
        inner.failed = Some(Error::new(Kind::Gone));
        fresh.client = self.client;
        fresh
    }

    /// The connection is gone: whoever still waits or sends is told.
    pub(crate) fn abandon(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.failed = Some(Error::new(Kind::Gone));
        let wakers = (inner.receiver.take(), inner.sender.take());
        drop(inner);
        for waker in [wakers.0, wakers.1].into_iter().flatten() {
            waker.wake();
        }
    }

    // The application's side.

    /// The next piece of the body; `None` at its end.
    pub(super) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut borrowed = self.inner.borrow_mut();
        let inner = &mut *borrowed;
        if !inner.body.is_empty() {
            inner.wants_body = false;
            return Poll::Ready(Ok(Some(inner.body.split().freeze())));
        }
        if let Some(error) = inner.failed {
            return Poll::Ready(Err(error));
        }
        if !inner.connection.is_receiving() {
            return Poll::Ready(Ok(None));
        }
        inner.wants_body = true;
        inner.connection.continue_body(&mut inner.out);
        park(&mut inner.receiver, cx);
        wake_connection(borrowed);
        Poll::Pending
    }

    /// Ready when there is room for a piece of the response.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let inner = &mut *self.inner.borrow_mut();
        if inner.failed.is_some_and(|error| error.is_gone()) {
            return Poll::Ready(Err(Error::new(Kind::Gone)));
        }
        if inner.out.len() < OUT_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        park(&mut inner.sender, cx);
        Poll::Pending
    }

    /// Writes a part of the response.
    #[inline]
    pub(super) fn write<R>(
        &self,
        write: impl FnOnce(&mut Connection, &mut BytesMut, &Date) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut borrowed = self.inner.borrow_mut();
        let inner = &mut *borrowed;
        let written = write(&mut inner.connection, &mut inner.out, &inner.date);
        wake_connection(borrowed);
        written
    }

    /// How large the body is that is still to come, if that is known.
    pub(super) fn body_left(&self) -> Option<u64> {
        let inner = self.inner.borrow();
        inner.connection.body_left().map(|left| left + inner.body.len() as u64)
    }
}

/// Wakes who waits for the body, after the borrow has ended.
fn wake_receiver(mut inner: RefMut<'_, Inner>) {
    inner.wants_body = false;
    let receiver = inner.receiver.take();
    drop(inner);
    if let Some(receiver) = receiver {
        receiver.wake();
    }
}

/// Wakes the connection's task, if it waits, after the borrow has ended.
#[inline]
fn wake_connection(mut inner: RefMut<'_, Inner>) {
    if std::mem::take(&mut inner.connection_waits)
        && let Some(task) = inner.connection_task.take()
    {
        drop(inner);
        task.wake();
    }
}

fn park(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(known) if known.will_wake(cx.waker()) => {}
        _ => *place = Some(cx.waker().clone()),
    }
}
