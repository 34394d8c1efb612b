//! What an operation took, and the plainest way to be woken by another thread: a bare eventfd.

use super::harness::OTHER_CORE;
use super::{Has, Operation};
use core_affinity::CoreId;
use nix::time::{ClockId, clock_gettime};
use rustix::event::{EventfdFlags, epoll};
use serde::{Deserialize, Serialize};
use std::mem::MaybeUninit;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What each of many operations took in the mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// Of all threads of this process on their cores, in nanoseconds.
    pub(crate) cpu_ns: f64,
    /// That passed, in nanoseconds.
    pub(crate) wall_ns: f64,
    /// Bytes of the heap that it holds, where that was asked for.
    pub(crate) heap_bytes: Option<f64>,
}

/// Measures from where it was started.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    cpu: Duration,
    wall: Instant,
}

impl Stopwatch {
    /// Begins.
    pub(crate) fn start() -> Stopwatch {
        Stopwatch { wall: Instant::now(), cpu: cpu() }
    }

    /// Ends, after so many operations.
    pub(crate) fn stop(self, operations: u64) -> Spent {
        let (cpu, wall) = (cpu().saturating_sub(self.cpu), self.wall.elapsed());
        #[allow(clippy::cast_precision_loss, reason = "operations are fewer than 2^52")]
        let each = |spent: Duration| spent.as_secs_f64() * 1e9 / operations as f64;
        Spent { cpu_ns: each(cpu), wall_ns: each(wall), heap_bytes: None }
    }
}

/// What this process has been on a core.
fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("a process can ask for its own time").into()
}

/// How long the other thread waits before it begins, so that the loop sleeps.
const UNTIL_IT_SLEEPS: Duration = Duration::from_millis(20);

/// On a thread of the other core: sends `count` words by `ask`, each when the one before was answered.
///
/// # Panics
///
/// When nobody answers.
pub(super) fn asks(
    count: u64,
    answered: mpsc::Receiver<u32>,
    mut ask: impl FnMut() + Send + 'static,
) -> thread::JoinHandle<Spent> {
    thread::spawn(move || {
        // Without the harness, as in a test, it runs wherever the loop does.
        if let Some(id) = std::env::var(OTHER_CORE).ok().and_then(|core| core.parse().ok()) {
            core_affinity::set_for_current(CoreId { id });
        }
        thread::sleep(UNTIL_IT_SLEEPS);
        let watch = Stopwatch::start();
        for _ in 0..count {
            ask();
            answered.recv().expect("the loop answers each word");
        }
        watch.stop(count)
    })
}

/// What the kernel itself has for an operation.
pub(super) fn eventfd(operation: Operation) -> Has {
    match operation {
        Operation::OtherThread => Ok(bare_eventfd),
        _ => Err("the kernel knows nothing of it"),
    }
}

/// A wake from another thread and an answer to it, by an eventfd in an epoll instance and nothing else.
fn bare_eventfd(count: u64) -> Spent {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("a descriptor is free");
    let bell = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("a descriptor is free");
    let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&poll, &bell, epoll::EventData::new_u64(0), edges).expect("an eventfd can be polled");
    let (answer, answered) = mpsc::channel();
    let rung = bell.try_clone().expect("a descriptor is free");
    let other = asks(count, answered, move || {
        rustix::io::write(&rung, &1_u64.to_ne_bytes()).expect("the count is far from its end");
    });
    let mut events = [MaybeUninit::<epoll::Event>::uninit(); 8];
    for _ in 0..count {
        while epoll::wait(&poll, &mut events, None).is_ok_and(|(events, _)| events.is_empty()) {}
        answer.send(1).expect("the thread waits for its answer");
    }
    other.join().expect("the thread was answered each time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_charged_with_its_share() {
        let watch = Stopwatch { cpu: Duration::ZERO, wall: Instant::now() };
        let before = cpu();
        let spent = watch.stop(4);
        assert!(spent.cpu_ns * 4.0 >= before.as_secs_f64() * 1e9, "it began at zero, so all of it is counted");
        assert_eq!(spent.heap_bytes, None);
    }

    #[test]
    fn what_was_spent_is_told_as_it_was() {
        let spent = Spent { cpu_ns: 1.5, wall_ns: 2.0, heap_bytes: Some(48.0) };
        let told = serde_json::to_string(&spent).unwrap();
        assert_eq!(serde_json::from_str::<Spent>(&told).unwrap(), spent);
    }
}
