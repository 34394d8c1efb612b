//! A server for the benchmarks that need one: a thread with a loop of its own, over TCP or by a path.

use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{ListenOptions, TcpListener, TcpStream, UnixListener, UnixStream};
use evloop::sync::{Notify, remote};
use evloop::{block_on, select, spawn};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use tempfile::TempDir;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1_000;

/// How much is read at once, as libuv suggests to its users.
const READ_BYTES: usize = 64 * 1024;

/// Streams of one kind.
pub(super) trait Kind: 'static {
    /// One connection.
    type Stream: AsyncRead + AsyncWrite + 'static;
    /// Who accepts them.
    type Listener: 'static;
    /// Where.
    type Address: Clone + Send + 'static;

    /// A listener, and where it is.
    fn listen() -> io::Result<(Self::Listener, Self::Address)>;

    /// The next connection to it.
    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream>;

    /// A connection to there.
    async fn connect(address: &Self::Address) -> io::Result<Self::Stream>;
}

/// Over TCP.
pub(super) struct Tcp;

impl Kind for Tcp {
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Address = SocketAddr;

    fn listen() -> io::Result<(TcpListener, SocketAddr)> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = ListenOptions::new().backlog(BACKLOG).listen(any)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        listener.accept().await.map(|(stream, _)| stream)
    }

    async fn connect(address: &SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(*address).await
    }
}

/// By a path, which libuv calls a pipe.
pub(super) struct Pipe;

impl Kind for Pipe {
    type Stream = UnixStream;
    type Listener = (UnixListener, TempDir);
    type Address = PathBuf;

    fn listen() -> io::Result<((UnixListener, TempDir), PathBuf)> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("socket");
        let listener = ListenOptions::new().backlog(BACKLOG).listen_unix(&path)?;
        Ok(((listener, directory), path))
    }

    async fn accept((listener, _): &(UnixListener, TempDir)) -> io::Result<UnixStream> {
        listener.accept().await.map(|(stream, _)| stream)
    }

    async fn connect(path: &PathBuf) -> io::Result<UnixStream> {
        UnixStream::connect(path).await
    }
}

/// What a server does with what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// Sends it back.
    Echo,
    /// Nothing.
    Sink,
    /// Closes the connection, as libuv's echo server does when it is told so by "QS".
    Close,
}

/// Runs `client` on a loop of this thread against a server on a loop of another one, and gives what the client found
/// and how many bytes the server has read, over all connections and to their ends.
///
/// # Errors
///
/// Those of the client, and those of the server's listener.
pub(super) fn against<K: Kind, T>(
    duty: Duty,
    client: impl AsyncFnOnce(K::Address) -> io::Result<T>,
) -> io::Result<(T, u64)> {
    let (tell, told) = mpsc::channel();
    let (running, stop) = remote::unbounded::<()>();
    let server = thread::spawn(move || block_on(serve::<K>(duty, tell, stop)));
    let found = match told.recv() {
        Ok(address) => block_on(client(address)),
        Err(_) => Err(io::Error::other("the server has not begun")),
    };
    drop(running); // the server takes it as the end
    let read = server.join().map_err(|_| io::Error::other("the server has panicked"))??;
    Ok((found?, read))
}

/// Connections that are open, and the bytes that were read from all.
#[derive(Debug, Default)]
struct Served {
    open: Cell<usize>,
    bytes: Cell<u64>,
    closed: Notify,
    /// The buffers of those that have ended, for those to come: libuv's server takes its own from malloc, which does not
    /// clear them each time either.
    buffers: RefCell<Vec<Vec<u8>>>,
}

/// Serves until nobody is there to stop it any more, and all connections have ended.
async fn serve<K: Kind>(
    duty: Duty,
    tell: mpsc::Sender<K::Address>,
    mut stop: remote::UnboundedReceiver<()>,
) -> io::Result<u64> {
    let (listener, address) = K::listen()?;
    tell.send(address).map_err(|_| io::Error::other("the client has not waited for the server"))?;
    let served = Rc::new(Served::default());
    loop {
        let stream = select! {
            accepted = K::accept(&listener) => accepted?,
            _ = stop.recv() => break,
        };
        served.open.set(served.open.get() + 1);
        let served = Rc::clone(&served);
        drop(spawn(async move {
            let left = served.buffers.borrow_mut().pop();
            let mut buffer = left.unwrap_or_else(|| vec![0; READ_BYTES]);
            // A client that has gone is no failure of the server's; what it read until then is counted.
            let _ = converse(stream, duty, &mut buffer, &served.bytes).await;
            served.buffers.borrow_mut().push(buffer);
            served.open.set(served.open.get() - 1);
            served.closed.notify_one();
        }));
    }
    while served.open.get() > 0 {
        served.closed.notified().await;
    }
    Ok(served.bytes.get())
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite,
    duty: Duty,
    buffer: &mut [u8],
    bytes: &Cell<u64>,
) -> io::Result<()> {
    loop {
        let read = stream.read(buffer).await?;
        if read == 0 {
            return stream.shutdown().await;
        }
        bytes.set(bytes.get() + read as u64);
        match duty {
            Duty::Echo => stream.write_all(&buffer[..read]).await?,
            Duty::Sink => {}
            Duty::Close => return Ok(()),
        }
    }
}
