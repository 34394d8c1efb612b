//! A TCP server that sends back what it is sent.
//!
//! Run it with `cargo run --release --example 03_echo [PORT]`, the port being 7000 unless given, and talk to it from
//! other terminals with `nc 127.0.0.1 7000`. Ctrl-C ends it.
//!
//! To be seen: one thread serves any number of connections, each a task. A connection that says nothing costs its task
//! and no buffer, for all of them read into the same one; and one that does not read its echo is not read from, so it
//! cannot make the server hold more than one piece.
//!
//! With `io::AsyncRead` and a buffer of its own, a connection would be four lines of `async`: read, `write_all`, again.
//! This one is written by hand as a future, to share the buffer: nobody may hold it across an `await`, since another
//! connection reads into it then.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::future::race;
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::signal;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::{env, io};

/// Large enough to take what a socket's buffer usually holds with one call: fewer calls are what makes an echo fast.
const SCRATCH_BYTES: usize = 256 * 1024;

/// One buffer for all connections of the thread. They take turns, so a cell guards it and no lock.
type Scratch = Rc<RefCell<Box<[u8]>>>;

/// A connection that echoes until its client has ended. Its output is how many bytes went back.
struct Echo {
    stream: TcpStream,
    scratch: Scratch,
    /// What was read and the socket has not taken yet. Nothing is read while there is any, so this is at most one
    /// scratch.
    unsent: Vec<u8>,
    echoed: u64,
}

impl Echo {
    fn new(stream: TcpStream, scratch: Scratch) -> Echo {
        Echo { stream, scratch, unsent: Vec::new(), echoed: 0 }
    }

    /// Sends what was kept, until nothing of it is left.
    fn poll_send_kept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(self.stream.poll_write(cx, &self.unsent))?;
            self.unsent.drain(..sent);
            self.echoed += sent as u64;
        }
        self.unsent = Vec::new(); // gives its memory back; who waits for the next message holds none
        Poll::Ready(Ok(()))
    }

    /// Reads once and writes at once. In most cases the socket takes all of it, and nothing is copied or kept. Zero is
    /// the client's end.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = self.scratch.borrow_mut();
        let read = ready!(self.stream.poll_read(cx, &mut scratch))?;
        if read == 0 {
            return Poll::Ready(Ok(0));
        }
        let sent = match self.stream.poll_write(cx, &scratch[..read])? {
            Poll::Ready(sent) => sent,
            Poll::Pending => 0,
        };
        self.unsent.extend_from_slice(&scratch[sent..read]);
        self.echoed += sent as u64;
        Poll::Ready(Ok(read))
    }
}

impl Future for Echo {
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The loop ends with `Pending` when the socket is drained or full, or when this poll's budget of operations is
        // spent: a client that never stops sending does not keep the others waiting.
        loop {
            ready!(self.poll_send_kept(cx))?;
            if ready!(self.poll_pass(cx))? == 0 {
                return Poll::Ready(Ok(self.echoed)); // it has had all of its echo
            }
        }
    }
}

/// Accepts for ever. Dropping the listener stops it; the tasks of the connections are the loop's.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let scratch: Scratch = Rc::new(RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()));
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?; // an echo waits for nothing that could be sent along with it
        let echo = Echo::new(stream, Rc::clone(&scratch));
        // The handle is dropped: the task goes on by itself, and ends when its client does.
        drop(evloop::spawn(async move {
            match echo.await {
                Ok(bytes) => println!("{peer}: {bytes} bytes"),
                Err(error) => println!("{peer}: {error}"),
            }
        }));
    }
}

fn main() -> io::Result<()> {
    let port = env::args().nth(1).map_or(Ok(7000), |port| port.parse::<u16>()).map_err(io::Error::other)?;
    evloop::run(async {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        println!("echo on {}; Ctrl-C ends it", listener.local_addr()?);
        race(serve(listener), signal::ctrl_c()).await.into_inner()
    })
}
