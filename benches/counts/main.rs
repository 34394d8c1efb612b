//! User instructions of one operation, counted under valgrind and compared with what is recorded: so that a core that has
//! become slower is a red build, without any timed test.
//!
//! ```text
//! cargo bench --bench counts                  counts all, compares, and fails where one takes more
//! cargo bench --bench counts -- timer         those with `timer` in their names
//! cargo bench --bench counts -- --record      counts all, and records them in benches/counts/recorded.json
//! cargo bench --bench counts -- yield 1000    does the operation 1000 times, and counts nothing: for a profiler
//! ```
//!
//! # How it counts
//! Each operation runs in a process of its own under `valgrind --tool=callgrind`, N times and then 2 N times; the difference
//! divided by N is the cost of one, in which what happens once cancels out. Callgrind counts between the beginning and the
//! end of [`counted`], and not in [`left_out`]: a server's client runs in the server's thread, takes its turn where the loop
//! would wait, and is not in the figure. So no other process or thread decides how many events a wait reports, and the
//! counts are the same from run to run, to two in a thousand. What crosses threads is not counted here, since who
//! sleeps when the other comes differs from run to run.
//!
//! # What it is compared with
//! `recorded.json` has the counts, and the [conditions](conditions::Conditions) that they hold for. More than [`MARGIN`] above
//! fails; more than that below is told, to be recorded, or else the gain may be lost again unseen. Under other conditions, as
//! with another compiler, the table is shown and nothing fails.
//!
//! Who changes a cost on purpose records it in the same commit, and says there why. Who moves to another toolchain records
//! anew, with nothing else in that commit.

#![allow(clippy::print_stdout, reason = "it prints a table")]

mod conditions;
mod http;
mod record;
mod tasks;
mod timers;

use conditions::Conditions;
use record::{Comparison, Record};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, panic, thread};

/// The file of what is recorded.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/counts/recorded.json");

/// What glibc may not choose its `memcpy` and the like by, so that they are those that every processor of the architecture
/// has. See glibc's manual, "Hardware Capability Tunables".
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,\
                        -FSRM,-RTM,-SSE4_1,-SSE4_2,-SSSE3";

/// A line of the table.
struct Operation {
    name: &'static str,
    /// N: so many that one in two hundred more or less is seen, and so few that it takes no second.
    rounds: usize,
    /// Does it so often, within [`counted`].
    run: fn(usize),
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let operations: Vec<&Operation> =
        [tasks::OPERATIONS, timers::OPERATIONS, http::OPERATIONS].into_iter().flatten().collect();
    // cargo says `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => check(&operations, ""),
        ["--record"] => write(&operations),
        [filter] if !filter.starts_with('-') => check(&operations, filter),
        [name, rounds] => {
            let operation = operations.iter().find(|operation| operation.name == name);
            (operation.ok_or_else(|| format!("no operation '{name}'"))?.run)(rounds.parse()?);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("what is wanted? Nothing, a part of a name, --record, or a name and a number".into()),
    }
}

/// Callgrind counts from here to the end of the call.
#[inline(never)]
fn counted(work: Box<dyn FnOnce() + '_>) {
    work();
    black_box(()); // so that it returns from here, and not by way of a jump
}

/// Callgrind does not count in here, where it counted before.
#[inline(never)]
fn left_out(work: &mut dyn FnMut()) {
    work();
    black_box(());
}

/// Counts, and shows what came of it.
fn check(operations: &[&Operation], filter: &str) -> Result<ExitCode, Box<dyn Error>> {
    let recorded = Record::parse(&fs::read_to_string(RECORDED).map_err(|error| format!("{RECORDED}: {error}"))?)?;
    let conditions = Conditions::here()?;
    let now = count_all(operations, filter)?;
    let comparison = Comparison::of(&recorded.instructions, &now, filter);
    println!("{comparison}");
    let differences = recorded.conditions.differences(&conditions);
    if !differences.is_empty() {
        println!("Nothing fails, since these are not the conditions of the record:\n{differences}");
    } else if comparison.fails() {
        println!(
            "That is not as recorded. If it is meant, say why in the commit, and record it there:\n    \
             cargo bench --bench counts -- --record"
        );
        return Ok(ExitCode::FAILURE);
    } else if comparison.gains() {
        println!("Record what has become cheaper, so that it stays so: cargo bench --bench counts -- --record");
    }
    Ok(ExitCode::SUCCESS)
}

/// Counts, and records it.
fn write(operations: &[&Operation]) -> Result<ExitCode, Box<dyn Error>> {
    let record = Record { conditions: Conditions::here()?, instructions: count_all(operations, "")? };
    if let Ok(before) = fs::read_to_string(RECORDED) {
        println!("{}", Comparison::of(&Record::parse(&before)?.instructions, &record.instructions, ""));
    }
    fs::write(RECORDED, record.to_string())?;
    println!("recorded in {RECORDED}");
    Ok(ExitCode::SUCCESS)
}

/// What each takes, by name; as many at a time as there are processors.
fn count_all(operations: &[&Operation], filter: &str) -> Result<BTreeMap<String, f64>, String> {
    let wanted: Vec<_> = operations.iter().filter(|operation| operation.name.contains(filter)).collect();
    if wanted.is_empty() {
        return Err(format!("no operation has '{filter}' in its name"));
    }
    let (next, counts) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some(operation) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            let cost = cost(operation)?;
            counts.lock().expect("nobody panics with it").insert(operation.name.to_owned(), cost);
        }
        Ok::<_, String>(())
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })?;
    Ok(counts.into_inner().expect("nobody panicked with it"))
}

/// Instructions of one, to a tenth.
#[allow(clippy::cast_precision_loss, reason = "these are millions")]
fn cost(operation: &Operation) -> Result<f64, String> {
    let (once, twice) = (count(operation, operation.rounds)?, count(operation, 2 * operation.rounds)?);
    Ok(((twice as f64 - once as f64) / operation.rounds as f64 * 10.0).round() / 10.0)
}

/// Instructions of a process that does it so often.
fn count(operation: &Operation, rounds: usize) -> Result<u64, String> {
    let failed = |what: &str| format!("{} {rounds} times under valgrind: {what}", operation.name);
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        // The environment would move the stack, and our own variables would change the loop.
        .env_clear()
        .envs(env::var_os("PATH").map(|path| ("PATH", path)))
        .env("GLIBC_TUNABLES", TUNABLES)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--toggle-collect=*counts::counted*", "--toggle-collect=*counts::left_out*"])
        .arg(program)
        .args([operation.name, &rounds.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(&error.to_string()))?;
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        Some(instructions) if output.status.success() && instructions > 0 => Ok(instructions),
        _ => Err(failed(&format!("{}\n{told}", output.status))),
    }
}
