//! Connecting: to an address, or to the first address of a name that answers.
//!
//! A name often has addresses of both families, and one family often does not work: a browser that tried them one after the
//! other would wait for minutes. So the attempts are staggered ("happy eyeballs", RFC 8305): the families take turns, the
//! next attempt begins when the one before it has failed or has had [`ATTEMPT_DELAY`] for itself, and the first connection
//! that stands is taken. The look-up asks for both families at once and keeps the system's order (RFC 6724), so sections 3
//! and 4 of the RFC are the resolver's.

use super::stream::TcpStream;
use super::{ToSocketAddrs, failed, lookup_host};
use crate::sys::fd::{self, TcpOption};
use crate::time::{Sleep, sleep, timeout};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long an attempt is alone before the next one begins: what RFC 8305 recommends, section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// How a connection is made.
///
/// # Examples
/// ```
/// use evloop_runtime::net::{ConnectOptions, TcpListener};
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let client = ConnectOptions::new()
///         .local_addr("127.0.0.2:0".parse().unwrap())
///         .timeout(Duration::from_secs(5))
///         .connect(listener.local_addr()?)
///         .await?;
///     assert_eq!(client.local_addr()?.ip().to_string(), "127.0.0.2");
///     Ok::<(), std::io::Error>(())
/// }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct ConnectOptions {
    local_addr: Option<SocketAddr>,
    device: Option<String>,
    receive_buffer: Option<usize>,
    send_buffer: Option<usize>,
    fast_open: bool,
    attempt_delay: Option<Duration>,
    timeout: Option<Duration>,
}

impl ConnectOptions {
    /// No address or device of our own, the system's buffers, 250 ms between attempts, no time-out but the system's.
    #[must_use]
    pub fn new() -> ConnectOptions {
        ConnectOptions::default()
    }

    /// The address of this end, port 0 for a free one. Only addresses of its family are connected to.
    #[must_use]
    pub fn local_addr(mut self, address: SocketAddr) -> ConnectOptions {
        self.local_addr = Some(address);
        self
    }

    /// The network device that is used, by its name (`SO_BINDTODEVICE`).
    #[must_use]
    pub fn bind_device(mut self, name: impl Into<String>) -> ConnectOptions {
        self.device = Some(name.into());
        self
    }

    /// The bytes that the kernel takes in from the peer before they are read (`SO_RCVBUF`), set before the connection is
    /// made, when the peer is told of it. The kernel doubles the number for its own needs.
    #[must_use]
    pub fn receive_buffer(mut self, bytes: usize) -> ConnectOptions {
        self.receive_buffer = Some(bytes);
        self
    }

    /// The bytes that the kernel takes before the peer has acknowledged them (`SO_SNDBUF`). The kernel doubles the number.
    #[must_use]
    pub fn send_buffer(mut self, bytes: usize) -> ConnectOptions {
        self.send_buffer = Some(bytes);
        self
    }

    /// Sends the first bytes along with the first packet, where the peer has allowed it before (TCP Fast Open, RFC 7413;
    /// `TCP_FASTOPEN_CONNECT`). To a peer that has, the connection counts as made at once, and that nobody answers is told by
    /// the first read or write.
    #[must_use]
    pub fn fast_open(mut self, fast_open: bool) -> ConnectOptions {
        self.fast_open = fast_open;
        self
    }

    /// How long an attempt is alone before the next address is tried beside it: 250 ms, unless said otherwise.
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> ConnectOptions {
        self.attempt_delay = Some(delay);
        self
    }

