//! Placeholder until its owner's file arrives.

use crate::options::Options;
use crate::report::Report;
use std::io;

/// Runs the chapter.
///
/// # Errors
///
/// Those of the system.
pub(crate) fn run(_options: &Options, _report: &mut Report) -> io::Result<()> {
    Ok(())
}

/// Does one operation so often on one runtime, and prints the nanoseconds that each took.
pub(crate) fn one(_runtime: &str, _name: &str, _count: u64) -> io::Result<()> {
    Ok(())
}
