//! A network in memory: pipes of bounded size, ends that close one side or both, resets, counters, and faults by a seed.
//!
//! ```text
//!                ┌───────── Pipe, of so many bytes ─────────▶
//!   client: End  │                                           server: ServerEnd, which counts what the server does
//!                ◀───────── Pipe, of so many bytes ─────────┘
//! ```

use super::faults::{Faults, Weather};
use super::pipe::{self, NotYet, Pipe, Written};
use crate::chance::Chance;
use crate::context;
use crate::io::{AsyncRead, AsyncWrite};
use crate::time::{Sleep, sleep_until};
use crate::trace::{Place, Wait, waits_for};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

/// Bytes that a test holds of one connection. Past it, the test fails: a server that sends without end shall not take all
/// memory.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where clients connect and a server accepts; all its clones are the same network.
///
/// It behaves as sockets do where a server can tell: a full pipe makes the writer wait, what was written can be read after
/// the writer has gone, and writing to whom nobody reads is an error. Nothing in it depends on the kernel or on the
/// system's time, so a test on it runs the same way each time.
///
/// With [`Faults`] it behaves as a bad network does, as chance has it. That comes from a seed, for each connection by
/// itself: what one does is drawn the same, whatever the others do.
///
/// # Examples
/// ```
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
/// use evloop_runtime::testing::{Faults, Network};
/// use evloop_runtime::{Runtime, spawn};
///
/// let runtime = Runtime::builder().manual_clock().seed(7).build()?;
/// runtime.block_on(async {
///     let network = Network::with_faults(Faults::rough());
///     let server = network.clone();
///     let echo = spawn(async move {
///         let mut end = server.accept().await?;
///         let mut word = [0; 5];
///         end.read_exact(&mut word).await?; // in so many pieces as chance has it
///         end.write_all(&word).await
///     });
///     let mut client = network.connect(1_000);
///     client.send("Hello").await;
///     assert_eq!(client.rest().await, b"Hello");
///     echo.await.unwrap()
/// })
/// # ; Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Network {
    backlog: Rc<RefCell<Backlog>>,
}

#[derive(Default)]
struct Backlog {
    waiting: VecDeque<End>,
    acceptor: Option<Waker>,
    accepted: usize,
    closed: bool,
    weather: Option<Weather>,
}

impl Network {
    /// A network on which things go wrong, as the loop's [seed](crate::Builder::seed) has it, or as nobody knows beforehand
    /// where the loop has none.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[must_use]
    #[track_caller]
    pub fn with_faults(faults: Faults) -> Network {
        Network::with_weather(Weather { faults, chance: context::with(|core| core.chance.split()) })
    }

    /// A network on which things go wrong, as a seed of its own has it. A delay takes a loop all the same.
    #[must_use]
    pub fn with_faults_by(faults: Faults, seed: u64) -> Network {
        Network::with_weather(Weather { faults, chance: Chance::new(seed) })
    }

    fn with_weather(weather: Weather) -> Network {
        Network { backlog: Rc::new(RefCell::new(Backlog { weather: Some(weather), ..Backlog::default() })) }
    }

    /// Connects a client; each direction holds so many bytes.
    ///
    /// # Panics
    /// When that is none: nothing could ever pass.
    #[track_caller]
    pub fn connect(&self, pipe_bytes: usize) -> End {
        assert!(pipe_bytes > 0, "a pipe without room lets nothing pass");
        let mut backlog = self.backlog.borrow_mut();
        let weather = backlog.weather.as_ref().map(Weather::split);
        let pipes = [(); 2].map(|()| Pipe::new(pipe_bytes, weather.as_ref().map(Weather::split)));
        let (client, server) = pair(pipes, weather.as_ref(), Location::caller());
        if weather.is_some_and(|weather| weather.chance.happens(weather.faults.refused_percent)) {
            drop(backlog);
            client.break_off(ErrorKind::ConnectionRefused);
            return client; // and the server's end is dropped
        }
        if backlog.closed {
            return client; // the same
        }
        backlog.waiting.push_back(server);
        let acceptor = backlog.acceptor.take();
        drop(backlog);
        acceptor.into_iter().for_each(Waker::wake);
        client
    }

