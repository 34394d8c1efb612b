//! A process of a worker, and its place.

use super::super::policy::Pauses;
use super::Moment;
use crate::serve::channel::Why;
use std::fmt;

/// What a process is to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve::master) enum Part {
    Holds,
    Succeeds,
    Leaves,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve::master) enum State {
    Starting,
    /// When each of its loops was heard last.
    Serving(Vec<Moment>),
    Draining {
        heard: Moment,
        /// When it is made to end.
        until: Option<Moment>,
    },
    /// The loops that are to be heard of before it is believed again.
    Asked {
        until: Moment,
        silent: Vec<usize>,
    },
    Killed {
        at: Moment,
    },
}

#[derive(Debug)]
pub(in crate::serve::master) struct Process {
    pub(in crate::serve::master) place: usize,
    /// `None`: it is not started yet.
    pub(in crate::serve::master) pid: Option<u32>,
    pub(in crate::serve::master) part: Part,
    pub(in crate::serve::master) state: State,
    pub(super) since: Moment,
    pub(in crate::serve::master) ready: bool,
    /// Why it ends, in its own words.
    pub(super) failure: Option<String>,
    /// Why it leaves, once it does.
    pub(super) leaves: Leaves,
}

impl Process {
    pub(super) fn is_serving(&self) -> bool {
        matches!(self.state, State::Serving(_))
    }
}

/// `worker 2 (process 4711)`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.place)?;
        self.pid.map_or(Ok(()), |pid| write!(f, " (process {pid})"))
    }
}

/// Why a worker leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::serve::master) enum Leaves {
    /// All do, or it does not.
    #[default]
    WithAll,
    /// It was replaced by a fresh one.
    Reload,
    /// There is to be one less.
    Fewer,
    /// For a reason of its own.
    Own(Why),
    /// It was given up: it hangs, was not ready in time, or cannot be talked with.
    GivenUp,
}

/// What comes behind `worker 1, which`.
impl fmt::Display for Leaves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaves::WithAll => f.write_str("was to end"),
            Leaves::Reload => f.write_str("a fresh one has replaced"),
            Leaves::Fewer => f.write_str("was one too many"),
            Leaves::Own(why) => why.fmt(f),
            Leaves::GivenUp => f.write_str("was given up"),
        }
    }
}

/// Where one worker is to serve at a time.
#[derive(Debug, Default)]
pub(in crate::serve::master) struct Place {
    pub(super) pauses: Pauses,
    /// When the next is to be started, where there is no holder.
    pub(super) due: Option<Moment>,
    /// How often the holder has died.
    pub(in crate::serve::master) restarts: u64,
}

impl Place {
    /// Nobody holds it, and the next is still to be started.
    pub(in crate::serve::master) fn is_empty(&self) -> bool {
        self.due.is_some()
    }
}
