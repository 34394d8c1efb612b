//! Who measures the operations: it starts a process for each measurement, the runtimes in turn, and makes a section of
//! each operation.

use super::counted::{self, Each};
use super::{FLOOR, Operation, RUNTIMES, Runtime, Spent, Unit};
use crate::measure;
use crate::measure::child::tie;
use crate::options::Options;
use crate::report::{Class, Column, Report, Row, Section};
use crate::rounds::{Slot, Spread, order, ratios_to_floor};
use std::ffi::OsString;
use std::io;
use std::process::Command;

/// How often an operation is done less often when it is only asked whether all works.
const QUICK: u64 = 20;

/// How often an operation is done for the two counts of instructions, whose difference is told.
const COUNTED: (u64, u64) = (20_000, 60_000);

/// The variable that tells a process which core is not the loop's.
pub(super) const OTHER_CORE: &str = "RACE_OTHER_CORE";

/// Measures all operations that are asked for.
///
/// # Errors
///
/// When this program cannot be started. A runtime that fails at an operation has no figure, and a note.
pub(crate) fn run(options: &Options, report: &mut Report) -> io::Result<()> {
    let harness = Harness::new(options)?;
    for operation in Operation::ALL.into_iter().filter(|operation| options.runs(operation.name())) {
        report.add(harness.section(operation)?);
    }
    Ok(())
}

/// What one operation came to on one runtime.
#[derive(Debug, Default)]
struct Found {
    /// Its main figure, in each round.
    figures: Vec<Option<f64>>,
    /// What each operation does, where that can be counted.
    counted: Option<Each>,
    /// Its main figure over the floor's just before and after, in each round.
    to_floor: Vec<f64>,
}

#[derive(Debug)]
struct Harness<'a> {
    options: &'a Options,
    program: OsString,
    /// The loop's core, and the other.
    cores: (usize, usize),
    /// Why nothing can be counted here, unless it can.
    callgrind: Result<(), String>,
}

impl<'a> Harness<'a> {
    fn new(options: &'a Options) -> io::Result<Harness<'a>> {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let first = cores.first().map_or(0, |core| core.id);
        Ok(Harness {
            options,
            program: std::env::current_exe()?.into_os_string(),
            cores: (first, cores.get(1).map_or(first, |core| core.id)),
            callgrind: measure::find("valgrind"),
        })
    }

    fn section(&self, operation: Operation) -> io::Result<Section> {
        let takes_part = |runtime: &Runtime| self.options.takes(runtime.name);
        let (able, unable): (Vec<_>, Vec<_>) =
            RUNTIMES.into_iter().filter(takes_part).partition(|runtime| (runtime.has)(operation).is_ok());
        let reason =
            |runtime: &Runtime| format!("{}: {}", runtime.name, (runtime.has)(operation).err().unwrap_or_default());
        let mut notes: Vec<String> = unable.iter().map(reason).collect();
        let floor = (FLOOR.has)(operation).is_ok();
        let mut rounds = Vec::new();
        for round in 0..self.options.rounds {
            rounds.push(self.round(operation, &able, floor, round, &mut notes)?);
        }
        let figures = |slot| rounds.iter().map(|round| figure_of(round, slot)).collect::<Vec<_>>();
        let reference = able.iter().position(|runtime| runtime.name == reference(operation));
        let reference = reference.map(|index| figures(Slot::Contestant(index))).unwrap_or_default();
        let to_floor: Vec<_> = rounds.iter().flat_map(|round| ratios_to_floor(round)).collect();
        let mut rows = Vec::new();
        if floor {
            let found = Found { figures: figures(Slot::Floor), ..Found::default() };
            rows.push(row(FLOOR.name, Class::Floor, operation, &found, &reference));
        }
        for (index, runtime) in able.iter().enumerate() {
            let found = Found {
                figures: figures(Slot::Contestant(index)),
                counted: self.count(operation, runtime, &mut notes),
                to_floor: to_floor.iter().filter(|(of, _)| *of == index).map(|(_, ratio)| *ratio).collect(),
            };
            rows.push(row(runtime.name, class(runtime), operation, &found, &reference));
        }
        for runtime in &unable {
            rows.push(row(runtime.name, class(runtime), operation, &Found::default(), &reference));
        }
        notes.extend(self.callgrind.clone().err().filter(|_| is_counted(operation)));
        notes.dedup();
        Ok(Section {
            chapter: "operations",
            name: operation.name().to_owned(),
            what: operation.what().to_owned(),
            columns: columns(operation),
            rows,
            notes,
        })
    }

    /// Each runtime once, in turn with the floor where there is one.
    fn round(
        &self,
        operation: Operation,
        able: &[Runtime],
        floor: bool,
        round: usize,
        notes: &mut Vec<String>,
    ) -> io::Result<Vec<(Slot, Option<f64>)>> {
        let mut slots = Vec::new();
        for slot in order(able.len(), round).into_iter().filter(|slot| floor || *slot != Slot::Floor) {
            let runtime = match slot {
                Slot::Floor => &FLOOR,
                Slot::Contestant(index) => &able[index],
            };
            let figure = match self.measure(runtime, operation)? {
                Ok(spent) => Some(main_figure(operation, &spent)),
                Err(failure) => {
                    notes.push(failure);
                    None
                }
            };
            slots.push((slot, figure));
        }
        Ok(slots)
    }

    /// This program as one that does an operation so often.
    fn command(&self, runtime: &Runtime, operation: Operation, count: u64) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["operation", runtime.name, operation.name(), &count.to_string()]);
        command.env(OTHER_CORE, self.cores.1.to_string());
        command
    }

    /// One measurement in a process of its own, or what it said when it failed.
    fn measure(&self, runtime: &Runtime, operation: Operation) -> io::Result<Result<Spent, String>> {
        let count = if self.options.quick { operation.count() / QUICK } else { operation.count() };
        let ended = tie(self.cores.0, &self.command(runtime, operation, count))?.output()?;
        if ended.status.success() {
            return Ok(Ok(serde_json::from_slice(&ended.stdout)?));
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        Ok(Err(format!(
            "{} failed: {}, {}",
            runtime.name,
            ended.status,
            said.lines().next().unwrap_or("without a word")
        )))
    }

    /// What an operation does on a runtime, where that can be counted.
    fn count(&self, operation: Operation, runtime: &Runtime, notes: &mut Vec<String>) -> Option<Each> {
        if !is_counted(operation) || self.callgrind.is_err() {
            return None;
        }
        let divisor = if self.options.quick { QUICK } else { 1 };
        let counts = (COUNTED.0 / divisor, COUNTED.1 / divisor);
        let each = |of| counted::each(self.cores.0, &|count| self.command(runtime, of, count), counts);
        let counted = match operation {
            // What is cancelled, or fires, was inserted before in the same process.
            Operation::TimerCancel | Operation::TimerFire => {
                each(operation).and_then(|both| Ok(both - each(Operation::TimerInsert)?))
            }
            _ => each(operation),
        };
        counted.map_err(|failure| notes.push(format!("{}: {failure}", runtime.name))).ok()
    }
}

