//! The chapter of HTTP servers: every server of the table, in every scenario.
//!
//! For each scenario all servers are started, and each is checked before it is measured; they wait while another is loaded,
//! which costs nothing. Then come the rounds ([`timed`]), and once for each server what is counted and not timed
//! ([`counted`]). At the end [`idle`] holds connections.

mod counted;
mod idle;
mod timed;

use crate::load::check::check;
use crate::load::{Ask, Orders, Outcome, Until};
use crate::measure::child::{Tied, itself, tie};
use crate::options::Options;
use crate::report::{Class, Report, Section};
use crate::servers::answers::{SCENARIOS, Scenario};
use crate::servers::running::Running;
use crate::servers::{self, SERVERS, Server};
use std::io;
use std::process::Stdio;

/// The cores of a run: the server's and the load's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cores {
    /// Contestants alone are on it.
    pub(crate) server: usize,
    /// Who asks them is on it.
    pub(crate) load: usize,
}

impl Cores {
    /// The first two that this process may use; where there is one alone, both are on it.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    pub(crate) fn choose() -> io::Result<Self> {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let server =
            cores.first().ok_or_else(|| io::Error::other("the kernel does not tell which cores there are"))?.id;
        Ok(Self { server, load: cores.get(1).map_or(server, |core| core.id) })
    }

    /// Whether they are two.
    pub(crate) fn apart(self) -> bool {
        self.server != self.load
    }
}

/// The names that this chapter knows: its servers, its scenarios.
pub(crate) fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    let scenarios = SCENARIOS.iter().map(|scenario| scenario.name).chain([idle::NAME]);
    (SERVERS.iter().map(|server| server.name).collect(), scenarios.collect())
}

/// Runs the chapter.
///
/// # Errors
///
/// Those of the system; what is wrong with one server is a note in the report.
pub(crate) fn run(options: &Options, report: &mut Report) -> io::Result<()> {
    let cores = Cores::choose()?;
    println!("\nserver on core {}, load on core {}; contestants:", cores.server, cores.load);
    for server in SERVERS.iter().filter(|server| takes_part(server, options)) {
        println!("  {:<14}{}", server.name, server.what);
    }
    for scenario in SCENARIOS.iter().filter(|scenario| options.runs(scenario.name)) {
        report.add(section(options, scenario, cores));
    }
    if options.runs(idle::NAME) {
        report.add(idle::section(options, cores));
    }
    Ok(())
}

/// Holds connections of all servers on which nothing happens.
pub(crate) fn idle(options: &Options, cores: Cores) -> Section {
    idle::section(options, cores)
}

/// Measures all servers in one scenario.
pub(crate) fn section(options: &Options, scenario: &Scenario, cores: Cores) -> Section {
    let mut notes = Vec::new();
    if !cores.apart() {
        notes.push("there is one core: server and load share it, and the figures are not to be quoted".to_owned());
    }
    let mut contestants = start_all(options, scenario, cores, &mut notes);
    let mut rows = Vec::new();
    if contestants.first().is_some_and(|first| first.server.class == Class::Floor) {
        rows = timed::rows(options, scenario, cores, &mut contestants, &mut notes);
        let servers: Vec<_> = contestants.iter().map(|contestant| contestant.server).collect();
        drop(contestants); // they need not be there while callgrind counts
        let counts = counted::all(options, scenario, cores, &servers, &mut notes);
        for row in &mut rows {
            let counts = counts.iter().find(|(name, _)| *name == row.name);
            row.figures.extend(counts.map_or([None; 3], |(_, counts)| counts.figures()));
        }
    } else {
        notes.push("without the floor there is nothing to compare with".to_owned());
    }
    let columns = timed::columns().into_iter().chain(counted::columns()).collect();
    Section {
        chapter: scenario.protocol.name(),
        name: scenario.name.to_owned(),
        what: scenario.what.to_owned(),
        columns,
        rows,
        notes,
    }
}

/// A server that serves, and answers as it should.
#[derive(Debug)]
struct Contestant {
    server: &'static Server,
    running: Running,
    /// How long its answers are, in bytes.
    answer_bytes: usize,
}

/// Starts and checks those that take part, the floor first; notes why one does not.
fn start_all(options: &Options, scenario: &Scenario, cores: Cores, notes: &mut Vec<String>) -> Vec<Contestant> {
    let mut contestants = Vec::new();
    for server in servers::of(scenario).iter().filter(|server| takes_part(server, options)) {
        match Contestant::start(server, scenario, cores) {
            Ok(contestant) => contestants.push(contestant),
            Err(why) => notes.push(format!("{} is left out: {why}", server.name)),
        }
    }
    contestants
}

/// Whether a server is to be measured: the floor always is.
fn takes_part(server: &Server, options: &Options) -> bool {
    server.class == Class::Floor || options.takes(server.name)
}

impl Contestant {
    fn start(server: &'static Server, scenario: &Scenario, cores: Cores) -> Result<Self, String> {
        Self::checked(server, Running::start(server, scenario, cores.server)?, scenario)
    }

    /// Takes it on if it answers as it should.
    fn checked(server: &'static Server, running: Running, scenario: &Scenario) -> Result<Self, String> {
        let is_exact = server.class != Class::Floor;
        let answer_bytes = check(running.port, scenario, is_exact).map_err(|error| error.to_string())?;
        Ok(Self { server, running, answer_bytes })
    }

    /// Asks it.
    fn ask(&self, scenario: &Scenario, cores: Cores, until: Until) -> io::Result<Outcome> {
        let ask = Ask {
            port: self.running.port,
            pid: self.running.pid(),
            scenario: scenario.name.to_owned(),
            answer_bytes: self.answer_bytes,
            until,
            cores: vec![cores.server, cores.load],
        };
        let output = load(&Orders::Ask(ask), cores)?.output()?;
        Ok(serde_json::from_str(&output)?)
    }
}

/// Starts the load generator.
fn load(orders: &Orders, cores: Cores) -> io::Result<Tied> {
    let command = itself(["load", &serde_json::to_string(orders)?])?;
    Tied::spawn(tie(cores.load, &command)?.stdout(Stdio::piped()).stderr(Stdio::piped()))
}
