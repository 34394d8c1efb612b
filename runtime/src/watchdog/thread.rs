//! What the kernel tells of a thread: how much it ran, and what it does now (`proc_pid_schedstat(5)`, `proc_pid_syscall(5)`).

use rustix::thread::Pid;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;
use std::{fmt, str};
use syscalls::Sysno;

/// What a thread does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThreadState {
    /// It is on a CPU, or could be.
    Runs,
    /// It waits in a system call of that name; `None`: the call has come after this program's list of them.
    Waits(Option<&'static str>),
    /// It waits, and in no system call: for a page of memory that is read in.
    WaitsForMemory,
    /// The kernel does not tell.
    Unknown,
}

/// What the thread does: the rest of a sentence that begins with it.
impl fmt::Display for ThreadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThreadState::Runs => f.write_str("runs"),
            ThreadState::Waits(Some("futex")) => {
                f.write_str("waits for another thread: a lock, a channel or a join (futex)")
            }
            ThreadState::Waits(Some(call)) => write!(f, "waits in the system call {call}"),
            ThreadState::Waits(None) => f.write_str("waits in a system call"),
            ThreadState::WaitsForMemory => f.write_str("waits for a page of memory"),
            ThreadState::Unknown => f.write_str("does what the kernel does not tell"),
        }
    }
}

/// What a thread has had of the CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    /// For how long it ran.
    pub(super) on_cpu: Duration,
    /// For how long it could have run, and others did; up to when it ran last.
    pub(super) kept_waiting: Duration,
}

/// A thread of this process.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) id: Pid,
    /// Read again and again; `None` where there is no such file.
    schedstat: Option<File>,
}

impl Thread {
    pub(super) fn new(id: Pid) -> Thread {
        Thread { id, schedstat: File::open(path(id, "schedstat")).ok() }
    }

    /// What it has had of the CPUs, if the kernel keeps that.
    pub(super) fn times(&self) -> Option<Times> {
        let mut line = [0; 80];
        let len = self.schedstat.as_ref()?.read_at(&mut line, 0).ok()?;
        times(str::from_utf8(&line[..len]).ok()?)
    }

    /// What it does now.
    pub(super) fn state(&self) -> ThreadState {
        fs::read_to_string(path(self.id, "syscall")).map_or(ThreadState::Unknown, |line| state(&line))
    }
}

fn path(id: Pid, file: &str) -> String {
    format!("/proc/self/task/{id}/{file}")
}

fn times(line: &str) -> Option<Times> {
    let mut nanos = line.split(' ').map_while(|number| number.trim().parse().ok().map(Duration::from_nanos));
    Some(Times { on_cpu: nanos.next()?, kept_waiting: nanos.next()? })
}

fn state(line: &str) -> ThreadState {
    let word = line.split_ascii_whitespace().next().unwrap_or_default();
    match (word, word.parse::<i64>()) {
        ("running", _) => ThreadState::Runs,
        (_, Ok(-1)) => ThreadState::WaitsForMemory,
        (_, Ok(call)) => ThreadState::Waits(usize::try_from(call).ok().and_then(Sysno::new).map(|call| call.name())),
        _ => ThreadState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_tells_is_read() {
        let call = |number: Sysno| format!("{} 0x0 0x1 0x7ffc 0x7f1\n", number.id());
        assert_eq!(state(&call(Sysno::clock_nanosleep)), ThreadState::Waits(Some("clock_nanosleep")));
        assert_eq!(state("100000 0x0\n"), ThreadState::Waits(None));
        assert_eq!(state("-1 0x7ffc 0x7f1\n"), ThreadState::WaitsForMemory);
        assert_eq!(state("running\n"), ThreadState::Runs);
        assert_eq!(state(""), ThreadState::Unknown);
        let wanted = Times { on_cpu: Duration::from_nanos(83_014), kept_waiting: Duration::from_nanos(2_841_770) };
        assert_eq!(times("83014 2841770 2\n"), Some(wanted));
        assert_eq!(times("0 0 0\n"), Some(Times::default()));
        assert_eq!(times("nothing\n"), None);
    }

    #[test]
    fn thread_that_asks_about_itself_runs() {
        let this = Thread::new(rustix::thread::gettid());
        assert!(this.times().is_some());
        assert_ne!(this.state(), ThreadState::Unknown);
    }
}
