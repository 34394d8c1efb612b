//! Clients that ask without a pause, and count what they get.
//!
//! A request has *failed* when its bytes were sent and no whole answer with a status from 200 to 299 came back. It was *unheard*
//! when its connection ended before a single byte of any answer, as one does that still waited in the kernel to be accepted
//! when its socket closed. A connection that could not be made at all was *refused*.

use super::served::SAFETY_NET;
use rustix::net::sockopt::set_socket_linger;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Where clients connect to.
#[derive(Clone)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// How a client asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// One connection for all of its requests, instead of one for each.
    keeps_alive: bool,
    target: &'static str,
    /// Bytes in the request's body; with some it is a POST.
    body: usize,
    /// How long its connection, or it without one, idles before the next request.
    pause: Duration,
}

impl Client {
    pub(crate) const fn keep_alive(target: &'static str) -> Client {
        Client { keeps_alive: true, target, body: 0, pause: Duration::ZERO }
    }

    pub(crate) const fn one_shot(target: &'static str) -> Client {
        Client { keeps_alive: false, ..Client::keep_alive(target) }
    }

    pub(crate) const fn posting(self, body: usize) -> Client {
        Client { body, ..self }
    }

    pub(crate) const fn pausing(self, milliseconds: u64) -> Client {
        Client { pause: Duration::from_millis(milliseconds), ..self }
    }

    fn request(self) -> Vec<u8> {
        let method = if self.body > 0 { "POST" } else { "GET" };
        let close = if self.keeps_alive { "" } else { "Connection: close\r\n" };
        let length = if self.body > 0 { format!("Content-Length: {}\r\n", self.body) } else { String::new() };
        let mut request = format!("{method} {} HTTP/1.1\r\nHost: a\r\n{close}{length}\r\n", self.target).into_bytes();
        request.resize(request.len() + self.body, b'x');
        request
    }
}

/// Clients of all kinds: on connections that last and that do not, that are busy, wait for the answer, send much, or are idle
/// for most of their time.
pub(crate) const ALL_KINDS: &[Client] = &[
    Client::keep_alive("/plaintext"),
    Client::keep_alive("/sleep?ms=20"),
    Client::keep_alive("/echo").posting(100_000),
    Client::keep_alive("/plaintext").pausing(100),
    Client::one_shot("/plaintext").pausing(1),
    Client::one_shot("/sleep?ms=20"),
    Client::one_shot("/echo").posting(100_000),
];

/// A request without its answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Of the client; 0 on a Unix socket.
    pub(crate) port: u16,
    #[expect(dead_code, reason = "read by people, in what a test says that fails")]
    what: String,
}

/// What the clients have got.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: usize,
    pub(crate) failed: Vec<Failure>,
    pub(crate) unheard: Vec<Failure>,
    pub(crate) refused: Vec<String>,
}

impl Tally {
    /// Neither failed, nor unheard, nor refused.
    #[track_caller]
    pub(crate) fn assert_all_answered(&self) {
        assert!(self.failed.is_empty() && self.unheard.is_empty() && self.refused.is_empty(), "{self:#?}");
        assert!(self.answered > 0);
    }
}

/// Clients that ask, each on a thread of its own, until they are told to end.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    place: Place,
    state: Mutex<State>,
    news: Condvar,
    ends: Condvar,
}

#[derive(Default)]
struct State {
    tally: Tally,
    over: bool,
}

impl Load {
    /// Starts them; returns when each has had time for some answers.
    pub(crate) fn start(place: Place, clients: &[Client]) -> Load {
        let shared = Arc::new(Shared { place, state: Mutex::default(), news: Condvar::new(), ends: Condvar::new() });
        let client = |client: &Client| {
            let (shared, client) = (Arc::clone(&shared), *client);
            thread::spawn(move || shared.ask(client))
        };
        let load = Load { threads: clients.iter().map(client).collect(), shared };
        load.until_answered(20 * clients.len());
        load
    }

    /// Waits for so many more answers.
    #[track_caller]
    pub(crate) fn until_answered(&self, more: usize) {
        let state = self.shared.state.lock().unwrap();
        let goal = state.tally.answered + more;
        let waits = |state: &mut State| state.tally.answered < goal;
        let (state, timeout) = self.shared.news.wait_timeout_while(state, SAFETY_NET, waits).unwrap();
        assert!(!timeout.timed_out(), "no {more} more answers come: {:#?}", state.tally);
    }

    /// Waits until a connection is refused.
    #[track_caller]
    pub(crate) fn until_refused(&self) {
        let state = self.shared.state.lock().unwrap();
        let waits = |state: &mut State| state.tally.refused.is_empty();
        let (state, timeout) = self.shared.news.wait_timeout_while(state, SAFETY_NET, waits).unwrap();
        assert!(!timeout.timed_out(), "no connection is refused: {:#?}", state.tally);
    }

