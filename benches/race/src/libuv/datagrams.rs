//! Datagrams: a million, from some sockets to some others, all in one loop.

use super::{check, per_second};
use evloop::net::UdpSocket;
use evloop::task::yield_now;
use evloop::{block_on, spawn};
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

/// What each datagram holds: as many bytes as libuv's, which is gathered from five pieces.
const WORDS: &[u8; 45] = b"the quick brown fox jumps over the lazy dogs.";

/// How many datagrams a socket sends in a turn: so often libuv 1.44 calls back in one for sends that were done at once.
const SENDS_A_TURN: u64 = 10;

/// How many datagrams were sent and received, and how many may yet be sent.
#[derive(Debug, Default)]
struct Counts {
    left: Cell<u64>,
    sent: Cell<u64>,
    received: Cell<u64>,
}

/// Sends `packets` from `senders` sockets to `receivers` ones. UDP loses what its queues cannot hold, so that fewer may
/// be received; none may be another one than was sent.
pub(super) fn pummel(packets: u64, senders: usize, receivers: usize) -> io::Result<Vec<f64>> {
    block_on(async {
        let counts = Rc::new(Counts { left: Cell::new(packets), ..Counts::default() });
        let (mut addresses, mut receiving, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..receivers {
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            addresses.push(socket.local_addr()?);
            receiving.push(spawn(receive(socket, Rc::clone(&counts))));
        }
        for _ in 0..senders {
            sockets.push(UdpSocket::bind("127.0.0.1:0").await?);
        }
        let begin = Instant::now();
        let to_each = sockets.into_iter().zip(addresses.iter().cycle());
        let sending: Vec<_> = to_each.map(|(socket, to)| spawn(send(socket, *to, Rc::clone(&counts)))).collect();
        for sender in sending {
            sender.await??;
        }
        let elapsed = begin.elapsed();
        let ended = receiving.iter().filter(|receiver| receiver.is_finished()).count();
        check("receivers that found something else than was sent", ended, 0)?;
        let (sent, received) = (counts.sent.get(), counts.received.get());
        check("datagrams that were sent", sent, packets)?;
        check("that some arrived, and none twice", (1..=sent).contains(&received), true)?;
        Ok(vec![per_second(received, elapsed), per_second(sent, elapsed)])
    })
}

/// Sends while there is something left.
async fn send(socket: UdpSocket, to: SocketAddr, counts: Rc<Counts>) -> io::Result<()> {
    let mut sent = 0;
    while counts.left.get() > 0 {
        counts.left.set(counts.left.get() - 1);
        socket.send_to(WORDS, to).await?;
        counts.sent.set(counts.sent.get() + 1);
        sent += 1;
        if sent % SENDS_A_TURN == 0 {
            yield_now().await;
        }
    }
    Ok(())
}

/// Receives for as long as the loop turns, and ends only at what was not sent.
async fn receive(socket: UdpSocket, counts: Rc<Counts>) -> io::Result<()> {
    let mut buffer = [0; 64];
    loop {
        let (received, _) = socket.recv_from(&mut buffer).await?;
        check("a datagram", &buffer[..received.len], &WORDS[..])?;
        counts.received.set(counts.received.get() + 1);
    }
}
