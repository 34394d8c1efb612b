//! How long things take, as distributions: an observer that keeps quantiles.
//!
//! An average hides what one in a hundred suffers. What is kept here answers "how long is the longest of a hundred polls" for as
//! long as the loop runs, in memory that does not grow: a histogram whose buckets are one hundredth of their values wide, from
//! a nanosecond to an hour, 37 KB each; Gil Tene's `HdrHistogram` (<http://hdrhistogram.org>).
//!
//! Each poll costs two readings of the clock, two locks that nobody holds but a reader, and two additions: some 150 ns.

use crate::arena::Key;
use crate::clock::{Clock, nanos};
use crate::observer::{JobTimes, Observer};
use crate::trace::{Cause, Wait};
use hdrhistogram::Histogram;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is longer counts as an hour.
const NANOS_MAX: u64 = 3_600_000_000_000;

/// Keeps how long things take on one loop.
///
/// # Examples
/// ```
/// use evloop_runtime::observe::Histograms;
/// use evloop_runtime::{Runtime, future::yield_now};
/// use std::rc::Rc;
///
/// let histograms = Rc::new(Histograms::new());
/// let reader = histograms.reader();
/// let runtime = Runtime::builder().observer(histograms).build()?;
/// runtime.block_on(yield_now());
/// let polls = std::thread::spawn(move || reader.read().polls).join().unwrap();
/// assert_eq!(polls.count, 2);
/// assert!(polls.median <= polls.p99 && polls.p99 <= polls.max);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
pub struct Histograms {
    kept: Arc<Mutex<Kept>>,
    clock: OnceCell<Rc<Clock>>,
    /// Who was woken when, in the order of the run queue.
    woken: RefCell<VecDeque<(Key, Instant)>>,
    poll_began: Cell<Option<Instant>>,
    work_began: Cell<Option<Instant>>,
    /// The order of polls is not that of the wakes.
    shuffled: Cell<bool>,
}

/// Reads what [`Histograms`] keep, on any thread.
#[derive(Clone)]
pub struct HistogramsReader {
    kept: Arc<Mutex<Kept>>,
}

/// How long things took until now; see [`HistogramsReader::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latencies {
    /// Each poll of a task.
    pub polls: Quantiles,
    /// From a task's wake until its poll.
    pub delays: Quantiles,
    /// From one wait of the loop to the next: for how long the kernel was not asked.
    pub work: Quantiles,
    /// How late timers fired; of those that fired in one turn, the latest.
    pub late: Quantiles,
    /// How long jobs of the pool waited for a thread.
    pub jobs_waiting: Quantiles,
    /// How long jobs of the pool ran.
    pub jobs_running: Quantiles,
}

/// A distribution of durations. The quantiles are true to one part in a hundred; all else is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// All together.
    pub sum: Duration,
    /// Half of them took no longer.
    pub median: Duration,
    /// 90 of 100 took no longer.
    pub p90: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// 999 of 1,000 took no longer.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

#[derive(Default)]
struct Kept {
    polls: Distribution,
    delays: Distribution,
    work: Distribution,
    late: Distribution,
    jobs_waiting: Distribution,
    jobs_running: Distribution,
}

struct Distribution {
    histogram: Histogram<u64>,
    sum: u64,
    max: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, NANOS_MAX, 2).expect("these bounds are such as there may be");
        Distribution { histogram, sum: 0, max: 0 }
    }
}

impl Distribution {
    fn record(&mut self, took: Duration) {
        let nanos = nanos(took);
        self.histogram.saturating_record(nanos);
        self.sum = self.sum.saturating_add(nanos);
        self.max = self.max.max(nanos);
    }

    fn read(&self) -> Quantiles {
        let at = |quantile| Duration::from_nanos(self.histogram.value_at_quantile(quantile).min(self.max));
        Quantiles {
            count: self.histogram.len(),
            sum: Duration::from_nanos(self.sum),
            median: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_nanos(self.max),
        }
    }
}

impl Histograms {
    /// Nothing kept yet; 225 KB of memory, and it stays at that.
    #[must_use]
    pub fn new() -> Histograms {
        Histograms::default()
    }

    /// The way to what is kept, for any thread.
    #[must_use]
    pub fn reader(&self) -> HistogramsReader {
        HistogramsReader { kept: Arc::clone(&self.kept) }
    }

