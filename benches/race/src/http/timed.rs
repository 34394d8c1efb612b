//! What is timed: rounds in which each server is loaded in turn with the floor.

use super::{Contestant, Cores};
use crate::load::{Outcome, Until};
use crate::options::Options;
use crate::report::{Column, Row, progress};
use crate::rounds::{Slot, Spread, order, ratios_to_floor};
use crate::servers::answers::Scenario;

/// More than this share of a core for others makes a slot suspect.
const FOREIGN_MAX: f64 = 0.1;

/// Less than this share of the time on its core: the server was waiting for the load, and its throughput says nothing of it.
const BUSY_MIN: f64 = 0.9;

/// What the columns are.
pub(super) fn columns() -> Vec<Column> {
    let column = |name: &str, unit, less_is_better| Column { name: name.to_owned(), unit, less_is_better };
    vec![
        column("CPU", "ns", true),
        column("requests", "1/s", false),
        column("p50", "ns", true),
        column("p99", "ns", true),
        column("p99.9", "ns", true),
    ]
}

/// Their figures for one slot.
fn figures(outcome: &Outcome) -> [f64; 5] {
    #[allow(clippy::cast_precision_loss, reason = "these are far below 2^52, or that little does not matter")]
    let [requests, server, p50, p99, p999] =
        [outcome.requests, outcome.server_ns, outcome.p50_ns, outcome.p99_ns, outcome.p999_ns]
            .map(|count| count as f64);
    [server / requests, requests / outcome.seconds, p50, p99, p999]
}

/// Runs the rounds, the floor being the first contestant. One that fails in a slot has none of that slot, which is noted.
pub(super) fn rows(
    options: &Options,
    scenario: &Scenario,
    cores: Cores,
    contestants: &mut [Contestant],
    notes: &mut Vec<String>,
) -> Vec<Row> {
    let mut slots: Vec<Vec<(Slot, Option<Outcome>)>> = Vec::new();
    for round in 0..options.rounds {
        let mut outcomes = Vec::new();
        for slot in order(contestants.len() - 1, round) {
            let contestant = match slot {
                Slot::Floor => &contestants[0],
                Slot::Contestant(index) => &contestants[index + 1],
            };
            progress(&format!(
                "{} {}, round {} of {}",
                scenario.name,
                contestant.server.name,
                round + 1,
                options.rounds
            ));
            let outcome = contestant.ask(scenario, cores, Until::Seconds(options.seconds));
            if let Err(error) = &outcome {
                notes.push(format!("{} failed in round {}: {error}", contestant.server.name, round + 1));
            }
            outcomes.push((slot, outcome.ok()));
        }
        slots.push(outcomes);
    }
    progress("");
    suspect(contestants, &slots, notes);
    let row = |(place, contestant): (usize, &Contestant)| {
        let slot = place.checked_sub(1).map_or(Slot::Floor, Slot::Contestant);
        row(contestant, slot, &slots)
    };
    contestants.iter().enumerate().map(row).collect()
}

/// What all slots of one contestant come to.
fn row(contestant: &Contestant, of: Slot, slots: &[Vec<(Slot, Option<Outcome>)>]) -> Row {
    let own = slots.iter().flatten().filter(|(slot, _)| *slot == of).filter_map(|(_, outcome)| outcome.as_ref());
    let figures_of_slots: Vec<[f64; 5]> = own.map(figures).collect();
    let column = |place: usize| Spread::of(&figures_of_slots.iter().map(|figures| figures[place]).collect::<Vec<_>>());
    let to_floor = match of {
        Slot::Floor => None,
        Slot::Contestant(index) => {
            let cpu = |slot: &(Slot, Option<Outcome>)| (slot.0, slot.1.as_ref().map(|outcome| figures(outcome)[0]));
            let ratios = slots.iter().flat_map(|round| ratios_to_floor(&round.iter().map(cpu).collect::<Vec<_>>()));
            Spread::of(&ratios.filter(|(other, _)| *other == index).map(|(_, ratio)| ratio).collect::<Vec<_>>())
        }
    };
    Row {
        name: contestant.server.name.to_owned(),
        class: contestant.server.class,
        figures: (0..columns().len()).map(column).collect(),
        to_floor,
    }
}

/// Notes what makes figures suspect: others on the cores, servers that were not busy.
fn suspect(contestants: &[Contestant], slots: &[Vec<(Slot, Option<Outcome>)>], notes: &mut Vec<String>) {
    let outcomes = || slots.iter().flatten().filter_map(|(slot, outcome)| Some((slot, outcome.as_ref()?)));
    let disturbed = outcomes().filter(|(_, outcome)| outcome.foreign > FOREIGN_MAX).count();
    if disturbed > 0 {
        notes.push(format!(
            "in {disturbed} of {} slots others had more than {:.0} % of a core: those are suspect",
            outcomes().count(),
            FOREIGN_MAX * 100.0
        ));
    }
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a run are far below 2^52")]
    let is_idle = |outcome: &Outcome| (outcome.server_ns as f64) < outcome.seconds * 1e9 * BUSY_MIN;
    let mut idle: Vec<_> = outcomes()
        .filter(|(_, outcome)| is_idle(outcome))
        .map(|(slot, _)| match slot {
            Slot::Floor => contestants[0].server.name,
            Slot::Contestant(index) => contestants[index + 1].server.name,
        })
        .collect();
    idle.sort_unstable();
    idle.dedup();
    if !idle.is_empty() {
        let names = idle.join(", ");
        notes.push(format!("not busy all the time, so that requests per second are the load's: {names}"));
    }
}
