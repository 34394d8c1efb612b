//! Which processor each loop stays on: `sched_setaffinity(2)`.
//!
//! The loops of a server are numbered through, those of the first worker first, and take the processors that the process may
//! use in turn. Threads that a loop starts, as those of its pool, stay on the same processor: what belongs to one loop keeps
//! to one cache.

use super::config::Config;
use super::loops::name_of;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// The processors for the loops of one process.
#[derive(Debug)]
pub(super) struct Processors {
    allowed: Vec<usize>,
    /// The number of its first loop among those of all workers.
    first: usize,
}

impl Processors {
    /// Those that this process may use. That there are not enough is told by the first process.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn allowed(config: &Config, worker: Option<usize>) -> io::Result<Processors> {
        let set = sched_getaffinity(None)?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| set.is_set(*processor)).collect();
        let loops = config.workers.saturating_mul(config.threads);
        if worker.is_none_or(|worker| worker == 1) && loops > allowed.len() {
            log::warn!("{loops} loops are more than the processors that this process may use, {}", allowed.len());
        }
        Ok(Processors { allowed, first: (worker.unwrap_or(1) - 1).saturating_mul(config.threads) })
    }

    /// The one for a loop of this process.
    fn of(&self, thread: usize) -> Option<usize> {
        self.allowed.get((self.first + thread) % self.allowed.len().max(1)).copied()
    }

    /// Has this thread, which is that of the loop, stay on its processor.
    pub(super) fn stay_on_one(&self, thread: usize) {
        let Some(processor) = self.of(thread) else { return };
        let mut only = CpuSet::new();
        only.set(processor);
        match sched_setaffinity(None, &only) {
            Ok(()) => log::debug!("{} stays on processor {processor}", name_of(thread)),
            Err(error) => log::warn!("{} does not stay on processor {processor}: {error}", name_of(thread)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_take_the_processors_in_turn_over_all_workers() {
        let processors = |first| Processors { allowed: vec![2, 3, 7], first };
        let of = |first, threads: usize| {
            (0..threads).map(|thread| processors(first).of(thread).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(of(0, 4), [2, 3, 7, 2]);
        assert_eq!(of(4, 2), [3, 7], "the third worker of two threads each");
        assert_eq!(Processors { allowed: vec![], first: 1 }.of(0), None);
    }
}