/// Whether an operation's instructions say what it costs: not where threads wait for each other, nor where bytes are
/// asked for.
const fn is_counted(operation: Operation) -> bool {
    matches!(operation.unit(), Unit::CpuNs)
}

/// The figure that an operation is about.
fn main_figure(operation: Operation, spent: &Spent) -> f64 {
    match operation.unit() {
        Unit::CpuNs => spent.cpu_ns,
        Unit::WallNs => spent.wall_ns,
        Unit::Bytes => spent.heap_bytes.unwrap_or(f64::NAN),
    }
}

/// The figure of the first such slot of a round: of the floor's, which has several, that which the round began with.
fn figure_of(round: &[(Slot, Option<f64>)], slot: Slot) -> Option<f64> {
    round.iter().find(|(of, _)| *of == slot).and_then(|(_, figure)| *figure)
}

/// Whom others are compared with: tokio's `LocalSet`, whose tasks stay on their thread too, and tokio where it is about
/// timers.
const fn reference(operation: Operation) -> &'static str {
    if operation.is_of_timers() { "tokio" } else { "local_set" }
}

fn class(runtime: &Runtime) -> Class {
    if runtime.name == "evloop" { Class::Evloop } else { Class::Peer }
}

fn columns(operation: Operation) -> Vec<Column> {
    let column = |name: String, unit| Column { name, unit, less_is_better: true };
    let main = match operation.unit() {
        Unit::CpuNs => column("CPU".to_owned(), "ns"),
        Unit::WallNs => column("time".to_owned(), "ns"),
        Unit::Bytes => column("heap".to_owned(), "B"),
    };
    let mut columns = vec![main, column(format!("to {}", reference(operation)), "")];
    if is_counted(operation) {
        columns.extend([column("instructions".to_owned(), ""), column("allocations".to_owned(), "")]);
    }
    columns
}

/// A row: the main figure, its ratio to the reference in the same round, and what was counted where it is.
fn row(name: &str, class: Class, operation: Operation, found: &Found, reference: &[Option<f64>]) -> Row {
    let figures: Vec<f64> = found.figures.iter().copied().flatten().collect();
    let pairs = found.figures.iter().zip(reference);
    let ratios: Vec<f64> = pairs.filter_map(|(mine, other)| Some((*mine)? / (*other)?)).collect();
    let mut figures = vec![Spread::of(&figures), Spread::of(&ratios)];
    if is_counted(operation) {
        let exact = |of: fn(Each) -> f64| found.counted.map(|each| Spread::exact(of(each)));
        figures.extend([exact(|each| each.instructions), exact(|each| each.allocations)]);
    }
    Row { name: name.to_owned(), class, figures, to_floor: Spread::of(&found.to_floor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_one_round() {
        let figures = vec![Some(10.0), None, Some(40.0)];
        let each = Each { instructions: 7.0, allocations: 1.0 };
        let found = Found { figures, counted: Some(each), to_floor: Vec::new() };
        let reference = [Some(20.0), Some(20.0), Some(20.0)];
        let row = row("evloop", Class::Evloop, Operation::Yield1, &found, &reference);
        assert_eq!(row.figures[0].map(|spread| (spread.median, spread.runs)), Some((25.0, 2)));
        assert_eq!(row.figures[1].map(|spread| (spread.median, spread.runs)), Some((1.25, 2)));
        assert_eq!(row.figures[2], Some(Spread::exact(7.0)));
        assert_eq!(row.figures[3], Some(Spread::exact(1.0)));
    }

    #[test]
    fn who_has_no_figure_has_a_dash_in_each_column() {
        for operation in Operation::ALL {
            let row = row("smol", Class::Peer, operation, &Found::default(), &[Some(1.0)]);
            assert!(row.figures.iter().all(Option::is_none));
            assert_eq!(row.figures.len(), columns(operation).len());
        }
    }

    #[test]
    fn a_round_may_have_several_floors() {
        let round = [(Slot::Floor, Some(1.0)), (Slot::Contestant(0), None), (Slot::Floor, Some(2.0))];
        assert_eq!(figure_of(&round, Slot::Floor), Some(1.0));
        assert_eq!(figure_of(&round, Slot::Contestant(0)), None);
        assert_eq!(figure_of(&round, Slot::Contestant(1)), None);
    }
}
