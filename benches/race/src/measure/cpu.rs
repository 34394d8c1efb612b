//! CPU time and memory of a process, and what a core did besides.

use procfs::process::{Process, Task};
use procfs::{CurrentSI as _, KernelStats, ProcError};
use std::io;
use std::time::Duration;

/// How long a process has been on a CPU in all, its threads together, in nanoseconds: by the scheduler's own count, or by
/// its ticks where the kernel keeps no such count.
///
/// # Errors
///
/// When there is no such process.
pub(crate) fn process_ns(pid: i32) -> io::Result<u64> {
    let tasks = Process::new(pid).and_then(|process| process.tasks()).map_err(failed)?;
    tasks.map(|task| task.and_then(|task| task_ns(&task)).map_err(failed)).sum()
}

fn task_ns(task: &Task) -> Result<u64, ProcError> {
    if let Ok(scheduler) = task.schedstat() {
        return Ok(scheduler.sum_exec_runtime);
    }
    let ticks = task.stat().map(|stat| stat.utime + stat.stime)?;
    Ok(ticks * 1_000_000_000 / procfs::ticks_per_second())
}

/// How much memory of a process is resident, in bytes: by the sum over its maps, for the counter beside them lags behind.
///
/// # Errors
///
/// When there is no such process, or it is another user's.
pub(crate) fn resident_bytes(pid: i32) -> io::Result<u64> {
    let maps = Process::new(pid).and_then(|process| process.smaps_rollup()).map_err(failed)?;
    let resident = maps.memory_map_rollup.0.first().and_then(|map| map.extension.map.get("Rss").copied());
    resident.ok_or_else(|| io::Error::other("the kernel does not tell what is resident"))
}

#[allow(clippy::needless_pass_by_value, reason = "map_err gives the error away")]
fn failed(error: ProcError) -> io::Error {
    io::Error::other(format!("what /proc tells of a process: {error}"))
}

/// How long some cores have been busy since the machine came up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cores(Duration);

impl Cores {
    /// As it is now, for these.
    ///
    /// # Errors
    ///
    /// When there is no `/proc/stat`.
    pub(crate) fn now(cores: &[usize]) -> io::Result<Self> {
        let stats = KernelStats::current().map_err(failed)?;
        let ticks: u64 = cores.iter().filter_map(|core| stats.cpu_time.get(*core)).map(busy_ticks).sum();
        Ok(Self(Duration::from_nanos(ticks * (1_000_000_000 / procfs::ticks_per_second()))))
    }

    /// For how much of `time` they worked for others than those who were on them for `own`, as a share of one core. The
    /// kernel counts in ticks of 10 ms, so a short time tells little.
    pub(crate) fn foreign_since(&self, before: &Self, own: Duration, time: Duration) -> f64 {
        let foreign = self.0.saturating_sub(before.0).saturating_sub(own);
        foreign.as_secs_f64() / time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// What a core has done for anybody. What the hypervisor took counts too: it was taken from the race.
fn busy_ticks(cpu: &procfs::CpuTime) -> u64 {
    let taken = cpu.irq.unwrap_or(0) + cpu.softirq.unwrap_or(0) + cpu.steal.unwrap_or(0);
    cpu.user + cpu.nice + cpu.system + taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_neither_of_both_did_is_foreign() {
        let (before, after) = (Cores(Duration::from_secs(10)), Cores(Duration::from_secs(14)));
        let foreign = after.foreign_since(&before, Duration::from_secs(3), Duration::from_secs(2));
        assert!((foreign - 0.5).abs() < 1e-9, "{foreign}");
        let none = after.foreign_since(&before, Duration::from_secs(5), Duration::from_secs(2));
        assert!(none.abs() < 1e-9, "more than all is nothing: {none}");
    }

    #[test]
    fn this_process_has_time_and_memory() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(process_ns(own).unwrap() > 0);
        assert!(resident_bytes(own).unwrap() > 100_000);
        assert!(process_ns(i32::MAX).is_err());
    }
}
