//! What loops do besides moving bytes: tasks that are spawned and joined, that give way and wake each other, wakes from
//! another thread, jobs that block, and timers.
//!
//! [`Operation`] is the table of what is measured, [`RUNTIMES`] that of who does it. A runtime's file says what it has
//! for each operation, or why it has nothing; the workloads themselves are written once, in [`shapes`] for tasks and in
//! [`timers`] for timers, so that all runtimes are given the same one. Each measurement is a process of its own, this
//! program as `operation RUNTIME NAME COUNT`: no runtime finds the heap or the caches as another has left them.
//! [`harness`] starts them in turn and makes a section of each operation.

mod counted;
mod evloop;
mod harness;
pub(crate) mod heap;
mod local_pool;
mod local_set;
mod monoio;
mod shapes;
mod smol;
mod spent;
mod timers;
mod tokio;
mod words;

pub(crate) use harness::run;
pub(crate) use spent::{Spent, Stopwatch};
pub(crate) use timers::Fired;

use crate::options::unknown;
use nix::unistd::alarm;
use std::io;

/// One thing that a loop is measured at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    SpawnAlone,
    SpawnBatch,
    Yield1,
    Yield1000,
    PingPongWaker,
    PingPongNotify,
    PingPongMpsc,
    PingPongOneshot,
    OtherThread,
    Blocking,
    TimerInsert,
    TimerCancel,
    TimerFire,
    TimerReset,
    TimerChurn,
    TimerBytes,
}

/// What the figure of an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds of the whole process on a core.
    CpuNs,
    /// Nanoseconds that pass: for what two threads do in turn, where the time to wake the other is what is asked for.
    WallNs,
    /// Bytes of the heap.
    Bytes,
}

impl Operation {
    /// All of them, in the order in which they are told.
    pub(crate) const ALL: [Operation; 16] = [
        Operation::SpawnAlone,
        Operation::SpawnBatch,
        Operation::Yield1,
        Operation::Yield1000,
        Operation::PingPongWaker,
        Operation::PingPongNotify,
        Operation::PingPongMpsc,
        Operation::PingPongOneshot,
        Operation::OtherThread,
        Operation::Blocking,
        Operation::TimerInsert,
        Operation::TimerCancel,
        Operation::TimerFire,
        Operation::TimerReset,
        Operation::TimerChurn,
        Operation::TimerBytes,
    ];

    /// Its name on the command line, what it is, and how often it is done in one measurement.
    #[rustfmt::skip] // a table
    const fn facts(self) -> (&'static str, &'static str, u64) {
        match self {
            Operation::SpawnAlone => ("spawn_alone", "a task is spawned and joined, then the next", 300_000),
            Operation::SpawnBatch => ("spawn_batch", "1000 tasks are spawned, then all of them joined; for each task", 500_000),
            Operation::Yield1 => ("yield_1", "the only task wakes itself and is polled again", 1_000_000),
            Operation::Yield1000 => ("yield_1000", "each of 1000 tasks wakes itself and is polled again; for each poll", 2_000_000),
            Operation::PingPongWaker => ("ping_pong_waker", "two tasks wake each other by bare wakers; a round trip", 500_000),
            Operation::PingPongNotify => ("ping_pong_notify", "two tasks wake each other by a notify each; a round trip", 500_000),
            Operation::PingPongMpsc => ("ping_pong_mpsc", "two tasks send each other a word by a channel each; a round trip", 500_000),
            Operation::PingPongOneshot => ("ping_pong_oneshot", "a task sends a request with a oneshot for its answer; a round trip", 500_000),
            Operation::OtherThread => ("other_thread", "a thread on the other core wakes the sleeping loop, which answers; a round trip", 20_000),
            Operation::Blocking => ("blocking", "a job for the pool, awaited before the next; pool and loop on one core", 20_000),
            Operation::TimerInsert => ("timer_insert", "a timer of 60 to 70 s is set, with all the others outstanding", 1_000_000),
            Operation::TimerCancel => ("timer_cancel", "one of so many outstanding timers is dropped", 1_000_000),
            Operation::TimerFire => ("timer_fire", "a timer fires, on a clock that is moved by hand over 10 s", 1_000_000),
            Operation::TimerReset => ("timer_reset", "one of 100,000 outstanding timers is put off", 1_000_000),
            Operation::TimerChurn => ("timer_churn", "a timer is set and dropped with 100,000 outstanding: a time-out that never comes", 1_000_000),
            Operation::TimerBytes => ("timer_bytes", "bytes of heap for each outstanding timer, its future included", 100_000),
        }
    }

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        self.facts().0
    }

    /// What it is, in a line.
    pub(crate) const fn what(self) -> &'static str {
        self.facts().1
    }

    /// How often it is done in one measurement.
    pub(crate) const fn count(self) -> u64 {
        self.facts().2
    }

    /// The operation of this name.
    pub(crate) fn named(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// What its figure is.
    pub(crate) const fn unit(self) -> Unit {
        match self {
            Operation::OtherThread | Operation::Blocking => Unit::WallNs,
            Operation::TimerBytes => Unit::Bytes,
            _ => Unit::CpuNs,
        }
    }

    /// Whether it waits for a timer, and is compared with tokio's; else it is about tasks, and compared with
    /// `LocalSet`'s.
    pub(crate) const fn is_of_timers(self) -> bool {
        matches!(
            self,
            Operation::TimerInsert
                | Operation::TimerCancel
                | Operation::TimerFire
                | Operation::TimerReset
                | Operation::TimerChurn
                | Operation::TimerBytes
        )
    }
}

