//! What one operation of each door costs: system calls, allocations, and polls.
//!
//! `cargo bench --bench costs` prints a table in Markdown; `cargo bench --bench costs -- udp` the lines with `udp` in them.
//!
//! Every operation is done N times and 2 N times, each on a loop of its own, and the difference is divided by N: what
//! happens once cancels out. Allocations are those of all threads, a growth in place among them. Polls are those of tasks,
//! told by an observer. System calls are counted by `strace -c` in a process of their own: where there is no strace, their
//! columns stay empty. What crosses threads takes more or fewer calls (`futex`, `epoll_wait`, the bell's `write`) according
//! to who sleeps when the other comes, under strace most of all: there the figures are of one run.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it prints a table, and what it cannot measure ends it")]

mod files;
mod net;
mod tasks;

use evloop::Runtime;
use evloop::engine::Key;
use evloop::engine::trace::{Cause, Observer};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::{env, fs};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How a child is told what to do, and how often.
const CHILD: &str = "--operation";

/// How often an operation is done.
const MANY: usize = 1_000;
/// How often one that waits for the clock, the disk, or a process.
const FEW: usize = 50;

/// A line of the table.
struct Operation {
    /// The module that has it.
    door: &'static str,
    what: &'static str,
    rounds: usize,
    run: Run,
}

/// Does it as often as told.
type Run = Box<dyn Fn(usize) -> Pin<Box<dyn Future<Output = ()>>>>;

fn operation<F: Future<Output = ()> + 'static>(
    door: &'static str,
    what: &'static str,
    rounds: usize,
    run: impl Fn(usize) -> F + 'static,
) -> Operation {
    Operation { door, what, rounds, run: Box::new(move |rounds| Box::pin(run(rounds))) }
}

fn main() {
    let operations: Vec<Operation> =
        [tasks::operations(), net::operations(), files::operations()].into_iter().flatten().collect();
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [flag, place, rounds] = &arguments[..]
        && flag == CHILD
    {
        let operation = &operations[place.parse::<usize>().unwrap()];
        return evloop::block_on((operation.run)(rounds.parse().unwrap()));
    }
    let filter = arguments.into_iter().find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    println!("| Door | Operation | System calls | which | Allocations | Polls |");
    println!("| --- | --- | ---: | --- | ---: | ---: |");
    for (place, operation) in operations.iter().enumerate() {
        if operation.door.contains(&filter) || operation.what.contains(&filter) {
            let (allocations, polls) = inside(operation);
            let (calls, which) = if strace { traced(place, operation.rounds) } else { Default::default() };
            let Operation { door, what, .. } = operation;
            println!("| `{door}` | {what} | {calls} | {which} | {} | {} |", number(allocations), number(polls));
        }
    }
}

/// Counts polls.
#[derive(Default)]
struct Polls(Cell<usize>);

impl Observer for Polls {
    fn poll_begin(&self, _: Key, _: Cause) {
        self.0.set(self.0.get() + 1);
    }
}

/// Allocations and polls of one operation.
fn inside(operation: &Operation) -> (f64, f64) {
    let count = |rounds: usize| {
        let polls = Rc::new(Polls::default());
        let runtime = Runtime::builder().observer(Rc::<Polls>::clone(&polls)).build().unwrap();
        let before = ALLOCATOR.stats();
        runtime.block_on((operation.run)(rounds));
        let after = ALLOCATOR.stats() - before;
        (after.allocations + after.reallocations, polls.0.get())
    };
    count(operation.rounds); // what the process makes once
    let (once, twice) = (count(operation.rounds), count(2 * operation.rounds));
    (per_round(operation.rounds, once.0, twice.0), per_round(operation.rounds, once.1, twice.1))
}

/// System calls of one operation, and their names.
fn traced(place: usize, rounds: usize) -> (String, String) {
    let (once, twice) = (calls(place, rounds), calls(place, 2 * rounds));
    let each = twice.into_iter().map(|(name, calls)| {
        let before = once.get(&name).copied().unwrap_or_default();
        (per_round(rounds, before, calls), name)
    });
    let mut each: Vec<_> = each.filter(|(calls, _)| *calls >= 0.05).collect();
    each.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    let names: Vec<_> = each.iter().map(|(calls, name)| format!("{} {name}", number(*calls))).collect();
    (number(each.iter().map(|(calls, _)| calls).sum()), names.join(", "))
}

/// The system calls of a whole process that does it so often, by name.
fn calls(place: usize, rounds: usize) -> BTreeMap<String, usize> {
    let told = tempfile::NamedTempFile::new().unwrap();
    let program = env::current_exe().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(told.path()).arg(program).args([
        CHILD,
        &place.to_string(),
        &rounds.to_string(),
    ]);
    assert!(strace.status().unwrap().success(), "strace, or what it traced, failed");
    // `% time`, `seconds`, `usecs/call`, `calls`, `errors` if there are any, and the name.
    let table = fs::read_to_string(told.path()).unwrap();
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let of_call = |columns: Vec<&str>| {
        let name = columns.last().filter(|name| **name != "total")?;
        Some(((*name).to_owned(), columns.get(3)?.parse().ok()?))
    };
    lines.filter_map(of_call).collect()
}

#[allow(clippy::cast_precision_loss, reason = "these are thousands")]
fn per_round(rounds: usize, once: usize, twice: usize) -> f64 {
    (twice as f64 - once as f64) / rounds as f64
}

/// To one place, and without it where it is a zero.
fn number(value: f64) -> String {
    let text = format!("{:.1}", value.max(0.0));
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
