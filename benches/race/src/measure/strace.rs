//! System calls, as strace counts them.

use super::child::{Tied, tie};
use procfs::process::Process;
use rustix::process::Signal;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long strace may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a process is asked whether it is watched.
const GLANCE: Duration = Duration::from_millis(5);

/// Calls by name, those most often made first.
pub(crate) type Calls = Vec<(String, u64)>;

/// Counts the calls of a process and its threads while `load` runs, which must end by itself.
///
/// # Errors
///
/// What keeps strace from it, or what `load` ends with.
pub(crate) fn count<T>(
    pid: i32,
    core: usize,
    directory: &Path,
    load: impl FnOnce() -> io::Result<T>,
) -> io::Result<(Calls, T)> {
    let file = directory.join("strace");
    let mut strace = Command::new("strace");
    strace.args(["-c", "-f", "-p", &pid.to_string(), "-o"]).arg(&file);
    let mut tied = tie(core, &strace)?;
    let mut strace = Tied::spawn(tied.stdout(Stdio::null()).stderr(Stdio::null()))?;
    wait_until_watched(pid, &mut strace)?;
    let loaded = load()?;
    strace.end(Signal::INT, PATIENCE)?;
    Ok((parse(&std::fs::read_to_string(file)?), loaded))
}

/// Waits until somebody traces the process.
fn wait_until_watched(pid: i32, strace: &mut Tied) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let status = Process::new(pid).and_then(|process| process.status()).map_err(io::Error::other)?;
        if status.tracerpid != 0 {
            return Ok(());
        }
        if strace.ended()?.is_some() || begun.elapsed() > PATIENCE {
            return Err(io::Error::other("strace may not watch processes here"));
        }
        std::thread::sleep(GLANCE);
    }
}

/// Reads the table that `strace -c` prints: between two rules, the number of calls is fourth in a row and the name last.
fn parse(table: &str) -> Calls {
    let is_rule = |line: &&str| line.starts_with("------");
    let rows = table.lines().skip_while(|line| !is_rule(line)).skip(1).take_while(|line| !is_rule(line));
    let mut calls: Calls = rows
        .filter_map(|row| {
            let mut words = row.split_whitespace();
            let count = words.nth(3)?.parse().ok()?;
            Some((words.last()?.to_owned(), count))
        })
        .collect();
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_with_errors_and_without() {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.53    0.012345           1      4100        12 recvfrom
 38.47    0.007654           1      8200           sendto
------ ----------- ----------- --------- --------- ----------------
100.00    0.019999           1     12300        12 total
";
        assert_eq!(parse(table), [("sendto".to_owned(), 8200), ("recvfrom".to_owned(), 4100)]);
    }

    #[test]
    fn what_is_no_table_has_no_calls() {
        assert_eq!(parse(""), []);
        assert_eq!(parse("strace: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted\n"), []);
    }
}
