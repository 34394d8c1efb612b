//! A server as a process: started, asked until it answers, ended.

use super::answers::Scenario;
use super::{Place, Server, Start};
use crate::measure::callgrind::{self, Work};
use crate::measure::child::{Tied, itself, tie};
use rustix::process::Signal;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(15);

/// The same, under callgrind, which makes programs fifty times slower.
const PATIENCE_WATCHED: Duration = Duration::from_secs(120);

/// How often a server is asked whether it is there.
const GLANCE: Duration = Duration::from_millis(20);

/// A server that serves. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    process: Tied,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    /// Its configuration, its errors, what is measured of it.
    directory: TempDir,
}

impl Running {
    /// Starts a server on a core.
    ///
    /// # Errors
    ///
    /// Why it is not on this machine, or does not serve, in a line.
    pub(crate) fn start(server: &Server, scenario: &Scenario, core: usize) -> Result<Self, String> {
        Self::start_as(server, scenario, core, Watched::No)
    }

    /// The same under callgrind, to be ended by [`Running::work`].
    ///
    /// # Errors
    ///
    /// As [`Running::start`].
    pub(crate) fn start_watched(server: &Server, scenario: &Scenario, core: usize) -> Result<Self, String> {
        Self::start_as(server, scenario, core, Watched::ByCallgrind)
    }

    fn start_as(server: &Server, scenario: &Scenario, core: usize, watched: Watched) -> Result<Self, String> {
        let directory = TempDir::new().map_err(|error| format!("no directory for it: {error}"))?;
        let told = |error: io::Error| format!("it cannot be started: {error}");
        if matches!(server.start, Start::There(_)) {
            let port = free_port().map_err(told)?;
            let place = Place { directory: directory.path(), port, scenario };
            let Start::There(command) = server.start else { unreachable!("it was one") };
            let command = command(&place)?;
            let process = spawn(&command, core, watched, directory.path(), Stdio::null()).map_err(told)?;
            let running = Self { process, port, directory };
            return running.when_it_answers(watched);
        }
        let command = itself(["serve", server.name, scenario.name]).map_err(told)?;
        let mut process = spawn(&command, core, watched, directory.path(), Stdio::piped()).map_err(told)?;
        let line = process.line().map_err(told)?;
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        let running = Self { process, port: port.unwrap_or_default(), directory };
        if port.is_none() { Err(running.last_words("it says no port")) } else { running.when_it_answers(watched) }
    }

    /// Waits until it takes connections.
    fn when_it_answers(mut self, watched: Watched) -> Result<Self, String> {
        let patience = if watched == Watched::No { PATIENCE } else { PATIENCE_WATCHED };
        let begun = Instant::now();
        while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).is_err() {
            if self.process.ended().is_ok_and(|ended| ended.is_some()) {
                return Err(self.last_words("it ended at once"));
            }
            if begun.elapsed() > patience {
                return Err(self.last_words("it does not listen"));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(self)
    }

    /// Why it failed, with the last that it said about that.
    fn last_words(&self, why: &str) -> String {
        let errors = std::fs::read_to_string(self.directory.path().join(ERRORS)).unwrap_or_default();
        let last = errors.lines().rev().find(|line| !line.trim().is_empty());
        last.map_or_else(|| why.to_owned(), |last| format!("{why}: {}", last.trim()))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Where files about it can lie.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends it and tells what callgrind has counted.
    ///
    /// # Errors
    ///
    /// When it does not end, or callgrind has written nothing.
    pub(crate) fn work(self) -> io::Result<Work> {
        let Self { process, directory, .. } = self;
        process.end(Signal::TERM, PATIENCE)?;
        callgrind::read(directory.path())
    }
}

/// Who looks at a server from within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    No,
    ByCallgrind,
}

/// The file of a server's errors, in its directory.
const ERRORS: &str = "errors";

fn spawn(command: &Command, core: usize, watched: Watched, directory: &Path, output: Stdio) -> io::Result<Tied> {
    let mut tied = match watched {
        Watched::No => tie(core, command)?,
        Watched::ByCallgrind => tie(core, &callgrind::under(command, directory))?,
    };
    Tied::spawn(tied.stdout(output).stderr(File::create(directory.join(ERRORS))?))
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    crate::load::listen()?.local_addr().map(|address| address.port())
}
