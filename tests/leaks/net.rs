//! Sockets of every kind, and names.

use crate::{MANY, Repeats, SOME};
use evloop::engine::trace::Side;
use evloop::fd::AsyncFd;
use evloop::future::{Either, join, race};
use evloop::io::{AsyncRead, AsyncWrite, copy_both_ways};
use evloop::net::{
    Datagrams, NameHints, Outgoing, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, forward,
    lookup_addr, lookup_host,
};
use evloop::pipe::pipe;
use evloop::task::yield_now;
use rustix::event::{EventfdFlags, eventfd};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

pub(crate) fn repeat(repeats: &mut Repeats) {
    tcp(repeats);
    unix(repeats);
    udp(repeats);
    descriptors(repeats);
    names(repeats);
}

/// Polls it, and drops it, for it waits.
async fn given_up(future: impl Future) {
    assert!(matches!(race(future, yield_now()).await, Either::Right(())));
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A connection whose client leaves no trace in the kernel: tens of thousands of closed ones would use up the ports.
async fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = join(connect, listener.accept()).await;
    let (client, (server, _)) = (client.unwrap(), server.unwrap());
    client.set_linger(Some(Duration::ZERO)).unwrap();
    (client, server)
}

/// There, back, and the ends.
async fn talk(mut client: impl AsyncRead + AsyncWrite, mut server: impl AsyncRead + AsyncWrite) {
    let mut buf = [0; 8];
    client.write_all(b"there").await.unwrap();
    assert_eq!(server.read(&mut buf).await.unwrap(), 5);
    server.write_all(b"back").await.unwrap();
    assert_eq!(client.read(&mut buf).await.unwrap(), 4);
    server.shutdown().await.unwrap();
    assert_eq!(client.read(&mut buf).await.unwrap(), 0);
}

fn tcp(repeats: &mut Repeats) {
    repeats.each("tcp listener", MANY, async || given_up(listener().await.accept()).await);
    repeats.within("tcp connection", MANY, listener, async |listener| {
        let (client, server) = connection(listener).await;
        talk(client, server).await;
    });
    repeats.within("tcp connection reset", MANY, listener, async |listener| {
        let (client, mut server) = connection(listener).await;
        drop(client);
        server.read(&mut [0; 8]).await.unwrap_err();
    });
    repeats.within("tcp connect and accept dropped half-way", MANY, listener, async |listener| {
        // Loopback is connected within the call, and then its client waits to hear of it.
        drop(race(TcpStream::connect(listener.local_addr().unwrap()), async {}).await);
        drop(race(listener.accept(), yield_now()).await);
    });
    repeats.each("tcp connect refused", MANY, async || {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        TcpStream::connect(nobody).await.unwrap_err();
    });
    repeats.within("tcp read and write dropped half-way", SOME, listener, async |listener| {
        let (mut client, mut server) = connection(listener).await;
        given_up(server.read(&mut [0; 8])).await;
        given_up(client.write_all(&vec![0; 8 << 20])).await;
    });
    repeats.within("tcp split, both halves", MANY, listener, async |listener| {
        let (client, server) = connection(listener).await;
        let (read, write) = client.into_split();
        drop(server.into_split());
        drop(write.rejoin(read).unwrap());
    });
    let two = async || {
        let listener = listener().await;
        (connection(&listener).await, connection(&listener).await)
    };
    repeats.within("tcp copied both ways, dropped", MANY, two, async |((_, a), (b, _))| {
        given_up(copy_both_ways(a, b)).await;
    });
    repeats.within("tcp forwarded by splice", SOME, listener, async |listener| {
        let ((mut near, a), (b, mut far)) = (connection(listener).await, connection(listener).await);
        near.write_all(b"there").await.unwrap();
        near.shutdown().await.unwrap();
        let moved = join(forward(&a, &b), far.read_exact(&mut [0; 5])).await;
        moved.0.unwrap();
        given_up(forward(&b, &a)).await;
    });
    repeats.within("tcp to std and back", MANY, listener, async |listener| {
        let (client, _server) = connection(listener).await;
        drop(TcpStream::from_std(client.into_std().unwrap()).unwrap());
    });
}