    /// How long all may take together: the look-up and the attempts. The system gives up on an address by itself after about
    /// two minutes (`net.ipv4.tcp_syn_retries`).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> ConnectOptions {
        self.timeout = Some(timeout);
        self
    }

    /// Connects to an address, or to the first address of a name that answers.
    ///
    /// # Errors
    /// When the name cannot be resolved; when no address answers, what each of them said; `TimedOut` when the time was up.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Cancel safety
    /// Connections under way are closed.
    pub async fn connect(&self, target: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let Some(limit) = self.timeout else { return self.connect_any(target).await };
        let text = target.text();
        match timeout(limit, self.connect_any(target)).await {
            Ok(connected) => connected,
            Err(elapsed) => Err(failed("connect to", text)(elapsed.into())),
        }
    }

    async fn connect_any(&self, target: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let text = target.text();
        let connected = match target.literal() {
            Some(address) => self.connect_address(address).await,
            None => self.race(lookup_host(target).await?).await, // an error of the look-up tells the name itself
        };
        connected.map_err(failed("connect to", text))
    }

    async fn connect_address(&self, address: SocketAddr) -> io::Result<TcpStream> {
        Attempt::begin(self, address)?.await
    }

    fn race(&self, mut addresses: Vec<SocketAddr>) -> Race<'_> {
        if let Some(local) = self.local_addr {
            addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
        }
        Race { options: self, left: in_turns(&addresses), under_way: Vec::new(), delay: None, said: Said::default() }
    }

    /// A connection, and whether it counts as made already.
    fn begin(&self, address: SocketAddr) -> io::Result<(mio::net::TcpStream, bool)> {
        if !self.wants_a_socket() {
            return Ok((mio::net::TcpStream::connect(address)?, false));
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if let Some(name) = &self.device {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if self.fast_open {
            fd::set_tcp_option(&socket, TcpOption::FastOpenConnect, 1)?;
        }
        if let Some(local) = self.local_addr {
            socket.bind(&local.into())?;
        }
        let is_made = match socket.connect(&address.into()) {
            // With fast open the first packet goes with the first write; until then, the socket says that it has no peer.
            Ok(()) => true,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => false,
            Err(error) => return Err(error),
        };
        Ok((mio::net::TcpStream::from_std(socket.into()), is_made))
    }

    /// Whether anything is to be set before the connection is begun.
    fn wants_a_socket(&self) -> bool {
        self.fast_open
            || self.local_addr.is_some()
            || self.device.is_some()
            || self.receive_buffer.is_some()
            || self.send_buffer.is_some()
    }
}

/// The addresses such that the families take turns, beginning with that of the first: RFC 8305, section 4.
fn in_turns(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let Some(first) = addresses.first() else { return VecDeque::new() };
    let of_first = |address: &&SocketAddr| address.is_ipv4() == first.is_ipv4();
    let mut others = addresses.iter().filter(|address| !of_first(address));
    let mut turns = VecDeque::with_capacity(addresses.len());
    for address in addresses.iter().filter(of_first) {
        turns.push_back(*address);
        turns.extend(others.next());
    }
    turns.extend(others);
    turns
}

/// A connection that is being made.
struct Attempt {
    address: SocketAddr,
    /// There until it is done.
    stream: Option<TcpStream>,
    /// It need not be waited for.
    is_made: bool,
}

impl Attempt {
    fn begin(options: &ConnectOptions, address: SocketAddr) -> io::Result<Attempt> {
        let (stream, is_made) = options.begin(address)?;
        Ok(Attempt { address, stream: Some(TcpStream::register(stream)?), is_made })
    }
}

impl Future for Attempt {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = self.stream.take().expect("an attempt is not polled again once it is done");
        if self.is_made {
            return Poll::Ready(Ok(stream));
        }
        match stream.poll_connected(cx) {
            Poll::Pending => {
                self.stream = Some(stream);
                Poll::Pending
            }
            Poll::Ready(connected) => Poll::Ready(connected.map(|()| stream)),
        }
    }
}

/// Several attempts, of which the first to succeed wins; the others are closed with it.
struct Race<'a> {
    options: &'a ConnectOptions,
    left: VecDeque<SocketAddr>,
    under_way: Vec<Attempt>,
    /// Until the next address is tried, though none has failed.
    delay: Option<Sleep>,
    said: Said,
}

/// What the addresses that failed have said.
#[derive(Default)]
struct Said {
    last: Option<io::ErrorKind>,
    text: String,
}

impl Said {
    fn add(&mut self, address: SocketAddr, error: &io::Error) {
        let between = if self.text.is_empty() { "" } else { "; " };
        write!(self.text, "{between}{address}: {error}").expect("text can be appended to text");
        self.last = Some(error.kind());
    }

    fn into_error(self) -> io::Error {
        match self.last {
            Some(kind) => io::Error::new(kind, self.text),
            None => io::Error::new(io::ErrorKind::NotFound, "it has no address that can be used"),
        }
    }
}

impl Race<'_> {
    /// The first of those under way that is connected; those that have failed are dropped.
    fn poll_under_way(&mut self, cx: &mut Context<'_>) -> Poll<TcpStream> {
        let mut place = 0;
        while let Some(attempt) = self.under_way.get_mut(place) {
            match Pin::new(attempt).poll(cx) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(stream),
                Poll::Ready(Err(error)) => {
                    let failed = self.under_way.remove(place);
                    self.said.add(failed.address, &error);
                    self.delay = None; // the next address need not wait any longer
                }
                Poll::Pending => place += 1,
            }
        }
        Poll::Pending
    }
}

