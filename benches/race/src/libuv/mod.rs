//! libuv's own benchmark list on evloop: the same names, shapes and sizes as its `test/benchmark-*.c`, written on the
//! public interface of this project.
//!
//! A callback there is a poll of a task here, a handle that is rung is a task whose waker is called, a helper process
//! with a server is a thread with a loop of its own. What a benchmark checks of itself there is checked here too: a run
//! that lost a byte, a timer or a child has no figure but an error.
//!
//! Beside each figure stands libuv's, of its own program on this machine, when `--libuv-bench` says where that lies:
//! the target `uv_run_benchmarks_a` of its build, out of its own source or that of a distribution's package. Its sizes
//! are its own, so it is not started in a quick look.
//!
//! A benchmark that is about one loop runs on one core with all its threads or processes, for both alike: on several
//! cores its figures depend on where the scheduler puts the two, by a factor of seven within an hour. Those about
//! threads have all cores.

mod accept;
mod children;
mod datagrams;
mod pool;
mod server;
mod streams;
mod table;
mod theirs;
mod threads;
mod turns;

use crate::measure::child::tie;
use crate::options::{Options, unknown};
use crate::report::{Class, Report, Row, Section};
use crate::rounds::Spread;
use nix::unistd::alarm;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use std::fmt::Debug;
use std::io;
use std::process::Command;
use std::time::Duration;
use table::{BENCHES, Bench, Cores, Figure};

/// What `operation` takes as the runtime for a benchmark of this list.
pub(crate) const RUNTIME: &str = "libuv-list";

/// How long a benchmark may take before the kernel ends it, in seconds.
const LIMIT_SECS: u32 = 300;

/// The names of the contestants and of the benchmarks.
pub(crate) fn names() -> (Vec<&'static str>, Vec<&'static str>) {
    (vec!["evloop", "libuv"], BENCHES.iter().map(|bench| bench.name).collect())
}

/// Runs what is asked for of the list.
///
/// # Errors
///
/// When this program cannot be started. A benchmark that fails has no figure, and a note.
pub(crate) fn run(options: &Options, report: &mut Report) -> io::Result<()> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let core = cores.first().map_or(0, |core| core.id);
    let theirs = options.libuv_bench.as_deref().filter(|_| options.takes("libuv") && !options.quick);
    for bench in BENCHES.iter().filter(|bench| options.runs(bench.name)) {
        let mut notes = Vec::new();
        let (mut ours, mut libuvs) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            if options.takes("evloop") {
                note(measure(bench, core, options), "evloop", &mut ours, &mut notes)?;
            }
            if let Some(program) = theirs {
                note(theirs::measure(bench, core, program), "libuv", &mut libuvs, &mut notes)?;
            }
        }
        notes.extend(
            theirs.is_none().then(|| "libuv: --libuv-bench PATH of its uv_run_benchmarks_a, no quick look".to_owned()),
        );
        notes.extend(options.quick.then(|| format!("evloop did {} in place of {}", size(bench, options), bench.size)));
        notes.dedup();
        report.add(Section {
            chapter: "libuv",
            name: bench.name.to_owned(),
            what: bench.what.to_owned(),
            columns: bench.figures.iter().map(Figure::column).collect(),
            rows: vec![row("evloop", Class::Evloop, bench, &ours), row("libuv", Class::Peer, bench, &libuvs)],
            notes,
        });
    }
    Ok(())
}

/// Does one benchmark of the list in this process, and prints its figures as JSON.
///
/// # Errors
///
/// When there is no such benchmark, and when it has found something else than it must.
pub(crate) fn one(name: &str, size: u64) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    allow_descriptors()?;
    alarm::set(LIMIT_SECS); // what hangs is ended by the kernel, whatever it does
    let bench = BENCHES.iter().find(|bench| bench.name == name);
    let known: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
    let bench = bench.ok_or_else(|| io::Error::other(unknown("benchmark", name, &known)))?;
    println!("{}", serde_json::to_string(&(bench.run)(size)?)?);
    Ok(())
}

