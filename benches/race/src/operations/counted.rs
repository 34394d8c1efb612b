//! What an operation does, as callgrind counts it: the figures that a busy machine does not change.
//!
//! A whole process is counted, once with few operations and once with more. The difference is theirs, and what the
//! process does to begin and to end is in neither.

use crate::measure::callgrind::{self, Work};
use crate::measure::child::tie;
use std::io;
use std::ops::Sub;
use std::process::Command;

/// What each of many operations does in the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Each {
    /// Instructions in user mode.
    pub(super) instructions: f64,
    /// Calls that hand out memory.
    pub(super) allocations: f64,
}

impl Sub for Each {
    type Output = Each;

    /// What is left when a part of the operation is taken off.
    fn sub(self, part: Each) -> Each {
        Each { instructions: self.instructions - part.instructions, allocations: self.allocations - part.allocations }
    }
}

/// What `program`, which takes the number of operations as its last argument, does for each.
///
/// # Errors
///
/// When valgrind cannot be run, or the program fails under it.
pub(super) fn each(core: usize, program: &dyn Fn(u64) -> Command, (few, many): (u64, u64)) -> io::Result<Each> {
    let (less, more) = (whole(core, &program(few))?, whole(core, &program(many))?);
    Ok(between(less, more, many - few))
}

/// What all of a process does.
fn whole(core: usize, command: &Command) -> io::Result<Work> {
    let directory = tempfile::tempdir()?;
    let ended = tie(core, &callgrind::under(command, directory.path()))?.output()?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().last().unwrap_or_default();
        return Err(io::Error::other(format!("under valgrind it ended with {}: {last}", ended.status)));
    }
    callgrind::read(directory.path())
}

/// The share that each of so many operations has in what one process did more than the other.
#[allow(clippy::cast_precision_loss, reason = "counts are smaller than 2^52")]
fn between(less: Work, more: Work, operations: u64) -> Each {
    let share = |less: u64, more: u64| (more as f64 - less as f64) / operations as f64;
    Each {
        instructions: share(less.instructions, more.instructions),
        allocations: share(less.allocations, more.allocations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_did_is_no_operations() {
        let less = Work { instructions: 10_000, allocations: 70 };
        let more = Work { instructions: 14_000, allocations: 90 };
        let each = between(less, more, 40);
        assert_eq!(each, Each { instructions: 100.0, allocations: 0.5 });
        assert_eq!(each - each, Each { instructions: 0.0, allocations: 0.0 });
    }
}
