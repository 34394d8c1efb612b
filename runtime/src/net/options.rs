//! The options of a TCP connection, as tcp(7) and socket(7) have them.

use super::{TcpListener, TcpStream};
use crate::sys::fd::{self, TcpOption};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;

/// How a silent peer is asked whether it is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long the connection is silent before the first question, in whole seconds (`TCP_KEEPIDLE`).
    pub idle: Duration,
    /// How long between two questions, in whole seconds (`TCP_KEEPINTVL`).
    pub interval: Duration,
    /// How many questions without an answer end the connection (`TCP_KEEPCNT`).
    pub count: u32,
}

impl Default for KeepAlive {
    /// A minute of silence, then four questions, 15 seconds apart: a dead peer is known after two minutes. (The system's own
    /// numbers are 2 hours, 9 questions, 75 seconds.)
    fn default() -> Self {
        KeepAlive { idle: Duration::from_secs(60), interval: Duration::from_secs(15), count: 4 }
    }
}

impl TcpStream {
    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket().tcp_nodelay()
    }

    /// Sends small writes at once, or lets them wait for the peer's acknowledgement of earlier ones.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket().set_tcp_nodelay(nodelay)
    }

    /// What closing does for what has not been sent (`SO_LINGER`). `None`, as it is at first: it is sent in the background,
    /// until the system gives up. With no time at all, closing breaks the connection: what has not been sent is thrown away,
    /// and the peer sees a reset (libuv's `uv_tcp_close_reset`).
    ///
    /// # Errors
    /// `InvalidInput` for any other time: Linux has closing wait for so long, also where the socket is non-blocking, and the
    /// loop with it. What `setsockopt` says.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        if linger.is_some_and(|time| !time.is_zero()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "closing would hold the event loop for that time"));
        }
        self.socket().set_linger(linger)
    }

    /// Has the system ask a silent peer whether it is still there, or not (`SO_KEEPALIVE`). At first it does not.
    ///
    /// # Errors
    /// What `setsockopt` says, as when a number is zero or too large for it; then nothing is switched on or off.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::net::{KeepAlive, TcpListener, TcpStream};
    ///
    /// evloop_runtime::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     stream.set_keep_alive(Some(KeepAlive::default()))?;
    ///     assert_eq!(stream.keep_alive()?, Some(KeepAlive::default()));
    ///     stream.set_keep_alive(None)?;
    ///     assert_eq!(stream.keep_alive()?, None);
    ///     Ok::<(), std::io::Error>(())
    /// }).unwrap();
    /// ```
    pub fn set_keep_alive(&self, keep_alive: Option<KeepAlive>) -> io::Result<()> {
        let Some(KeepAlive { idle, interval, count }) = keep_alive else { return self.socket().set_keepalive(false) };
        let questions = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(count);
        let before = self.socket().keepalive()?;
        self.socket().set_tcp_keepalive(&questions).inspect_err(|_| {
            // It is switched on before the numbers are looked at; those were refused, so it is as it was.
            drop(self.socket().set_keepalive(before));
        })
    }

    /// How a silent peer is asked, if it is.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn keep_alive(&self) -> io::Result<Option<KeepAlive>> {
        let socket = self.socket();
        if !socket.keepalive()? {
            return Ok(None);
        }
        let (idle, interval) = (socket.tcp_keepalive_time()?, socket.tcp_keepalive_interval()?);
        Ok(Some(KeepAlive { idle, interval, count: socket.tcp_keepalive_retries()? }))
    }

    /// How long what was sent may stay without an answer before the connection counts as broken (`TCP_USER_TIMEOUT`, RFC
    /// 5482, in milliseconds). `None` is the system's own: about fifteen minutes.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_user_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        // Rounded up: zero would be the system's own.
        self.socket().set_tcp_user_timeout(limit.map(|limit| limit.max(Duration::from_millis(1))))
    }

    /// How long what was sent may stay without an answer, where that was said.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        self.socket().tcp_user_timeout()
    }

    /// The bytes that the kernel may hold for this end to read (`SO_RCVBUF`): twice what was asked for, half of it for its
    /// own needs. To have the peer told of a large one, set it before connecting:
    /// [`ConnectOptions`](super::ConnectOptions).
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn receive_buffer(&self) -> io::Result<usize> {
        self.socket().recv_buffer_size()
    }

    /// Sets [`receive_buffer`](TcpStream::receive_buffer), and ends the kernel's own tuning of it.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        self.socket().set_recv_buffer_size(bytes)
    }

    /// The bytes that the kernel may hold of what was written (`SO_SNDBUF`): twice what was asked for.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn send_buffer(&self) -> io::Result<usize> {
        self.socket().send_buffer_size()
    }

    /// Sets [`send_buffer`](TcpStream::send_buffer), and ends the kernel's own tuning of it.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        self.socket().set_send_buffer_size(bytes)
    }

    /// How many bytes the kernel takes beyond those that it can send now (`TCP_NOTSENT_LOWAT`).
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_unsent_max(&self, bytes: u32) -> io::Result<()> {
        self.socket().set_tcp_notsent_lowat(bytes)
    }

    /// How many routers a packet may pass (`IP_TTL`).
    ///
    /// # Errors
    /// What `setsockopt` says, as when it is not of 1 to 255.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.io().set_ttl(hops)
    }

    /// How many routers a packet may pass.
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io().ttl()
    }

    /// The error that the socket has kept, which is taken with it (`SO_ERROR`).
    ///
    /// # Errors
    /// What `getsockopt` says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }
}

impl TcpListener {
    /// Sends small writes of the connections to come at once (`TCP_NODELAY`), or lets them wait for the peer's
    /// acknowledgement of earlier ones. Linux hands the option on to each connection: one call for all of them.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        SockRef::from(self.io()).set_tcp_nodelay(nodelay)
    }

    /// How many bytes the kernel takes from a connection to come beyond those that it can send now
    /// (`TCP_NOTSENT_LOWAT`); Linux hands the option on to each connection. Without it, the kernel takes up to 4 MiB for
    /// every client, read or not (`net.ipv4.tcp_wmem`), and has about 2 GiB for all of them together.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_unsent_max(&self, bytes: u32) -> io::Result<()> {
        SockRef::from(self.io()).set_tcp_notsent_lowat(bytes)
    }

    /// Accepts a connection only once its first bytes are there, or that time has passed, in whole seconds
    /// (`TCP_DEFER_ACCEPT`): for protocols in which the client speaks first. No time at all ends it.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_deferred_accept(&self, wait: Duration) -> io::Result<()> {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)); // up: zero would end it
        fd::set_tcp_option(self.io(), TcpOption::DeferAccept, u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    /// Takes bytes that come with a client's first packet (TCP Fast Open, RFC 7413), for as many connections at a time that
    /// are not yet made; 0 ends it. The system must allow it, too (`net.ipv4.tcp_fastopen`, bit 2); else such bytes simply
    /// come later.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_fast_open(&self, queued_max: u32) -> io::Result<()> {
        fd::set_tcp_option(self.io(), TcpOption::FastOpen, queued_max)
    }

    /// The bytes that the kernel may hold for each connection to come (`SO_RCVBUF`), as it tells the clients of them.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        SockRef::from(self.io()).set_recv_buffer_size(bytes)
    }
}
