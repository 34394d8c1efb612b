//! The pool: jobs that do next to nothing, stats, and look-ups of names.

use super::threads::Random;
use super::{check, per_second};
use evloop::time::sleep;
use evloop::{block_on, fs, net, spawn, spawn_blocking};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// One job after the other, until a timer has said that it is enough.
pub(super) fn queue_work(millis: u64) -> io::Result<Vec<f64>> {
    let limit = Duration::from_millis(millis);
    block_on(async {
        let done = Rc::new(Cell::new(false));
        let enough = Rc::clone(&done);
        drop(spawn(async move {
            sleep(limit).await;
            enough.set(true);
        }));
        let (mut jobs, mut random) = (0, Random::default());
        let begin = Instant::now();
        while !done.get() {
            random = spawn_blocking(move || {
                random.next();
                random
            })
            .await?;
            jobs += 1;
        }
        let elapsed = begin.elapsed();
        check("that it ran to its end", elapsed >= limit, true)?;
        Ok(vec![per_second(jobs, elapsed)])
    })
}

/// How many stats are under way at a time; libuv has each number from 1 to 32.
const CONCURRENCY: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// How many stats without a loop are made for each on the pool.
const SYNC_FACTOR: u64 = 10;

/// Stats of the current directory, `count` for each number under way, and ten times as many without a loop.
pub(super) fn fs_stat(count: u64) -> io::Result<Vec<f64>> {
    let mut figures = Vec::new();
    block_on(async {
        stats(1_000.min(count), 32).await?; // the pool's threads are there, and the kernel knows the directory
        for at_a_time in CONCURRENCY {
            let begin = Instant::now();
            stats(count, at_a_time).await?;
            figures.push(per_second(count, begin.elapsed()));
        }
        Ok::<(), io::Error>(())
    })?;
    let begin = Instant::now();
    for _ in 0..count * SYNC_FACTOR {
        std::fs::metadata(".")?;
    }
    figures.push(per_second(count * SYNC_FACTOR, begin.elapsed()));
    Ok(figures)
}

async fn stats(count: u64, at_a_time: usize) -> io::Result<()> {
    in_parallel(count, at_a_time, async || {
        let found = fs::metadata(".").await?;
        check("that it is a directory", found.is_dir(), true)
    })
    .await
}

/// How many look-ups are under way at a time.
const LOOKUPS_AT_A_TIME: usize = 10;

/// Looks up this machine's own name, which needs no network.
pub(super) fn getaddrinfo(calls: u64) -> io::Result<Vec<f64>> {
    block_on(async {
        let begin = Instant::now();
        in_parallel(calls, LOOKUPS_AT_A_TIME, async || {
            let found = net::lookup_host(("localhost", 0)).await?;
            check("that it has an address", found.iter().any(|address| address.ip().is_loopback()), true)
        })
        .await?;
        Ok(vec![per_second(calls, begin.elapsed())])
    })
}

/// Does something `count` times in all, `at_a_time` at once: each that has ended is followed by the next.
async fn in_parallel(
    count: u64,
    at_a_time: usize,
    work: impl AsyncFn() -> io::Result<()> + Copy + 'static,
) -> io::Result<()> {
    let (left, done) = (Rc::new(Cell::new(count)), Rc::new(Cell::new(0)));
    let worker = |_| {
        let (left, done) = (Rc::clone(&left), Rc::clone(&done));
        spawn(async move {
            while left.get() > 0 {
                left.set(left.get() - 1);
                work().await?;
                done.set(done.get() + 1);
            }
            Ok::<(), io::Error>(())
        })
    };
    let workers: Vec<_> = (0..at_a_time).map(worker).collect();
    for worker in workers {
        worker.await??;
    }
    check("how often it was done", done.get(), count)
}
