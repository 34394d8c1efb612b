//! What it costs to reach the world outside of the loop: sockets, pipes, children, the pool, files.
//!
//! Run it with `cargo bench --bench doors`. To be read:
//!
//! - `udp/ping_pong`: a datagram of 64 bytes goes to a task with a socket of its own, and comes back. `udp/batch`: so many
//!   are sent by one call and received by another; `udp/one_by_one` is the same without batches, to compare.
//! - `pipe/ping_pong`: 64 bytes there by one pipe, back by another. `pipe/throughput`: a task writes, 64 KiB at a time,
//!   what another reads.
//! - `process/true`: a program that does nothing is started and waited for.
//! - `pool/...`: a job that does nothing, on its way to a thread and back; one at a time, and so many at once.
//! - `stat/...`: the metadata of a file, which is such a job with a system call in it; of so many each has a task.
//!
//! Most of each figure is the kernel's, above all where threads or processes take turns. What the loop adds is therefore
//! seen best as CPU time, instructions and system calls, and by comparing two versions of it.
//!
//! All run in a task, as programs do, and not in the future of `block_on`.

use criterion::{Criterion, Throughput};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{Datagrams, Outgoing, UdpSocket};
use evloop::pipe::pipe;
use evloop::process::Command;
use evloop::{block_on, fs, spawn, spawn_blocking};
use std::io;
use std::time::{Duration, Instant};

const MESSAGE: [u8; 64] = [b'm'; 64];
const BLOCK_BYTES: usize = 64 * 1024;
const AT_ONCE: usize = 64;
const DATAGRAMS: usize = 32;

/// What is measured: its group and name, how many operations a run of it has, and so many runs.
type Door = (&'static str, &'static str, Throughput, fn(u64) -> Duration);

const DOORS: [Door; 10] = [
    ("udp", "ping_pong", Throughput::Elements(1), udp_ping_pong),
    ("udp", "batch", Throughput::Elements(DATAGRAMS as u64), udp_batch),
    ("udp", "one_by_one", Throughput::Elements(DATAGRAMS as u64), udp_one_by_one),
    ("pipe", "ping_pong", Throughput::Elements(1), pipe_ping_pong),
    ("pipe", "throughput", Throughput::Bytes(BLOCK_BYTES as u64), pipe_throughput),
    ("process", "true", Throughput::Elements(1), process_true),
    ("pool", "1", Throughput::Elements(1), |count| pool(count, 1)),
    ("pool", "64", Throughput::Elements(AT_ONCE as u64), |count| pool(count, AT_ONCE)),
    ("stat", "1", Throughput::Elements(1), |count| stat(count, 1)),
    ("stat", "64", Throughput::Elements(AT_ONCE as u64), |count| stat(count, AT_ONCE)),
];

fn in_task(future: impl Future<Output = io::Result<Duration>> + 'static) -> Duration {
    block_on(async { spawn(future).await.expect("a benchmark does not panic") })
        .expect("this machine has what it takes")
}

/// Two sockets that are each other's peers.
async fn udp_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
    one.connect(other.local_addr()?).await?;
    other.connect(one.local_addr()?).await?;
    Ok((one, other))
}

fn udp_ping_pong(count: u64) -> Duration {
    in_task(async move {
        let (near, far) = udp_pair().await?;
        let echo = spawn(async move {
            let mut buf = [0; MESSAGE.len()];
            for _ in 0..count {
                far.recv(&mut buf).await?;
                far.send(&buf).await?;
            }
            io::Result::Ok(())
        });
        let mut buf = MESSAGE;
        let begin = Instant::now();
        for _ in 0..count {
            near.send(&buf).await?;
            near.recv(&mut buf).await?;
        }
        let elapsed = begin.elapsed();
        echo.await??;
        Ok(elapsed)
    })
}

fn udp_batch(count: u64) -> Duration {
    in_task(async move {
        let (near, far) = udp_pair().await?;
        let batch = [Outgoing { bytes: &MESSAGE, to: None }; DATAGRAMS];
        let mut datagrams = Datagrams::new(DATAGRAMS, MESSAGE.len());
        let begin = Instant::now();
        for _ in 0..count {
            let sent = near.send_many(&batch).await?;
            let mut received = 0;
            while received < sent {
                received += far.recv_many(&mut datagrams).await?;
            }
        }
        Ok(begin.elapsed())
    })
}

fn udp_one_by_one(count: u64) -> Duration {
    in_task(async move {
        let (near, far) = udp_pair().await?;
        let mut buf = MESSAGE;
        let begin = Instant::now();
        for _ in 0..count {
            for _ in 0..DATAGRAMS {
                near.send(&MESSAGE).await?;
            }
            for _ in 0..DATAGRAMS {
                far.recv(&mut buf).await?;
            }
        }
        Ok(begin.elapsed())
    })
}

fn pipe_ping_pong(count: u64) -> Duration {
    in_task(async move {
        let (mut inbox, mut there) = pipe()?;
        let (mut back, mut answer) = pipe()?;
        let echo = spawn(async move {
            let mut buf = [0; MESSAGE.len()];
            for _ in 0..count {
                inbox.read_exact(&mut buf).await?;
                answer.write_all(&buf).await?;
            }
            io::Result::Ok(())
        });
        let mut buf = MESSAGE;
        let begin = Instant::now();
        for _ in 0..count {
            there.write_all(&buf).await?;
            back.read_exact(&mut buf).await?;
        }
        let elapsed = begin.elapsed();
        echo.await??;
        Ok(elapsed)
    })
}

fn pipe_throughput(count: u64) -> Duration {
    in_task(async move {
        let (mut reader, mut writer) = pipe()?;
        let begin = Instant::now();
        let source = spawn(async move {
            let block = vec![b'b'; BLOCK_BYTES];
            for _ in 0..count {
                writer.write_all(&block).await?;
            }
            io::Result::Ok(())
        });
        let mut block = vec![0; BLOCK_BYTES];
        for _ in 0..count {
            reader.read_exact(&mut block).await?;
        }
        let elapsed = begin.elapsed();
        source.await??;
        Ok(elapsed)
    })
}

fn process_true(count: u64) -> Duration {
    in_task(async move {
        let begin = Instant::now();
        for _ in 0..count {
            assert!(Command::new("/bin/true").status().await?.success());
        }
        Ok(begin.elapsed())
    })
}

fn pool(count: u64, at_once: usize) -> Duration {
    in_task(async move {
        let mut jobs = Vec::with_capacity(at_once);
        let begin = Instant::now();
        for _ in 0..count {
            jobs.extend((0..at_once).map(|_| spawn_blocking(|| ())));
            for job in jobs.drain(..) {
                job.await?;
            }
        }
        Ok(begin.elapsed())
    })
}

fn stat(count: u64, at_once: usize) -> Duration {
    in_task(async move {
        let mut tasks = Vec::with_capacity(at_once);
        let begin = Instant::now();
        for _ in 0..count {
            tasks.extend((0..at_once).map(|_| spawn(fs::metadata("/bin/true"))));
            for task in tasks.drain(..) {
                task.await??;
            }
        }
        Ok(begin.elapsed())
    })
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (group, name, throughput, run) in DOORS {
        let mut group = criterion.benchmark_group(group);
        group.throughput(throughput);
        group.bench_function(name, |bencher| bencher.iter_custom(run));
        group.finish();
    }
    criterion.final_summary();
}
