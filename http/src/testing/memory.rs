//! A network in memory: pipes of bounded size, ends that close one side or both, resets, and counters.
//!
//! ```text
//!                ┌───────── Pipe, of so many bytes ─────────▶
//!   client: End  │                                           server: ServerEnd, which counts what the server does
//!                ◀───────── Pipe, of so many bytes ─────────┘
//! ```
//!
//! It behaves as sockets do where a server can tell: a full pipe makes the writer wait, what was written can be read after
//! the writer has gone, and writing to whom nobody reads is an error. Nothing in it depends on the kernel or on time, so a
//! test on it runs the same way each time.
//!
//! # Examples
//! ```
//! use evloop_http::asgi::{Receive, Result, Scope, Send};
//! use evloop_http::server::Server;
//! use evloop_http::testing::Network;
//!
//! async fn hello(_: Scope, _: Receive, mut send: Send) -> Result {
//!     send.response_start(200, [("content-type", "text/plain")]).await?;
//!     send.response_body("Hello").await
//! }
//!
//! evloop_runtime::block_on(async {
//!     let network = Network::default();
//!     evloop_runtime::spawn(Server::new(network.clone()).serve(hello));
//!     let mut client = network.connect(1_000);
//!     client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
//!     assert!(client.rest().await.ends_with(b"\r\n\r\nHello"));
//! });
//! ```

use super::HELD_BYTES_MAX;
use crate::server::{Listener, Stream};
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Where clients connect: a listener to the server, and all its clones are the same network.
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
}

impl Network {
    /// Connects a client; each direction holds so many bytes.
    ///
    /// # Panics
    /// When that is none: nothing could ever pass.
    pub fn connect(&self, pipe_bytes: usize) -> End {
        assert!(pipe_bytes > 0, "a pipe without room lets nothing pass");
        let (up, down) = (Pipe::new(pipe_bytes), Pipe::new(pipe_bytes));
        let client = End { incoming: Rc::clone(&down), outgoing: Rc::clone(&up), seen: Rc::default() };
        let server = End { incoming: up, outgoing: down, seen: Rc::clone(&client.seen) };
        let mut backlog = self.backlog.borrow_mut();
        if backlog.closed {
            return client; // and the server's end is dropped
        }
        backlog.waiting.push_back(server);
        let acceptor = backlog.acceptor.take();
        drop(backlog);
        acceptor.into_iter().for_each(Waker::wake);
        client
    }

    /// Takes no connection any more: those that wait and those to come end at once.
    pub(super) fn close(&self) {
        let mut backlog = self.backlog.borrow_mut();
        backlog.closed = true;
        let waiting = std::mem::take(&mut backlog.waiting);
        drop(backlog);
        drop(waiting); // which wakes their clients
    }

    /// How many connections the server has taken.
    pub fn accepted(&self) -> usize {
        self.backlog.borrow().accepted
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backlog = self.backlog.borrow();
        let mut shown = f.debug_struct("Network");
        shown.field("waiting", &backlog.waiting.len()).field("accepted", &backlog.accepted).finish_non_exhaustive()
    }
}

impl Listener for Network {
    type Stream = ServerEnd;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(ServerEnd, Option<SocketAddr>)>> {
        let mut backlog = self.backlog.borrow_mut();
        let Some(end) = backlog.waiting.pop_front() else {
            backlog.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        };
        backlog.accepted += 1;
        Poll::Ready(Ok((ServerEnd(end), None)))
    }
}

/// One direction of a connection.
struct Pipe {
    bytes: VecDeque<u8>,
    bytes_max: usize,
    /// Nothing more will be written.
    ended: bool,
    /// Nobody will read.
    unread: bool,
    /// Both ends see an error.
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new(bytes_max: usize) -> Rc<RefCell<Pipe>> {
        let pipe = Pipe {
            bytes: VecDeque::new(),
            bytes_max,
            ended: false,
            unread: false,
            reset: false,
            reader: None,
            writer: None,
        };
        Rc::new(RefCell::new(pipe))
    }
}

/// Changes a pipe, and wakes both its ends.
fn change(pipe: &RefCell<Pipe>, change: impl FnOnce(&mut Pipe)) {
    let mut pipe = pipe.borrow_mut();
    change(&mut pipe);
    let wakers = [pipe.reader.take(), pipe.writer.take()];
    drop(pipe);
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// What the server did with its end.
#[derive(Debug, Default)]
pub struct Seen {
    pub(crate) writes: Cell<usize>,
    pub(crate) reads: Cell<usize>,
    pub(crate) bytes_read: Cell<usize>,
    pub(crate) shut_down: Cell<bool>,
    pub(crate) gone: Cell<bool>,
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
}

impl End {
    /// What the server did with its end.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How many bytes of the server lie in the pipe.
    pub fn unread_bytes(&self) -> usize {
        self.incoming.borrow().bytes.len()
    }

    /// Whether the server will send no more; what it has sent may still lie in the pipe.
    pub fn is_ended(&self) -> bool {
        self.incoming.borrow().ended
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
        change(&self.outgoing, |pipe| pipe.ended = true);
    }

    /// Breaks the connection, as a client that crashed does.
    pub fn reset(self) {
        for pipe in [&self.incoming, &self.outgoing] {
            change(pipe, |pipe| pipe.reset = true);
        }
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
    pub(super) fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.outgoing.borrow_mut();
        if pipe.bytes.is_empty() || pipe.unread || pipe.reset {
            return Poll::Ready(());
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
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
        let mut pipe = self.incoming.borrow_mut();
        if pipe.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if pipe.bytes.is_empty() && !pipe.ended {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let read = buf.len().min(pipe.bytes.len());
        let (front, back) = pipe.bytes.as_slices();
        let at_front = front.len().min(read);
        buf[..at_front].copy_from_slice(&front[..at_front]);
        buf[at_front..read].copy_from_slice(&back[..read - at_front]);
        pipe.bytes.drain(..read);
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for End {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.outgoing.borrow_mut();
        if pipe.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if pipe.unread || pipe.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = pipe.bytes_max - pipe.bytes.len();
        if room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let written = buf.len().min(room);
        pipe.bytes.extend(&buf[..written]);
        let reader = pipe.reader.take();
        drop(pipe);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(written))
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
        change(&self.outgoing, |pipe| pipe.ended = true);
        change(&self.incoming, |pipe| pipe.unread = true);
    }
}

/// The server's end, which keeps count.
#[derive(Debug)]
pub struct ServerEnd(End);

impl Stream for ServerEnd {
    fn abort(&mut self) {
        for pipe in [&self.0.incoming, &self.0.outgoing] {
            change(pipe, |pipe| pipe.reset = true);
        }
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
