//! User instructions and allocations, as callgrind counts them: exactly, but for what the order of events changes.
//!
//! Both are read out of callgrind's own file, so no allocator of ours is in the servers, whatever they are written in. What a
//! start costs is in both of two runs and falls out of their difference.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// What a process has done in user mode since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Instructions.
    pub(crate) instructions: u64,
    /// Calls of `malloc`, `calloc`, `realloc` and their aligned kin.
    pub(crate) allocations: u64,
}

/// The functions that hand out memory, as the C library's symbols name them without their prefixes.
const ALLOCATORS: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// How callgrind's files begin; the number of the process follows.
const FILE: &str = "callgrind.";

/// The command that runs `command` under callgrind, whose files go to this directory.
pub(crate) fn under(command: &Command, directory: &Path) -> Command {
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(directory.join(FILE));
    file.push("%p");
    let mut watched = Command::new("valgrind");
    watched.args(["--tool=callgrind", "--trace-children=yes", "--quiet"]).arg(file);
    watched.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            watched.env(name, value);
        }
    }
    if let Some(there) = command.get_current_dir() {
        watched.current_dir(there);
    }
    watched
}

/// What was counted in this directory: of a launcher and its server, the one that did more.
///
/// # Errors
///
/// When there is no file, or it cannot be read.
pub(crate) fn read(directory: &Path) -> io::Result<Work> {
    let mut most = None;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(FILE) {
            let work = parse(&String::from_utf8_lossy(&fs::read(entry.path())?));
            most = most.max(work.map(|work| (work.instructions, work.allocations)));
        }
    }
    let (instructions, allocations) = most.ok_or_else(|| io::Error::other("callgrind has written nothing"))?;
    Ok(Work { instructions, allocations })
}

/// Reads a file of callgrind: the total, and how often functions that allocate were called. A function's name stands where
/// it is first mentioned and is a number from there on.
fn parse(file: &str) -> Option<Work> {
    let mut work = Work::default();
    let mut total = None;
    let mut names: HashMap<&str, bool> = HashMap::new();
    let mut callee_allocates = false;
    for line in file.lines() {
        if let Some(function) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            let allocates = names.entry(number).or_default();
            if !name.is_empty() {
                *allocates = is_allocator(name);
            }
            if line.starts_with('c') {
                callee_allocates = *allocates;
            }
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if callee_allocates {
                work.allocations += calls.split_whitespace().next()?.parse::<u64>().ok()?;
            }
        } else if let Some(totals) = line.strip_prefix("totals: ") {
            total = totals.split_whitespace().next()?.parse().ok();
        }
    }
    work.instructions = total?;
    Some(work)
}

/// Whether this is one of [`ALLOCATORS`], with the prefixes that the C library has for them.
fn is_allocator(name: &str) -> bool {
    let name = name.strip_prefix("__libc_").or_else(|| name.strip_prefix("__")).unwrap_or(name);
    ALLOCATORS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_the_calls_of_allocators_by_number_too() {
        let file = "\
events: Ir

fn=(1) main
16 400
cfn=(2) malloc
calls=3 0
16 200
cfn=(3) write
calls=5 0
16 50

fn=(2)
0 200

fn=(4) grow
cfn=(2)
calls=4 0
16 10
cob=(2) libc
cfn=(5) __libc_realloc
calls=1 0
16 10

totals: 870
";
        assert_eq!(parse(file), Some(Work { instructions: 870, allocations: 8 }));
    }

    #[test]
    fn a_file_that_was_cut_off_counts_nothing() {
        assert_eq!(parse("events: Ir\nfn=(1) main\n16 400\n"), None);
    }
}
