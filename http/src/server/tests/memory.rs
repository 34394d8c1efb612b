//! A network in memory: pipes of bounded size, ends that close one side or both, resets, and counters.

use super::super::Listener;
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Where clients connect.
#[derive(Clone, Default)]
pub(super) struct Network {
    backlog: Rc<RefCell<Backlog>>,
}

#[derive(Default)]
struct Backlog {
    waiting: VecDeque<End>,
    acceptor: Option<Waker>,
    accepted: usize,
}

impl Network {
    /// Connects a client; each direction holds so many bytes.
    pub(super) fn connect(&self, pipe_bytes: usize) -> End {
        let (up, down) = (Pipe::new(pipe_bytes), Pipe::new(pipe_bytes));
        let client = End { incoming: Rc::clone(&down), outgoing: Rc::clone(&up), seen: Rc::default() };
        let server = End { incoming: up, outgoing: down, seen: Rc::clone(&client.seen) };
        let mut backlog = self.backlog.borrow_mut();
        backlog.waiting.push_back(server);
        let acceptor = backlog.acceptor.take();
        drop(backlog);
        acceptor.into_iter().for_each(Waker::wake);
        client
    }

    /// How many connections the server has taken.
    pub(super) fn accepted(&self) -> usize {
        self.backlog.borrow().accepted
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
#[derive(Default)]
pub(super) struct Seen {
    /// Writes that took bytes.
    pub(super) writes: Cell<usize>,
    /// Reads that gave bytes.
    pub(super) reads: Cell<usize>,
    pub(super) bytes_read: Cell<usize>,
    /// It has ended its writing side and still holds the connection.
    pub(super) shut_down: Cell<bool>,
    /// It has let go of the connection.
    pub(super) gone: Cell<bool>,
}

/// One end of a connection.
pub(super) struct End {
    incoming: Rc<RefCell<Pipe>>,
    outgoing: Rc<RefCell<Pipe>>,
    seen: Rc<Seen>,
}

impl End {
    /// What the server did with its end.
    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How many answer bytes lie in the pipe.
    pub(super) fn unread_bytes(&self) -> usize {
        self.incoming.borrow().bytes.len()
    }

    /// Sends all of it.
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.write_all(bytes.as_ref()).await.expect("the server reads");
    }

    /// Sends no more.
    pub(super) fn finish(&mut self) {
        change(&self.outgoing, |pipe| pipe.ended = true);
    }

    /// Breaks the connection, as a client that crashed does.
    pub(super) fn reset(self) {
        for pipe in [&self.incoming, &self.outgoing] {
            change(pipe, |pipe| pipe.reset = true);
        }
    }

    /// Waits for so many bytes.
    pub(super) async fn take(&mut self, bytes: usize) -> Vec<u8> {
        let mut taken = vec![0; bytes];
        self.read_exact(&mut taken).await.expect("the server answers");
        taken
    }

    /// Waits until what was read ends so.
    pub(super) async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(end.as_bytes()) {
            match self.read(&mut byte).await.expect("the server answers") {
                0 => panic!("the connection ended after {:?}", String::from_utf8_lossy(&text)),
                _ => text.push(byte[0]),
            }
        }
        String::from_utf8(text).expect("answers are text here")
    }

    /// Waits for the end of what the server sends.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).await.expect("the server ends the connection in order");
        bytes
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
        for (to, from) in buf.iter_mut().zip(pipe.bytes.drain(..read)) {
            *to = from;
        }
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
pub(super) struct ServerEnd(End);

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
