//! One listener and several threads that accept from it, each with a loop of its own.

use super::{check, per_second};
use evloop::io::AsyncRead;
use evloop::net::{TcpListener, TcpStream};
use evloop::sync::remote;
use evloop::task::yield_now;
use evloop::time::sleep;
use evloop::{block_on, select, spawn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many connections are made at a time.
const CLIENTS: u64 = 40;

/// How many connections may wait to be accepted, more than libuv's 128: a client closes without having been accepted
/// and begins again, so that any delay of the servers fills that queue (`ListenOverflows` in /proc/net/netstat), and
/// each connection beyond it is tried again after a second. That is then all there is to be measured.
const BACKLOG: i32 = 4_096;

/// How long it takes until another port is free, when all of this machine's are taken by connections that have ended.
const UNTIL_A_PORT: Duration = Duration::from_millis(1);

/// Connections to one listener, accepted by so many threads.
pub(super) fn multi_accept(connects: u64, threads: usize) -> io::Result<Vec<f64>> {
    let each = connects / CLIENTS;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    rustix::net::listen(&listener, BACKLOG)?;
    let address = listener.local_addr()?;
    let accepted = Arc::new(AtomicU64::new(0));
    let (mut running, mut servers) = (Vec::new(), Vec::new());
    for _ in 0..threads {
        let (listener, accepted) = (listener.try_clone()?, Arc::clone(&accepted));
        let (keep, stop) = remote::unbounded();
        running.push(keep);
        servers.push(thread::spawn(move || block_on(accept(listener, accepted, stop))));
    }
    let elapsed = block_on(async {
        let begin = Instant::now();
        let clients: Vec<_> = (0..CLIENTS).map(|_| spawn(connect(address, each))).collect();
        for client in clients {
            client.await??;
        }
        let elapsed = begin.elapsed();
        while accepted.load(Ordering::Relaxed) < each * CLIENTS {
            sleep(UNTIL_A_PORT).await; // the last ones wait in the listener's queue
        }
        Ok::<Duration, io::Error>(elapsed)
    })?;
    drop(running); // the servers take it as the end
    for server in servers {
        server.join().map_err(|_| io::Error::other("a server has panicked"))??;
    }
    check("connections that were accepted", accepted.load(Ordering::Relaxed), each * CLIENTS)?;
    Ok(vec![per_second(each * CLIENTS, elapsed)])
}

/// Accepts, and has a task wait for the end of each connection, until nobody is there to stop it any more.
async fn accept(
    listener: std::net::TcpListener,
    accepted: Arc<AtomicU64>,
    mut stop: remote::UnboundedReceiver<()>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let mut stream = select! {
            one = listener.accept() => one?.0,
            _ = stop.recv() => return Ok(()),
        };
        accepted.fetch_add(1, Ordering::Relaxed);
        drop(spawn(async move {
            let mut nothing = [0; 32];
            // The client sends nothing; it may close with a reset, which is an end as well.
            let _ = stream.read(&mut nothing).await;
        }));
    }
}

/// Connects, closes in the turn after, and begins again.
async fn connect(address: SocketAddr, count: u64) -> io::Result<()> {
    let mut made = 0;
    while made < count {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                yield_now().await;
                drop(stream);
                made += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => sleep(UNTIL_A_PORT).await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
