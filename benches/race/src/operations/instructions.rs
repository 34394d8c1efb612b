//! How many instructions an operation takes, counted by callgrind: the one figure that a busy machine does not change.
//!
//! A whole process is counted, once with few operations and once with more. The difference is theirs, and what the process
//! does to begin and to end is in neither.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

/// Whether callgrind is on this machine.
pub(super) fn can_be_counted() -> bool {
    let asked = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// The instructions in user mode that `program`, which takes the number of operations as its last argument, needs for each.
///
/// # Errors
///
/// When valgrind cannot be run, or the program fails under it.
pub(super) fn each(program: &Command, (few, many): (u64, u64)) -> io::Result<f64> {
    let (less, more) = (whole(program, few)?, whole(program, many)?);
    #[allow(clippy::cast_precision_loss, reason = "instructions are fewer than 2^52")]
    let each = (more as f64 - less as f64) / (many - few) as f64;
    Ok(each)
}

fn whole(program: &Command, count: u64) -> io::Result<u64> {
    let out = tempfile::NamedTempFile::new()?;
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.path().display()));
    valgrind.arg(program.get_program()).args(program.get_args()).arg(count.to_string());
    let ended = valgrind.stdin(Stdio::null()).output()?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().last().unwrap_or_default();
        return Err(io::Error::other(format!("valgrind ended with {}: {last}", ended.status)));
    }
    let told = fs::read_to_string(out.path())?;
    totals(&told).ok_or_else(|| io::Error::other("callgrind has not told its totals"))
}

/// The sum of a file of callgrind's.
fn totals(told: &str) -> Option<u64> {
    let line = told.lines().rev().find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_those_of_the_whole_file() {
        let told = "version: 1\nevents: Ir\n\nfn=(1) main\n0 12\n\ntotals: 748175151\n";
        assert_eq!(totals(told), Some(748_175_151));
        assert_eq!(totals("version: 1\n"), None);
        assert_eq!(totals("totals:\n"), None);
    }
}
