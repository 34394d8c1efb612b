//! What is measured of a process from outside of it: nothing of this is in the servers, which run as they would anywhere.
//!
//! [`cpu`] reads `/proc`; [`strace`] and [`callgrind`] run those programs and read what they print, each in a run of its own
//! in which no time is measured. Where one of them is not on this machine its figures are left out, with the reason.

pub(crate) mod callgrind;
pub(crate) mod child;
pub(crate) mod cpu;
pub(crate) mod strace;

use std::process::{Command, Stdio};

/// Whether a tool is on this machine, by whether it tells its version.
///
/// # Errors
///
/// The reason why not, in a line.
pub(crate) fn find(tool: &str) -> Result<(), String> {
    let told =
        Command::new(tool).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match told {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{tool} does not run here: {status}")),
        Err(error) => Err(format!("{tool} is not on this machine: {error}")),
    }
}
