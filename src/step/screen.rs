//! What is shown: the turn in words, and the loop before and after it, with what has changed marked.

use super::witness::{Told, Witness, counted, in_short};
use evloop::Runtime;
use evloop::engine::TaskInfo;
use evloop::observe::{Cause, Key, Side, SourceView, View, Wait};

/// The loop as rows of text, before the turn and after it.
#[derive(Debug, Default)]
pub(super) struct Screen {
    before: Vec<Row>,
    after: Vec<Row>,
}

/// What a screen may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) coloured: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    name: String,
    text: String,
}

fn row(name: impl Into<String>, text: impl Into<String>) -> Row {
    Row { name: name.into(), text: text.into() }
}

impl Screen {
    /// What was seen last is now before.
    pub(super) fn look(&mut self, runtime: &Runtime, witness: &Witness) {
        self.before = std::mem::replace(&mut self.after, rows(runtime, witness));
    }

    /// The whole screen. Where there are few rows, blank ones go first, then what the program is about; what does not fit even
    /// then is cut off, but for the last line.
    pub(super) fn text(&self, heading: &str, look: &str, told: &Told, last: &str, size: Size) -> String {
        let Size { columns, rows, coloured } = size;
        let mut lines = Vec::new();
        let mut line = |colour: &str, line: &str| {
            let line = cut(line, columns);
            lines.push(if coloured && !colour.is_empty() {
                format!("\x1b[{colour}m{line}\x1b[0m\n")
            } else {
                line + "\n"
            });
        };
        line("1", heading);
        let about = wrapped(look, columns.min(80));
        for part in &about {
            line("", part);
        }
        line("", "");
        for (phase, told) in told {
            let told = if told.is_empty() { "nothing".to_owned() } else { told.join("; ") };
            let parts = wrapped(&told, columns.min(80).saturating_sub(8).max(20));
            for (place, part) in parts.iter().enumerate() {
                line("", &format!("{:8}{part}", if place == 0 { phase.name() } else { "" }));
            }
        }
        if !told.is_empty() {
            line("", "");
        }
        for (mark, Row { name, text }) in compared(&self.before, &self.after, columns) {
            let colour = match mark {
                '+' => "32",
                '-' => "31",
                _ => "",
            };
            line(colour, format!("{mark} {name:12} {text}").trim_end());
        }
        line("", "");
        line("2", last);
        if lines.len() >= rows {
            lines.retain(|line| line != "\n");
        }
        if lines.len() >= rows {
            lines.drain(1..=about.len());
        }
        if lines.len() >= rows {
            let last = lines.pop();
            lines.truncate(rows.saturating_sub(2));
            lines.extend(last);
        }
        lines.concat()
    }
}

/// Rows with their marks: ` ` for what is as it was, `-` for what was, `+` for what has taken its place, in one line with it
/// where there is room.
fn compared(before: &[Row], after: &[Row], columns: usize) -> Vec<(char, Row)> {
    if before.is_empty() {
        return after.iter().map(|row| (' ', row.clone())).collect();
    }
    let was = |name: &str| before.iter().find(|row| row.name == name);
    let mut all = Vec::new();
    for row in after {
        match was(&row.name) {
            Some(was) if was == row => all.push((' ', row.clone())),
            Some(was) if was.text.len() + row.text.len() + 25 <= columns => {
                all.push(('+', self::row(&*row.name, format!("{} (before: {})", row.text, was.text))));
            }
            was => {
                all.extend(was.map(|was| ('-', was.clone())));
                all.push(('+', row.clone()));
            }
        }
    }
    let gone = before.iter().filter(|row| after.iter().all(|other| other.name != row.name));
    all.extend(gone.map(|row| ('-', row.clone())));
    all
}

/// So much of a line as there is room for; a mark says that there is more.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.to_owned();
    }
    line.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// Lines of so many characters at most, broken between words.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one from the start");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > columns {
            lines.push(word.to_owned());
        } else {
            *last = if last.is_empty() { word.to_owned() } else { format!("{last} {word}") };
        }
    }
    lines
}

fn rows(runtime: &Runtime, witness: &Witness) -> Vec<Row> {
    let (view, tasks) = (runtime.view(), runtime.tasks().infos());
    let now = view.clock.now.as_millis();
    let clock = match witness.stood().as_millis() {
        _ if view.clock.manual => format!("{now} ms, moved by hand"),
        0 => format!("{now} ms"),
        stood => format!("{now} ms; for {stood} of them the loop stood and you thought"),
    };
    let mut rows = vec![row("clock", clock)];
    let ready = view.ready.iter().map(|ready| format!("{} ({})", witness.name(ready.task), short(ready.cause)));
    rows.push(row("ready", or_none(ready.collect::<Vec<_>>().join(", "))));
    for (key, info) in &tasks {
        let text =
            info.waits_for.map_or_else(|| "has not begun".to_owned(), |wait| format!("waits for {}", in_short(wait)));
        rows.push(row(format!("  {}", witness.name(*key)), text));
    }
    wheel(&view, &mut rows);
    for source in &view.sources {
        rows.push(row(
            format!("source {}", source.key.index()),
            format!("{}; {}", sides(source, &tasks, witness), source.describe()),
        ));
    }
    let (pool, jobs) = (view.pool, view.pool.total());
    let (threads, running) = (counted(pool.threads, "thread"), counted(jobs.running, "job"));
    let text = format!("{threads}; {running} running, {} queued", jobs.queued);
    rows.push(row("pool", text));
    rows
}

fn short(cause: Cause) -> &'static str {
    match cause {
        Cause::Spawn => "spawned",
        Cause::Task(_) => "task",
        Cause::Io => "kernel",
        Cause::Timer => "timer",
        Cause::Mail => "mail",
        _ => "outside",
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

/// The levels from the lowest to the highest that holds a timer, a character a slot.
fn wheel(view: &View, rows: &mut Vec<Row>) {
    let wheel = &view.wheel;
    let highest = wheel.levels.iter().rposition(|slots| slots.iter().any(|count| *count > 0)).unwrap_or(0);
    for (level, slots) in wheel.levels.iter().enumerate().take(highest + 1) {
        let hand = wheel.elapsed >> (6 * level) & 63;
        let slots = slots.iter().zip(0..).map(|(count, slot)| match count {
            0 if slot == hand => '|',
            0 => '.',
            1..=9 => char::from_digit(u32::from(*count), 10).unwrap_or('+'),
            _ => '+',
        });
        rows.push(row(format!("level {level}"), slots.collect::<String>()));
    }
    let next = wheel.next.map_or_else(|| "nothing".to_owned(), |next| format!("tick {next}"));
    let armed = counted(wheel.armed, "timer");
    rows.push(row("next", format!("{next}; the hand | is at tick {}, {armed} armed", wheel.elapsed)));
}

/// Who waits for which side of a source, and which sides are ready.
fn sides(source: &SourceView, tasks: &[(Key, TaskInfo)], witness: &Witness) -> String {
    let one = |side: Side| {
        let waits = |wait: Option<Wait>| wait == Some(Wait::Source(source.key, side));
        let who = tasks.iter().find(|(_, info)| waits(info.waits_for)).map(|(key, _)| witness.name(*key));
        let name = if side == Side::Read { "read" } else { "write" };
        match who {
            _ if source.ready.contains(&side) => format!("{name}: ready"),
            Some(who) if source.waiting.contains(&side) => format!("{name}: {who} waits"),
            _ => format!("{name}: spent"),
        }
    };
    format!("{}, {}", one(Side::Read), one(Side::Write))
}
