//! Turns of a trace as a picture: what the loop did, under it a row for each task, and the wakes as arrows.

use super::summary::{self, counted, name, time, woken_by};
use crate::picture::{Kind, Lanes, Picture};
use evloop::observe::{After, Key, Record, Recording, Turn, What};
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// The tasks that ran for longest get a row each, the others one together.
const ROWS_MAX: usize = 16;
/// Where nothing but sleep would be seen, a sleep is as long as this part of the time awake.
const SLEEPS_PER_AWAKE: u64 = 6;
/// Shorter than this is no sleep worth folding, in nanoseconds.
const KEPT_MIN: u64 = 1_000;

/// More records than this are more than anybody can tell apart.
const RECORDS_MAX: usize = 10_000;

const LOOP: &str = "the loop";

/// The turns at those places among all.
pub(super) fn of(recording: &Recording, turns: &[Turn<'_>], shown: Range<usize>) -> Picture {
    let title = match (shown.start + 1, shown.end) {
        (first, last) if first == last => format!("Turn {first} of {}", turns.len()),
        (first, last) => format!("Turns {first} to {last} of {}", turns.len()),
    };
    let turns = &turns[shown];
    let axis = Axis::of(turns);
    let mut drawing = Drawing { recording, axis, rows: rows(recording, turns), lanes: Lanes::new("") };
    drawing.lanes.row(LOOP);
    let records = || turns.iter().flat_map(|turn| (turn.at..).zip(turn.records));
    for (place, record) in records().take(RECORDS_MAX) {
        drawing.record(place, record, turns[0].at);
    }
    let left_out = match records().skip(RECORDS_MAX).count() {
        0 => String::new(),
        more => format!(" {} behind the first {RECORDS_MAX} are left out.", counted(more, "record")),
    };
    let about = format!(
        "Row by row: the loop's phases, then each task from its wake over its place in the queue to its polls. Arrows lead \
         from the wake to the poll that it brought.{}{left_out}",
        drawing.axis.told()
    );
    let picture = Picture::new(title).about(about).lanes(drawing.lanes);
    let picture =
        picture.meaning(Kind::Run, "a task is polled").meaning(Kind::Queue, "it was woken, and is in the queue");
    picture.meaning(Kind::Away, "on a thread of the pool").meaning(Kind::Loop, "a phase of the loop")
}

/// The row of each task, and of the pool's jobs.
fn rows(recording: &Recording, turns: &[Turn<'_>]) -> HashMap<Key, String> {
    let mut ran: Vec<(Key, u64)> = Vec::new();
    let mut places = HashMap::new();
    for record in turns.iter().flat_map(|turn| turn.records) {
        let Some(task) = record.polled() else { continue };
        let place = *places.entry(task).or_insert(ran.len());
        if place == ran.len() {
            ran.push((task, 0));
        }
        ran[place].1 = ran[place].1.saturating_add(record.lasted());
    }
    ran.sort_by_key(|(_, lasted)| std::cmp::Reverse(*lasted));
    let others = format!("{} more", counted(ran.len().saturating_sub(ROWS_MAX), "task"));
    let row = |(at, (task, _)): (usize, &(Key, u64))| {
        (*task, if at < ROWS_MAX { name(recording, *task) } else { others.clone() })
    };
    ran.iter().enumerate().map(row).collect()
}

struct Drawing<'a> {
    recording: &'a Recording,
    axis: Axis,
    rows: HashMap<Key, String>,
    lanes: Lanes,
}

impl Drawing<'_> {
    fn record(&mut self, place: usize, record: &Record, first: usize) {
        let (from, until) = (self.axis.at(record.begin), self.axis.at(record.end));
        match record.what {
            What::Kernel { asked, slept, events } => {
                let answered = self.axis.at(record.begin.saturating_add(slept));
                let kind = if asked == Some(0) { Kind::Loop } else { Kind::Sleep };
                let waited =
                    if asked == Some(0) { "asked the kernel".to_owned() } else { format!("asleep {}", time(slept)) };
                self.lanes.span(LOOP, kind, format!("{waited}, {}", counted(events, "event")), from, answered);
                self.lanes.span(LOOP, Kind::Loop, "events", answered, until);
            }
            What::Timers { fired, latest } => {
                let label = format!("timers, {} fired, the latest {} late", fired, time(latest));
                self.lanes.span(LOOP, Kind::Loop, label, from, until);
            }
            What::Phase(phase) => self.lanes.span(LOOP, Kind::Loop, phase.name(), from, until),
            What::Poll { task, .. } => self.poll(place, record, task, first),
            What::Job { task, .. } => {
                let row = format!("job of {}", name(self.recording, task));
                self.lanes.span(&row, Kind::Queue, "queued", self.axis.at(record.since), from);
                self.lanes.span(&row, Kind::Away, "in the pool", from, until);
            }
            What::Cancel { task } => {
                if let Some(row) = self.rows.get(&task) {
                    self.lanes.mark(row, "cancelled", from);
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, place: usize, record: &Record, task: Key, first: usize) {
        let What::Poll { cause, wake, then, .. } = record.what else { return };
        let Some(row) = self.rows.get(&task) else { return };
        let (since, from) = (self.axis.at(record.since), self.axis.at(record.begin));
        let by = woken_by(self.recording, cause);
        if wake.is_some() {
            self.lanes.span(row, Kind::Queue, format!("queued, woken by {by}"), since, from);
        }
        let then = match then {
            After::Waits(wait) => format!("waits for {}", self.recording.wait(wait)),
            After::Ended => "ended".to_owned(),
            After::Open => "goes on".to_owned(),
        };
        self.lanes.span(row, Kind::Run, format!("{}, {then}", time(record.lasted())), from, self.axis.at(record.end));
        let Some(waker) = self.recording.waker(place).filter(|waker| *waker >= first) else { return };
        let source = match self.recording.records[waker].polled() {
            Some(waker) => self.rows.get(&waker).map_or(LOOP, |row| row.as_str()),
            None => LOOP,
        };
        if source != row {
            self.lanes.arrow((source, since), (row, since), format!("woken by {by}"));
        }
    }
}

/// From nanoseconds of the loop's clock to the time on the picture, where long sleeps are folded.
struct Axis {
    begin: u64,
    end: u64,
    /// No sleep is longer than this.
    kept: u64,
    /// When the folded part of each sleep begins, and when it ends.
    folds: Vec<Range<u64>>,
}

impl Axis {
    fn of(turns: &[Turn<'_>]) -> Axis {
        let begin = turns.first().map_or(0, Turn::begin);
        let end = turns.last().map_or(begin, Turn::end).max(begin);
        let awake = turns.iter().map(summary::busy).fold(0, u64::saturating_add);
        let kept = (awake / SLEEPS_PER_AWAKE).max(KEPT_MIN);
        let folds = turns.iter().flat_map(|turn| turn.records).filter_map(|record| match record.what {
            What::Kernel { slept, .. } if slept > kept => {
                let answered = record.begin.saturating_add(slept);
                Some(answered - (slept - kept)..answered)
            }
            _ => None,
        });
        Axis { begin, end, kept, folds: folds.collect() }
    }

    /// What lies before or behind the turns is at their beginning or end.
    fn at(&self, nanos: u64) -> Duration {
        let nanos = nanos.clamp(self.begin, self.end);
        let folded = self.folds.iter().map(|fold| nanos.clamp(fold.start, fold.end) - fold.start);
        Duration::from_nanos((nanos - self.begin).saturating_sub(folded.fold(0, u64::saturating_add)))
    }

    fn told(&self) -> String {
        match self.folds.len() {
            0 => String::new(),
            1 => format!(" One long sleep is drawn as {}.", time(self.kept)),
            folds => format!(" {folds} long sleeps are drawn as {} each.", time(self.kept)),
        }
    }
}
