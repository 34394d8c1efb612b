//! The time that counts, from the end of the warm-up to the end of the run, or a number of requests.

use super::{Ask, Outcome, Until, wrong};
use crate::measure::cpu::{Cores, process_ns};
use hdrhistogram::Histogram;
use std::io;
use std::time::{Duration, Instant};

/// Longer waits count as this one, in nanoseconds: a minute.
const LATENCY_MAX: u64 = 60_000_000_000;

/// How long the warm-up is, as a share of the window.
const WARM_UP: f64 = 0.2;

/// Counts what is answered while it is open.
#[derive(Debug)]
pub(super) struct Window {
    pid: i32,
    cores: Vec<usize>,
    /// Nothing is counted before, where there is a warm-up.
    opens: Option<Instant>,
    /// For how long it is open, where time ends it.
    length: Option<Duration>,
    /// How many requests are still to be sent, where that ends it.
    to_send: Option<u64>,
    begun: Begun,
    answered: u64,
    latencies: Histogram<u64>,
}

/// What was read when the window opened.
#[derive(Debug)]
struct Begun {
    at: Instant,
    server_ns: u64,
    load_ns: u64,
    cores: Cores,
}

impl Begun {
    fn now(pid: i32, cores: &[usize]) -> io::Result<Self> {
        let own = i32::try_from(std::process::id()).expect("a process's number fits");
        Ok(Self {
            at: Instant::now(),
            server_ns: process_ns(pid)?,
            load_ns: process_ns(own)?,
            cores: Cores::now(cores)?,
        })
    }
}

impl Window {
    pub(super) fn new(ask: &Ask) -> io::Result<Self> {
        let begun = Begun::now(ask.pid, &ask.cores)?;
        let (opens, length, to_send) = match ask.until {
            Until::Seconds(seconds) => {
                let opens = begun.at + Duration::from_secs_f64(seconds * WARM_UP);
                (Some(opens), Some(Duration::from_secs_f64(seconds)), None)
            }
            Until::Requests(requests) => (None, None, Some(requests)),
        };
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("these are bounds");
        let cores = ask.cores.clone();
        Ok(Self { pid: ask.pid, cores, opens, length, to_send, begun, answered: 0, latencies })
    }

    /// Whether so many more are to be asked.
    pub(super) fn takes(&mut self, requests: u64) -> bool {
        match &mut self.to_send {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left = left.saturating_sub(requests);
                true
            }
        }
    }

    /// Counts answers that are whole now.
    pub(super) fn count(&mut self, requests: u64, now: Instant, sent: Instant) -> io::Result<()> {
        if self.opens.is_some_and(|opens| now >= opens) {
            self.opens = None;
            self.begun = Begun::now(self.pid, &self.cores)?;
        }
        if self.opens.is_none() {
            self.answered += requests;
            let latency = u64::try_from((now - sent).as_nanos()).unwrap_or(LATENCY_MAX).clamp(1, LATENCY_MAX);
            self.latencies.record_n(latency, requests).expect("it is within the bounds");
        }
        Ok(())
    }

    /// Whether its end has come, where that is a time. It is as long as it should be however late it opened.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.opens.is_none() && self.length.is_some_and(|length| now >= self.begun.at + length)
    }

    /// What came of it.
    pub(super) fn close(self) -> io::Result<Outcome> {
        if self.answered == 0 {
            return Err(wrong("nothing was answered"));
        }
        let end = Begun::now(self.pid, &self.cores)?;
        // A thread that has ended takes its time with it; the servers keep theirs.
        let server_ns = end.server_ns.saturating_sub(self.begun.server_ns);
        let load_ns = end.load_ns - self.begun.load_ns;
        let time = end.at - self.begun.at;
        let own = Duration::from_nanos(server_ns + load_ns);
        Ok(Outcome {
            requests: self.answered,
            seconds: time.as_secs_f64(),
            server_ns,
            load_ns,
            p50_ns: self.latencies.value_at_quantile(0.5),
            p99_ns: self.latencies.value_at_quantile(0.99),
            p999_ns: self.latencies.value_at_quantile(0.999),
            foreign: end.cores.foreign_since(&self.begun.cores, own, time),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(until: Until) -> Window {
        let pid = i32::try_from(std::process::id()).unwrap();
        let ask = Ask { port: 1, pid, scenario: "c1".to_owned(), answer_bytes: 1, until, cores: vec![0] };
        Window::new(&ask).unwrap()
    }

    #[test]
    fn so_many_are_asked_as_were_ordered_in_whole_batches() {
        let mut window = window(Until::Requests(20));
        assert!(window.takes(16) && window.takes(16) && !window.takes(16));
    }

    #[test]
    fn latencies_are_from_the_first_answer_on_where_requests_are_counted() {
        let mut window = window(Until::Requests(100));
        let sent = Instant::now();
        for micros in 1..=100 {
            window.count(1, sent + Duration::from_micros(micros), sent).unwrap();
        }
        let outcome = window.close().unwrap();
        assert_eq!(outcome.requests, 100);
        let near = |found: u64, expected: u64| found.abs_diff(expected) <= expected / 500;
        assert!(near(outcome.p50_ns, 50_000) && near(outcome.p99_ns, 99_000), "{outcome:?}");
    }

    #[test]
    fn what_is_answered_while_warming_up_is_not_counted() {
        let mut window = window(Until::Seconds(10.0));
        let begun = window.begun.at;
        let at = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        window.count(1, at(1.9), begun).unwrap();
        assert_eq!(window.answered, 0);
        window.count(1, at(2.1), begun).unwrap();
        assert_eq!(window.answered, 1);
        let opened = window.begun.at;
        let after = |seconds: f64| opened + Duration::from_secs_f64(seconds);
        assert!(!window.is_over(after(9.9)) && window.is_over(after(10.1)));
    }

    #[test]
    fn nothing_answered_is_a_failure() {
        assert!(window(Until::Requests(1)).close().is_err());
    }
}
