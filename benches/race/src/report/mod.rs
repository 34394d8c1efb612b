//! What was found: a table for the terminal, a file of JSON, a drawing.
//!
//! A chapter gives [`Section`]s: one for each workload, with a row for each contestant and a figure in each column. All
//! three forms are made of these alone, so they cannot tell different things.

use crate::options::Options;
use crate::rounds::Spread;
use serde::Serialize;
use std::io;

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

/// The report as it grows.
#[derive(Debug)]
pub(crate) struct Report {
    options: Options,
    sections: Vec<Section>,
}

impl Report {
    /// An empty one, whose directory is there.
    ///
    /// # Errors
    ///
    /// When the directory cannot be made.
    pub(crate) fn begin(options: &Options) -> io::Result<Self> {
        std::fs::create_dir_all(&options.out)?;
        Ok(Self { options: options.clone(), sections: Vec::new() })
    }

    /// Prints a section and keeps it for the files.
    pub(crate) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Writes the files.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub(crate) fn finish(self) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(&self.sections)?;
        std::fs::write(self.options.out.join("results.json"), json)
    }
}
