//! Sockets, pipes, other descriptors, and names.

use crate::{MANY, Operation, operation};
use evloop::engine::trace::Side;
use evloop::fd::AsyncFd;
use evloop::future::join;
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{
    Datagrams, Outgoing, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream, forward, lookup_host,
};
use evloop::pipe::pipe;
use evloop::spawn;
use rustix::event::{EventfdFlags, eventfd};
use std::net::SocketAddr;
use std::os::fd::AsFd;

pub(crate) fn operations() -> Vec<Operation> {
    [tcp(), unix(), udp(), descriptors(), names()].into_iter().flatten().collect()
}

/// How many datagrams go by one call.
const BATCH: usize = 20;

async fn connection(listener: &TcpListener, address: SocketAddr) -> (TcpStream, TcpStream) {
    let (client, server) = join(TcpStream::connect(address), listener.accept()).await;
    (client.unwrap(), server.unwrap().0)
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    connection(&listener, address).await
}

/// There and back, between two tasks that wait for each other.
async fn talk<S: AsyncRead + AsyncWrite + 'static>(rounds: usize, (mut near, mut far): (S, S)) {
    let echo = spawn(async move {
        let mut word = [0; 5];
        for _ in 0..rounds {
            far.read_exact(&mut word).await.unwrap();
            far.write_all(&word).await.unwrap();
        }
    });
    for _ in 0..rounds {
        near.write_all(b"there").await.unwrap();
        near.read_exact(&mut [0; 5]).await.unwrap();
    }
    echo.await.unwrap();
}

fn tcp() -> Vec<Operation> {
    vec![
        operation("net", "tcp: connected, accepted, both ends dropped", MANY, |rounds| async move {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            for _ in 0..rounds {
                drop(connection(&listener, address).await);
            }
        }),
        operation(
            "net",
            "tcp: there and back, both wait",
            MANY,
            |rounds| async move { talk(rounds, pair().await).await },
        ),
        operation("net", "tcp: write, and read of what is there", MANY, |rounds| async move {
            let (mut near, mut far) = pair().await;
            for _ in 0..rounds {
                near.write_all(b"there").await.unwrap();
                far.read_exact(&mut [0; 5]).await.unwrap();
            }
        }),
        operation("net", "tcp: 4 KiB by `send_file`, and their read", MANY, |rounds| async move {
            let (near, mut far) = pair().await;
            let file = tempfile::tempfile().unwrap();
            file.set_len(4096).unwrap();
            for _ in 0..rounds {
                near.send_file(&file, 0..4096).await.unwrap();
                far.read_exact(&mut [0; 4096]).await.unwrap();
            }
        }),
        operation("net", "tcp: 4 KiB written, by `forward` into another stream, and read", MANY, |rounds| async move {
            let ((mut near, a), (b, mut far)) = (pair().await, pair().await);
            let forwarder = spawn(async move { forward(&a, &b).await });
            for _ in 0..rounds {
                near.write_all(&[7; 4096]).await.unwrap();
                far.read_exact(&mut [0; 4096]).await.unwrap();
            }
            drop(near);
            forwarder.await.unwrap().unwrap();
        }),
    ]
}

fn unix() -> Vec<Operation> {
    vec![
        operation("net", "unix: pair made and dropped", MANY, |rounds| async move {
            for _ in 0..rounds {
                drop(UnixStream::pair().unwrap());
            }
        }),
        operation("net", "unix: there and back, both wait", MANY, |rounds| async move {
            talk(rounds, UnixStream::pair().unwrap()).await;
        }),
        operation("net", "unix: datagram sent and received", MANY, |rounds| async move {
            let (near, far) = UnixDatagram::pair().unwrap();
            for _ in 0..rounds {
                near.send(b"there").await.unwrap();
                far.recv(&mut [0; 8]).await.unwrap();
            }
        }),
        operation("net", "unix: descriptor passed, taken, closed", MANY, |rounds| async move {
            let (near, far) = UnixStream::pair().unwrap();
            for _ in 0..rounds {
                near.send_fds(b"x", &[near.as_fd()]).await.unwrap();
                drop(far.recv_fds(&mut [0; 8], 1).await.unwrap());
            }
        }),
    ]
}

async fn udp_sockets() -> (UdpSocket, UdpSocket) {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    one.connect(other.local_addr().unwrap()).await.unwrap();
    (one, other)
}

fn udp() -> Vec<Operation> {
    vec![
        operation("net", "udp: socket bound and dropped", MANY, |rounds| async move {
            for _ in 0..rounds {
                drop(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            }
        }),
        operation("net", "udp: datagram sent and received", MANY, |rounds| async move {
            let (one, other) = udp_sockets().await;
            for _ in 0..rounds {
                one.send(b"there").await.unwrap();
                other.recv_from(&mut [0; 8]).await.unwrap();
            }
        }),
        operation("net", "udp: one of 20 by `send_many` and `recv_many`", MANY, |rounds| async move {
            let (one, other) = udp_sockets().await;
            let mut datagrams = Datagrams::new(BATCH, 16);
            for _ in 0..rounds / BATCH {
                one.send_many(&[Outgoing { bytes: b"there", to: None }; BATCH]).await.unwrap();
                assert_eq!(other.recv_many(&mut datagrams).await.unwrap(), BATCH);
            }
        }),
    ]
}

fn descriptors() -> Vec<Operation> {
    vec![
        operation("pipe", "made and dropped", MANY, |rounds| async move {
            for _ in 0..rounds {
                drop(pipe().unwrap());
            }
        }),
        operation("pipe", "write, and read of what is there", MANY, |rounds| async move {
            let (mut reader, mut writer) = pipe().unwrap();
            for _ in 0..rounds {
                writer.write_all(b"there").await.unwrap();
                reader.read_exact(&mut [0; 5]).await.unwrap();
            }
        }),
        operation("pipe", "write, and read that waits for it", MANY, |rounds| async move {
            let (mut reader, mut writer) = pipe().unwrap();
            for _ in 0..rounds {
                let mut word = [0; 5];
                let (read, write) = join(reader.read_exact(&mut word), writer.write_all(b"there")).await;
                read.and(write).unwrap();
            }
        }),
        operation("fd", "`AsyncFd`: an eventfd rung, and its read that waits", MANY, |rounds| async move {
            let counter = AsyncFd::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap()).unwrap();
            for _ in 0..rounds {
                let mut buf = [0; 8];
                let wait = counter.with(Side::Read, |fd| Ok(rustix::io::read(fd, &mut buf)?));
                let ring = async { rustix::io::write(counter.get_ref(), &1_u64.to_ne_bytes()).unwrap() };
                join(wait, ring).await.0.unwrap();
            }
        }),
    ]
}

fn names() -> Vec<Operation> {
    vec![
        operation("net", "name: a literal address", MANY, |rounds| async move {
            for _ in 0..rounds {
                lookup_host("127.0.0.1:80").await.unwrap();
            }
        }),
        operation("net", "name: `localhost`", MANY, |rounds| async move {
            for _ in 0..rounds {
                lookup_host("localhost:80").await.unwrap();
            }
        }),
    ]
}