    /// Lets each client wait for its last answer.
    pub(crate) fn end(mut self) -> Tally {
        self.shared.end();
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        std::mem::take(&mut self.shared.state.lock().unwrap().tally)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    /// Asks until the load is over, or nobody listens any more.
    fn ask(&self, client: Client) {
        let request = client.request();
        let mut kept: Option<Connection> = None;
        while !self.is_over_after(Duration::ZERO) {
            let connection = kept.take().map_or_else(|| Connection::open(&self.place), Ok);
            let mut connection = match connection {
                Ok(connection) => connection,
                Err(error) => return self.note(|tally| tally.refused.push(error.to_string())),
            };
            match connection.ask(&request) {
                Ok(ends) => {
                    self.note(|tally| tally.answered += 1);
                    kept = (client.keeps_alive && !ends).then_some(connection);
                    if self.is_over_after(client.pause) {
                        return;
                    }
                }
                Err(error) => {
                    let what = format!("{client:?}: {error}, after {} bytes", connection.answers.len());
                    let failure = Failure { port: connection.port, what };
                    let is_unheard = !connection.is_heard && connection.answers.is_empty();
                    self.note(|tally| if is_unheard { &mut tally.unheard } else { &mut tally.failed }.push(failure));
                }
            }
        }
    }

    /// Idles, but no longer than the load goes on: whether it is over.
    fn is_over_after(&self, pause: Duration) -> bool {
        let goes_on = |state: &mut State| !state.over;
        self.ends.wait_timeout_while(self.state.lock().unwrap(), pause, goes_on).unwrap().0.over
    }

    fn end(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.over = true;
        }
        self.ends.notify_all();
    }

    fn note(&self, note: impl FnOnce(&mut Tally)) {
        note(&mut self.state.lock().unwrap().tally);
        self.news.notify_all();
    }
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// A connection of a client.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    /// Of the client; 0 on a Unix socket.
    pub(crate) port: u16,
    /// A request was answered on it.
    is_heard: bool,
    /// What was read, and is not yet a whole answer.
    answers: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(place: &Place) -> io::Result<Connection> {
        let (stream, port): (Box<dyn Stream>, _) = match place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(SAFETY_NET))?;
                stream.set_write_timeout(Some(SAFETY_NET))?;
                // It ends with a reset, when all of its answers are there: else tens of thousands of connections that nobody has
                // any more would be left to the system, and to the tests that look for some among them.
                set_socket_linger(&stream, Some(Duration::ZERO))?;
                let port = stream.local_addr()?.port();
                (Box::new(stream), port)
            }
            Place::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(SAFETY_NET))?;
                stream.set_write_timeout(Some(SAFETY_NET))?;
                (Box::new(stream), 0)
            }
        };
        Ok(Connection { stream, port, is_heard: false, answers: Vec::new() })
    }

    /// A request that has certainly begun, and whose answer is left to wait for: it came together with another one, and that was
    /// answered.
    pub(crate) fn begun(place: &Place, target: &'static str) -> Connection {
        let mut connection = Connection::open(place).unwrap();
        let both = [Client::keep_alive("/plaintext").request(), Client::keep_alive(target).request()].concat();
        connection.ask(&both).unwrap();
        connection
    }

    /// Sends a request, whose answer is left to wait for.
    pub(crate) fn sent(place: &Place, target: &'static str) -> Connection {
        let mut connection = Connection::open(place).unwrap();
        connection.stream.write_all(&Client::keep_alive(target).request()).unwrap();
        connection
    }

    fn ask(&mut self, request: &[u8]) -> io::Result<bool> {
        self.stream.write_all(request)?;
        self.answer()
    }

    /// Waits for the whole answer; `true` when it is the last on this connection.
    pub(crate) fn answer(&mut self) -> io::Result<bool> {
        let mut scratch = [0; 16 * 1024];
        loop {
            if let Some((length, ends)) = whole_answer(&self.answers)? {
                self.answers.drain(..length);
                self.is_heard = true;
                return Ok(ends);
            }
            match self.stream.read(&mut scratch)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.answers.extend_from_slice(&scratch[..count]),
            }
        }
    }
}

/// How long the answer is that these bytes begin with, and whether it says that it is the last; `None`: it is not all there.
fn whole_answer(bytes: &[u8]) -> io::Result<Option<(usize, bool)>> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head_length) = head.parse(bytes).map_err(io::Error::other)? else { return Ok(None) };
    let status = head.code.unwrap();
    if !(200..300).contains(&status) {
        return Err(io::Error::other(format!("status {status}")));
    }
    let field = |name: &str| {
        let field = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| String::from_utf8_lossy(field.value).into_owned())
    };
    let ends = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let body = if field("transfer-encoding").is_some() {
        let end = b"0\r\n\r\n";
        bytes[head_length..].windows(end.len()).position(|window| window == end).map(|at| at + end.len())
    } else {
        field("content-length")
            .and_then(|length| length.parse().ok())
            .filter(|length| bytes.len() >= head_length + length)
    };
    Ok(body.map(|length| (head_length + length, ends)))
}
