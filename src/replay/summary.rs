//! A trace in numbers.

use crate::picture::{self, spoken};
use evloop::observe::{Cause, Key, Record, Recording, TapedTask, Turn, What};
use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

/// So many of the longest and the latest are told.
const TOLD: usize = 5;

/// How long the loop was not asleep in a turn, in nanoseconds.
pub(super) fn busy(turn: &Turn<'_>) -> u64 {
    turn.end().saturating_sub(turn.begin()).saturating_sub(asleep(turn.records))
}

/// How long the kernel was waited for, in nanoseconds. A question that waits for nothing is work.
fn asleep(records: &[Record]) -> u64 {
    let sleeps = records.iter().map(|record| match record.what {
        What::Kernel { asked, slept, .. } if asked != Some(0) => slept,
        _ => 0,
    });
    sleeps.fold(0, u64::saturating_add)
}

/// The number of the turn that the record at a place is in; the first is 1.
fn turn_number(turns: &[Turn<'_>], place: usize) -> usize {
    turns.partition_point(|turn| turn.at <= place).max(1)
}

/// Some lines about all of it.
pub(super) fn of(recording: &Recording, turns: &[Turn<'_>]) -> String {
    let records = &recording.records;
    let (busy, asleep) = (turns.iter().map(busy).fold(0, u64::saturating_add), asleep(records));
    let mut polls: Vec<usize> = (0..records.len()).filter(|at| records[*at].polled().is_some()).collect();
    let tasks: HashSet<_> = polls.iter().filter_map(|at| records[*at].polled()).collect();
    let mut text = String::new();
    if !recording.whose.is_empty() {
        line(&mut text, &recording.whose.escape_debug().to_string());
    }
    let (turns_told, polls_told) = (counted(turns.len(), "turn"), counted(polls.len(), "poll"));
    let (busy, asleep, tasks) = (time(busy), time(asleep), counted(tasks.len(), "task"));
    line(&mut text, &format!("{turns_told}: {busy} busy, {asleep} asleep; {polls_told} of {tasks}"));
    if recording.dropped > 0 {
        let were = if recording.dropped == 1 { "was" } else { "were" };
        let dropped = counted(recording.dropped, "older record");
        line(&mut text, &format!("{dropped} {were} overwritten (see --trace-records)"));
    }
    polls.sort_by_key(|at| std::cmp::Reverse(records[*at].lasted()));
    if !polls.is_empty() {
        line(&mut text, "\nLongest polls");
    }
    for at in polls.into_iter().take(TOLD) {
        let What::Poll { task, cause, .. } = records[at].what else { continue };
        let (lasted, number) = (time(records[at].lasted()), turn_number(turns, at));
        let (polled, by) = (name(recording, task), woken_by(recording, cause));
        line(
            &mut text,
            &format!("  {lasted:>8}  turn {number:<6} {polled}, woken by {by} {} before", time(records[at].waited())),
        );
    }
    let mut fired: Vec<(u64, usize, u32)> = records.iter().enumerate().filter_map(fired_late).collect();
    fired.sort_by_key(|(latest, ..)| std::cmp::Reverse(*latest));
    if !fired.is_empty() {
        line(&mut text, "\nLatest timers");
    }
    for (latest, at, timers) in fired.into_iter().take(TOLD) {
        let (late, number) = (time(latest), turn_number(turns, at));
        line(&mut text, &format!("  {late:>8}  turn {number:<6} {} fired", counted(timers, "timer")));
    }
    text
}

fn fired_late((at, record): (usize, &Record)) -> Option<(u64, usize, u32)> {
    match record.what {
        What::Timers { fired, latest } if fired > 0 => Some((latest, at, fired)),
        _ => None,
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes what is written");
}

/// A task as text: one that has no name by its key and the place where it was spawned.
pub(super) fn name(recording: &Recording, key: Key) -> String {
    match recording.task(key) {
        Some(TapedTask { name: None, spawned_at, .. }) => {
            let file = spawned_at.rsplit('/').next().unwrap_or_default();
            let place = file.rsplit_once(':').map_or(file, |(place, _column)| place);
            format!("{key:?} of {place}")
        }
        _ => recording.name(key),
    }
}

/// Who or what woke a task.
pub(super) fn woken_by(recording: &Recording, cause: Cause) -> String {
    match cause {
        Cause::Spawn => "its spawn".to_owned(),
        Cause::Task(task) => name(recording, task),
        Cause::Io => "a source".to_owned(),
        Cause::Timer => "a timer".to_owned(),
        Cause::Mail => "another thread".to_owned(),
        _ => "code outside of tasks".to_owned(),
    }
}

/// A number of things.
pub(super) fn counted(number: impl TryInto<u64>, thing: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {thing}"),
        number => format!("{} {thing}s", picture::counted(number)),
    }
}

pub(super) fn time(nanos: u64) -> String {
    spoken(Duration::from_nanos(nanos))
}
