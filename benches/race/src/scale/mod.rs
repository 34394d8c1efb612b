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
