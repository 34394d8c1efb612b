//! What a server keeps for each connection on which nothing happens.

use super::{Contestant, Cores, load, start_all};
use crate::load::Orders;
use crate::measure::cpu::resident_bytes;
use crate::options::Options;
use crate::report::{Column, Row, Section, progress};
use crate::rounds::Spread;
use crate::servers::answers::SCENARIOS;
use std::io;
use std::time::Duration;

/// As on the command line.
pub(super) const NAME: &str = "idle";

/// How many connections are held. A server and the process of the clients each have so many descriptors.
const CONNECTIONS: usize = 10_000;

/// The same, in a quick run.
const CONNECTIONS_QUICK: usize = 1000;

/// How long a server is left alone before its memory is read.
const QUIET: Duration = Duration::from_millis(300);

/// Measures it for all servers, one after the other.
pub(super) fn section(options: &Options, cores: Cores) -> Section {
    let connections = if options.quick { CONNECTIONS_QUICK } else { CONNECTIONS };
    let mut notes = Vec::new();
    let mut rows = Vec::new();
    for contestant in start_all(options, &SCENARIOS[0], cores, &mut notes) {
        progress(&format!("{NAME} {}", contestant.server.name));
        match held(&contestant, cores, connections) {
            Ok([per_connection, before]) => rows.push(Row {
                name: contestant.server.name.to_owned(),
                class: contestant.server.class,
                figures: [per_connection, before].map(|figure| Some(Spread::exact(figure))).to_vec(),
                to_floor: None,
            }),
            Err(error) => notes.push(format!("{} is left out: {error}", contestant.server.name)),
        }
    }
    progress("");
    let column = |name: &str| Column { name: name.to_owned(), unit: "B", less_is_better: true };
    Section {
        chapter: "http",
        name: NAME.to_owned(),
        what: format!("{connections} connections after a request each, idle; resident memory"),
        columns: vec![column("per connection"), column("before them")],
        rows,
        notes,
    }
}

/// Resident bytes for each connection, and before there were any.
fn held(contestant: &Contestant, cores: Cores, connections: usize) -> io::Result<[f64; 2]> {
    let running = &contestant.running;
    std::thread::sleep(QUIET);
    let before = resident_bytes(running.pid())?;
    let orders = Orders::Hold { port: running.port, connections, answer_bytes: contestant.answer_bytes };
    let mut clients = load(&orders, cores)?;
    if clients.line()? != "held" {
        clients.output()?;
        return Err(io::Error::other("the connections could not be held"));
    }
    std::thread::sleep(QUIET);
    let with = resident_bytes(running.pid())?;
    #[allow(clippy::cast_precision_loss, reason = "memory of a process is far below 2^52")]
    let [before, grown] = [before, with.saturating_sub(before)].map(|bytes| bytes as f64);
    #[allow(clippy::cast_precision_loss, reason = "connections are few")]
    let connections = connections as f64;
    Ok([grown / connections, before])
}
