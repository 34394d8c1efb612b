//! How costs grow: with the number of connections, of timers, of tasks, of sources. What is flat here can be had in any
//! number that memory and descriptors allow.
//!
//! [`connections`] loads evloop and the floor with 1 to 10,000 connections, and tells how much more a request takes among
//! many than among few, over what the kernel itself takes more. [`each`] has the loop hold more and more of one thing, in a
//! process of its own for each size, and tells what one of them takes.

mod connections;
mod each;
mod table;

use crate::http::{self, Cores};
use crate::options::Options;
use crate::report::Report;
use std::io;

pub(crate) use each::{RUNTIME, one};

/// The names that this chapter knows: its contestants, its workloads.
pub(crate) fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    let things = table::THINGS.iter().map(|thing| thing.name);
    (http::names().0, things.chain([connections::NAME, connections::IDLE]).collect())
}

/// Runs the chapter.
///
/// # Errors
///
/// Those of the system; what cannot be measured is a note in the report.
pub(crate) fn run(options: &Options, report: &mut Report) -> io::Result<()> {
    let cores = Cores::choose()?;
    if options.runs(connections::NAME) {
        for section in connections::sections(options, cores) {
            report.add(section);
        }
    }
    if options.runs(connections::IDLE) {
        report.add(connections::idle(options, cores));
    }
    for thing in table::THINGS.iter().filter(|thing| options.runs(thing.name)) {
        report.add(table::section(options, thing, cores)?);
    }
    Ok(())
}