    /// The next connection. Those that wait together are taken in the order of their connects, or one that chance has if
    /// there are delays on this network.
    ///
    /// # Errors
    /// When the network was [closed](Network::close).
    ///
    /// # Cancel safety
    /// No connection is lost.
    pub async fn accept(&self) -> io::Result<ServerEnd> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The next connection, for who polls by hand: see [`accept`](Network::accept). Only the last task that has asked is
    /// woken.
    ///
    /// # Errors
    /// When the network was [closed](Network::close).
    #[track_caller]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<ServerEnd>> {
        let mut backlog = self.backlog.borrow_mut();
        if backlog.closed {
            return Poll::Ready(Err(io::Error::new(ErrorKind::NotConnected, "this network in memory was closed")));
        }
        if let Some(end) = backlog.next() {
            backlog.accepted += 1;
            return Poll::Ready(Ok(ServerEnd(end)));
        }
        let former = backlog.acceptor.replace(cx.waker().clone());
        drop(backlog);
        drop(former);
        waits_for(Wait::Receive(Location::caller()));
        Poll::Pending
    }

    /// Takes no connection any more: those that wait and those to come end at once.
    pub fn close(&self) {
        let mut backlog = self.backlog.borrow_mut();
        backlog.closed = true;
        let waiting = std::mem::take(&mut backlog.waiting);
        let acceptor = backlog.acceptor.take();
        drop(backlog);
        drop(waiting); // which wakes their clients
        acceptor.into_iter().for_each(Waker::wake);
    }

    /// How many connections the server has taken.
    pub fn accepted(&self) -> usize {
        self.backlog.borrow().accepted
    }
}

impl Backlog {
    fn next(&mut self) -> Option<End> {
        let drawn =
            self.weather.as_ref().filter(|weather| !weather.faults.delay_max.is_zero() && self.waiting.len() > 1);
        let place = drawn.map_or(0, |weather| weather.chance.below(self.waiting.len()));
        self.waiting.remove(place)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backlog = self.backlog.borrow();
        let (waiting, accepted) = (backlog.waiting.len(), backlog.accepted);
        let faults = backlog.weather.as_ref().map(|weather| weather.faults);
        drop(backlog); // where the formatter writes is foreign code
        let mut shown = f.debug_struct("Network");
        shown.field("waiting", &waiting).field("accepted", &accepted).field("faults", &faults).finish_non_exhaustive()
    }
}

/// The two ends of a connection by these pipes: of the client, and of the server.
fn pair([mut up, mut down]: [Pipe; 2], weather: Option<&Weather>, made_at: Place) -> (End, End) {
    if let Some(Weather { faults, chance }) =
        weather.filter(|weather| weather.chance.happens(weather.faults.cut_percent))
    {
        let first = if chance.happens(50) { &mut up } else { &mut down };
        first.cut_in(chance.below(faults.cut_bytes_max.saturating_add(1)));
    }
    let (up, down, seen) = (up.shared(), down.shared(), Rc::default());
    let client =
        End { incoming: Rc::clone(&down), outgoing: Rc::clone(&up), seen: Rc::clone(&seen), arrival: None, made_at };
    (client, End { incoming: up, outgoing: down, seen, arrival: None, made_at })
}

/// What the server did with its end.
#[derive(Debug, Default)]
pub struct Seen {
    writes: Cell<usize>,
    reads: Cell<usize>,
    bytes_read: Cell<usize>,
    shut_down: Cell<bool>,
    gone: Cell<bool>,
}

impl Seen {
    /// How many of its writes took bytes.
    pub fn writes(&self) -> usize {
        self.writes.get()
    }

    /// How many of its reads gave bytes.
    pub fn reads(&self) -> usize {
        self.reads.get()
    }

    /// How many bytes it has read.
    pub fn bytes_read(&self) -> usize {
        self.bytes_read.get()
    }

    /// Whether it has ended its writing side.
    pub fn is_shut_down(&self) -> bool {
        self.shut_down.get()
    }

    /// Whether it has let go of the connection.
    pub fn is_gone(&self) -> bool {
        self.gone.get()
    }
}

/// The client's end of a connection. Dropping it closes the connection.
///
/// Beside the methods of [`AsyncRead`] and [`AsyncWrite`] it has some that are short to write in a test: they panic where
/// a test would fail.
pub struct End {
    incoming: Rc<RefCell<Pipe>>,
    outgoing: Rc<RefCell<Pipe>>,
    seen: Rc<Seen>,
    /// When there will be something to read.
    arrival: Option<Sleep>,
    /// Where it was connected.
    made_at: Place,
}

impl End {
    /// What the server did with its end.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How many bytes of the server lie in the pipe, arrived or under way.
    pub fn unread_bytes(&self) -> usize {
        self.incoming.borrow().len()
    }

