//! The server on real sockets, with clients from std on threads of their own.

use evloop::http::{Request, Response, Router, Server};
use evloop::sync::oneshot;
use evloop::time::sleep;
use socket::{get, reset, talk};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

mod socket {
    //! What the clients here do.

    use std::io::{Read, Write};
    use std::net::{Shutdown, SocketAddr, TcpStream};
    use std::time::Duration;

    /// A net under tests that would hang.
    const SAFETY_NET: Duration = Duration::from_secs(30);

    pub(super) fn connect(server: SocketAddr) -> TcpStream {
        let client = TcpStream::connect(server).expect("the server listens");
        client.set_read_timeout(Some(SAFETY_NET)).expect("the system does as it is asked");
        client.set_write_timeout(Some(SAFETY_NET)).expect("the system does as it is asked");
        client
    }

    /// Sends all of it and then nothing more; gives all that comes back.
    pub(super) fn talk(server: SocketAddr, bytes: &[u8]) -> String {
        let mut client = connect(server);
        client.write_all(bytes).expect("the server reads");
        client.shutdown(Shutdown::Write).expect("the system does as it is asked");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("the server ends the connection in order");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The body of a page.
    pub(super) fn get(server: SocketAddr, target: &str) -> String {
        let answer = talk(server, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        answer.split_once("\r\n\r\n").expect("an answer has a head").1.to_owned()
    }

    /// Breaks a connection: the kernel resets one that is closed while an answer lies unread.
    pub(super) fn reset(client: TcpStream) {
        client.peek(&mut [0]).expect("there is an answer");
        drop(client);
    }
}

/// Runs a server on a free port while `clients` talk to it, each in a thread, and stops it then. Gives how many
/// connections had to be ended.
fn serve(clients: impl FnOnce(SocketAddr) + Send + 'static) -> usize {
    evloop::run(async {
        let app = Router::new()
            .get("/", |_: Request| async { "Hello" })
            .get("/sleep", |_: Request| async {
                sleep(Duration::from_millis(20)).await;
                "slept"
            })
            .get("/big", |_: Request| async { "x".repeat(3_000_000) })
            .post("/echo", |request: Request| async { Response::stream(request.into_body()) });
        let server = Server::bind("127.0.0.1:0")?.graceful_timeout(Duration::from_secs(5));
        let address = server.local_addr()?;
        let (done, stop) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            clients(address);
            drop(done);
        });
        let ended = server.serve_until(app, async { stop.await.unwrap_or(()) }).await?;
        thread.join().expect("the clients found what they expected");
        Ok::<_, std::io::Error>(ended)
    })
    .expect("the server serves")
}

#[test]
fn requests_are_answered_over_sockets() {
    let ended = serve(|server| {
        let requests = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /sleep HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n";
        let answers = talk(server, requests);
        let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["200", "200", "404"]);
        assert!(talk(server, b"nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
        assert_eq!(get(server, "/big").len(), 3_000_000);
    });
    assert_eq!(ended, 0);
}

#[test]
fn large_body_comes_back_while_it_is_sent() {
    serve(|server| {
        let body: Vec<u8> = (0..=250).cycle().take(5_000_000).collect();
        let mut client = socket::connect(server);
        let mut writer = client.try_clone().unwrap();
        let sent = body.clone();
        let sender = thread::spawn(move || {
            let head = format!(
                "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                sent.len()
            );
            writer.write_all(head.as_bytes()).unwrap();
            writer.write_all(&sent).unwrap();
        });
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        sender.join().unwrap();
        assert!(answer.ends_with(&body));
    });
}

#[test]
fn refusal_can_be_read_although_more_was_sent_than_the_server_read() {
    serve(|server| {
        for _ in 0..20 {
            let mut client = socket::connect(server);
            client.write_all(b"nonsense\r\n\r\n").unwrap();
            client.write_all(&vec![b'x'; 100_000]).unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).expect("no reset destroys the answer");
            assert!(answer.starts_with(b"HTTP/1.1 400 "));
        }
    });
}

#[test]
fn last_answer_can_be_read_although_more_was_sent_than_the_server_read() {
    serve(|server| {
        for _ in 0..20 {
            let mut client = socket::connect(server);
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            // The server may be gone by then, if it did not linger.
            drop(client.write_all(&vec![b'x'; 100_000]));
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).expect("no reset destroys the answer");
            assert!(answer.ends_with(b"Hello"));
        }
    });
}

#[test]
fn five_hundred_connections_are_served_at_once() {
    const CONNECTIONS: usize = 500;
    let ended = serve(|server| {
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| socket::connect(server)).collect();
        for _ in 0..3 {
            for client in &mut clients {
                client.write_all(b"GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            }
            for client in &mut clients {
                let mut answer = Vec::new();
                let mut byte = [0];
                while !answer.ends_with(b"slept") {
                    client.read_exact(&mut byte).unwrap();
                    answer.push(byte[0]);
                }
                assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
            }
        }
    });
    assert_eq!(ended, 0);
}

#[test]
fn storm_of_broken_connections_leaves_the_server_whole() {
    // What was sent, and whether an answer to it begins.
    let stages: [(&[u8], bool); 7] = [
        (b"", false),
        (b"GET / HT", false),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        (b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", true),
        (b"GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n", false),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc", true),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff", true),
    ];
    let ended = serve(move |server| {
        for round in 0..200 {
            for (stage, is_answered) in stages {
                let mut client = socket::connect(server);
                client.write_all(stage).unwrap();
                if is_answered && round % 2 == 0 {
                    reset(client);
                }
            }
        }
        assert_eq!(get(server, "/"), "Hello");
    });
    assert_eq!(ended, 0);
}
