//! What there is in a loop: each task, timer, source, hook and job, and whether it keeps the loop alive.
//!
//! libuv walks its handles (`uv_walk`) and refuses to close a loop that has some (`UV_EBUSY`), without saying which. Here a
//! loop that is asked to close names them, with where they came from.

use crate::arena::Key;
use crate::core::Core;
use crate::sys::describe::describe;
use crate::trace::{Phase, Side, Wait};
use std::fmt;
use std::os::fd::RawFd;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// One thing that a loop has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Work {
    /// What it is.
    pub kind: WorkKind,
    /// Whether it keeps the loop alive.
    pub referenced: bool,
    /// Where in the source it was made, where that is known: of timers, only of those that count, where they were told to.
    pub made_at: Option<&'static Location<'static>>,
}

/// What a thing is that a loop has.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WorkKind {
    /// A task that has not ended.
    Task {
        /// Its key.
        key: Key,
        /// The name that it was given.
        name: Option<Rc<str>>,
        /// What it waits for, as of its last poll; `None` before its first.
        waits_for: Option<Wait>,
    },
    /// A timer that has not fired.
    Timer {
        /// Its key.
        key: Key,
        /// How long until it is due.
        due_in: Duration,
    },
    /// A descriptor that is registered.
    Source {
        /// Its key.
        key: Key,
        /// Its number.
        fd: RawFd,
        /// The sides that a task waits for.
        waiting: Vec<Side>,
    },
    /// A hook of the turn.
    Hook {
        /// Where in the turn it is called.
        phase: Phase,
    },
    /// Jobs of the pool.
    Jobs {
        /// Those under way.
        running: usize,
        /// Those that wait for a thread.
        queued: usize,
    },
    /// Wakes and calls that the next turn will see to.
    Wakes,
}

impl Core {
    /// All that the loop has, in the order tasks, timers, sources, hooks, jobs, wakes.
    pub(crate) fn work(&self) -> Vec<Work> {
        let mut work = Vec::new();
        for (key, info, referenced) in self.tasks.walk() {
            let kind = WorkKind::Task { key, name: info.name, waits_for: info.waits_for };
            work.push(Work { kind, referenced, made_at: Some(info.spawned_at) });
        }
        for (key, tick, made_at) in self.timers.borrow().walk() {
            let due_in = self.clock.instant_of(tick).saturating_duration_since(self.clock.fresh());
            let kind = WorkKind::Timer { key, due_in };
            work.push(Work { kind, referenced: made_at.is_some(), made_at });
        }
        for (key, source) in self.reactor.borrow().walk() {
            let kind = WorkKind::Source { key, fd: source.fd(), waiting: source.waiting() };
            work.push(Work { kind, referenced: source.is_referenced(), made_at: Some(source.made_at()) });
        }
        for (phase, referenced, made_at) in self.hooks.borrow().iter() {
            work.push(Work { kind: WorkKind::Hook { phase }, referenced, made_at: Some(made_at) });
        }
        let load = self.pool.load().total();
        if load.running + load.queued > 0 {
            let kind = WorkKind::Jobs { running: load.running, queued: load.queued };
            work.push(Work { kind, referenced: true, made_at: None });
        }
        if self.tasks.has_ready() || self.tasks.has_mail() {
            work.push(Work { kind: WorkKind::Wakes, referenced: true, made_at: None });
        }
        work
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            WorkKind::Task { name, waits_for, .. } => {
                match name {
                    Some(name) => write!(f, "task `{name}`")?,
                    None => f.write_str("a task")?,
                }
                self.write_place(f, "spawned")?;
                match waits_for {
                    Some(wait) => write!(f, ", which waits for {wait}"),
                    None => f.write_str(", which has not begun"),
                }
            }
            WorkKind::Timer { due_in, .. } => {
                write!(f, "a timer due in {} ms", due_in.as_millis())?;
                self.write_place(f, "made to count")
            }
            WorkKind::Source { fd, .. } => {
                write!(f, "descriptor {fd} ({})", describe(*fd))?;
                self.write_place(f, "registered")
            }
            WorkKind::Hook { phase } => {
                write!(f, "a hook of the phase {phase:?}")?;
                self.write_place(f, "added")
            }
            WorkKind::Jobs { running, queued } => write!(f, "jobs of the pool: {running} under way, {queued} queued"),
            WorkKind::Wakes => f.write_str("wakes that no turn has seen to yet"),
        }
    }
}

impl Work {
    fn write_place(&self, f: &mut fmt::Formatter<'_>, done: &str) -> fmt::Result {
        match self.made_at {
            Some(place) => write!(f, ", {done} at {}:{}:{}", place.file(), place.line(), place.column()),
            None => Ok(()),
        }
    }
}
