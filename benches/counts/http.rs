//! Servers over real sockets, their client beside them in the same thread, and left out of the count.
//!
//! The client is a hook of the loop, right before it waits: it takes the answers to what it has sent, and sends the next
//! requests on all its connections. So the wait never blocks, reports all of them, and one turn serves them: the loop under
//! full load. The clock is the system's.

use crate::{Operation, counted, left_out};
use evloop::http::{Request, Router, Server};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::sync::Notify;
use evloop::{block_on, spawn, turn};
use std::cell::Cell;
use std::future::{Ready, ready};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation { name: "echo-64", rounds: 6_400, run: echo },
    Operation { name: "http-1", rounds: 3_200, run: |rounds| plaintext(rounds, [1, 1], "") },
    Operation { name: "http-64", rounds: 6_400, run: |rounds| plaintext(rounds, [64, 1], "") },
    Operation { name: "http-16-deep", rounds: 6_400, run: |rounds| plaintext(rounds, [1, 16], "") },
    // The field line is another in each request, so nothing that was found out of the one before helps.
    Operation { name: "http-64-other-fields", rounds: 6_400, run: |rounds| plaintext(rounds, [64, 1], FIELD) },
    Operation { name: "http-64-of-100-routes", rounds: 6_400, run: routes },
];

const BODY: &str = "Hello, World!";

/// How long the kernel may take to bring what was written from one end of a connection to the other.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A field whose digits count up.
const FIELD: &str = "x-request-id: 00000000\r\n";

/// It has as many requests under way as it has connections, times how deep each goes.
struct Client {
    streams: Vec<std::net::TcpStream>,
    /// What is sent on a connection at a time.
    requests: Vec<u8>,
    /// Where in it a number stands that counts up.
    number_at: Option<usize>,
    /// What comes back, once it is known.
    answers: Vec<u8>,
    depth: usize,
    rounds_left: usize,
    /// The client's count, and the server's.
    sent: usize,
    served: Rc<Cell<usize>>,
    done: Rc<Notify>,
}

impl Client {
    fn connect(address: SocketAddr, connections: usize, request: &str, depth: usize) -> io::Result<Client> {
        let connect = |_| {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(WAIT_MAX))?;
            Ok(stream)
        };
        Ok(Client {
            streams: (0..connections).map(connect).collect::<io::Result<_>>()?,
            requests: request.repeat(depth).into_bytes(),
            number_at: request.find("00000000"),
            answers: Vec::new(),
            depth,
            rounds_left: 0,
            sent: 0,
            served: Rc::default(),
            done: Rc::default(),
        })
    }

    /// Takes the answers if all are there, and sends the next requests if some are left.
    fn go_on(&mut self) -> io::Result<()> {
        if self.served.get() < self.sent {
            return Ok(()); // the kernel has not told the server of all of them yet
        }
        if self.sent > 0 {
            self.take_answers()?;
        }
        if self.rounds_left == 0 {
            self.done.notify_one();
            return Ok(());
        }
        self.rounds_left -= 1;
        for place in 0..self.streams.len() {
            if let Some(at) = self.number_at {
                self.requests[at..at + 8].copy_from_slice(format!("{:08}", self.sent).as_bytes());
            }
            self.streams[place].write_all(&self.requests)?;
            self.sent += self.depth;
        }
        Ok(())
    }

    fn take_answers(&mut self) -> io::Result<()> {
        let mut received = vec![0; self.answers.len()];
        for stream in &mut self.streams {
            if self.answers.is_empty() {
                received = first_answers(stream, self.depth)?;
                self.answers.clone_from(&received);
                continue;
            }
            stream.read_exact(&mut received)?;
            // The date may be another by now, and has the same length.
            let is_as_before = received[..12] == self.answers[..12] && received.ends_with(BODY.as_bytes());
            assert!(is_as_before, "it answered {}", String::from_utf8_lossy(&received));
        }
        Ok(())
    }
}

/// All that comes up to the end of the last body.
fn first_answers(stream: &mut std::net::TcpStream, depth: usize) -> io::Result<Vec<u8>> {
    let (mut received, mut piece) = (Vec::new(), [0; 4096]);
    while received.windows(BODY.len()).filter(|window| *window == BODY.as_bytes()).count() < depth {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&piece[..read]);
    }
    Ok(received)
}

/// Counts a server while the client drives it.
///
/// `start` has a server begin, which adds one to the cell for each request, and tells where it listens.
fn drive(
    rounds: usize,
    [connections, depth]: [usize; 2],
    request: &str,
    start: impl FnOnce(Rc<Cell<usize>>) -> io::Result<SocketAddr>,
) {
    counted(Box::new(|| {
        block_on(async {
            let served = Rc::default();
            let address = start(Rc::clone(&served)).expect("there is a port");
            let mut client = Client::connect(address, connections, request, depth).expect("the server listens");
            (client.served, client.rounds_left) = (served, rounds / connections / depth);
            let done = Rc::clone(&client.done);
            let _client = turn::prepare(move || {
                left_out(&mut || client.go_on().expect("the server answers"));
            });
            done.notified().await;
        });
    }));
}

fn serve(rounds: usize, shape: [usize; 2], router: impl FnOnce(Router, Rc<Cell<usize>>) -> Router, request: &str) {
    drive(rounds, shape, request, |served| {
        let server = Server::bind("127.0.0.1:0")?;
        let address = server.local_addr()?;
        drop(spawn(server.serve(router(Router::new(), served))));
        Ok(address)
    });
}

/// The handler of all routes.
fn hello(served: &Rc<Cell<usize>>) -> impl Fn(Request) -> Ready<&'static str> + use<> {
    let served = Rc::clone(served);
    move |_| {
        served.set(served.get() + 1);
        ready(BODY)
    }
}

fn plaintext(rounds: usize, shape: [usize; 2], field: &str) {
    let request = format!("GET /plaintext HTTP/1.1\r\nhost: localhost\r\n{field}\r\n");
    serve(rounds, shape, |router, served| router.get("/plaintext", hello(&served)), &request);
}

fn routes(rounds: usize) {
    let request = "GET /users/8/posts-77 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let add = |router: Router, served| {
        (0..100).fold(router, |router, route| router.get(&format!("/users/{{id}}/posts-{route}"), hello(&served)))
    };
    serve(rounds, [64, 1], add, request);
}

fn echo(rounds: usize) {
    drive(rounds, [64, 1], BODY, |served| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        drop(spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(spawn(echo_all(stream, Rc::clone(&served))));
            }
        }));
        Ok(address)
    });
}

async fn echo_all(mut stream: TcpStream, served: Rc<Cell<usize>>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await?;
        stream.write_all(&buffer[..read]).await?;
        served.set(served.get() + 1);
    }
}
