//! What is told of a loop that is held.

use super::thread::ThreadState;
use crate::arena::Key;
use crate::trace::Phase;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A stretch of time in which a loop did nothing else, as its [watchdog](super::Watchdog) sees it.
///
/// As text it is one line, the one that is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowPoll {
    /// Counts the stretches of this watchdog: reports of the same one have the same number.
    pub number: u64,
    /// It is over, and `held` is how long it was; else it holds the loop still.
    pub over: bool,
    /// For how long it has held the loop until now. It may have begun, and ended, up to a look of the watchdog later and
    /// earlier: to a quarter of what is slow.
    pub held: Duration,
    /// For how long of that the thread was on a CPU, if the kernel keeps that.
    pub on_cpu: Option<Duration>,
    /// Who holds it.
    pub holder: Holder,
    /// What the task says that it does, if it says so: of a server's connection, the method and the target of its request,
    /// up to 64 bytes.
    pub doing: Option<String>,
    /// What the loop's thread was doing when it was found.
    pub state: ThreadState,
    /// The number by which the kernel knows the loop's thread: what a debugger asks for.
    pub thread: i32,
    /// Stretches before this one that were not reported, because there were too many in their minute.
    pub unreported: u64,
}

/// Who holds a loop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// A poll of a task.
    Task {
        /// Its key, which is stale once it has ended.
        key: Key,
        /// The name it was given, if any.
        name: Option<Arc<str>>,
        /// Where in the source it was spawned.
        spawned_at: &'static Location<'static>,
    },
    /// A poll of the future of `block_on`.
    Root,
    /// No poll, but that phase: a hook; a call from another thread, in [`Phase::Mail`]; a waker from elsewhere.
    Phase(Phase),
}

/// Who it is in short: a task without the place where it was spawned.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Task { name: Some(name), .. } => write!(f, "task `{name}`"),
            Holder::Task { key, .. } => write!(f, "task {key:?}"),
            Holder::Root => f.write_str("root, the future of `block_on`,"),
            Holder::Phase(phase @ (Phase::Idle | Phase::Prepare | Phase::Check)) => {
                write!(f, "a hook of the phase {phase:?}")
            }
            Holder::Phase(Phase::Mail) => f.write_str("a call from another thread"),
            Holder::Phase(phase) => write!(f, "the phase {phase:?}"),
        }
    }
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_held = if self.over { "held" } else { "has held" };
        write!(f, "{} {has_held} the loop for {} ms", self.holder, self.held.as_millis())?;
        if let Some(doing) = &self.doing {
            write!(f, " in {}", doing.escape_debug())?;
        }
        if !self.over {
            write!(f, "; its thread {} {}", self.thread, self.state)?;
        }
        if let Some(on_cpu) = self.on_cpu {
            write!(f, "; {} ms of that on a CPU", on_cpu.as_millis())?;
        }
        if let Holder::Task { spawned_at, .. } = &self.holder {
            write!(f, "; spawned at {spawned_at}")?;
        }
        match self.unreported {
            0 => Ok(()),
            1 => f.write_str("; one other before it was not reported"),
            others => write!(f, "; {others} others before it were not reported"),
        }
    }
}
