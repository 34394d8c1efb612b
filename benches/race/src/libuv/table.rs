//! The list: each benchmark's name as in libuv, what it measures, its size, its figures, and how libuv tells them.

use super::{accept, children, datagrams, pool, streams, threads, turns};
use crate::report::Column;
use std::io;

/// One benchmark.
#[derive(Debug)]
pub(super) struct Bench {
    /// libuv's name for it.
    pub(super) name: &'static str,
    /// What it measures, in a line.
    pub(super) what: &'static str,
    /// How much of it is done, as in libuv: a number of things, or the milliseconds for which it runs.
    pub(super) size: u64,
    /// By what the size is divided when it is only asked whether all works.
    pub(super) quick: u64,
    /// The size for a test.
    #[cfg_attr(not(test), expect(dead_code, reason = "for tests alone"))]
    pub(super) tiny: u64,
    /// Where it runs.
    pub(super) cores: Cores,
    /// Does it with a size, and gives its figures in their order.
    pub(super) run: fn(u64) -> io::Result<Vec<f64>>,
    /// What it finds; the first is the main one.
    pub(super) figures: &'static [Figure],
}

/// Where a benchmark runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cores {
    /// With all its threads on one, since it is about one loop.
    One,
    /// Wherever the system likes, since it is about threads.
    All,
}

/// What a benchmark finds.
#[derive(Debug)]
pub(super) struct Figure {
    /// Of what, in a word or two.
    pub(super) name: &'static str,
    /// `1/s`, `s`, `Gbit/s` or nothing.
    pub(super) unit: &'static str,
    /// Whether less of it is better.
    pub(super) less_is_better: bool,
    /// What is in the line where libuv tells it, besides.
    pub(super) line: &'static str,
    /// What follows the number there.
    pub(super) after: &'static str,
}

impl Figure {
    /// As the report has it.
    pub(super) fn column(&self) -> Column {
        Column { name: self.name.to_owned(), unit: self.unit, less_is_better: self.less_is_better }
    }
}

/// A rate, what is in the line where libuv tells it, and what follows the number there.
const fn rate(name: &'static str, line: &'static str, after: &'static str) -> Figure {
    Figure { name, unit: "1/s", less_is_better: false, line, after }
}

/// Seconds, and what follows the number where libuv tells it.
const fn seconds(name: &'static str, after: &'static str) -> Figure {
    Figure { name, unit: "s", less_is_better: true, line: "", after }
}

/// A number, whether less of it is better, and what follows it where libuv tells it.
const fn number(name: &'static str, less_is_better: bool, after: &'static str) -> Figure {
    Figure { name, unit: "", less_is_better, line: "", after }
}

const TIMERS: &[Figure] = &[
    seconds("total", " seconds total"),
    seconds("init", " seconds init"),
    seconds("dispatch", " seconds dispatch"),
    seconds("cleanup", " seconds cleanup"),
];
const PUMP: &[Figure] = &[Figure { unit: "Gbit/s", ..rate("throughput", "client", " gbit/s") }];
const POUND: &[Figure] = &[rate("accepts", "", " accepts/s"), number("failed", true, " failed)")];
const PUMMEL: &[Figure] = &[rate("received", "", "/s received"), rate("sent", "", "/s sent")];
const ASYNC_PUMMEL: &[Figure] = &[rate("callbacks", "", "/sec)")];
const MILLION_ASYNC: &[Figure] = &[rate("events", "", "/s, "), number("handles seen", false, " unique handles seen)")];
const STAT: &[Figure] = &[
    rate("1 at a time", "(1 concurrent)", "/s)"),
    rate("2", "(2 concurrent)", "/s)"),
    rate("4", "(4 concurrent)", "/s)"),
    rate("8", "(8 concurrent)", "/s)"),
    rate("16", "(16 concurrent)", "/s)"),
    rate("32", "(32 concurrent)", "/s)"),
    rate("without a loop", "(sync)", "/s)"),
];
const ACCEPTS: &[Figure] = &[rate("accepts", "accept", " accepts/sec")];