    fn now(&self) -> Instant {
        self.clock.get().expect("it is attached before it is told of anything").fresh()
    }

    fn keep(&self, keep: impl FnOnce(&mut Kept)) {
        keep(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// When that task was woken, if this was seen. Those before it in the queue were cancelled, unless the order is drawn.
    fn take_woken(&self, task: Key) -> Option<Instant> {
        let mut woken = self.woken.borrow_mut();
        let place = woken.iter().position(|(key, _)| *key == task)?;
        if self.shuffled.get() {
            return woken.remove(place).map(|(_, since)| since);
        }
        woken.drain(..=place).next_back().map(|(_, since)| since)
    }
}

impl Observer for Histograms {
    /// # Panics
    /// When it looks on at another loop already.
    fn attached(&self, clock: &Rc<Clock>) {
        let known = self.clock.get_or_init(|| Rc::clone(clock));
        assert!(Rc::ptr_eq(known, clock), "these histograms are of another loop");
        self.woken.borrow_mut().clear();
        self.poll_began.set(None);
        self.work_began.set(None);
    }

    fn shuffled(&self, _: u64) {
        self.shuffled.set(true);
    }

    fn ended(&self, task: Key) {
        if self.shuffled.get() {
            self.woken.borrow_mut().retain(|(key, _)| *key != task);
        }
    }

    fn wait(&self, _: Option<Duration>) {
        if let Some(began) = self.work_began.take() {
            let took = self.now() - began;
            self.keep(|kept| kept.work.record(took));
        }
    }

    fn waited(&self, _: usize) {
        self.work_began.set(Some(self.now()));
    }

    fn fired(&self, _: u64, latest: Duration) {
        self.keep(|kept| kept.late.record(latest));
    }

    fn woken(&self, task: Key, _: Cause) {
        self.woken.borrow_mut().push_back((task, self.now()));
    }

    fn poll_begin(&self, task: Key, _: Cause) {
        let now = self.now();
        self.poll_began.set(Some(now));
        if let Some(since) = self.take_woken(task) {
            self.keep(|kept| kept.delays.record(now - since));
        }
    }

    fn poll_end(&self, _: Key, _: Option<Wait>) {
        if let Some(began) = self.poll_began.take() {
            let took = self.now() - began;
            self.keep(|kept| kept.polls.record(took));
        }
    }

    fn job(&self, job: &JobTimes) {
        self.keep(|kept| {
            kept.jobs_waiting.record(job.began.saturating_duration_since(job.submitted));
            kept.jobs_running.record(job.ended.saturating_duration_since(job.began));
        });
    }
}

impl HistogramsReader {
    /// How long things took until now. It takes some microseconds, in which the loop may have to wait for it once.
    #[must_use]
    pub fn read(&self) -> Latencies {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Latencies {
            polls: kept.polls.read(),
            delays: kept.delays.read(),
            work: kept.work.read(),
            late: kept.late.read(),
            jobs_waiting: kept.jobs_waiting.read(),
            jobs_running: kept.jobs_running.read(),
        }
    }
}

impl fmt::Debug for Histograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histograms").field("kept", &self.reader().read()).finish_non_exhaustive()
    }
}

impl fmt::Debug for HistogramsReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistogramsReader").field("kept", &self.read()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::future::yield_now;
    use crate::{Runtime, spawn};

    #[test]
    fn delay_of_each_poll_is_kept_in_whichever_order_they_come() {
        for seed in [None, Some(1), Some(2), Some(3)] {
            let histograms = Rc::new(Histograms::new());
            let observer = Rc::<Histograms>::clone(&histograms);
            let builder = Runtime::builder().manual_clock().observer(observer);
            let runtime = if let Some(seed) = seed { builder.seed(seed) } else { builder }.build().unwrap();
            runtime.block_on(async {
                let tasks: Vec<_> = (0..10).map(|_| spawn(yield_now())).collect();
                spawn(std::future::pending::<()>()).abort(); // it was woken, and has no poll
                for task in tasks {
                    task.await.unwrap();
                }
            });
            let kept = histograms.reader().read();
            assert_eq!((kept.delays.count, kept.polls.count > 20), (kept.polls.count, true), "seed {seed:?}");
            assert!(histograms.woken.borrow().is_empty());
        }
    }
}
