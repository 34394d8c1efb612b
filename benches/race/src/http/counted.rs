//! What is counted, once for each server and with no clock running: system calls, user instructions, allocations.

use super::{Contestant, Cores};
use crate::load::Until;
use crate::measure::callgrind::Work;
use crate::measure::{find, strace};
use crate::options::Options;
use crate::report::{Column, progress};
use crate::rounds::Spread;
use crate::servers::Server;
use crate::servers::answers::Scenario;
use crate::servers::running::Running;
use std::io;

/// With how many requests calls are counted, at least.
const CALLS_OF: u64 = 5000;

/// How many requests the longer of two runs under callgrind has more than the shorter, at least.
const WORK_OF: u64 = 2000;

/// What a request takes, as far as it could be counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    calls: Option<f64>,
    instructions: Option<f64>,
    allocations: Option<f64>,
}

/// What the columns are.
pub(super) fn columns() -> Vec<Column> {
    let column = |name: &str| Column { name: name.to_owned(), unit: "", less_is_better: true };
    vec![column("system calls"), column("instructions"), column("allocations")]
}

impl Counts {
    /// In the order of [`columns`].
    pub(super) fn figures(&self) -> [Option<Spread>; 3] {
        [self.calls, self.instructions, self.allocations].map(|count| count.map(Spread::exact))
    }
}

/// Counts for each of these servers. A quick run counts in the scenario `c64` alone, for callgrind takes seconds to start.
pub(super) fn all(
    options: &Options,
    scenario: &Scenario,
    cores: Cores,
    servers: &[&'static Server],
    notes: &mut Vec<String>,
) -> Vec<(&'static str, Counts)> {
    if options.quick && scenario.name != "c64" {
        notes.push("a quick run counts system calls and instructions in c64 alone".to_owned());
        return Vec::new();
    }
    let tools = [("strace", "system calls"), ("valgrind", "instructions and allocations")].map(|(tool, what)| {
        let found = find(tool);
        if let Err(why) = &found {
            notes.push(format!("no {what}: {why}"));
        }
        found.is_ok()
    });
    let mut counted = Vec::new();
    for server in servers {
        progress(&format!("{} {}, counting", scenario.name, server.name));
        let mut counts = Counts::default();
        if tools[0] {
            match calls(server, scenario, cores) {
                Ok(calls) => counts.calls = Some(calls),
                Err(why) => notes.push(format!("no system calls of {}: {why}", server.name)),
            }
        }
        if tools[1] {
            match work(options, server, scenario, cores) {
                Ok([instructions, allocations]) => {
                    (counts.instructions, counts.allocations) = (Some(instructions), Some(allocations));
                }
                Err(why) => notes.push(format!("no instructions of {}: {why}", server.name)),
            }
        }
        counted.push((server.name, counts));
    }
    progress("");
    counted
}

/// System calls per request.
fn calls(server: &'static Server, scenario: &Scenario, cores: Cores) -> Result<f64, String> {
    let contestant = Contestant::start(server, scenario, cores)?;
    let requests = CALLS_OF.max(batch(scenario) * 4);
    let load = || contestant.ask(scenario, cores, Until::Requests(requests));
    let running = &contestant.running;
    let told = |error: io::Error| error.to_string();
    let (calls, outcome) = strace::count(running.pid(), cores.load, running.directory(), load).map_err(told)?;
    let all: u64 = calls.iter().map(|(_, count)| count).sum();
    if all == 0 { Err("strace has seen none".to_owned()) } else { Ok(per(all, outcome.requests)) }
}

/// Instructions and allocations per request, by the difference of a longer and a shorter run.
fn work(options: &Options, server: &'static Server, scenario: &Scenario, cores: Cores) -> Result<[f64; 2], String> {
    let shorter = batch(scenario) * 4;
    let longer = shorter + if options.quick { WORK_OF / 4 } else { WORK_OF.max(batch(scenario) * 4) };
    let (less, less_requests) = one(server, scenario, cores, shorter)?;
    let (more, more_requests) = one(server, scenario, cores, longer)?;
    let requests = more_requests - less_requests;
    let beyond = |more: u64, less: u64| per(more.saturating_sub(less), requests);
    Ok([beyond(more.instructions, less.instructions), beyond(more.allocations, less.allocations)])
}

/// One run under callgrind: what was done for how many requests.
fn one(server: &'static Server, scenario: &Scenario, cores: Cores, requests: u64) -> Result<(Work, u64), String> {
    let running = Running::start_watched(server, scenario, cores.server)?;
    let contestant = Contestant::checked(server, running, scenario)?;
    let told = |error: io::Error| error.to_string();
    let outcome = contestant.ask(scenario, cores, Until::Requests(requests)).map_err(told)?;
    Ok((contestant.running.work().map_err(told)?, outcome.requests))
}

/// How many requests are on the way at a time.
fn batch(scenario: &Scenario) -> u64 {
    (scenario.connections * scenario.depth) as u64
}

#[allow(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn per(count: u64, requests: u64) -> f64 {
    count as f64 / requests as f64
}
