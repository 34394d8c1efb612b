//! What the application and its connection hand each other.
//!
//! One request and its response are an exchange. The application's three handles and the connection's task share it; all
//! are on one thread. Both directions are bounded: before it is asked for a body, the connection reads no more than one
//! read brings, and afterwards no further ahead than [`BODY_BYTES_MAX`]; the application's pieces wait while
//! [`OUT_BYTES_MAX`] have not been written.
//!
//! An exchange is used again for the next request, of any connection, unless the application has kept a part of it.

use super::filter::Filter;
use super::scope::Address;
use super::send::{Begun, Trailers};
use super::state::State;
use crate::codec::date::Date;
use crate::codec::defaults::DefaultFields;
use crate::codec::encode::{FieldLine, ResponseHead};
use crate::connection::{Connection, Next};
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{RequestHead, StatusCode};
use bytes::{Bytes, BytesMut};
use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Bytes of a request's body that are held for the application at most: what one read can bring.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a response that may wait for the socket before the application waits, too.
pub(crate) const OUT_BYTES_MAX: usize = 64 * 1024;

/// What memory an exchange takes along to the next request at most.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// When a client that was turned away shall come again.
const RETRY_AFTER: FieldLine = FieldLine::new("retry-after: 1\r\n");

/// One request and its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Changed only while nobody shares the exchange.
    pub(crate) head: RequestHead,
    /// Those of the connection, unless the application [has been told](Exchange::set_client) of another client.
    pub(crate) endpoints: Cell<Endpoints>,
    pub(super) surroundings: Rc<Surroundings>,
    inner: RefCell<Inner>,
}

/// The addresses of a connection's ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Endpoints {
    pub(crate) client: Option<SocketAddr>,
    /// `None` when it is the same for all connections: then it is in the surroundings.
    pub(crate) server: Option<Place>,
}

/// An [`Address`] of this side, small enough for each connection to have one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Inet(SocketAddr),
    /// So many paths were known before this one.
    Unix(usize),
}

/// What is the same for all requests of a server.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// The address of this side, if it is the same for all connections.
    pub(crate) server: Option<Address>,
    pub(crate) state: State,
    /// What a proxy in front has taken off the paths of requests, as clients write it.
    pub(crate) root_path: String,
    /// What the server has to say in each response, unless that is as usual.
    pub(crate) added: Option<Added>,
    /// The paths of its Unix domain sockets, where there are several listeners.
    pub(crate) paths: RefCell<Vec<Rc<Path>>>,
    /// The date of responses, as of the last poll of a connection.
    pub(crate) date: Cell<Date>,
}

/// What a server adds to each response, and leaves out.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) fields: DefaultFields,
    pub(crate) has_date: bool,
}

impl Surroundings {
    /// Gives a head what the server has to say in each.
    pub(super) fn complete(&self, head: &mut ResponseHead<'_>) {
        if let Some(added) = &self.added {
            added.fields.complete(head);
            if !added.has_date {
                head.omit_date();
            }
        }
    }

    /// An address of this side, as a connection keeps it.
    pub(crate) fn place(&self, address: Address) -> Place {
        match address {
            Address::Inet(address) => Place::Inet(address),
            Address::Unix(path) => {
                let mut paths = self.paths.borrow_mut();
                let known = paths.iter().position(|known| *known == path);
                Place::Unix(known.unwrap_or_else(|| {
                    paths.push(path);
                    paths.len() - 1
                }))
            }
        }
    }