/// A benchmark that is about one loop.
const fn one(
    name: &'static str,
    what: &'static str,
    (size, quick, tiny): (u64, u64, u64),
    run: fn(u64) -> io::Result<Vec<f64>>,
    figures: &'static [Figure],
) -> Bench {
    Bench { name, what, size, quick, tiny, cores: Cores::One, run, figures }
}

/// A benchmark that is about threads.
const fn many(
    name: &'static str,
    what: &'static str,
    sizes: (u64, u64, u64),
    run: fn(u64) -> io::Result<Vec<f64>>,
    figures: &'static [Figure],
) -> Bench {
    Bench { cores: Cores::All, ..one(name, what, sizes, run, figures) }
}

/// Sizes: in full, the divisor of a quick look, and that of a test.
const TICKS: (u64, u64, u64) = (2_000_000, 10, 100);
const FIVE_SECONDS: (u64, u64, u64) = (5_000, 10, 20);
const TEN_SECONDS: (u64, u64, u64) = (10_000, 20, 20);
const TEN_MILLION: (u64, u64, u64) = (10_000_000, 20, 5_000);
const PACKETS: (u64, u64, u64) = (1_000_000, 20, 3_000);
const RINGS: (u64, u64, u64) = (1_000_000, 20, 1_000);
const CHILDREN: (u64, u64, u64) = (1_000, 20, 3);
const STATS: (u64, u64, u64) = (100_000, 20, 100);
const LOOKUPS: (u64, u64, u64) = (10_000, 20, 20);
const CONNECTS: (u64, u64, u64) = (250_000, 50, 400);

