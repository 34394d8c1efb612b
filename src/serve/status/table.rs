//! A status as text: a line about the server, a row for each process, and how evenly connections fell on them.

use super::{LoopBeat, State, Status, WorkerStatus};
use crate::serve::config::Accept;
use anstyle::{AnsiColor, Style};
use std::fmt::{self, Write};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// The columns.
const COLUMNS: usize = 13;
const NAME: usize = 0;
const PID: usize = 1;
const STATE: usize = 2;
const AGE: usize = 3;
const DIED: usize = 4;
const OPEN: usize = 5;
const CONNECTIONS: usize = 6;
const SHARE: usize = 7;
const REQUESTS: usize = 8;
const RATE: usize = 9;
const LAG: usize = 10;
const POOL: usize = 11;
const MEMORY: usize = 12;

/// Two lines over the table: what several columns are about, and each of them.
const GROUPS: [(&str, usize); 2] = [("connections", OPEN), ("requests", REQUESTS)];
const HEADS: [&str; COLUMNS] =
    ["worker", "pid", "state", "age", "died", "open", "all", "share", "all", "per s", "lag", "pool", "memory"];

/// So many connections for each loop say something about how evenly they fall; of fewer, chance has most to say.
const SPREAD_MIN: u64 = 10;

type Row = [String; COLUMNS];

impl fmt::Display for Status {
    /// As [`to_text`](Status::to_text) for any width.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(usize::MAX, false))
    }
}

impl Status {
    /// The status for a person to read, in lines of so many columns, as far as that is possible.
    ///
    /// A row is a process, or one of its loops. `died` is how often the worker has died and was replaced; connections are
    /// those that are open, and all that it has accepted; `share` is which part of all those of the others and its own these
    /// are; `lag` is the longest that a timer had to wait for the loop of late, and `pool` how many jobs wait for how many
    /// threads. Counts are since the process was started. What those have served that are gone is in a row of its own.
    #[must_use]
    pub fn to_text(&self, columns: usize, coloured: bool) -> String {
        let mut text = String::new();
        let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes what is written");
        line(&self.heading());
        for bind in &self.binds {
            line(&format!("  {}", visible(bind)));
        }
        line("");
        let rows = self.rows();
        for row in written(&rows, columns, coloured) {
            line(&row);
        }
        if let Some(spread) = self.spread() {
            line("");
            line(&spread);
        }
        text
    }

    /// The status in one line, without what changes where nothing happens. Counts are those of [`total`](Status::total).
    #[must_use]
    pub fn to_line(&self) -> String {
        let all = self.total();
        let mut states = Vec::new();
        for worker in &self.workers {
            match states.iter_mut().find(|(state, _)| *state == worker.state) {
                Some((_, workers)) => *workers += 1,
                None => states.push((worker.state, 1)),
            }
        }
        let workers: Vec<String> = states.iter().map(|(state, workers)| format!("{workers} {state}")).collect();
        let died = match sum(self.workers.iter().map(|worker| worker.restarts)) {
            0 => String::new(),
            times => format!(", died {}", counted(times, "time")),
        };
        let workers = workers.join(", ") + &died;
        let workers = if self.master { format!(", workers: {workers}") } else { String::new() };
        format!(
            "{}{workers}; connections: {}, open {}; requests: {}, open {}",
            self.state,
            count(all.connections),
            count(all.connections_open),
            count(all.requests),
            count(all.requests_open)
        )
    }

    /// All loops of all processes as one, and what those have served that are gone.
    #[must_use]
    pub fn total(&self) -> LoopBeat {
        let all = self.workers.iter().fold(LoopBeat::default(), |sum, worker| sum.and(&worker.total()));
        LoopBeat {
            requests: all.requests.saturating_add(self.past.requests),
            connections: all.connections.saturating_add(self.past.connections),
            ..all
        }
    }

