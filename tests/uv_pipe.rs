//! libuv's tests of its pipes, which are Unix sockets here, under its names, as far as `unix.rs`, `unix_datagram.rs`
//! and `pipe.rs` do not have them. `libuv.md` says where each of them is.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{manual, ping_pong, run_until_done, written_and_ended};
use evloop::future::{join, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{UnixListener, UnixStream};
use evloop::{Mode, spawn, turn};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;

#[test]
fn pipe_ping_pong() {
    manual().block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        ping_pong(near, far, &[b"PING\n"]).await;
    });
}

#[test]
fn pipe_ping_pong_vec() {
    manual().block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        ping_pong(near, far, &[b"PI", b"N", b"G\n"]).await;
    });
}

#[test]
fn shutdown_close_pipe() {
    manual().block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        written_and_ended(near, far).await;
    });
}

/// The server closes the connection that it has accepted, then its listener: the client reads the end.
#[test]
fn pipe_server_close() {
    let folder = tempfile::tempdir().unwrap();
    manual().block_on(async {
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let mut client = UnixStream::connect(folder.path().join("s")).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let reading = spawn(async move { client.read(&mut [0]).await });
        yield_now().await;
        drop((server, listener));
        assert_eq!(reading.await.unwrap().unwrap(), 0);
    });
}

/// Clients that have closed before they were accepted are accepted all the same, and are at their end.
#[test]
fn pipe_connect_close_multiple() {
    let folder = tempfile::tempdir().unwrap();
    manual().block_on(async {
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        for _ in 0..10 {
            drop(UnixStream::connect(folder.path().join("s")).await.unwrap());
        }
        for _ in 0..10 {
            let (mut server, _) = listener.accept().await.unwrap();
            assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        }
    });
}

/// Connecting from a hook fails as it does elsewhere, and the loop ends.
#[test]
fn pipe_connect_on_prepare() {
    let (runtime, folder) = (manual(), tempfile::tempdir().unwrap());
    let (path, told) = (folder.path().join("nobody"), Rc::new(Cell::new(None)));
    let slot: Rc<RefCell<Option<turn::Hook>>> = Rc::default();
    let (own, heard) = (Rc::clone(&slot), Rc::clone(&told));
    *slot.borrow_mut() = Some(runtime.enter(|| {
        turn::prepare(move || {
            let (path, heard) = (path.clone(), Rc::clone(&heard));
            drop(spawn(async move { heard.set(Some(UnixStream::connect(path).await.unwrap_err().kind())) }));
            drop(own.take());
        })
    }));
    runtime.run(Mode::NoWait).unwrap();
    assert!(!run_until_done(&runtime));
    assert_eq!(told.get(), Some(ErrorKind::NotFound));
}

/// The name is told by the listener and by whom it was connected to; the client has none.
#[test]
fn pipe_getsockname() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        let named = |address: std::os::unix::net::SocketAddr| address.as_pathname() == Some(&*path);
        assert!(named(listener.local_addr().unwrap()) && named(server.local_addr().unwrap()));
        assert!(named(client.peer_addr().unwrap()));
        assert!(client.local_addr().unwrap().is_unnamed() && peer.is_unnamed());
    });
}

/// The name can be asked for while a task waits to read.
#[test]
fn pipe_getsockname_blocking() {
    manual().block_on(async {
        let (mut near, far) = UnixStream::pair().unwrap();
        let reading = async { (&far).read(&mut [0]).await.unwrap() };
        let asking = async {
            assert!(far.local_addr().unwrap().is_unnamed());
            near.write_all(b"x").await.unwrap();
        };
        assert_eq!(join(reading, asking).await.0, 1);
    });
}

/// Both ends write much before either has read it: neither waits for the other for ever.
#[test]
fn ipc_heavy_traffic_deadlock_bug() {
    const BYTES: usize = 2 << 20;
    manual().block_on(async {
        let side = async |stream: UnixStream| {
            let (mut reading, mut writing) = (&stream, &stream);
            let (all, sent) = (&mut vec![0; BYTES], vec![7; BYTES]);
            let (read, written) = join(reading.read_exact(all), writing.write_all(&sent)).await;
            read.and(written).unwrap();
            assert!(*all == sent);
        };
        let (near, far) = UnixStream::pair().unwrap();
        join(side(near), side(far)).await;
    });
}