fn unix(repeats: &mut Repeats) {
    let named = |what: &str| format!("\0evloop-leaks-{}-{what}", std::process::id());
    repeats.each("unix pair", MANY, async || {
        let (near, far) = UnixStream::pair().unwrap();
        talk(near, far).await;
    });
    let name = named("stream");
    repeats.within(
        "unix connection",
        MANY,
        async || UnixListener::bind(&name).unwrap(),
        async |listener| {
            let (client, server) = join(UnixStream::connect(&name), listener.accept()).await;
            talk(client.unwrap(), server.unwrap().0).await;
            given_up(listener.accept()).await;
        },
    );
    let folder = tempfile::tempdir().unwrap();
    repeats.each("unix listener in a folder", SOME, async || {
        drop(UnixListener::bind(folder.path().join("socket")).unwrap());
    });
    repeats.each("unix datagrams", MANY, async || {
        let (one, other) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 8];
        given_up(other.recv(&mut buf)).await;
        one.send(b"there").await.unwrap();
        other.recv_from(&mut buf).await.unwrap();
        one.send(b"never read").await.unwrap();
    });
    repeats.within(
        "descriptors passed",
        MANY,
        async || UnixStream::pair().unwrap(),
        async |(near, far)| {
            let file = std::fs::File::open("/dev/null").unwrap();
            near.send_fds(b"x", &[file.as_fd(), file.as_fd()]).await.unwrap();
            let (_, passed) = far.recv_fds(&mut [0; 8], 2).await.unwrap();
            assert_eq!(passed.len(), 2);
        },
    );
    repeats.within(
        "more descriptors passed than taken",
        MANY,
        async || UnixStream::pair().unwrap(),
        async |(near, far)| {
            let file = std::fs::File::open("/dev/null").unwrap();
            near.send_fds(b"x", &[file.as_fd(); 3]).await.unwrap();
            far.recv_fds(&mut [0; 8], 1).await.unwrap_err();
        },
    );
    repeats.each("descriptors passed and never received", MANY, async || {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.send_fds(b"x", &[near.as_fd()]).await.unwrap();
        drop(far);
    });
}

async fn two_udp() -> (UdpSocket, UdpSocket, SocketAddr) {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = other.local_addr().unwrap();
    (one, other, address)
}

fn udp(repeats: &mut Repeats) {
    repeats.each("udp socket", MANY, async || {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        given_up(socket.recv_from(&mut [0; 8])).await;
        socket.connect(socket.local_addr().unwrap()).await.unwrap();
    });
    repeats.within("udp datagram", MANY, two_udp, async |(one, other, to)| {
        one.send_to(b"there", *to).await.unwrap();
        other.recv_from(&mut [0; 8]).await.unwrap();
    });
    repeats.within("udp datagrams in batches", MANY, two_udp, async |(one, other, to)| {
        let outgoing = [Outgoing { bytes: b"there", to: Some(*to) }; 8];
        assert_eq!(one.send_many(&outgoing).await.unwrap(), 8);
        let mut datagrams = Datagrams::new(8, 16);
        assert_eq!(other.recv_many(&mut datagrams).await.unwrap(), 8);
        given_up(other.recv_many(&mut datagrams)).await;
    });
    repeats.within("udp datagram with its destination", MANY, two_udp, async |(one, other, to)| {
        other.set_receive_destination(true).unwrap();
        one.send_to(b"there", *to).await.unwrap();
        other.recv_message(&mut [0; 8]).await.unwrap();
    });
}

fn descriptors(repeats: &mut Repeats) {
    repeats.each("pipe", MANY, async || {
        let (mut reader, mut writer) = pipe().unwrap();
        writer.write_all(b"there").await.unwrap();
        reader.read_exact(&mut [0; 5]).await.unwrap();
        given_up(reader.read(&mut [0; 5])).await;
        given_up(writer.write_all(&vec![0; 80_000])).await;
    });
    repeats.each("any descriptor", MANY, async || {
        let counter = AsyncFd::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap()).unwrap();
        let mut buf = [0; 8];
        given_up(counter.with(Side::Read, |fd| Ok(rustix::io::read(fd, &mut buf)?))).await;
        counter.with(Side::Write, |fd| Ok(rustix::io::write(fd, &1_u64.to_ne_bytes())?)).await.unwrap();
        counter.with(Side::Read, |fd| Ok(rustix::io::read(fd, &mut buf)?)).await.unwrap();
        drop(counter.into_inner().unwrap());
    });
    repeats.each("descriptor that epoll refuses", MANY, async || {
        AsyncFd::new(std::fs::File::open("/proc/self/stat").unwrap()).unwrap_err();
    });
}

fn names(repeats: &mut Repeats) {
    repeats.each("literal name", MANY, async || assert_eq!(lookup_host("[::1]:80").await.unwrap().len(), 1));
    repeats.each("localhost", SOME, async || assert!(!lookup_host("localhost:80").await.unwrap().is_empty()));
    repeats.each("name dropped half-way", SOME, async || drop(race(lookup_host("localhost:80"), yield_now()).await));
    repeats.each("name that cannot be", SOME, async || drop(lookup_host("name without a port").await.unwrap_err()));
    repeats.each("name of an address", SOME, async || {
        lookup_addr("127.0.0.1:80".parse().unwrap(), NameHints::new().numeric_host()).await.unwrap();
    });
}
