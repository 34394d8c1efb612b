//! What was found: a table for the terminal, a file of JSON, a drawing.
//!
//! A chapter gives [`Section`]s: one for each workload, with a row for each contestant and a figure in each column. All
//! three forms are made of these alone, so they cannot tell different things.

mod drawing;
mod machine;
mod number;
mod table;
#[cfg(test)]
mod tests;

use crate::options::Options;
use crate::rounds::Spread;
use machine::Machine;
use serde::Serialize;
use std::io::{self, IsTerminal as _};

/// One workload: who took part and what each needed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Section {
    /// The chapter, as `http`.
    pub(crate) chapter: &'static str,
    /// The workload's name, as on the command line.
    pub(crate) name: String,
    /// What it is, in a line.
    pub(crate) what: String,
    /// What each figure is; the first is the main one, by which rows are sorted and which is drawn.
    pub(crate) columns: Vec<Column>,
    /// The contestants.
    pub(crate) rows: Vec<Row>,
    /// What a reader must know, as that a server is not on this machine.
    pub(crate) notes: Vec<String>,
}

/// What a column tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Column {
    /// In a word or three.
    pub(crate) name: String,
    /// `ns`, `B`, `1/s`, or empty.
    pub(crate) unit: &'static str,
    /// Whether less is better.
    pub(crate) less_is_better: bool,
}

/// One contestant in one workload.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: String,
    /// What it is compared as.
    pub(crate) class: Class,
    /// A figure for each column; none where it could not be had, which a note explains.
    pub(crate) figures: Vec<Option<Spread>>,
    /// The main figure over the floor's just before and after.
    pub(crate) to_floor: Option<Spread>,
}

/// What a contestant is compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// What nobody can be under: the work of the kernel alone.
    Floor,
    /// This project.
    Evloop,
    /// What has the same task and does it.
    Peer,
    /// What does less: written by hand for the benchmark, or without the protocol.
    Hand,
}

impl Section {
    /// The peer that is best by the main figure. What does less than a server is no peer, nor is evloop.
    pub(crate) fn best_peer(&self) -> Option<&Row> {
        let peers = self.rows.iter().filter(|row| row.class == Class::Peer);
        let peers = peers.filter_map(|row| Some((row, self.merit(row)?)));
        peers.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(row, _)| row)
    }

    /// A row's main figure as a ratio to the best peer's, by way of the floor where there is one, so that the machine's mood
    /// falls out.
    pub(crate) fn to_best_peer(&self, row: &Row) -> Option<f64> {
        let best = self.best_peer()?;
        match (&row.to_floor, &best.to_floor) {
            (Some(row), Some(best)) => Some(row.median / best.median),
            _ if row.class == Class::Floor && best.to_floor.is_some() => best.to_floor.map(|best| 1.0 / best.median),
            _ => Some(row.main()?.median / best.main()?.median),
        }
    }

    /// What is the less the better, whichever way the main figure goes.
    fn merit(&self, row: &Row) -> Option<f64> {
        let main = row.to_floor.or(row.main())?.median;
        let less_is_better = self.columns.first().is_none_or(|column| column.less_is_better);
        Some(if less_is_better { main } else { -main })
    }

    /// The rows, the floor first and then the best.
    pub(crate) fn sorted(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        if rows.iter().all(|row| row.class == Class::Evloop) {
            return rows; // sizes of one thing, in their order
        }
        let merit = |row: &Row| self.merit(row).unwrap_or(f64::INFINITY);
        rows.sort_by(|a, b| {
            let floor_first = (a.class != Class::Floor).cmp(&(b.class != Class::Floor));
            floor_first.then(merit(a).total_cmp(&merit(b)))
        });
        rows
    }
}

impl Row {
    /// The figure that counts.
    pub(crate) fn main(&self) -> Option<Spread> {
        self.figures.first().copied().flatten()
    }
}

/// Tells a person who waits what is done now, in place of what was told before; empty: nothing any more. A file of errors is
/// told nothing.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

/// The report as it grows.
#[derive(Debug)]
pub(crate) struct Report {
    options: Options,
    machine: Machine,
    sections: Vec<Section>,
}

/// What is written as JSON.
#[derive(Debug, Serialize)]
struct File<'a> {
    /// Counted up when a reader of the former would be misled.
    format: u32,
    machine: &'a Machine,
    rounds: usize,
    seconds: f64,
    /// Whether the run was too short to be quoted.
    quick: bool,
    sections: Vec<Told<'a>>,
}

/// A section with what follows from it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    section: &'a Section,
    best_peer: Option<&'a str>,
    /// For each row, in its place.
    to_best_peer: Vec<Option<f64>>,
}

impl Report {
    /// An empty one, whose directory is there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made.
    pub(crate) fn begin(options: &Options) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", options.out.display()));
        std::fs::create_dir_all(&options.out).map_err(named)?;
        let machine = Machine::here();
        println!("{machine}");
        println!("{}; medians; the spread is that between the quartiles", options.conditions());
        if options.quick {
            println!("a quick run: its figures are not to be quoted");
        }
        Ok(Self { options: options.clone(), machine, sections: Vec::new() })
    }

    /// Prints a section and keeps it for the files.
    pub(crate) fn add(&mut self, section: Section) {
        print!("\n{}", table::of(&section));
        self.sections.push(section);
    }

    /// Writes the files, and says where they are.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub(crate) fn finish(self) -> io::Result<()> {
        let out = &self.options.out;
        let told = |section| {
            let section: &Section = section;
            let to_best_peer = section.rows.iter().map(|row| section.to_best_peer(row)).collect();
            Told { section, best_peer: section.best_peer().map(|row| &*row.name), to_best_peer }
        };
        let file = File {
            format: 1,
            machine: &self.machine,
            rounds: self.options.rounds,
            seconds: self.options.seconds,
            quick: self.options.quick,
            sections: self.sections.iter().map(told).collect(),
        };
        let mut files = vec![("results.json".to_owned(), serde_json::to_string_pretty(&file)? + "\n")];
        let mut chapters: Vec<&str> = self.sections.iter().map(|section| section.chapter).collect();
        chapters.dedup();
        for chapter in chapters {
            let sections: Vec<&Section> = self.sections.iter().filter(|section| section.chapter == chapter).collect();
            files.push((format!("{chapter}.svg"), drawing::of(&sections, &self.machine, &self.options)));
        }
        println!();
        for (name, text) in files {
            let path = out.join(name);
            std::fs::write(&path, text)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            println!("written: {}", path.display());
        }
        Ok(())
    }
}
