//! Waiting for connections at a path.

use super::address::{ToUnixAddr, named};
use super::bind::{Bound, bind};
use super::file::SocketFile;
use super::stream::UnixStream;
use crate::net::accept::{Accept, Accepting, Accepts};
use crate::net::{ListenOptions, failed};
use crate::trace::Side;
use socket2::{SockRef, Type};
use std::io;
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::task::{Context, Poll, ready};

/// A Unix domain socket that accepts connections.
///
/// # Examples
/// ```
/// use evloop_runtime::io::{AsyncRead, AsyncWrite};
/// use evloop_runtime::net::{UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("evloop-doc-{}.sock", std::process::id()));
/// evloop_runtime::block_on(async {
///     let listener = UnixListener::bind(&path)?;
///     let mut client = UnixStream::connect(&path).await?;
///     let (mut server, _peer) = listener.accept().await?;
///     client.write_all(b"hello").await?;
///     let mut word = [0; 5];
///     server.read_exact(&mut word).await?;
///     assert_eq!(&word, b"hello");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// assert!(!path.exists(), "the file went with the listener");
/// ```
#[derive(Debug)]
pub struct UnixListener {
    /// Before the socket, because it is dropped before it: [`SocketFile`] wants it open.
    file: Option<SocketFile>,
    accepting: Accepting<mio::net::UnixListener>,
}

impl UnixListener {
    /// Listens on a path or an abstract name, with the default [`ListenOptions`].
    ///
    /// With a path, the socket's file is made there, and removed when the listener is dropped, unless another has taken its
    /// place by then. A stale file, left by a server that was killed, is replaced. Of several servers that are bound to one
    /// path at once, one succeeds. To keep them apart, a file `.NAME.evloop-lock` is beside it for that moment.
    ///
    /// # Permissions
    /// To connect, one needs leave to write to the file, and to enter the folders above it. The file gets what the umask of
    /// the process leaves of `0777`: with the usual `022`, only its owner and root can connect. To let in others, set the
    /// umask before, or the file's permissions after (`std::fs::set_permissions`); to keep others out for sure, listen with
    /// [`permissions`](ListenOptions::permissions), or in a folder that only they can enter who may.
    ///
    /// # Errors
    /// `AddrInUse` when somebody listens there; `AlreadyExists` when there is something that is no socket, which is left
    /// alone; `InvalidInput` when the path is empty or longer than 107 bytes; and what the system says. Each names the path.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn bind(name: impl ToUnixAddr) -> io::Result<UnixListener> {
        ListenOptions::new().listen_unix(name)
    }

    #[track_caller]
    pub(in crate::net) fn listen(name: &impl ToUnixAddr, mode: Option<u32>, backlog: i32) -> io::Result<UnixListener> {
        let (socket, file) = listening(name, mode, backlog).map_err(failed("listen on", name.text()))?;
        let listener = UnixListener::from_std(socket)?;
        Ok(UnixListener { file, ..listener })
    }

    /// Takes a listening socket over from std. Its file is not removed when the listener is dropped.
    ///
    /// # Errors
    /// What the system says when it is made non-blocking and registered.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        listener.set_nonblocking(true)?;
        let accepting = Accepting::new(mio::net::UnixListener::from_std(listener))?;
        Ok(UnixListener { file: None, accepting })
    }

    /// Gives the socket to std. It stays non-blocking, and its file stays where it is.
    ///
    /// # Errors
    /// What the system says when it is deregistered.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        let (socket, file) = self.into_std_and_file()?;
        if let Some(file) = file {
            file.leave();
        }
        Ok(socket)
    }

    /// Gives the socket to std, which stays non-blocking, and its file to who is to remove it; there is none for an abstract
    /// name, nor where the socket was [taken over](UnixListener::from_std).
    ///
    /// # Errors
    /// What the system says when it is deregistered. The file is removed then.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::net::UnixListener;
    ///
    /// let path = std::env::temp_dir().join(format!("evloop-doc-parted-{}.sock", std::process::id()));
    /// let (listener, file) = evloop_runtime::block_on(async { UnixListener::bind(&path)?.into_std_and_file() }).unwrap();
    /// drop(listener.try_clone().unwrap());
    /// assert!(path.exists(), "it does not go with a listener any more");
    /// drop(file);
    /// assert!(!path.exists());
    /// ```
    pub fn into_std_and_file(self) -> io::Result<(std::os::unix::net::UnixListener, Option<SocketFile>)> {
        let UnixListener { file, accepting } = self;
        let socket = accepting.io.into_inner()?;
        Ok((socket.into(), file))
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// What `getsockname` says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.accepting.io.get().local_addr()
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.accepting.io.set_referenced(referenced);
    }

    /// Waits for a connection: the stream, and the client's address, which mostly has no name.
    ///
    /// When the process or the system is out of descriptors or memory, accepting pauses for 100 ms and goes on; the clients
    /// wait in the kernel's queue meanwhile.
    ///
    /// # Errors
    /// What `accept4` says besides, or that the stream could not be registered.
    ///
    /// # Cancel safety
    /// No connection is lost. One task waits at a time.
    pub fn accept(&self) -> Accept<'_, UnixListener> {
        Accept::new(self)
    }

    /// Polls for a connection; see [`accept`](UnixListener::accept).
    ///
    /// # Errors
    /// As [`accept`](UnixListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let (stream, peer) = ready!(self.accepting.poll_accept(cx, accept))?;
        Poll::Ready(Ok((UnixStream::register(stream)?, peer)))
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.accepting.io.get().as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Accepts for UnixListener {
    type Connection = (UnixStream, SocketAddr);

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Connection>> {
        self.poll_accept(cx)
    }

    fn last_wait(&self) -> u32 {
        self.accepting.io.last_wait(Side::Read)
    }

    fn give_up(&self, wait: u32) {
        self.accepting.io.give_up(Side::Read, wait);
    }
}

/// A socket that listens at the name, and its file.
fn listening(
    name: &impl ToUnixAddr,
    mode: Option<u32>,
    backlog: i32,
) -> io::Result<(std::os::unix::net::UnixListener, Option<SocketFile>)> {
    // Dropped in the order of file, socket, lock, should it not listen.
    let Bound { lock: _lock, socket, file } =
        bind(name, Type::STREAM, mode, |address| mio::net::UnixStream::connect_addr(address).map(drop))?;
    socket.listen(backlog)?;
    Ok((socket.into(), file))
}

/// Not mio's: that one panics at a client whose own path fills `sun_path` to the last byte, for then the kernel tells a
/// length that counts a zero behind it (unix(7), "Bugs").
fn accept(listener: &mio::net::UnixListener) -> io::Result<(mio::net::UnixStream, SocketAddr)> {
    let (stream, peer) = SockRef::from(listener).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)?;
    Ok((mio::net::UnixStream::from(OwnedFd::from(stream)), named(&peer)?))
}