    /// The address again.
    pub(super) fn address(&self, place: Place) -> Address {
        match place {
            Place::Inet(address) => Address::Inet(address),
            Place::Unix(known) => Address::Unix(Rc::clone(&self.paths.borrow()[known])),
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all go together in one look")]
pub(super) struct Inner {
    pub(super) connection: Connection,
    /// Response bytes that have not been written to the socket.
    pub(super) out: BytesMut,
    /// What changes the response on its way out.
    pub(super) filter: Option<Box<dyn Filter>>,
    /// There is a filter, or something that the server adds: one look for both.
    pub(super) is_altered: bool,
    /// The head of a response whose first piece has not come: only with it is known how its body is framed.
    pub(super) begun: Option<Box<Begun>>,
    /// What is known of the trailers of a response that has announced some.
    pub(super) trailers: Option<Trailers>,
    /// Bytes of the body that the filter is still to be shown, where the application has said how many there are.
    pub(super) unfiltered: Option<u64>,
    /// Bytes that were given since the last pause and went nowhere, as the body after HEAD does.
    dropped: usize,
    /// The client has come by `https`, to a proxy in front.
    is_secure: bool,
    /// The application goes on when its client has gone.
    finishes_alone: bool,
    /// Body bytes that the application has not taken.
    body: BytesMut,
    /// The application has asked for more of the body than was here.
    wants_body: bool,
    /// Why no more of the body will come.
    failed: Option<Error>,
    /// The connection is no more: what is sent goes nowhere.
    gone: bool,
    receiver: Option<Waker>,
    /// Who waits for room: clones of [`Send`](super::Send) may be in several tasks.
    senders: Vec<Waker>,
    /// Something below the response's own bytes was touched, and has to be put back before the next request: rare, so that
    /// one look saves ten.
    pub(super) touched: bool,
    /// The connection's task.
    connection_task: Option<Waker>,
    /// It waits for the application: whoever uses a handle from elsewhere wakes it.
    connection_waits: bool,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("connection", &self.connection)
            .field("out", &self.out.len())
            .field("body", &self.body.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    pub(crate) fn new(surroundings: Rc<Surroundings>) -> Exchange {
        let inner = Inner {
            connection: Connection::default(),
            out: BytesMut::new(),
            filter: None,
            is_altered: surroundings.added.is_some(),
            begun: None,
            trailers: None,
            unfiltered: None,
            dropped: 0,
            is_secure: false,
            finishes_alone: false,
            body: BytesMut::new(),
            wants_body: false,
            failed: None,
            gone: false,
            receiver: None,
            senders: Vec::new(),
            touched: false,
            connection_task: None,
            connection_waits: false,
        };
        let (head, endpoints) = (RequestHead::default(), Cell::default());
        Exchange { head, endpoints, surroundings, inner: RefCell::new(inner) }
    }

    // The connection's side.

    /// Shows the input between two requests; see [`Connection::receive_head`].
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "several servers in one program would each call it, at 40 instructions")]
    pub(crate) fn receive_head(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, Error> {
        self.inner.get_mut().connection.receive_head(input, limits, &mut self.head)
    }

    /// Shows the input that follows the head, and tells how much of it is used up. What is body is kept for the
    /// application, or dropped if `keep` says so.
    pub(crate) fn receive_body(&self, input: &[u8], keep: bool) -> Result<usize, Error> {
        let mut inner = self.inner.borrow_mut();
        inner.touched = true;
        let mut used = 0;
        while inner.connection.is_receiving() && used < input.len() && (!keep || inner.body.len() < BODY_BYTES_MAX) {
            let rest = &input[used..];
            let decoded = match inner.connection.receive_body(rest) {
                Ok(decoded) => decoded,
                Err(error) => {
                    inner.failed = Some(error.clone());
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

    /// The client will send no more: a body that is under way stays cut, and a tunnel has no way in any more.
    pub(crate) fn end_input(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.touched = true;
        inner.connection.end_tunnel();
        if inner.connection.is_receiving() {
            inner.failed.get_or_insert(Error::new(Kind::Gone));
            inner.connection.close_after_response();
        }
        wake_receiver(inner);
    }

    /// The body takes too long: no more of it is waited for, and the application is told.
    pub(crate) fn time_out_body(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.touched = true;
        inner.failed = Some(Error::new(Kind::BodyTimeout));
        inner.connection.close_after_response();
        wake_receiver(inner);
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
        inner.touched = true;
        park(&mut inner.connection_task, cx);
        inner.connection_waits = true;
    }

    /// The connection is about to go on, and sees by itself what the handles of its application do meanwhile.
    #[inline]
    pub(crate) fn look_at_handles(&self) {
        self.inner.borrow_mut().connection_waits = false;
    }

    /// Whether so much waits to be written that the application has to wait, too.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.inner.borrow().out.len() >= OUT_BYTES_MAX
    }

    /// Whether anything is to be written.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        !self.inner.borrow().out.is_empty()
    }

    /// Whether the application waits for more of a request's body than is here; what comes through a tunnel is none.
    #[inline]
    pub(crate) fn wants_body_of_request(&self) -> bool {
        let inner = self.inner.borrow();
        inner.wants_body && !inner.connection.is_tunnel()
    }

    /// Whether the application waits for more of the body than is here.
    #[inline]
    pub(crate) fn wants_body(&self) -> bool {
        self.inner.borrow().wants_body
    }

    /// Answers in the application's place, if it has not begun to.
    pub(crate) fn refuse(&self, status: StatusCode) {
        let written = self.write(|inner| {
            let date = self.surroundings.date.get();
            inner.connection.refuse_with(&mut inner.out, status, &date, |head| self.surroundings.complete(head));
            Ok(())
        });
        debug_assert!(written.is_ok(), "whoever refuses has the connection");
    }

    /// Answers in the place of an application that has too much to do, and tells what follows.
    pub(crate) fn turn_away(&self) -> Next {
        let inner = &mut *self.inner.borrow_mut();
        let (Inner { connection, out, .. }, date) = (inner, self.surroundings.date.get());
        let (status, text) = (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE.reason());
        let written = connection.respond(out, status, &date, text.as_bytes(), |head| {
            head.line(FieldLine::TEXT_PLAIN);
            head.line(RETRY_AFTER);
            self.surroundings.complete(head);
            Ok(())
        });
        debug_assert!(written.is_ok(), "a response is due, and its fields are known");
        connection.next_step().unwrap_or(Next::Close)
    }

    /// Bytes have been written: whoever waited for room may go on. Tells whether anybody did.
    pub(crate) fn wake_sender(&self) -> bool {
        let senders = std::mem::take(&mut self.inner.borrow_mut().senders);
        let any = !senders.is_empty();
        senders.into_iter().for_each(Waker::wake);
        any
    }

    /// Makes it ready for another request of the connection with these ends; what is still to be written stays.
    #[inline]
    pub(crate) fn recycle(&mut self, endpoints: &Endpoints) {
        let inner = self.inner.get_mut();
        if inner.touched {
            inner.put_back(self.surroundings.added.is_some());
            self.endpoints.set(*endpoints);
        }
        debug_assert!(inner.is_untouched());
    }

    /// Makes it ready for another connection, whose ends are still to be told.
    pub(crate) fn reset(&mut self) {
        self.recycle(&Endpoints::default());
        let inner = self.inner.get_mut();
        if !inner.connection.is_idle() {
            inner.connection = Connection::default();
        }
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
    pub(crate) fn move_on(&self, endpoints: &Endpoints) -> Exchange {
        let mut fresh = Exchange::new(Rc::clone(&self.surroundings));
        let mut inner = self.inner.borrow_mut();
        std::mem::swap(&mut fresh.inner.get_mut().out, &mut inner.out);
        let remains = inner.connection.remains();
        fresh.inner.get_mut().connection = std::mem::replace(&mut inner.connection, remains);
        drop(inner);
        fresh.endpoints.set(*endpoints);
        self.abandon();
        fresh
    }

    /// The connection is gone: whoever still waits or sends is told.
    pub(crate) fn abandon(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.touched = true;
        inner.gone = true;
        inner.failed = Some(Error::new(Kind::Gone));
        let (receiver, senders) = (inner.receiver.take(), std::mem::take(&mut inner.senders));
        drop(inner);
        receiver.into_iter().chain(senders).for_each(Waker::wake);
    }

    /// Why no more of the body will come, if that is so.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.inner.borrow().failed.clone()
    }

    /// Whether the application goes on when its client has gone.
    pub(crate) fn finishes_alone(&self) -> bool {
        self.inner.borrow().finishes_alone
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
        if let Some(error) = &inner.failed {
            return Poll::Ready(Err(error.clone()));
        }
        if !inner.connection.is_receiving() {
            return Poll::Ready(Ok(None));
        }
        inner.touched = true;
        inner.wants_body = true;
        inner.connection.continue_body(&mut inner.out);
        park(&mut inner.receiver, cx);
        wake_connection(borrowed);
        Poll::Pending
    }

    /// The application does not wait for more of the body any longer.
    #[inline]
    pub(super) fn stop_wanting_body(&self) {
        self.inner.borrow_mut().wants_body = false;
    }

    /// Ready when the client has gone, or the response is over.
    pub(super) fn poll_disconnect(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut borrowed = self.inner.borrow_mut();
        let inner = &mut *borrowed;
        if inner.failed.is_some() || inner.is_over() {
            return Poll::Ready(());
        }
        inner.touched = true;
        park(&mut inner.receiver, cx);
        wake_connection(borrowed);
        Poll::Pending
    }

    /// The application goes on when its client has gone, or no longer.
    pub(super) fn finish_alone(&self, alone: bool) {
        self.change(|inner| inner.finishes_alone = alone);
    }

    /// Whether the client has come by `https`, to a proxy in front.
    pub(super) fn is_secure(&self) -> bool {
        self.inner.borrow().is_secure
    }

    /// There is another client than the connection has.
    pub(super) fn set_client(&self, client: Option<SocketAddr>) {
        self.change(|_| self.endpoints.set(Endpoints { client, ..self.endpoints.get() }));
    }

    /// The client has come so.
    pub(super) fn set_secure(&self, secure: bool) {
        self.change(|inner| inner.is_secure = secure);
    }

    /// Ready when there is room for a piece of the response.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let inner = &mut *self.inner.borrow_mut();
        if inner.gone {
            return Poll::Ready(Err(Error::new(Kind::Gone)));
        }
        if inner.dropped >= OUT_BYTES_MAX {
            // What goes nowhere fills nothing: without a pause, a body without end would hold the loop.
            inner.dropped = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if inner.out.len() < OUT_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        inner.touched = true;
        if !inner.senders.iter().any(|known| known.will_wake(cx.waker())) {
            inner.senders.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Changes what the application's side may change.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Inner) -> R) -> R {
        let inner = &mut *self.inner.borrow_mut();
        inner.touched = true;
        change(inner)
    }

    /// Writes a whole response.
    #[inline]
    pub(super) fn respond(
        &self,
        status: StatusCode,
        body: &[u8],
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.write(|inner| {
            inner.check_not_begun()?;
            if inner.is_altered {
                return inner.respond_altered(&self.surroundings, status, body, fields);
            }
            inner.connection.respond(&mut inner.out, status, &self.surroundings.date.get(), body, fields)
        })
    }

    /// Writes the head of a response.
    pub(super) fn start(
        &self,
        status: StatusCode,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.write(|inner| {
            inner.check_not_begun()?;
            if inner.is_altered {
                return inner.start_altered(&self.surroundings, status, length, fields);
            }
            inner.connection.start(&mut inner.out, status, &self.surroundings.date.get(), length, fields)
        })
    }

    /// Writes a piece of a response's body, room or not.
    pub(super) fn push(&self, piece: &[u8]) -> Result<(), Error> {
        self.write(|inner| {
            if inner.connection.omits_body() {
                inner.touched = true;
                inner.dropped += piece.len().max(1);
            }
            match inner.filter {
                None => inner.connection.body(&mut inner.out, piece),
                Some(_) => inner.body_filtered(piece, false),
            }
        })
    }

    /// Ends a response, with trailers if it has some.
    pub(super) fn end(&self, trailers: &[(String, Vec<u8>)]) -> Result<(), Error> {
        let trailers = if self.accepts_trailers() { trailers } else { &[] };
        self.write(|inner| {
            if inner.filter.is_some() {
                inner.body_filtered(&[], true)?;
            }
            let trailers = trailers.iter().map(|(name, value)| (&**name, &**value));
            inner.connection.end_with(&mut inner.out, trailers)
        })
    }

    /// Writes a part of the response, if the client has not gone.
    #[inline]
    pub(super) fn write(&self, write: impl FnOnce(&mut Inner) -> Result<(), Error>) -> Result<(), Error> {
        let mut inner = self.inner.borrow_mut();
        if inner.touched && inner.gone {
            return Err(Error::new(Kind::Gone));
        }
        let written = write(&mut inner);
        if inner.touched {
            wake_after_writing(inner);
        }
        written
    }

    /// Whether the client has said that it takes trailers (RFC 9110 section 6.5.1).
    pub(super) fn accepts_trailers(&self) -> bool {
        self.lists("te", "trailers")
    }

    /// Whether the client offers to go on in this protocol (RFC 9110 section 7.8).
    pub(super) fn offers(&self, protocol: &str) -> bool {
        !protocol.is_empty() && self.lists("upgrade", protocol)
    }

    /// Whether a field of the request that is a list has this member.
    fn lists(&self, field: &str, member: &str) -> bool {
        let members = self.head.headers().get_all(field).flat_map(|value| value.split(|&byte| byte == b','));
        members.map(<[u8]>::trim_ascii).any(|known| known.eq_ignore_ascii_case(member.as_bytes()))
    }

    /// The status of the response, if its head was written, and how many bytes of its body have been.
    pub(crate) fn sent(&self) -> Option<(StatusCode, u64)> {
        let inner = self.inner.borrow();
        (!inner.connection.is_due()).then(|| inner.connection.sent())
    }

    /// How large the body is that is still to come, if that is known.
    pub(super) fn body_left(&self) -> Option<u64> {
        let inner = self.inner.borrow();
        inner.connection.body_left().map(|left| left + inner.body.len() as u64)
    }
}

impl Inner {
    /// What is wrong with a response, or with what goes before one, where a head waits for its first piece.
    #[inline]
    pub(super) fn check_not_begun(&self) -> Result<(), Error> {
        if self.touched && self.begun.is_some() { Err(Error::new(Kind::ResponseBegun)) } else { Ok(()) }
    }

    /// Whether the response is over.
    fn is_over(&self) -> bool {
        !self.connection.is_due() && !self.connection.is_responding()
    }

    /// Whether the body waits for the application: what a tunnel brings is to come behind it.
    pub(super) fn has_body(&self) -> bool {
        !self.body.is_empty()
    }

    /// All but the connection, the bytes to be written, and memory.
    #[cold]
    fn put_back(&mut self, is_altered: bool) {
        self.wants_body = false;
        self.failed = None;
        self.gone = false;
        self.receiver = None;
        self.senders.clear();
        self.connection_task = None;
        self.connection_waits = false;
        self.filter = None;
        self.is_altered = is_altered;
        self.begun = None;
        self.trailers = None;
        self.unfiltered = None;
        self.dropped = 0;
        self.is_secure = false;
        self.finishes_alone = false;
        self.body.clear();
        self.touched = false;
    }

    fn is_untouched(&self) -> bool {
        !self.wants_body
            && self.failed.is_none()
            && !self.gone
            && self.receiver.is_none()
            && self.senders.is_empty()
            && self.connection_task.is_none()
            && !self.connection_waits
            && self.filter.is_none()
            && self.begun.is_none()
            && self.trailers.is_none()
            && self.unfiltered.is_none()
            && self.dropped == 0
            && !self.is_secure
            && !self.finishes_alone
            && self.body.is_empty()
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

/// Wakes who waits for the end of the response, if it is over, and the connection's task.
#[inline(never)]
fn wake_after_writing(mut inner: RefMut<'_, Inner>) {
    let receiver = if inner.is_over() { inner.receiver.take() } else { None };
    wake_connection(inner);
    receiver.into_iter().for_each(Waker::wake);
}

/// Wakes the connection's task, if it waits, after the borrow has ended.
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
