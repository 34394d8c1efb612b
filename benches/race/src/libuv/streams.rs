//! Streams: a word there and back, as many bytes as go, as many connections as go.

use super::server::{Duty, Kind, Pipe, Tcp, against};
use super::{check, per_second};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::spawn;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What is sent and comes back, as libuv's client has it.
const PING: &[u8] = b"PING\n";

/// One connection to an echo server, a word at a time, each byte checked.
pub(super) fn ping_pongs(millis: u64) -> io::Result<Vec<f64>> {
    let limit = Duration::from_millis(millis);
    let ((pongs, elapsed), echoed) = against::<Tcp, _>(Duty::Echo, async |address| {
        let mut stream = Tcp::connect(&address).await?;
        let (mut pongs, mut buffer) = (0_u64, vec![0; 64 * 1024]);
        let begin = Instant::now();
        while begin.elapsed() <= limit {
            stream.write_all(PING).await?;
            let mut come = 0;
            while come < PING.len() {
                let read = stream.read(&mut buffer).await?;
                check("what came back", &buffer[..read], PING.get(come..come + read).unwrap_or_default())?;
                check("that the connection is open", read > 0, true)?;
                come += read;
            }
            pongs += 1;
        }
        let elapsed = begin.elapsed();
        stream.shutdown().await?;
        check("bytes after the end", stream.read(&mut buffer).await?, 0)?;
        Ok((pongs, elapsed))
    })?;
    check("bytes that the server had", echoed, pongs * PING.len() as u64)?;
    Ok(vec![per_second(pongs, elapsed)])
}

/// How much a pump writes at once.
const WRITE_BYTES: usize = 8 * 1024;

/// What libuv counts as a gigabit.
const GIGABIT: f64 = (1024 * 1024 * 1024) as f64;

/// Connections that write as fast as the server reads.
fn pump<K: Kind>(connections: usize, millis: u64) -> io::Result<Vec<f64>> {
    let limit = Duration::from_millis(millis);
    let ((sent, elapsed), received) = against::<K, _>(Duty::Sink, async |address| {
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(K::connect(&address).await?);
        }
        let begin = Instant::now();
        let write = |mut stream: K::Stream| {
            spawn(async move {
                let (bytes, mut sent) = ([0; WRITE_BYTES], 0);
                while begin.elapsed() < limit {
                    stream.write_all(&bytes).await?;
                    sent += bytes.len() as u64;
                }
                stream.shutdown().await?;
                Ok::<u64, io::Error>(sent)
            })
        };
        let writers: Vec<_> = streams.into_iter().map(write).collect();
        let mut sent = 0;
        for writer in writers {
            sent += writer.await??;
        }
        Ok((sent, begin.elapsed()))
    })?;
    check("bytes that arrived", received, sent)?;
    Ok(vec![per_second(sent * 8, elapsed) / GIGABIT])
}

pub(super) fn tcp_pump1(millis: u64) -> io::Result<Vec<f64>> {
    pump::<Tcp>(1, millis)
}

pub(super) fn tcp_pump100(millis: u64) -> io::Result<Vec<f64>> {
    pump::<Tcp>(100, millis)
}

pub(super) fn pipe_pump1(millis: u64) -> io::Result<Vec<f64>> {
    pump::<Pipe>(1, millis)
}

pub(super) fn pipe_pump100(millis: u64) -> io::Result<Vec<f64>> {
    pump::<Pipe>(100, millis)
}

/// What each connection of a pound sends: an order to close it.
const ORDER: &[u8] = b"QS";

/// Connections that are made, and closed by the server when it is told so, so many at a time; those that failed are told
/// beside.
fn pound<K: Kind>(at_a_time: usize, millis: u64) -> io::Result<Vec<f64>> {
    let limit = Duration::from_millis(millis);
    let ((closed, failed, elapsed), _) = against::<K, _>(Duty::Close, async |address| {
        let (closed, failed) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(0_u32)));
        let begin = Instant::now();
        let pounder = |_| {
            let (address, closed, failed) = (address.clone(), Rc::clone(&closed), Rc::clone(&failed));
            spawn(async move {
                // Once each, however late: libuv looks at the time when it closes a connection.
                loop {
                    // Of so many, some find no port or a full queue; libuv counts and goes on.
                    if order_once::<K>(&address).await.is_err() {
                        failed.set(failed.get() + 1);
                    }
                    closed.set(closed.get() + 1);
                    if begin.elapsed() >= limit {
                        break;
                    }
                }
            })
        };
        let pounders: Vec<_> = (0..at_a_time).map(pounder).collect();
        for pounder in pounders {
            pounder.await?;
        }
        Ok((closed.get(), failed.get(), begin.elapsed()))
    })?;
    check("that some connections were made", closed > u64::from(failed), true)?;
    Ok(vec![per_second(closed, elapsed), f64::from(failed)])
}

async fn order_once<K: Kind>(address: &K::Address) -> io::Result<()> {
    let mut stream = K::connect(address).await?;
    stream.write_all(ORDER).await?;
    check("bytes before the end", stream.read(&mut [0; 64]).await?, 0)
}

pub(super) fn tcp_pound_100(millis: u64) -> io::Result<Vec<f64>> {
    pound::<Tcp>(100, millis)
}

pub(super) fn tcp_pound_1000(millis: u64) -> io::Result<Vec<f64>> {
    pound::<Tcp>(1_000, millis)
}

pub(super) fn pipe_pound_100(millis: u64) -> io::Result<Vec<f64>> {
    pound::<Pipe>(100, millis)
}

pub(super) fn pipe_pound_1000(millis: u64) -> io::Result<Vec<f64>> {
    pound::<Pipe>(1_000, millis)
}
