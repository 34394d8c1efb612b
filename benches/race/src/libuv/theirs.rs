//! libuv's own program for its benchmarks: it is started for one of them, and its figures are read from what it prints.

use super::table::{Bench, Figure};
use super::{LIMIT_SECS, on_its_cores};
use std::io;
use std::path::Path;
use std::process::Command;

/// The figures of one benchmark by libuv's program, or what it said in place of them.
pub(super) fn measure(bench: &Bench, core: usize, program: &Path) -> io::Result<Result<Vec<f64>, String>> {
    // timeout(1) is coreutils': where libuv was built, it is.
    let mut command = Command::new("timeout");
    command.arg(LIMIT_SECS.to_string()).arg(program).arg(bench.name);
    let ended = on_its_cores(bench, core, command)?.output()?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    let figures: Option<Vec<f64>> = bench.figures.iter().map(|figure| read(&said, figure)).collect();
    Ok(figures.ok_or_else(|| format!("{}, {}", ended.status, said.lines().last().unwrap_or("without a word"))))
}

/// The number of a figure in what libuv has printed.
fn read(said: &str, figure: &Figure) -> Option<f64> {
    let mut lines = said.lines().filter(|line| line.contains(figure.line));
    lines.find_map(|line| number_before(line, figure.after))
}

/// The number right before the first occurrence of a text that has one; a comma there stands between thousands.
fn number_before(line: &str, after: &str) -> Option<f64> {
    let before = &line[..line.find(after)?];
    let begin = before.rfind(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').map_or(0, |place| place + 1);
    before[begin..].replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::table::BENCHES;
    use super::*;

    fn figures_of(name: &str, said: &str) -> Vec<Option<f64>> {
        let bench = BENCHES.iter().find(|bench| bench.name == name).unwrap();
        bench.figures.iter().map(|figure| read(said, figure)).collect()
    }

    #[test]
    fn figures_are_found_where_libuv_tells_them() {
        let told = "ok 1 - loop_count\n# loop_count: 2000000 ticks in 0.51s (3890213/s)\n";
        assert_eq!(figures_of("loop_count", told), [Some(3_890_213.0)]);
        let told = "# udp_pummel_1v1: 200120/s received, 200121/s sent. 1000001 received, 1000000 sent in 5.0 seconds.";
        assert_eq!(figures_of("udp_pummel_1v1", told), [Some(200_120.0), Some(200_121.0)]);
        let told = "# tcp-conn-pound-100: 17431 accepts/s (12 failed)";
        assert_eq!(figures_of("tcp4_pound_100", told), [Some(17_431.0), Some(12.0)]);
        let told = "# 10.52 seconds total\n# 1.20 seconds init\n# 9.00 seconds dispatch\n# 0.32 seconds cleanup";
        assert_eq!(figures_of("million_timers", told), [Some(10.52), Some(1.2), Some(9.0), Some(0.32)]);
        let told = "# 3,630,104 async events in 5.0 seconds (726,021/s, 1,014,312 unique handles seen)";
        assert_eq!(figures_of("million_async", told), [Some(726_021.0), Some(1_014_312.0)]);
        let told = "# accept2: 11834 accepts/sec (250000 total)\n#   thread #0: 6000 accepts/sec (125000 total, 50.0%)";
        assert_eq!(figures_of("tcp_multi_accept2", told), [Some(11_834.0)]);
    }

    #[test]
    fn each_concurrency_has_its_own_line() {
        let told = "# 1,000,000 stats (sync): 0.34s (2,941,176/s)\n# 100,000 stats (1 concurrent): 1.10s (90,909/s)";
        let figures = figures_of("fs_stat", told);
        assert_eq!((figures[0], figures[1], figures[6]), (Some(90_909.0), None, Some(2_941_176.0)));
    }

    #[test]
    fn what_is_no_number_is_none() {
        assert_eq!(number_before("not ok 1 - ping_pongs", " roundtrips/s"), None);
        assert_eq!(number_before("many roundtrips/s", " roundtrips/s"), None);
    }
}
