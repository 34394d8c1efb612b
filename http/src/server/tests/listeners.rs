//! Several listeners for one server.

use super::{GET, HELLO, demo, without_dates};
use crate::asgi::{Address, NO_FIELDS, Receive, Result, Scope, Send};
use crate::message::StatusCode;
use crate::server::{AnyListener, AnyStream, Listener, Listeners, ListenersHandle, Server, StopHandle};
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::net::{Inherited, TcpListener, TcpStream, UnixListener, UnixStream};
use evloop_runtime::{block_on, spawn};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn tcp() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it listens");
    (listener, address)
}

/// Sends a request, and gives all that comes back.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    stream.write_all(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    without_dates(&answer).replace("connection: close\r\n", "")
}

/// A connection that was accepted now, if one waits.
fn accept_now(listeners: &mut Listeners) -> Option<AnyStream> {
    match listeners.poll_accept(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(accepted) => Some(accepted.expect("nothing fails").0),
        Poll::Pending => None,
    }
}

#[test]
fn tcp_and_unix_listeners_are_served_by_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    block_on(async {
        let ((first, one), (second, two)) = (tcp(), tcp());
        let mut listeners = Listeners::new();
        listeners.push(first).unwrap();
        listeners.push(second).unwrap();
        listeners.push(UnixListener::bind(&path).unwrap()).unwrap();
        let server = spawn(Server::new(listeners).serve(demo()));
        for _ in 0..3 {
            assert_eq!(ask(TcpStream::connect(one).await.unwrap()).await, HELLO);
            assert_eq!(ask(TcpStream::connect(two).await.unwrap()).await, HELLO);
            assert_eq!(ask(UnixStream::connect(&path).await.unwrap()).await, HELLO);
        }
        server.abort();
    });
}

/// Answers with what the scope says of the two ends.
async fn ends(scope: Scope, _: Receive, mut send: Send) -> Result {
    let server = match scope.server() {
        Some(Address::Inet(address)) => address.to_string(),
        Some(Address::Unix(path)) => path.display().to_string(),
        None => "none".to_owned(),
    };
    let client = scope.client().map_or("none".to_owned(), |address| address.to_string());
    send.respond(StatusCode::OK, format!("{client} {server}").as_bytes(), NO_FIELDS)
}

#[test]
fn each_connection_has_the_ends_of_its_own_listener() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("a"), folder.path().join("b")];
    block_on(async {
        let (listener, address) = tcp();
        let mut listeners = Listeners::new();
        listeners.push(listener).unwrap();
        for path in &paths {
            listeners.push(UnixListener::bind(path).unwrap()).unwrap();
        }
        let server = spawn(Server::new(listeners).serve(ends));
        for _ in 0..2 {
            let stream = TcpStream::connect(address).await.unwrap();
            let expected = format!("{} {address}", stream.local_addr().unwrap());
            assert!(ask(stream).await.ends_with(&expected));
            for path in &paths {
                let stream = UnixStream::connect(path).await.unwrap();
                assert!(ask(stream).await.ends_with(&format!("none {}", path.display())));
            }
        }
        server.abort();
    });
}

#[test]
fn listener_is_asked_again_after_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (busy, calm) = (folder.path().join("busy"), folder.path().join("calm"));
    block_on(async {
        let mut listeners = Listeners::new();
        listeners.push(UnixListener::bind(&busy).unwrap()).unwrap();
        listeners.push(UnixListener::bind(&calm).unwrap()).unwrap();
        let mut clients = Vec::new();
        for (path, name) in [(&busy, b"1"), (&busy, b"2"), (&busy, b"3"), (&calm, b"a"), (&calm, b"b")] {
            let mut client = UnixStream::connect(path).await.unwrap();
            client.write_all(name).await.unwrap();
            clients.push(client);
        }
        let mut order = [0; 5];
        for name in order.chunks_mut(1) {
            accept_now(&mut listeners).expect("one more waits").read_exact(name).await.unwrap();
        }
        assert_eq!(&order, b"1a2b3");
        assert!(accept_now(&mut listeners).is_none());
    });
}

#[test]
fn listener_that_is_given_while_the_server_waits_is_served() {
    block_on(async {
        let listeners = Listeners::new();
        let handle = listeners.handle();
        let server = spawn(Server::new(listeners).serve(demo()));
        evloop_runtime::future::yield_now().await;
        for _ in 0..3 {
            let (listener, address) = tcp();
            handle.push(listener).unwrap();
            assert_eq!(ask(TcpStream::connect(address).await.unwrap()).await, HELLO);
        }
        server.abort();
    });
}

#[test]
fn inherited_socket_is_a_listener_like_others() {
    let theirs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    block_on(async {
        let mut listeners = Listeners::new();
        listeners.push(Inherited::from_fd(theirs.as_raw_fd()).unwrap()).unwrap();
        let server = spawn(Server::new(listeners).serve(demo()));
        assert_eq!(ask(TcpStream::connect(theirs.local_addr().unwrap()).await.unwrap()).await, HELLO);
        server.abort();
    });
}

/// Waits until nobody listens at this address.
async fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

#[test]
fn stop_closes_all_listeners_and_takes_no_other() {
    block_on(async {
        let ((first, one), (second, two), (late, three)) = (tcp(), tcp(), tcp());
        let mut listeners = Listeners::new();
        listeners.push(first).unwrap();
        let (handle, stop): (ListenersHandle, _) = (listeners.handle(), StopHandle::new());
        let server = spawn(Server::new(listeners).stop_handle(stop.clone()).serve(demo()));
        assert_eq!(ask(TcpStream::connect(one).await.unwrap()).await, HELLO);
        handle.push(second).unwrap(); // it is not even looked at
        stop.drain(Duration::ZERO);
        server.await.unwrap().unwrap();
        let refused = handle.push(late).unwrap_err();
        assert_eq!(refused.to_string(), "the server does not accept any more");
        for address in [one, two, three] {
            assert!(is_refused(address).await, "{address}");
        }
    });
}

#[test]
fn waiting_for_no_listener_at_all_is_waiting() {
    block_on(async {
        let mut listeners = Listeners::new();
        assert!(accept_now(&mut listeners).is_none());
        let (listener, address) = tcp();
        let mut listener = AnyListener::from(listener);
        assert_eq!(listener.address(), Some(Address::Inet(address)));
        let stream = TcpStream::connect(address).await.unwrap();
        let (_, client) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        assert_eq!(client, Some(stream.local_addr().unwrap()));
    });
}