impl Future for Race<'_> {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if let Poll::Ready(stream) = this.poll_under_way(cx) {
                return Poll::Ready(Ok(stream));
            }
            if let Some(delay) = &mut this.delay
                && Pin::new(delay).poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            this.delay = None;
            let Some(address) = this.left.pop_front() else {
                if this.under_way.is_empty() {
                    return Poll::Ready(Err(std::mem::take(&mut this.said).into_error()));
                }
                return Poll::Pending;
            };
            match Attempt::begin(this.options, address) {
                Ok(attempt) => {
                    this.under_way.push(attempt);
                    if !this.left.is_empty() {
                        this.delay = Some(sleep(this.options.attempt_delay.unwrap_or(ATTEMPT_DELAY)));
                    }
                }
                Err(error) => this.said.add(address, &error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::future::race;
    use crate::net::TcpListener;
    use crate::{Runtime, Work, WorkKind, block_on};
    use std::cell::Cell;

    fn addresses<const N: usize>(texts: [&str; N]) -> Vec<SocketAddr> {
        texts.into_iter().map(|text| text.parse().unwrap()).collect()
    }

    /// A listener whose queue is full: a connection to it is begun and never answered.
    fn silent() -> (std::net::TcpListener, Vec<std::net::TcpStream>) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        socket.listen(0).unwrap();
        let listener = std::net::TcpListener::from(socket);
        let address = listener.local_addr().unwrap();
        let mut clients = vec![std::net::TcpStream::connect(address).unwrap()];
        while let Ok(client) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(20)) {
            clients.push(client);
        }
        (listener, clients)
    }

    /// An address of which the port was just given back: nobody listens there.
    fn refusing() -> SocketAddr {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn families_take_turns_beginning_with_the_first() {
        let sorted = in_turns(&addresses(["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]));
        assert_eq!(sorted, addresses(["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]));
        let sorted = in_turns(&addresses(["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(sorted, addresses(["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1"]));
        assert!(in_turns(&[]).is_empty());
    }

    #[test]
    fn address_that_fails_gives_way_to_the_next_at_once() {
        // A delay of an hour would be seen.
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let options = ConnectOptions::new().attempt_delay(Duration::from_secs(3_600));
            let all = [refusing(), refusing(), listener.local_addr().unwrap()];
            let stream = options.race(all.to_vec()).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        });
    }

    #[test]
    fn silent_address_is_passed_by_after_its_delay_and_loses() {
        block_on(async {
            let (silent, _clients) = silent();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let options = ConnectOptions::new().attempt_delay(Duration::from_millis(1));
            let all = [silent.local_addr().unwrap(), listener.local_addr().unwrap()];
            let stream = options.race(all.to_vec()).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        });
    }

    #[test]
    fn each_address_is_in_the_error_when_all_fail() {
        block_on(async {
            let all = [refusing(), refusing()];
            let error = ConnectOptions::new().race(all.to_vec()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            let text = error.to_string();
            assert!(all.iter().all(|address| text.contains(&address.to_string())), "{text}");
            assert_eq!(ConnectOptions::new().race(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        });
    }

    #[test]
    fn time_out_ends_attempts_that_are_not_answered() {
        block_on(async {
            let (silent, _clients) = silent();
            let options = ConnectOptions::new().timeout(Duration::from_millis(5));
            let error = options.connect(silent.local_addr().unwrap()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(error.to_string().starts_with("cannot connect to 127.0.0.1:"), "{error}");
        });
    }

    #[test]
    fn connect_that_loses_a_race_is_closed() {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let (silent, _clients) = silent();
            let connecting = TcpStream::connect(silent.local_addr().unwrap());
            let polls = Cell::new(0);
            let other = std::future::poll_fn(|cx| {
                polls.set(polls.get() + 1);
                cx.waker().wake_by_ref();
                if polls.get() > 1 { Poll::Ready(()) } else { Poll::Pending }
            });
            race(connecting, other).await;
        });
        let is_source = |work: &Work| matches!(work.kind, WorkKind::Source { .. });
        assert!(!runtime.walk().iter().any(is_source), "nothing is registered any more");
    }

    #[test]
    fn options_before_the_connection_are_set() {
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let there = listener.local_addr().unwrap();
            let local = "127.0.0.9:0".parse().unwrap();
            let options =
                ConnectOptions::new().receive_buffer(20_000).send_buffer(30_000).local_addr(local).bind_device("lo");
            let stream = options.connect(there).await.unwrap();
            assert_eq!(stream.local_addr().unwrap().ip(), local.ip());
            assert_eq!(stream.receive_buffer().unwrap(), 40_000, "as the kernel doubles it");
            assert_eq!(stream.send_buffer().unwrap(), 60_000);

            let error = ConnectOptions::new().bind_device("no-such-device").connect(there).await.unwrap_err();
            assert!(error.to_string().starts_with("cannot connect to"), "{error}");
        });
    }

    #[test]
    fn fast_open_carries_the_first_bytes() {
        use crate::io::{AsyncRead, AsyncWrite};
        block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_fast_open(16).unwrap();
            for _ in 0..2 {
                let options = ConnectOptions::new().fast_open(true);
                let mut stream = options.connect(listener.local_addr().unwrap()).await.unwrap();
                stream.write_all(b"early").await.unwrap();
                let (mut server, _) = listener.accept().await.unwrap();
                let mut word = [0; 5];
                server.read_exact(&mut word).await.unwrap();
                assert_eq!(&word, b"early");
            }
        });
    }
}
