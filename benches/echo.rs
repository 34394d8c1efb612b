//! What a message costs that goes through TCP and comes back.
//!
//! Run it with `cargo bench --bench echo`. The loop runs in a thread of its own and echoes; ten clients, all of them
//! blocking sockets of one other thread, send a message each and then read the ten echoes. The figure is for such a
//! round, the throughput for one message's bytes times ten.
//!
//! Most of it is the kernel's: a message is four system calls on both sides together, a share of an `epoll_wait`, and
//! some microseconds of TCP. What the loop adds is seen best by comparing two versions of it, on two pinned cores
//! (`taskset`). The clients' work is in the figure, too; for the server's CPU time alone, use a load generator that is
//! a process of its own, against `examples/03_echo.rs`.

use criterion::{Criterion, Throughput};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::spawn;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

const CLIENTS: usize = 10;
const SIZES_KIB: [usize; 3] = [1, 10, 100];
const BUFFER_BYTES: usize = 256 * 1024;

/// Echoes until its client has ended.
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = AsyncRead::read(&mut stream, &mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        AsyncWrite::write_all(&mut stream, &buffer[..read]).await?;
    }
}

/// A thread with a loop that serves so many clients, and ends when they have ended.
fn start_server() -> (SocketAddr, thread::JoinHandle<io::Result<()>>) {
    let (sender, address) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        evloop::run(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            sender.send(listener.local_addr()?).expect("the benchmark waits for it");
            let mut connections = Vec::new();
            for _ in 0..CLIENTS {
                connections.push(spawn(echo(listener.accept().await?.0)));
            }
            for connection in connections {
                connection.await??;
            }
            Ok(())
        })
    });
    (address.recv().expect("the server sends it, unless it cannot bind"), server)
}

fn connect(address: SocketAddr) -> io::Result<std::net::TcpStream> {
    let stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// All send, then all read.
fn round(clients: &mut [std::net::TcpStream], message: &[u8], echoed: &mut [u8]) -> io::Result<()> {
    for client in &mut *clients {
        client.write_all(message)?;
    }
    for client in clients {
        client.read_exact(echoed)?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let (address, server) = start_server();
    let mut clients = (0..CLIENTS).map(|_| connect(address)).collect::<io::Result<Vec<_>>>()?;
    let mut group = criterion.benchmark_group("echo");
    for kib in SIZES_KIB {
        let message = vec![b'e'; kib * 1024];
        let mut echoed = vec![0; message.len()];
        group.throughput(Throughput::Bytes((message.len() * CLIENTS) as u64));
        group.bench_function(format!("{kib}_KiB"), |bencher| {
            bencher.iter(|| round(&mut clients, &message, &mut echoed).expect("the server echoes all that it is sent"));
        });
        assert_eq!(echoed.iter().find(|&&byte| byte != b'e'), None);
    }
    group.finish();
    criterion.final_summary();
    drop(clients);
    server.join().expect("the server does not panic")
}