    fn heading(&self) -> String {
        let age = age(self.age_ms);
        let loops = counted(self.threads as u64, "loop");
        let how = if self.master {
            let workers = counted(self.workers_wanted as u64, "worker");
            let each = if self.workers_wanted == 1 { "" } else { " each" };
            format!("{workers} with {loops}{each}")
        } else {
            loops
        };
        let reloads = match self.reloads {
            0 => String::new(),
            times => format!(", reloaded {}", counted(times, "time")),
        };
        let version = visible(&self.version);
        format!("evloop {version}, process {}: {}, {how}, for {age}{reloads}", self.pid, self.state)
    }

    fn rows(&self) -> Vec<Row> {
        let accepted = sum(self.workers.iter().map(|worker| worker.total().connections));
        let mut rows = Vec::new();
        for worker in &self.workers {
            rows.push(worker.row(accepted));
            if worker.loops.len() > 1 {
                rows.extend(worker.loops.iter().enumerate().map(|(thread, of_loop)| {
                    let mut row = of_loop.cells(accepted);
                    row[NAME] = format!("loop {thread}");
                    row
                }));
            }
        }
        let has_past = self.past.requests > 0 || self.past.connections > 0;
        if has_past {
            let mut row = Row::default();
            row[NAME].push_str("gone");
            row[CONNECTIONS] = count(self.past.connections);
            row[REQUESTS] = count(self.past.requests);
            rows.push(row);
        }
        if has_past || self.workers.len() > 1 {
            let mut row = self.total().cells(0);
            row[NAME].push_str("all");
            row[DIED] = count(sum(self.workers.iter().map(|worker| worker.restarts)));
            row[MEMORY] = memory(sum(self.workers.iter().map(|worker| worker.rss_bytes)));
            rows.push(row);
        }
        rows
    }

    /// How evenly connections fell on those who accept them: on the loops of the processes that are ready.
    fn spread(&self) -> Option<String> {
        let ready = self.workers.iter().filter(|worker| worker.state == State::Ready);
        let each: Vec<(String, u64)> = ready
            .flat_map(|worker| {
                let number = worker.number.map(|number| format!("worker {number}"));
                let many = worker.loops.len() > 1 || number.is_none();
                worker.loops.iter().enumerate().map(move |(thread, of_loop)| {
                    let of_loop_name = many.then(|| format!("loop {thread}"));
                    let name: Vec<String> = number.clone().into_iter().chain(of_loop_name).collect();
                    (name.join(", "), of_loop.connections)
                })
            })
            .collect();
        let all = sum(each.iter().map(|(_, connections)| *connections));
        if each.len() < 2 || all == 0 {
            return None;
        }
        let (most, fewest) =
            (each.iter().max_by_key(|(_, taken)| taken)?, each.iter().rev().min_by_key(|(_, taken)| taken)?);
        if all < SPREAD_MIN * each.len() as u64 {
            let whose = if self.master { "workers of now" } else { "loops" };
            let all = counted(all, "connection");
            return Some(format!("The {whose} have had {all}: too few to tell how evenly they fall."));
        }
        let how = match self.accept {
            Accept::Shared => "one socket for all",
            Accept::ReusePort => "a socket each",
        };
        Some(format!(
            "With {how}, of {} {} took the most, {},\nand {} the fewest, {}; {} each would be even.",
            counted(all, "connection"),
            most.0,
            share(most.1, all),
            fewest.0,
            share(fewest.1, all),
            share(1, each.len() as u64),
        ))
    }
}

impl WorkerStatus {
    /// `accepted` is how many connections all workers have.
    fn row(&self, accepted: u64) -> Row {
        let mut row = if self.loops.is_empty() { Row::default() } else { self.total().cells(accepted) };
        row[NAME] = self.number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        row[PID] = self.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        row[STATE] = self.state.to_string();
        row[AGE] = if self.pid.is_some() { age(self.age_ms) } else { "-".to_owned() };
        row[DIED] = count(self.restarts);
        if self.rss_bytes > 0 {
            row[MEMORY] = memory(self.rss_bytes);
        }
        row
    }
}

