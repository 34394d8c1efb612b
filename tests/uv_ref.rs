//! libuv's tests of what keeps a loop alive, its `*_ref` family, under its names. `libuv.md` says where the others are.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{manual, ms, run_until_done, tcp_pair, until};
use evloop::fs::watch::Watcher;
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use evloop::time::{self, Timer};
use evloop::{Handle, Mode, Runtime, spawn, turn};

/// A thing that counts as it is told: the loop is alive with it, not when it does not count, and not when it is gone.
fn counts_as_told<T>(runtime: &Runtime, thing: T, set_referenced: impl Fn(&mut T, bool)) {
    let mut thing = thing;
    set_referenced(&mut thing, true);
    assert!(runtime.is_alive());
    set_referenced(&mut thing, false);
    assert!(!runtime.is_alive() && !run_until_done(runtime));
    set_referenced(&mut thing, true);
    assert!(runtime.is_alive());
    drop(thing);
    assert!(!runtime.is_alive());
}

#[test]
fn idle_ref() {
    let runtime = manual();
    counts_as_told(&runtime, runtime.enter(|| turn::idle(|| ())), |hook, counts| hook.set_referenced(counts));
}

#[test]
fn prepare_ref() {
    let runtime = manual();
    counts_as_told(&runtime, runtime.enter(|| turn::prepare(|| ())), |hook, counts| hook.set_referenced(counts));
}

#[test]
fn check_ref() {
    let runtime = manual();
    counts_as_told(&runtime, runtime.enter(|| turn::check(|| ())), |hook, counts| hook.set_referenced(counts));
}

#[test]
fn timer_ref() {
    let runtime = manual();
    let timer = runtime.enter(Timer::new);
    assert!(!runtime.is_alive());
    drop(timer);
    counts_as_told(&runtime, runtime.enter(|| time::sleep(ms(1_000))), time::Sleep::set_referenced);
}

/// One that was started counts as it is told, too.
#[test]
fn timer_ref2() {
    let runtime = manual();
    let mut timer = runtime.enter(Timer::new);
    runtime.enter(|| timer.start(ms(1_000), ms(1_000)));
    counts_as_told(&runtime, timer, Timer::set_referenced);
}

#[test]
fn fs_event_ref() {
    let runtime = manual();
    let (mut watcher, folder) = (runtime.enter(Watcher::new).unwrap(), tempfile::tempdir().unwrap());
    runtime.block_on(watcher.add(folder.path())).unwrap();
    until(|| !runtime.is_alive()); // the job that has added it ends a moment after its result has come
    counts_as_told(&runtime, watcher, |watcher, counts| watcher.set_referenced(counts));
}

/// A connection that nobody uses.
#[test]
fn tcp_ref() {
    let runtime = manual();
    let (client, _server) = runtime.block_on(tcp_pair());
    counts_as_told(&runtime, client, |stream, counts| stream.set_referenced(counts));
}

/// A socket that listens.
#[test]
fn tcp_ref2() {
    let runtime = manual();
    let listener = runtime.enter(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    counts_as_told(&runtime, listener, |listener, counts| listener.set_referenced(counts));
}

/// One that does not count and is closed leaves nothing that counts.
#[test]
fn tcp_ref2b() {
    let runtime = manual();
    let listener = runtime.enter(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    listener.set_referenced(true);
    listener.set_referenced(false);
    drop(listener);
    assert!(!run_until_done(&runtime));
    runtime.close().unwrap();
}

/// Connecting keeps the loop alive until it is done, though the connection itself does not count.
#[test]
fn tcp_ref3() {
    let runtime = manual();
    let listener = runtime.enter(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let connecting = runtime.enter(|| spawn(TcpStream::connect(address)));
    assert!(runtime.is_alive());
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    let client = runtime.block_on(connecting).unwrap().unwrap();
    assert_eq!(client.peer_addr().unwrap(), address);
}

/// Writing keeps it alive until it is done.
#[test]
fn tcp_ref4() {
    let runtime = manual();
    let (mut client, mut server) = runtime.block_on(tcp_pair());
    let writing = runtime.enter(|| spawn(async move { client.write_all(b"x").await }));
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    assert!(writing.is_finished());
    runtime.block_on(server.read_exact(&mut [0])).unwrap();
}

#[test]
fn udp_ref() {
    let runtime = manual();
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
    counts_as_told(&runtime, socket, |socket, counts| socket.set_referenced(counts));
}

/// One that a task receives from, which does not count, either.
#[test]
fn udp_ref2() {
    let runtime = manual();
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
    let receiver = runtime.enter(|| spawn(async move { socket.recv_from(&mut [0]).await }));
    receiver.set_referenced(false);
    assert!(!run_until_done(&runtime));
    assert!(!receiver.is_finished());
}

/// Sending is done before the loop ends.
#[test]
fn udp_ref3() {
    let runtime = manual();
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
    let to = socket.local_addr().unwrap();
    let sending = runtime.enter(|| spawn(async move { socket.send_to(b"PING", to).await }));
    assert!(!run_until_done(&runtime));
    assert_eq!(runtime.block_on(sending).unwrap().unwrap(), 4);
}

#[test]
fn pipe_ref() {
    let runtime = manual();
    let (near, _far) = runtime.enter(UnixStream::pair).unwrap();
    counts_as_told(&runtime, near, |stream, counts| stream.set_referenced(counts));
}

#[test]
fn pipe_ref2() {
    let (runtime, folder) = (manual(), tempfile::tempdir().unwrap());
    let listener = runtime.enter(|| UnixListener::bind(folder.path().join("s"))).unwrap();
    counts_as_told(&runtime, listener, |listener, counts| listener.set_referenced(counts));
}

#[test]
fn pipe_ref3() {
    let (runtime, folder) = (manual(), tempfile::tempdir().unwrap());
    let path = folder.path().join("s");
    let _listener = runtime.enter(|| UnixListener::bind(&path)).unwrap();
    let connecting = runtime.enter(|| spawn(UnixStream::connect(path)));
    assert!(runtime.is_alive());
    assert!(!runtime.run(Mode::UntilDone).unwrap());
    runtime.block_on(connecting).unwrap().unwrap();
}

#[test]
fn pipe_ref4() {
    let runtime = manual();
    let (mut near, mut far) = runtime.enter(UnixStream::pair).unwrap();
    let writing = runtime.enter(|| spawn(async move { near.write_all(b"x").await }));
    assert!(!run_until_done(&runtime));
    assert!(writing.is_finished());
    runtime.block_on(far.read_exact(&mut [0])).unwrap();
}

/// A way in for other threads does not keep a loop alive.
#[test]
fn async_ref() {
    let runtime = manual();
    let handle = runtime.enter(Handle::current);
    assert!(!runtime.is_alive() && !run_until_done(&runtime));
    assert!(handle.is_open());
}
