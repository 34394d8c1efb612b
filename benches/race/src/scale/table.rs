//! What a loop is given more and more of, and how that is told.

use super::each::{self, RUNTIME};
use crate::http::Cores;
use crate::measure::child::{itself, tie};
use crate::options::Options;
use crate::report::{Class, Column, Row, Section, progress};
use crate::rounds::Spread;
use std::io;

/// Something that a loop can have many of.
#[derive(Debug)]
pub(super) struct Thing {
    /// As on the command line.
    pub(super) name: &'static str,
    what: &'static str,
    /// How many there are at once, from few to many.
    sizes: &'static [u64],
    /// What is told of each: a name, and `ns` or `B`.
    pub(super) columns: &'static [(&'static str, &'static str)],
    /// Measures so many, one figure for each column.
    pub(super) measure: fn(u64) -> io::Result<Vec<f64>>,
}

/// All of them.
pub(super) const THINGS: &[Thing] = &[
    Thing {
        name: "timers",
        what: "so many at once, by what each takes; they fire a hundred in a tick, on a clock that is moved by hand",
        sizes: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        columns: &[("insert", "ns"), ("cancel", "ns"), ("fire", "ns"), ("heap", "B"), ("resident", "B")],
        measure: each::timers,
    },
    Thing {
        name: "tasks",
        what: "so many at once, by what each takes: spawned and polled, woken and polled, woken and ended",
        sizes: &[1_000, 10_000, 100_000, 1_000_000],
        columns: &[("spawn", "ns"), ("wake", "ns"), ("end", "ns"), ("heap", "B"), ("resident", "B")],
        measure: each::tasks,
    },
    Thing {
        name: "sources",
        what: "so many descriptors that the loop watches, eventfds, by what each takes: registered and removed, with its calls",
        sizes: &[1_000, 10_000],
        columns: &[("register", "ns"), ("remove", "ns"), ("heap", "B"), ("resident", "B")],
        measure: each::sources,
    },
];

/// More than so many are left out of a quick run.
const QUICK_MAX: u64 = 1_000_000;

/// Measures a thing in each of its sizes, each time in a process of its own; one size after the other in each round.
///
/// # Errors
///
/// Those of the system; what fails is a note.
pub(super) fn section(options: &Options, thing: &Thing, cores: Cores) -> io::Result<Section> {
    let sizes: Vec<u64> = thing.sizes.iter().copied().filter(|size| !options.quick || *size <= QUICK_MAX).collect();
    let mut found = vec![Vec::new(); sizes.len()];
    let mut notes = Vec::new();
    for round in 1..=options.rounds {
        for (size, found) in sizes.iter().zip(&mut found) {
            progress(&format!("{} {size}, round {round} of {}", thing.name, options.rounds));
            let command = itself(["operation", RUNTIME, thing.name, &size.to_string()])?;
            let output = tie(cores.server, &command)?.output()?;
            if output.status.success() {
                found.push(serde_json::from_slice::<Vec<f64>>(&output.stdout)?);
            } else {
                let said = String::from_utf8_lossy(&output.stderr);
                notes.push(format!("{size} failed: {}", said.lines().last().unwrap_or("without a word")));
            }
        }
    }
    progress("");
    let column = |&(name, unit): &(&str, &'static str)| Column { name: name.to_owned(), unit, less_is_better: true };
    Ok(Section {
        chapter: "scale",
        name: thing.name.to_owned(),
        what: thing.what.to_owned(),
        columns: thing.columns.iter().map(column).collect(),
        rows: sizes.iter().zip(&found).map(|(size, found)| row(*size, thing.columns.len(), found)).collect(),
        notes,
    })
}

fn row(size: u64, columns: usize, found: &[Vec<f64>]) -> Row {
    let column =
        |place: usize| Spread::of(&found.iter().filter_map(|figures| figures.get(place).copied()).collect::<Vec<_>>());
    Row { name: size.to_string(), class: Class::Evloop, figures: (0..columns).map(column).collect(), to_floor: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_a_figure_for_each_column() {
        for thing in THINGS {
            let figures = (thing.measure)(1_000).unwrap();
            assert_eq!(figures.len(), thing.columns.len(), "{}", thing.name);
            assert!(figures.iter().all(|figure| figure.is_finite() && *figure >= 0.0), "{}: {figures:?}", thing.name);
        }
    }

    #[test]
    fn a_row_has_the_median_of_each_column() {
        let row = row(7, 2, &[vec![1.0, 10.0], vec![3.0, 30.0], vec![2.0, 20.0]]);
        let medians: Vec<f64> = row.figures.iter().map(|figure| figure.unwrap().median).collect();
        assert_eq!(medians, [2.0, 20.0]);
    }

    #[test]
    fn what_failed_has_no_figures() {
        assert_eq!(row(7, 2, &[]).figures, [None, None]);
    }
}