/// Does an operation so often, and tells what each took.
pub(crate) type Work = fn(u64) -> Spent;

/// How a runtime does an operation, or why it cannot.
pub(crate) type Has = Result<Work, &'static str>;

/// Who is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runtime {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it has for an operation.
    pub(crate) has: fn(Operation) -> Has,
}

/// The runtimes, this project's first.
pub(crate) const RUNTIMES: [Runtime; 6] = [
    Runtime { name: "evloop", has: evloop::has },
    Runtime { name: "tokio", has: tokio::has },
    Runtime { name: "local_set", has: local_set::has },
    Runtime { name: "smol", has: smol::has },
    Runtime { name: "local_pool", has: local_pool::has },
    Runtime { name: "monoio", has: monoio::has },
];

/// The kernel alone, for the one operation that it can do.
pub(crate) const FLOOR: Runtime = Runtime { name: "eventfd", has: spent::eventfd };

/// The names of the runtimes and of the operations.
pub(crate) fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    let runtimes = RUNTIMES.iter().map(|runtime| runtime.name).chain([FLOOR.name]);
    (runtimes.collect(), Operation::ALL.map(Operation::name).to_vec())
}

/// How long an operation may take before the kernel ends its process, in seconds; valgrind makes each fifty times as
/// long.
const LIMIT_SECS: u32 = 600;

/// Does one operation so often on one runtime, and prints what each took, as JSON.
///
/// # Errors
///
/// When there is no such runtime or operation, when the runtime has nothing for it, or `count` is zero.
pub(crate) fn one(runtime: &str, name: &str, count: u64) -> io::Result<()> {
    let all = || RUNTIMES.into_iter().chain([FLOOR]);
    let refuse = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
    let known = all().find(|known| known.name == runtime);
    let known =
        known.ok_or_else(|| refuse(unknown("runtime", runtime, &all().map(|one| one.name).collect::<Vec<_>>())))?;
    let operation = Operation::named(name)
        .ok_or_else(|| refuse(unknown("operation", name, &Operation::ALL.map(Operation::name))))?;
    let work = (known.has)(operation).map_err(|reason| refuse(format!("{runtime} cannot do {name}: {reason}")))?;
    if count == 0 {
        return Err(refuse("an operation is done at least once".to_owned()));
    }
    alarm::set(LIMIT_SECS);
    println!("{}", serde_json::to_string(&work(count))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All operations of one runtime, a few times each; those of batches in whole batches.
    fn each_runs_once(runtime: Runtime) {
        alarm::set(LIMIT_SECS); // a wake that is lost ends the test
        for operation in Operation::ALL {
            let Ok(work) = (runtime.has)(operation) else { continue };
            let spent = work(2_000);
            assert!(spent.cpu_ns >= 0.0 && spent.wall_ns > 0.0, "{} {}: {spent:?}", runtime.name, operation.name());
            assert_eq!(spent.heap_bytes.is_some(), operation == Operation::TimerBytes, "{}", operation.name());
        }
    }

    #[test]
    fn evloop_does_all_of_them() {
        assert!(Operation::ALL.into_iter().all(|operation| evloop::has(operation).is_ok()));
        each_runs_once(RUNTIMES[0]);
    }

    #[test]
    fn tokio_does_all_of_them() {
        assert!(Operation::ALL.into_iter().all(|operation| tokio::has(operation).is_ok()));
        each_runs_once(RUNTIMES[1]);
    }

    #[test]
    fn peers_do_what_they_have() {
        for runtime in &RUNTIMES[2..] {
            each_runs_once(*runtime);
        }
    }

    #[test]
    fn the_floor_is_that_of_a_wake_from_another_thread() {
        assert!(Operation::ALL.into_iter().all(|one| (FLOOR.has)(one).is_ok() == (one == Operation::OtherThread)));
        each_runs_once(FLOOR);
    }

    #[test]
    fn a_name_is_that_of_one_operation() {
        for operation in Operation::ALL {
            assert_eq!(Operation::named(operation.name()), Some(operation));
        }
        assert_eq!(Operation::named("spawn"), None);
    }

    #[test]
    fn what_there_is_not_is_refused_with_what_there_is() {
        let refused = |runtime, name, count| one(runtime, name, count).unwrap_err().to_string();
        assert!(refused("tokyo", "yield_1", 1).contains("did you mean tokio?"));
        assert!(refused("tokio", "yield_2", 1).contains("did you mean yield_1?"));
        assert!(refused("smol", "timer_fire", 1).starts_with("smol cannot do timer_fire: "));
        assert_eq!(refused("evloop", "yield_1", 0), "an operation is done at least once");
    }
}
