//! Several listeners as one.

use super::listener::{Listener, Stream};
use crate::asgi::Address;
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::net::{Inherited, TcpListener, TcpStream, UnixListener, UnixStream};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Any number of listeners, of TCP and of Unix domain sockets, for one server.
///
/// They are served in turn: after a connection of one, the others are asked first. What ends one of them, ends the server.
/// More can be [given](ListenersHandle::push) to it while it serves. A server that listens at one place alone needs none of
/// this: it takes that [`Listener`] itself.
///
/// # Examples
/// ```
/// use evloop_http::router::{Request, Router};
/// use evloop_http::server::{Listeners, Server};
/// use evloop_runtime::net::TcpListener;
///
/// evloop_runtime::block_on(async {
///     let mut listeners = Listeners::new();
///     listeners.push(TcpListener::bind("127.0.0.1:0")?)?;
///     listeners.push(TcpListener::bind("127.0.0.1:0")?)?;
///     let handle = listeners.handle();
///     let app = Router::new().get("/", |_: Request| async { "Hello" });
///     let server = evloop_runtime::spawn(Server::new(listeners).serve(app));
///     handle.push(TcpListener::bind("127.0.0.1:0")?)?;
///     server.abort();
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Listeners {
    all: Vec<AnyListener>,
    /// Whose turn it is.
    next: usize,
    handle: ListenersHandle,
}

/// Gives more listeners to [`Listeners`] that a server has. Clones give to the same.
#[derive(Clone, Default)]
pub struct ListenersHandle {
    door: Rc<Door>,
}

#[derive(Default)]
struct Door {
    /// Listeners that were given and have not been taken in.
    given: RefCell<Vec<AnyListener>>,
    /// Who accepts, and waits.
    acceptor: Cell<Option<Waker>>,
    /// The listeners are no more.
    closed: Cell<bool>,
}

/// One of several listeners.
#[derive(Debug)]
pub enum AnyListener {
    /// Of IPv4 or IPv6.
    Tcp(TcpListener),
    /// Of the Unix domain.
    Unix(UnixListener),
}

/// A connection from one of several listeners.
#[derive(Debug)]
pub enum AnyStream {
    /// Of IPv4 or IPv6.
    Tcp(TcpStream),
    /// Of the Unix domain.
    Unix(UnixStream),
}

impl Listeners {
    /// None yet.
    #[must_use]
    pub fn new() -> Listeners {
        Listeners::default()
    }

    /// One more.
    ///
    /// # Errors
    /// What keeps it from being served.
    pub fn push(&mut self, listener: impl Into<AnyListener>) -> io::Result<()> {
        self.handle.push(listener)
    }

    /// What gives more of them to the server that has them.
    #[must_use]
    pub fn handle(&self) -> ListenersHandle {
        self.handle.clone()
    }
}

impl Listener for Listeners {
    type Stream = AnyStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(AnyStream, Option<SocketAddr>)>> {
        self.all.append(&mut self.handle.door.given.borrow_mut());
        let count = self.all.len();
        for nth in 0..count {
            let at = (self.next + nth) % count;
            if let Poll::Ready(accepted) = self.all[at].poll_accept(cx) {
                self.next = at + 1;
                return Poll::Ready(accepted);
            }
        }
        let before = self.handle.door.acceptor.replace(Some(cx.waker().clone()));
        drop(before);
        Poll::Pending
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        let Door { given, acceptor, closed } = &*self.handle.door;
        closed.set(true);
        let (left, waiting) = (given.take(), acceptor.take());
        drop((left, waiting));
    }
}

impl ListenersHandle {
    /// One more, from which the server accepts from now on.
    ///
    /// # Errors
    /// What keeps it from being served, as that the server does not accept any more.
    pub fn push(&self, listener: impl Into<AnyListener>) -> io::Result<()> {
        if self.door.closed.get() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the server does not accept any more"));
        }
        let mut listener = listener.into();
        listener.prepare()?;
        self.door.given.borrow_mut().push(listener);
        self.door.acceptor.take().into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl fmt::Debug for ListenersHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Door { given, closed, .. } = &*self.door;
        f.debug_struct("ListenersHandle")
            .field("given", &given.borrow())
            .field("is_closed", &closed.get())
            .finish_non_exhaustive()
    }
}

impl Listener for AnyListener {
    type Stream = AnyStream;

    fn prepare(&mut self) -> io::Result<()> {
        match self {
            AnyListener::Tcp(listener) => listener.prepare(),
            AnyListener::Unix(listener) => listener.prepare(),
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(AnyStream, Option<SocketAddr>)>> {
        match self {
            AnyListener::Tcp(listener) => {
                Listener::poll_accept(listener, cx).map_ok(|(stream, client)| (AnyStream::Tcp(stream), client))
            }
            AnyListener::Unix(listener) => {
                Listener::poll_accept(listener, cx).map_ok(|(stream, client)| (AnyStream::Unix(stream), client))
            }
        }
    }

    fn address(&self) -> Option<Address> {
        match self {
            AnyListener::Tcp(listener) => listener.address(),
            AnyListener::Unix(listener) => listener.address(),
        }
    }
}

impl From<TcpListener> for AnyListener {
    fn from(listener: TcpListener) -> AnyListener {
        AnyListener::Tcp(listener)
    }
}

impl From<UnixListener> for AnyListener {
    fn from(listener: UnixListener) -> AnyListener {
        AnyListener::Unix(listener)
    }
}

impl From<Inherited> for AnyListener {
    fn from(inherited: Inherited) -> AnyListener {
        match inherited {
            Inherited::Tcp(listener) => AnyListener::Tcp(listener),
            Inherited::Unix(listener) => AnyListener::Unix(listener),
        }
    }
}

/// Does the same with a stream of either kind.
macro_rules! either {
    ($stream:expr, $inner:ident => $does:expr) => {
        match $stream {
            AnyStream::Tcp($inner) => $does,
            AnyStream::Unix($inner) => $does,
        }
    };
}

impl AsyncRead for AnyStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for AnyStream {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}

impl Stream for AnyStream {
    fn abort(&mut self) {
        either!(self, stream => stream.abort());
    }

    fn local_addr(&self) -> Option<Address> {
        either!(self, stream => Stream::local_addr(stream))
    }
}
