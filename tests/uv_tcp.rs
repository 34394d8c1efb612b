//! libuv's tests of TCP, under its names, as far as `tcp.rs` does not have them. `libuv.md` says where each of them is.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{Counter, manual, ms, observed, ping_pong, run_until_done, tcp_pair, written_and_ended};
use evloop::future::{Either, join, race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{ConnectOptions, TcpListener, TcpStream};
use evloop::{Mode, Runtime, spawn, time};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Duration;

/// A connection over IPv6, unless this machine has none, which is said.
async fn pair_v6() -> Option<(TcpStream, TcpStream)> {
    let listener = listener_v6("[::1]:0")?;
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    Some((client, listener.accept().await.unwrap().0))
}

fn listener_v6(address: &str) -> Option<TcpListener> {
    if let Err(error) = std::net::TcpListener::bind("[::1]:0") {
        eprintln!("skipped: this machine has no IPv6: {error}");
        return None;
    }
    Some(TcpListener::bind(address).unwrap())
}

/// Closes a connection so that the peer sees a reset.
fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Writes without waiting until the kernel takes no more, and tells how much it took.
fn fill(stream: &TcpStream) -> usize {
    let mut taken = 0;
    loop {
        match stream.try_write(&[b'.'; 4_096]) {
            Ok(count) => taken += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return taken;
            }
        }
    }
}

async fn rest(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    Ok(all)
}

// --- Questions and answers -------------------------------------------------------------------------------------------

#[test]
fn tcp_ping_pong() {
    manual().block_on(async {
        let (client, server) = tcp_pair().await;
        ping_pong(client, server, &[b"PING\n"]).await;
    });
}

#[test]
fn tcp_ping_pong_vec() {
    manual().block_on(async {
        let (client, server) = tcp_pair().await;
        ping_pong(client, server, &[b"PI", b"N", b"G\n"]).await;
    });
}

#[test]
fn tcp6_ping_pong() {
    manual().block_on(async {
        if let Some((client, server)) = pair_v6().await {
            ping_pong(client, server, &[b"PING\n"]).await;
        }
    });
}

#[test]
fn tcp6_ping_pong_vec() {
    manual().block_on(async {
        if let Some((client, server)) = pair_v6().await {
            ping_pong(client, server, &[b"PI", b"N", b"G\n"]).await;
        }
    });
}

// --- Writing ---------------------------------------------------------------------------------------------------------

/// What can be written is written at once, and what the kernel took arrives.
#[test]
fn tcp_try_write() {
    manual().block_on(async {
        let (client, mut server) = tcp_pair().await;
        let taken = fill(&client);
        assert!(taken > 0);
        drop(client);
        assert_eq!(rest(&mut server).await.unwrap().len(), taken);
    });
}

