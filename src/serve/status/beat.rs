//! What a loop tells of itself once a second.

use evloop_runtime::observe::Metrics;
use evloop_runtime::time::now;
use evloop_runtime::turn;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// A rate that was counted in less time would be chance: where many requests have waited for a loop, all of them begin at once.
const RATED_MIN: Duration = Duration::from_millis(500);

/// What one loop tells of itself, once a second: counts since it was made, and what it has now.
///
/// It comes from a timer of that loop, so that it does not come while the loop hangs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LoopBeat {
    /// Turns that were begun: the count that moves from each beat to the next.
    pub turns: u64,
    /// Requests that were begun.
    pub requests: u64,
    /// How many of them in a second, of late, with one decimal; `None` as long as there was not half a second to count them in.
    pub requests_per_second: Option<f64>,
    /// Those that are not answered yet.
    pub requests_open: u64,
    /// Connections that were accepted.
    pub connections: u64,
    /// Those that are open.
    pub connections_open: u64,
    /// The longest that a timer was seen to wait for the loop since the beat before, in microseconds.
    pub lag_us: u64,
    /// Threads of the blocking pool.
    pub pool_threads: usize,
    /// Jobs that wait for one of them.
    pub pool_queued: usize,
    /// Tasks that have not ended.
    pub tasks: usize,
}

impl LoopBeat {
    /// How often a worker's loop tells it.
    pub(in crate::serve) const EVERY: Duration = Duration::from_secs(1);

    /// Reads the loop of this thread. `late` is how much later than planned this beat has come.
    ///
    /// Besides the beat's own timer there are all others to go by: if the loop was never as late as now, that is the lag;
    /// else it is at least what those that fired were late on the average.
    ///
    /// # Panics
    /// When this thread is in no loop.
    pub(in crate::serve) fn read(last: &mut LastBeat, late: Duration) -> LoopBeat {
        let now = turn::metrics();
        let before = std::mem::replace(&mut last.metrics, now);
        let (timers, timers_before) = (now.timers, before.timers);
        let fired = u32::try_from(timers.fired - timers_before.fired).unwrap_or(u32::MAX);
        let average = timers.late.saturating_sub(timers_before.late).checked_div(fired).unwrap_or_default();
        let worst = if timers.late_max > timers_before.late_max { timers.late_max } else { average };
        let pool = now.pool;
        LoopBeat {
            turns: now.turns,
            requests: now.served.requests,
            requests_per_second: last.rate(now.served.requests),
            requests_open: now.served.requests_open,
            connections: now.served.connections,
            connections_open: now.served.connections_open,
            lag_us: u64::try_from(late.max(worst).as_micros()).unwrap_or(u64::MAX),
            pool_threads: pool.threads,
            pool_queued: pool.total().queued,
            tasks: now.tasks,
        }
    }

    /// Two loops as one; the lag is that of the one which is worse.
    pub(super) fn and(self, other: &LoopBeat) -> LoopBeat {
        LoopBeat {
            turns: self.turns.saturating_add(other.turns),
            requests: self.requests.saturating_add(other.requests),
            requests_per_second: match (self.requests_per_second, other.requests_per_second) {
                (Some(one), Some(other)) => Some(one_decimal(one + other)),
                (one, other) => one.or(other),
            },
            requests_open: self.requests_open.saturating_add(other.requests_open),
            connections: self.connections.saturating_add(other.connections),
            connections_open: self.connections_open.saturating_add(other.connections_open),
            lag_us: self.lag_us.max(other.lag_us),
            pool_threads: self.pool_threads.saturating_add(other.pool_threads),
            pool_queued: self.pool_queued.saturating_add(other.pool_queued),
            tasks: self.tasks.saturating_add(other.tasks),
        }
    }
}

/// How the loop of this thread was at the beat before.
#[derive(Debug)]
pub(in crate::serve) struct LastBeat {
    metrics: Metrics,
    /// When the rate was counted last, the requests until then, and what it was.
    rated: (Instant, u64, Option<f64>),
}

impl LastBeat {
    /// As it is now.
    ///
    /// # Panics
    /// When this thread is in no loop.
    pub(in crate::serve) fn new() -> LastBeat {
        let metrics = turn::metrics();
        LastBeat { metrics, rated: (now(), metrics.served.requests, None) }
    }

    /// Two beats may come one upon the other, the first of them late: then it stays as it was.
    fn rate(&mut self, requests: u64) -> Option<f64> {
        let (since, before, rate) = self.rated;
        let now = now();
        let during = now.saturating_duration_since(since);
        if during < RATED_MIN {
            return rate;
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody serves 2^53 requests in a second")]
        let number = (requests - before) as f64;
        let rate = Some(one_decimal(number / during.as_secs_f64()));
        self.rated = (now, requests, rate);
        rate
    }
}

fn one_decimal(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