impl LoopBeat {
    fn cells(&self, accepted: u64) -> Row {
        let mut row = Row::default();
        row[OPEN] = count(self.connections_open);
        row[CONNECTIONS] = count(self.connections);
        if accepted > 0 {
            row[SHARE] = share(self.connections, accepted);
        }
        row[REQUESTS] = count(self.requests);
        row[RATE] = self.requests_per_second.map_or_else(|| "-".to_owned(), rate);
        row[LAG] = lag(self.lag_us);
        row[POOL] = format!("{}/{}", self.pool_queued, self.pool_threads);
        row
    }
}

/// The table with its head. Numbers end under each other; a state begins there.
fn written(rows: &[Row], columns: usize, coloured: bool) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.chain([HEADS[column].width()]).max().unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let wide = widths.iter().sum::<usize>() + 2 * (COLUMNS - 1) <= columns;
    let gap = if wide { 2 } else { 1 };
    let mut groups = String::new();
    for (name, first) in GROUPS {
        let at = widths[..first].iter().sum::<usize>() + gap * first;
        let at = at + widths[first] - HEADS[first].len(); // where the first head of the group begins
        write!(groups, "{:at$}{name}", "", at = at.saturating_sub(groups.len())).expect("a string takes it");
    }
    let line = |row: &Row, whole: Style| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            let space = " ".repeat(width - cell.width());
            let style = if column == STATE && whole == Style::new() { state_style(cell) } else { whole };
            let cell = if coloured && style != Style::new() { format!("{style}{cell}{style:#}") } else { cell.clone() };
            if column == STATE { cell + &space } else { space + &cell }
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(gap)).trim_end().to_owned()
    };
    let heads = HEADS.map(str::to_owned);
    let dimmed = Style::new().dimmed();
    let groups = if coloured { format!("{dimmed}{groups}{dimmed:#}") } else { groups };
    [groups, line(&heads, dimmed)].into_iter().chain(rows.iter().map(|row| line(row, Style::new()))).collect()
}

/// What is as it should be has no colour.
fn state_style(state: &str) -> Style {
    let colour = match state {
        "" | "ready" | "state" => return Style::new(),
        "hanging" | "pausing" => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    Style::new().fg_color(Some(colour.into()))
}

/// What another process tells may be any number.
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// Digits in threes, as far as there is room for them.
fn count(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    match number {
        10_000_000_000.. => return format!("{:.1}G", number as f64 / 1e9),
        10_000_000.. => return format!("{:.1}M", number as f64 / 1e6),
        _ => {}
    }
    let digits = number.to_string();
    let first = digits.len() % 3;
    let parts = digits.as_bytes()[first..].chunks(3).map(|part| str::from_utf8(part).expect("they are digits"));
    let parts: Vec<&str> = [&digits[..first]].into_iter().filter(|part| !part.is_empty()).chain(parts).collect();
    parts.join(",")
}

fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn share(part: u64, all: u64) -> String {
    format!("{:.1}%", part as f64 / all as f64 * 100.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast takes the nearest number there is"
)]
fn rate(per_second: f64) -> String {
    if per_second < 1000.0 { format!("{per_second:.1}") } else { count(per_second.round() as u64) }
}

fn lag(microseconds: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let number = microseconds as f64;
    match microseconds {
        0..1_000 => format!("{microseconds}µs"),
        1_000..1_000_000 => format!("{:.1}ms", number / 1e3),
        _ => format!("{:.1}s", number / 1e6),
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn memory(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes < 1000.0 { format!("{mebibytes:.1}MiB") } else { format!("{:.1}GiB", mebibytes / 1024.0) }
}

/// A length of time in its two largest units.
fn age(milliseconds: u64) -> String {
    let seconds = Duration::from_millis(milliseconds).as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (1.., ..) => format!("{days}d {}h", hours % 24),
        (_, 1.., _) => format!("{hours}h {}m", minutes % 60),
        (_, _, 1..) => format!("{minutes}m {}s", seconds % 60),
        _ => format!("{seconds}s"),
    }
}

/// Text from outside, without what would move the cursor.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