/// A try on a connection that is broken is an error at once.
#[test]
fn tcp_try_write_error() {
    manual().block_on(async {
        let (mut client, server) = tcp_pair().await;
        reset(server);
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(client.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// While one write waits for room, a try takes no place before it.
#[test]
fn tcp_write_in_a_row() {
    manual().block_on(async {
        let (client, mut server) = tcp_pair().await;
        let taken = fill(&client);
        let writing = async {
            for word in [&b"one"[..], b"two", b"three"] {
                (&client).write_all(word).await.unwrap();
            }
            (&client).shutdown().await.unwrap();
        };
        let reading = async {
            assert_eq!(client.try_write(b"early").unwrap_err().kind(), ErrorKind::WouldBlock);
            rest(&mut server).await.unwrap()
        };
        let ((), all) = join(writing, reading).await;
        assert_eq!(&all[taken..], b"onetwothree");
    });
}

/// Writes behind a full socket are done in their order, each when there is room.
#[test]
fn tcp_write_queue_order() {
    manual().block_on(async {
        let (mut client, mut server) = tcp_pair().await;
        let writer = spawn(async move {
            for n in 0..200_u8 {
                client.write_all(&vec![n; 50_000]).await.unwrap();
            }
        });
        let all = rest(&mut server).await.unwrap();
        writer.await.unwrap();
        assert_eq!(all.len(), 200 * 50_000);
        assert!(all.is_sorted(), "no byte has overtaken another");
    });
}

/// A write that waits for room hears that the peer has broken the connection.
#[test]
fn tcp_write_fail() {
    manual().block_on(async {
        let (mut client, server) = tcp_pair().await;
        fill(&client);
        let writer = spawn(async move { client.write_all(b"x").await });
        yield_now().await;
        reset(server);
        let kind = writer.await.unwrap().unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind}");
    });
}

/// Writing to a peer that has closed its socket is an error after the first bytes, and no signal.
#[test]
fn tcp_write_to_half_open_connection() {
    manual().block_on(async {
        let (mut client, server) = tcp_pair().await;
        drop(server);
        let error = loop {
            match client.write(b"is anybody there?").await {
                Ok(_) => yield_now().await,
                Err(error) => break error,
            }
        };
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
    });
}

/// A side that was ended takes no more.
#[test]
fn not_writable_after_shutdown() {
    manual().block_on(async {
        let (mut client, _server) = tcp_pair().await;
        client.shutdown().await.unwrap();
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// An error of reading is told once; then there is nothing to read, and nothing can be written.
#[test]
fn not_readable_nor_writable_on_read_error() {
    manual().block_on(async {
        let (mut client, server) = tcp_pair().await;
        reset(server);
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

// --- Reading ---------------------------------------------------------------------------------------------------------

/// Bytes that come while the task waits for something else do not wake it, and are there when it reads.
#[test]
fn tcp_unexpected_read() {
    let counter = Rc::new(Counter::default());
    let runtime = observed(Rc::clone(&counter) as _);
    let (mut client, mut server) = runtime.block_on(tcp_pair());
    let reader = runtime.enter(|| {
        spawn(async move {
            time::sleep(ms(1_000)).await;
            let mut word = [0; 10];
            server.read_exact(&mut word).await.unwrap();
            word
        })
    });
    runtime.run(Mode::NoWait).unwrap();
    let polls = counter.polls.get();
    runtime.block_on(client.write_all(b"unexpected")).unwrap();
    assert!(!run_until_done(&runtime));
    assert_eq!(counter.polls.get(), polls + 2, "that of the write, and that of the timer");
    assert_eq!(&runtime.block_on(reader).unwrap(), b"unexpected");
}

/// A read that was given up takes nothing, and lets the loop end.
#[test]
fn tcp_read_stop() {
    let runtime = manual();
    let (mut client, mut server) = runtime.block_on(tcp_pair());
    let reader = runtime.enter(|| {
        spawn(async move {
            assert!(matches!(race(server.read(&mut [0]), yield_now()).await, Either::Right(())));
            server
        })
    });
    runtime.run(Mode::NoWait).unwrap();
    runtime.block_on(client.write_all(b"x")).unwrap();
    assert!(!run_until_done(&runtime));
    let server = runtime.block_on(reader).unwrap();
    let mut byte = [0];
    runtime.block_on(server.ready(evloop::fd::Side::Read)).unwrap();
    assert_eq!(server.try_read(&mut byte).unwrap(), 1);
}

/// Reading that stops in the middle of what there is goes on where it was.
#[test]
fn tcp_read_stop_start() {
    manual().block_on(async {
        let (mut client, mut server) = tcp_pair().await;
        client.write_all(b"stop, then start").await.unwrap();
        let mut first = [0; 4];
        server.read_exact(&mut first).await.unwrap();
        yield_now().await;
        drop(client);
        assert_eq!(&first, b"stop");
        assert_eq!(rest(&mut server).await.unwrap(), b", then start");
    });
}

/// A read that nobody answers ends with its time-out, and closing then is an orderly end for the peer.
#[test]
fn tcp_close_after_read_timeout() {
    Runtime::new().unwrap().block_on(async {
        let (mut client, mut server) = tcp_pair().await;
        time::timeout(ms(1), client.read(&mut [0])).await.unwrap_err();
        drop(client);
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    });
}

// --- Ends ------------------------------------------------------------------------------------------------------------

/// What was written before closing arrives.
#[test]
fn tcp_close() {
    manual().block_on(async {
        let (mut client, mut server) = tcp_pair().await;
        for _ in 0..32 {
            client.write_all(b"PING").await.unwrap();
        }
        drop(client);
        assert_eq!(rest(&mut server).await.unwrap(), b"PING".repeat(32));
    });
}

#[test]
fn shutdown_close_tcp() {
    manual().block_on(async {
        let (client, server) = tcp_pair().await;
        written_and_ended(client, server).await;
    });
}

/// Both ends end their side at the same time, and both read the end.
#[test]
fn shutdown_simultaneous() {
    manual().block_on(async {
        let (client, server) = tcp_pair().await;
        let end = async |mut stream: TcpStream| {
            stream.write_all(b"bye").await.unwrap();
            stream.shutdown().await.unwrap();
            rest(&mut stream).await.unwrap()
        };
        assert_eq!(join(end(client), end(server)).await, (b"bye".to_vec(), b"bye".to_vec()));
    });
}

/// Ending a side again does nothing: libuv has an error for it.
#[test]
fn shutdown_twice() {
    manual().block_on(async {
        let (mut client, mut server) = tcp_pair().await;
        client.shutdown().await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        server.write_all(b"x").await.unwrap();
        client.read_exact(&mut [0]).await.unwrap();
    });
}

#[test]
fn tcp_close_reset_client() {
    manual().block_on(async {
        let (client, mut server) = tcp_pair().await;
        reset(client);
        assert_eq!(server.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn tcp_close_reset_accepted() {
    manual().block_on(async {
        let (mut client, server) = tcp_pair().await;
        reset(server);
        assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

/// The peer has read the end when the reset comes: it learns of it when it writes. (libuv refuses to reset after a
/// shutdown.)
async fn reset_after_shutdown(mut closing: TcpStream, mut other: TcpStream) {
    closing.shutdown().await.unwrap();
    assert_eq!(other.read(&mut [0]).await.unwrap(), 0);
    reset(closing);
    assert_eq!(other.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn tcp_close_reset_client_after_shutdown() {
    manual().block_on(async {
        let (client, server) = tcp_pair().await;
        reset_after_shutdown(client, server).await;
    });
}

#[test]
fn tcp_close_reset_accepted_after_shutdown() {
    manual().block_on(async {
        let (client, server) = tcp_pair().await;
        reset_after_shutdown(server, client).await;
    });
}

/// Both sides were ended, behind the stream's back; closing it is still no error.
#[test]
fn tcp_close_reset_accepted_after_socket_shutdown() {
    manual().block_on(async {
        let (mut client, server) = tcp_pair().await;
        let socket = std::net::TcpStream::from(server.as_fd().try_clone_to_owned().unwrap());
        socket.shutdown(Shutdown::Both).unwrap();
        drop(socket);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        reset(server);
        assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

// --- Listening and connecting ----------------------------------------------------------------------------------------

/// Connections that are accepted late have lost nothing.
#[test]
fn delayed_accept() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for _ in 0..2 {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(b"early").await.unwrap();
        }
        time::sleep(ms(1_000)).await;
        for _ in 0..2 {
            let (mut server, _) = listener.accept().await.unwrap();
            assert_eq!(rest(&mut server).await.unwrap(), b"early");
        }
    });
}

/// Closing a listener breaks the connections that nobody has accepted, and no others.
#[test]
fn tcp_close_accept() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        drop(listener);
        assert_eq!(second.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        server.write_all(b"x").await.unwrap();
        first.read_exact(&mut [0]).await.unwrap();
    });
}

/// The address of all interfaces is, to connect to, this machine.
#[test]
fn connect_unspecified() {
    manual().block_on(async {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let client = TcpStream::connect(("0.0.0.0", listener.local_addr().unwrap().port())).await.unwrap();
        assert!(client.peer_addr().unwrap().ip().is_loopback());
        if let Some(listener) = listener_v6("[::]:0") {
            let client = TcpStream::connect(("::", listener.local_addr().unwrap().port())).await.unwrap();
            assert!(client.peer_addr().unwrap().ip().is_loopback());
        }
    });
}

/// An address of which the port is closed is refused, at once.
#[test]
fn tcp6_local_connect_timeout() {
    manual().block_on(async {
        if let Some(listener) = listener_v6("[::1]:0") {
            let address = listener.local_addr().unwrap();
            drop(listener);
            assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
    });
}

/// Connecting from an address that is taken.
#[test]
fn tcp_bind_error_addrinuse_connect() {
    manual().block_on(async {
        let listeners = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
        let [listener, holder] = &listeners;
        let from_there = ConnectOptions::new().local_addr(holder.local_addr().unwrap());
        let error = from_there.connect(listener.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    });
}

/// An address that this machine does not have.
#[test]
fn tcp_bind_error_addrnotavail_2() {
    manual().block_on(async {
        let error = TcpListener::bind("4.4.4.4:0").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
        assert!(error.to_string().starts_with("cannot listen on 4.4.4.4:0: "), "{error}");
    });
}

#[test]
fn tcp_bind6_error_addrnotavail() {
    manual().block_on(async {
        if listener_v6("[::1]:0").is_some() {
            let error = TcpListener::bind("[4:4:4:4:4:4:4:4]:0").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{error}");
        }
    });
}

#[test]
fn tcp_bind6_error_addrinuse() {
    manual().block_on(async {
        if let Some(listener) = listener_v6("[::]:0") {
            let error = TcpListener::bind(listener.local_addr().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        }
    });
}

#[test]
fn tcp_bind6_localhost_ok() {
    manual().block_on(async {
        if let Some(listener) = listener_v6("[::1]:0") {
            assert!(listener.local_addr().unwrap().ip().is_loopback());
        }
    });
}

/// Each end knows its own address, and the other's.
#[test]
fn getsockname_tcp() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback() && address.port() != 0);
        let client = TcpStream::connect(address).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        assert_eq!((client.peer_addr().unwrap(), client.local_addr().unwrap()), (address, peer));
        assert_eq!((server.local_addr().unwrap(), server.peer_addr().unwrap()), (address, peer));
    });
}

/// Everything that has a descriptor tells its number.
#[test]
fn handle_fileno() {
    manual().block_on(async {
        let (client, server) = tcp_pair().await;
        assert!(client.as_raw_fd() > 2 && client.as_raw_fd() != server.as_raw_fd());
        assert_eq!(client.as_fd().as_raw_fd(), client.as_raw_fd());
        let number = client.as_raw_fd();
        assert_eq!(client.into_std().unwrap().as_raw_fd(), number);
    });
}
