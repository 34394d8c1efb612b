//! How a server does, as it is told to who asks: the processes, what they have served, and what it cost them.
//!
//! Whoever governs makes a [`Status`] when it is asked for one: a master from the [beats](LoopBeat) of its workers, a server
//! without workers from those of its own loops. It is told as JSON, one line for each status, whose names are those of the
//! fields here. They are stable: names may be added, those that are there keep their meaning. A name that is not known is
//! passed over and one that is missing has its default, so that `evloop status` reads servers of other versions, too.

mod beat;
mod own;
mod table;
#[cfg(test)]
mod tests;

pub(super) use beat::LastBeat;
pub use beat::LoopBeat;
pub(super) use own::OwnStatus;

use super::config::{Accept, Config};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs, io, process};

/// A server at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Status {
    /// The version of the program that serves.
    pub version: String,
    /// The process that is told by signals.
    pub pid: u32,
    /// Whether that process is the master of workers and serves nothing itself.
    pub master: bool,
    /// What the server as a whole is about.
    pub state: State,
    /// When this was told, in milliseconds since 1970.
    pub at_ms: u64,
    /// For how long the process has run, in milliseconds.
    pub age_ms: u64,
    /// Where it listens, as it is printed: `http://127.0.0.1:8000`, `unix:/run/app.sock`.
    pub binds: Vec<String>,
    /// How loops come by their connections.
    pub accept: Accept,
    /// How many workers there are to be; 1 for a server without workers.
    pub workers_wanted: usize,
    /// How many loops each of them has.
    pub threads: usize,
    /// How often the workers were replaced one by one because that was asked for.
    pub reloads: u64,
    /// What workers have served that have ended, so that totals never go back.
    pub past: Past,
    /// One for each process that serves, the old one and the new one while one replaces the other. By their numbers, the
    /// older of two first.
    pub workers: Vec<WorkerStatus>,
}

impl Status {
    /// What does not change as long as this process governs.
    pub(super) fn about(config: &Config, binds: Vec<String>) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: process::id(),
            binds,
            accept: config.accept,
            workers_wanted: config.workers,
            threads: config.threads.max(1),
            ..Status::default()
        }
    }

    /// With the time, and for how long the process has run by now.
    pub(super) fn aged(mut self, age: Duration) -> Status {
        self.at_ms = millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        self.age_ms = millis(age);
        self
    }

    /// The status as JSON, in one line.
    ///
    /// # Examples
    /// ```
    /// use evloop::serve::Status;
    ///
    /// let line = Status::default().to_json();
    /// assert!(line.starts_with(r#"{"version":"","pid":0,"master":false,"state":"starting","#) && !line.contains('\n'));
    /// assert_eq!(Status::from_json(&line)?, Status::default());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names are text, and numbers are finite or null")
    }

    /// Reads a status from JSON.
    ///
    /// # Errors
    /// `InvalidData` when it is none.
    pub fn from_json(text: &str) -> io::Result<Status> {
        serde_json::from_str(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// What a server or a worker is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum State {
    /// Not yet ready.
    #[default]
    Starting,
    /// It serves.
    Ready,
    /// Workers are being replaced one by one.
    Reloading,
    /// A new binary is taking over.
    Upgrading,
    /// It takes no more connections, and answers what has begun.
    Draining,
    /// A loop of it has not turned for too long.
    Hanging,
    /// It is gone, and begun anew after a pause.
    Pausing,
    /// A state that this version does not know.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for State {
    /// As in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Starting => "starting",
            State::Ready => "ready",
            State::Reloading => "reloading",
            State::Upgrading => "upgrading",
            State::Draining => "draining",
            State::Hanging => "hanging",
            State::Pausing => "pausing",
            State::Unknown => "unknown",
        })
    }
}

/// What has been served by those who are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Past {
    /// Requests that were begun.
    pub requests: u64,
    /// Connections that were accepted.
    pub connections: u64,
}

/// A process that serves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its number among the workers, from 1; `None` where there are none.
    pub number: Option<usize>,
    /// `None` while there is no process, before the next attempt.
    pub pid: Option<u32>,
    /// What it is about.
    pub state: State,
    /// For how long it has run, in milliseconds.
    pub age_ms: u64,
    /// How often the worker of this number died and was replaced. What was asked for does not count.
    pub restarts: u64,
    /// How it was with each of its loops, by their threads' numbers, when they last told it.
    pub loops: Vec<LoopBeat>,
    /// Memory that it has in RAM, in bytes, what it shares with others included.
    pub rss_bytes: u64,
}

impl WorkerStatus {
    /// All its loops as one; the lag is that of the one which is worst.
    #[must_use]
    pub fn total(&self) -> LoopBeat {
        self.loops.iter().fold(LoopBeat::default(), LoopBeat::and)
    }
}

/// A length of time as it is told.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How much memory a process has in RAM, in bytes: the second number of `/proc/PID/statm`, proc(5). `None` when it is gone.
pub(super) fn rss_bytes(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