    /// Whether the server will send no more; what it has sent may still lie in the pipe.
    pub fn is_ended(&self) -> bool {
        self.incoming.borrow().is_ended()
    }

    /// Sends all of it.
    ///
    /// # Panics
    /// When the server has closed the connection.
    ///
    /// # Cancel safety
    /// A part of it may have been sent.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// Sends no more, and still receives.
    pub fn finish(&mut self) {
        pipe::end(&self.outgoing);
    }

    /// Breaks the connection, as a client that crashed does.
    pub fn reset(self) {
        self.break_off(ErrorKind::ConnectionReset);
    }

    /// Waits for so many bytes.
    ///
    /// # Panics
    /// When the connection ends before.
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        self.read_exact(&mut taken).await.expect("the server answers");
        taken
    }

    /// Waits until what was read ends so.
    ///
    /// # Panics
    /// When the connection ends before, when more than [`HELD_BYTES_MAX`] have come, or when it is no text.
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(end.as_bytes()) {
            match self.read(&mut byte).await.expect("the server answers") {
                0 => panic!("the connection ended after {:?}", String::from_utf8_lossy(&text)),
                _ => text.push(byte[0]),
            }
            assert!(text.len() <= HELD_BYTES_MAX, "the server sends on and on, and never {end:?}");
        }
        String::from_utf8(text).expect("answers are text here")
    }

    /// Waits for the end of what the server sends.
    ///
    /// # Panics
    /// When the connection breaks, or when more than [`HELD_BYTES_MAX`] have come.
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 16 * 1024];
        loop {
            match self.read(&mut piece).await.expect("the server ends the connection in order") {
                0 => return bytes,
                read => bytes.extend_from_slice(&piece[..read]),
            }
            assert!(bytes.len() <= HELD_BYTES_MAX, "the server sends on and on");
        }
    }

    /// Ready when the server has read all that was sent, or will read no more.
    pub fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<()> {
        pipe::poll_taken(&self.outgoing, cx)
    }

    fn break_off(&self, kind: ErrorKind) {
        for pipe in [&self.incoming, &self.outgoing] {
            pipe::break_off(pipe, kind);
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("End");
        shown.field("unread_bytes", &self.unread_bytes()).field("is_ended", &self.is_ended());
        shown.field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl AsyncRead for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let not_yet = match pipe::poll_read(&self.incoming, cx, buf) {
                Ok(read) => return Poll::Ready(read),
                Err(not_yet) => not_yet,
            };
            self.arrival = match not_yet {
                NotYet::Nothing => None,
                NotYet::Until(due) => Some(sleep_until(due)),
            };
            let arrived = self.arrival.as_mut().map_or(Poll::Pending, |arrival| Pin::new(arrival).poll(cx));
            waits_for(Wait::Receive(self.made_at));
            ready!(arrived);
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match pipe::poll_write(&self.outgoing, cx, buf) {
            Poll::Ready(Ok(Written::Bytes(written))) => Poll::Ready(Ok(written)),
            Poll::Ready(Ok(Written::AndCut(written))) => {
                self.break_off(ErrorKind::ConnectionReset);
                if written == 0 {
                    Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
                } else {
                    Poll::Ready(Ok(written))
                }
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                waits_for(Wait::Send(self.made_at));
                Poll::Pending
            }
        }
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        pipe::end(&self.outgoing);
        pipe::leave(&self.incoming);
    }
}

/// The server's end, which keeps count. Dropping it closes the connection.
#[derive(Debug)]
pub struct ServerEnd(End);

impl ServerEnd {
    /// Breaks the connection: the client sees a reset.
    pub fn abort(&mut self) {
        self.0.break_off(ErrorKind::ConnectionReset);
    }
}

impl AsyncRead for ServerEnd {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = self.0.poll_read(cx, buf);
        if let Poll::Ready(Ok(read)) = polled {
            let seen = &self.0.seen;
            seen.reads.set(seen.reads.get() + usize::from(read > 0));
            seen.bytes_read.set(seen.bytes_read.get() + read);
        }
        polled
    }
}

impl AsyncWrite for ServerEnd {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.0.poll_write(cx, buf);
        if polled.is_ready() {
            self.0.seen.writes.set(self.0.seen.writes.get() + 1);
        }
        polled
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.seen.shut_down.set(true);
        self.0.poll_shutdown(cx)
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.0.seen.gone.set(true);
    }
}