/// All of it, in libuv's order.
#[rustfmt::skip] // a table
pub(super) const BENCHES: &[Bench] = &[
    one("loop_count", "turns of a loop whose idle hook keeps it from blocking", TICKS, turns::loop_count, &[rate("ticks", "", "/s)")]),
    one("ping_pongs", "5 bytes to a TCP echo server and back, one connection for 5 s", FIVE_SECONDS, streams::ping_pongs, &[rate("round trips", "", " roundtrips/s")]),
    one("tcp_pump100_client", "100 TCP connections that write 8 KiB after 8 KiB for 5 s", FIVE_SECONDS, streams::tcp_pump100, PUMP),
    one("tcp_pump1_client", "one TCP connection that writes 8 KiB after 8 KiB for 5 s", FIVE_SECONDS, streams::tcp_pump1, PUMP),
    one("tcp4_pound_100", "100 at a time connect over TCP, send 2 bytes, are closed, for 10 s", TEN_SECONDS, streams::tcp_pound_100, POUND),
    one("tcp4_pound_1000", "1000 at a time connect over TCP, send 2 bytes, are closed, for 10 s", TEN_SECONDS, streams::tcp_pound_1000, POUND),
    one("pipe_pump100_client", "100 Unix connections that write 8 KiB after 8 KiB for 5 s", FIVE_SECONDS, streams::pipe_pump100, PUMP),
    one("pipe_pump1_client", "one Unix connection that writes 8 KiB after 8 KiB for 5 s", FIVE_SECONDS, streams::pipe_pump1, PUMP),
    one("pipe_pound_100", "100 at a time connect by a path, send 2 bytes, are closed, for 10 s", TEN_SECONDS, streams::pipe_pound_100, POUND),
    one("pipe_pound_1000", "1000 at a time connect by a path, send 2 bytes, are closed, for 10 s", TEN_SECONDS, streams::pipe_pound_1000, POUND),
    many("tcp_multi_accept2", "250,000 connections, made 40 at a time, accepted by 2 threads on one listener", CONNECTS, |n| accept::multi_accept(n, 2), ACCEPTS),
    many("tcp_multi_accept4", "the same with 4 threads", CONNECTS, |n| accept::multi_accept(n, 4), ACCEPTS),
    many("tcp_multi_accept8", "the same with 8 threads", CONNECTS, |n| accept::multi_accept(n, 8), ACCEPTS),
    one("udp_pummel_1v1", "a million datagrams from one socket to one", PACKETS, |n| datagrams::pummel(n, 1, 1), PUMMEL),
    one("udp_pummel_1v10", "a million datagrams, 1 sender, 10 receivers", PACKETS, |n| datagrams::pummel(n, 1, 10), PUMMEL),
    one("udp_pummel_1v100", "a million datagrams, 1 sender, 100 receivers", PACKETS, |n| datagrams::pummel(n, 1, 100), PUMMEL),
    one("udp_pummel_1v1000", "a million datagrams, 1 sender, 1000 receivers", PACKETS, |n| datagrams::pummel(n, 1, 1000), PUMMEL),
    one("udp_pummel_10v10", "a million datagrams, 10 senders, 10 receivers", PACKETS, |n| datagrams::pummel(n, 10, 10), PUMMEL),
    one("udp_pummel_10v100", "a million datagrams, 10 senders, 100 receivers", PACKETS, |n| datagrams::pummel(n, 10, 100), PUMMEL),
    one("udp_pummel_10v1000", "a million datagrams, 10 senders, 1000 receivers", PACKETS, |n| datagrams::pummel(n, 10, 1000), PUMMEL),
    one("udp_pummel_100v100", "a million datagrams, 100 senders, 100 receivers", PACKETS, |n| datagrams::pummel(n, 100, 100), PUMMEL),
    one("udp_pummel_100v1000", "a million datagrams, 100 senders, 1000 receivers", PACKETS, |n| datagrams::pummel(n, 100, 1000), PUMMEL),
    one("udp_pummel_1000v1000", "a million datagrams, 1000 senders, 1000 receivers", PACKETS, |n| datagrams::pummel(n, 1000, 1000), PUMMEL),
    many("getaddrinfo", "10,000 look-ups of localhost, 10 at a time, on the pool", LOOKUPS, pool::getaddrinfo, &[rate("look-ups", "", " req/s")]),
    many("fs_stat", "100,000 stats of the current directory on the pool, 1 to 32 at a time", STATS, pool::fs_stat, STAT),
    many("async_pummel_1", "a thread rings one task until it was called a million times", RINGS, |n| threads::async_pummel(n, 1), ASYNC_PUMMEL),
    many("async_pummel_2", "the same with 2 threads", RINGS, |n| threads::async_pummel(n, 2), ASYNC_PUMMEL),
    many("async_pummel_4", "the same with 4 threads", RINGS, |n| threads::async_pummel(n, 4), ASYNC_PUMMEL),
    many("async_pummel_8", "the same with 8 threads", RINGS, |n| threads::async_pummel(n, 8), ASYNC_PUMMEL),
    many("queue_work", "jobs of the pool, one after the other, for 5 s", FIVE_SECONDS, pool::queue_work, &[rate("jobs", "", "/s)")]),
    one("spawn", "1000 children that say a line and end, one after the other", CHILDREN, children::spawn, &[rate("children", "", " spawns/s")]),
    many("million_async", "a thread rings any of 1,048,576 tasks for 5 s", FIVE_SECONDS, threads::million_async, MILLION_ASYNC),
    one("million_timers", "10 million timers of 1 ms to 10 s: set, fired in real time, dropped", TEN_MILLION, turns::million_timers, TIMERS),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_one_benchmark() {
        let mut names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BENCHES.len());
    }

    #[test]
    fn a_quick_look_does_less_and_still_something() {
        for bench in BENCHES {
            assert!((bench.tiny..bench.size).contains(&(bench.size / bench.quick)), "{}", bench.name);
        }
    }
}