/// Lets this process have as many descriptors as it may: a thousand sockets each way are more than the usual limit.
fn allow_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// How much of a benchmark is done.
fn size(bench: &Bench, options: &Options) -> u64 {
    if options.quick { bench.size / bench.quick } else { bench.size }
}

/// The figures of one benchmark in a process of its own, or what it said when it failed.
fn measure(bench: &Bench, core: usize, options: &Options) -> io::Result<Result<Vec<f64>, String>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["operation", RUNTIME, bench.name, &size(bench, options).to_string()]);
    if let Some(program) = &options.libuv_bench {
        command.env(children::HELPER, program);
    }
    let mut command = on_its_cores(bench, core, command)?;
    let ended = command.output()?;
    if ended.status.success() {
        return Ok(Ok(serde_json::from_slice(&ended.stdout)?));
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Ok(Err(format!("{}, {}", ended.status, said.lines().next().unwrap_or("without a word"))))
}

/// The command as it is to run: on one core, or wherever it likes.
fn on_its_cores(bench: &Bench, core: usize, command: Command) -> io::Result<Command> {
    match bench.cores {
        Cores::One => tie(core, &command),
        Cores::All => Ok(command),
    }
}

/// Keeps the figures of a run, or says why there are none.
fn note(
    measured: io::Result<Result<Vec<f64>, String>>,
    who: &str,
    runs: &mut Vec<Vec<f64>>,
    notes: &mut Vec<String>,
) -> io::Result<()> {
    match measured? {
        Ok(figures) => runs.push(figures),
        Err(failure) => notes.push(format!("{who} failed: {failure}")),
    }
    Ok(())
}

/// One row: each figure over all runs.
fn row(name: &str, class: Class, bench: &Bench, runs: &[Vec<f64>]) -> Row {
    let figure = |index: usize| Spread::of(&runs.iter().filter_map(|run| run.get(index).copied()).collect::<Vec<_>>());
    Row { name: name.to_owned(), class, figures: (0..bench.figures.len()).map(figure).collect(), to_floor: None }
}

/// So many in that time, by the second.
#[allow(clippy::cast_precision_loss, reason = "what is counted is less than 2^52")]
fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// An error that says what was found, unless it is what it must be.
fn check<T: PartialEq + Debug + Copy>(what: &str, found: T, expected: T) -> io::Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(io::Error::other(format!("{what}: {found:?}, not {expected:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_benchmark_runs_and_finds_what_it_must() {
        allow_descriptors().unwrap();
        alarm::set(LIMIT_SECS); // a byte that is lost ends the test
        for bench in BENCHES {
            let figures = (bench.run)(bench.tiny).unwrap_or_else(|error| panic!("{}: {error}", bench.name));
            assert_eq!(figures.len(), bench.figures.len(), "{}", bench.name);
            assert!(figures.iter().all(|figure| figure.is_finite() && *figure >= 0.0), "{}: {figures:?}", bench.name);
        }
    }

    #[test]
    fn what_was_lost_is_told() {
        assert!(check("bytes", 5, 5).is_ok());
        assert_eq!(check("bytes", 4, 5).unwrap_err().to_string(), "bytes: 4, not 5");
    }

    #[test]
    fn a_row_has_a_spread_for_each_figure() {
        let bench = BENCHES.iter().find(|bench| bench.name == "million_timers").unwrap();
        let row = row("evloop", Class::Evloop, bench, &[vec![4.0, 1.0, 2.0, 1.0], vec![6.0, 2.0, 3.0, 1.0]]);
        assert_eq!(row.figures.len(), 4);
        assert_eq!(row.figures[0].map(|spread| (spread.median, spread.runs)), Some((5.0, 2)));
        assert_eq!(super::row("libuv", Class::Peer, bench, &[]).figures, [None; 4]);
    }
}
