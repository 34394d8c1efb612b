//! A dump as text: a tree of lines, none of which grows with what strangers choose.

use super::{Dump, Holding, TaskDump, WaitsFor};
use crate::arena::Key;
use crate::trace::{Cause, Place, Side, Wait};
use std::collections::HashSet;
use std::fmt;

/// How many characters a name is shown with.
const NAME_MAX: usize = 32;
/// How many characters of a place in the source, and of what is behind a descriptor, are shown.
const TEXT_MAX: usize = 96;
/// How many levels of the tree are drawn; those above are counted.
const LEVELS_MAX: usize = 12;
/// How wide the column of the tree is: labels beyond are followed by what they are about at once.
const COLUMN_MAX: usize = 48;
/// How many circles are told, and how many tasks of each.
const CIRCLES_MAX: usize = 8;

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = self.tasks.iter().filter(|task| task.queued.is_some()).count();
        let tasks = self.tasks.len() - usize::from(self.task(Key::NONE).is_some());
        writeln!(f, "{}, {queued} in the queue", count(tasks, "task"))?;
        self.write_deadlocks(f)?;
        let rows = self.rows();
        let width = rows.iter().map(Row::label_width).filter(|width| *width <= COLUMN_MAX).max().unwrap_or(0);
        rows.iter().try_for_each(|row| self.write_row(f, row, width))
    }
}

/// A task in the tree.
struct Row<'a> {
    task: &'a TaskDump,
    /// What is drawn before its label, and in the line below it.
    branches: (String, String),
    label: String,
}

impl Row<'_> {
    fn label_width(&self) -> usize {
        self.branches.0.chars().count() + self.label.chars().count()
    }
}

impl Dump {
    /// The tasks in the order of the tree: children behind their parent, without a call for each level.
    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::with_capacity(self.tasks.len());
        let is_top = |task: &&TaskDump| task.key == Key::NONE || !self.places.contains_key(&task.parent);
        let mut todo: Vec<(&TaskDump, usize, bool)> = Vec::new();
        todo.extend(self.tasks.iter().filter(is_top).map(|task| (task, 0, true)));
        todo.reverse();
        let mut goes_on = Vec::new(); // for each level, whether siblings follow below
        while let Some((task, level, is_last)) = todo.pop() {
            goes_on.truncate(level);
            goes_on.push(!is_last);
            rows.push(Row { task, branches: branches(&goes_on, !task.children.is_empty()), label: self.label(task) });
            let children = task.children.iter().rev().filter_map(|key| self.task(*key));
            todo.extend(children.zip(0..).map(|(child, place)| (child, level + 1, place == 0)));
        }
        rows
    }

    fn label(&self, task: &TaskDump) -> String {
        let orphan = task.parent != Key::NONE && !self.places.contains_key(&task.parent);
        format!("{}{}", self.short(task.key), if orphan { " (its parent has ended)" } else { "" })
    }

    /// A task in a few words.
    fn short(&self, key: Key) -> String {
        match (key, self.task(key)) {
            (Key::NONE, _) => String::from("root"),
            (_, None) => format!("{key:?} (ended)"),
            (_, Some(TaskDump { name: None, .. })) => format!("{key:?}"),
            (_, Some(TaskDump { name: Some(name), .. })) => format!("{key:?} `{}`", escaped(name, NAME_MAX)),
        }
    }

    fn write_row(&self, f: &mut fmt::Formatter<'_>, row: &Row<'_>, width: usize) -> fmt::Result {
        let Row { task, branches: (first, below), label } = row;
        let pad = |used: usize| " ".repeat((width + 2).saturating_sub(used).max(2));
        writeln!(f, "{first}{label}{}{}", pad(row.label_width()), self.state(task))?;
        write!(f, "{below}{}", pad(below.chars().count()))?;
        match task.spawned_at {
            Some(place) => write!(f, "spawned at {}; ", shown(place))?,
            None => f.write_str("the future of `block_on`; ")?,
        }
        f.write_str(&count(usize::try_from(task.polls).unwrap_or(usize::MAX), "poll"))?;
        if let Some(time) = task.polled_for {
            write!(f, " of {time:.1?} together")?;
        }
        writeln!(f, "; woken by {}", self.cause(task.woken_by))
    }

    /// What it does, or waits for.
    fn state(&self, task: &TaskDump) -> String {
        if task.running {
            return String::from("runs: it takes this dump");
        }
        if let Some(place) = task.queued {
            return format!("is to be polled, place {place} in the queue");
        }
        match &*task.waits_for {
            [] => String::from("has not begun"),
            [wait] => format!("waits for {}", self.wait(wait)),
            [one, other, ..] => format!("waits for {}, or {}", self.wait(one), self.wait(other)),
        }
    }

    fn wait(&self, wait: &WaitsFor) -> String {
        match wait {
            WaitsFor::Timer { due_in: Some(due_in) } => format!("a timer, due in {due_in:.1?}"),
            WaitsFor::Timer { due_in: None } => String::from("a timer that has fired or is gone"),
            WaitsFor::Descriptor { fd, side, what, .. } => {
                let side = match side {
                    Side::Read => "something to read",
                    Side::Write => "room to write",
                };
                format!("{side}, descriptor {fd}: {}", escaped(what, TEXT_MAX))
            }
            WaitsFor::Held { wait, by, others } => format!("{}{}", noted(*wait), self.held(by, *others)),
            WaitsFor::Job { class, place: Some(place) } => {
                format!("a job of the pool, place {place} in its queue of {class}")
            }
            WaitsFor::Job { class, place: None } => format!("a job of the pool, of {class}, under way"),
            WaitsFor::Other(Wait::Task(key)) => format!("the end of {}", self.short(*key)),
            WaitsFor::Other(Wait::AnyTask(key)) => format!("the end of {}, or of others with it", self.short(*key)),
            WaitsFor::Other(wait) => noted(*wait),
        }
    }

    fn held(&self, by: &[Holding], others: u32) -> String {
        let mut names: Vec<String> = by.iter().map(|holder| self.holder(*holder)).collect();
        if others > 0 {
            names.push(format!("{others} more"));
        }
        if names.is_empty() { String::from(", held by nobody now") } else { format!(", held by {}", and(&names)) }
    }

    fn holder(&self, holder: Holding) -> String {
        let name = match holder.who {
            Cause::Task(key) => self.short(key),
            _ => String::from("code outside of tasks"),
        };
        if holder.movable { format!("{name} or whom it gave its guard") } else { name }
    }

    fn cause(&self, cause: Cause) -> String {
        match cause {
            Cause::Spawn => String::from("its spawn"),
            Cause::Task(key) => self.short(key),
            Cause::Io => String::from("the kernel"),
            Cause::Timer => String::from("a timer"),
            Cause::Mail => String::from("another thread"),
            Cause::Outside => String::from("code outside of tasks"),
        }
    }

    fn write_deadlocks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let circles = self.deadlocks();
        let mut told = HashSet::new();
        for circle in circles.iter().take(CIRCLES_MAX) {
            let names: Vec<String> = circle.iter().take(CIRCLES_MAX).map(|key| self.short(*key)).collect();
            let more = circle.len() - names.len();
            match &*names {
                [one] => writeln!(f, "DEADLOCK: {one} waits for itself:")?,
                _ if more > 0 => writeln!(f, "DEADLOCK: {} and {more} more wait for each other:", names.join(", "))?,
                _ => writeln!(f, "DEADLOCK: {} wait for each other:", and(&names))?,
            }
            for task in circle.iter().take(CIRCLES_MAX).filter_map(|key| self.task(*key)) {
                if told.insert(task.key) {
                    writeln!(f, "    {} {}", self.short(task.key), self.state(task))?;
                }
            }
        }
        if circles.len() > CIRCLES_MAX {
            writeln!(f, "DEADLOCK: and {} more", circles.len() - CIRCLES_MAX)?;
        }
        Ok(())
    }
}

/// The branches that lead to a task, and those that go on below it.
fn branches(goes_on: &[bool], has_children: bool) -> (String, String) {
    let level = goes_on.len() - 1;
    let skipped = level.saturating_sub(LEVELS_MAX);
    let mut way = if skipped > 0 { format!("({skipped} above) ") } else { String::new() };
    for goes_on in &goes_on[(skipped + 1).min(level)..level] {
        way.push_str(if *goes_on { "│  " } else { "   " });
    }
    let below = |way: &str| format!("{way}{}", if has_children { "│" } else { "" });
    if level == 0 {
        return (way.clone(), below(&way));
    }
    let (here, on) = if goes_on[level] { ("├─ ", "│  ") } else { ("└─ ", "   ") };
    (format!("{way}{here}"), below(&format!("{way}{on}")))
}

/// What was noted, with places in the source that do not grow.
fn noted(wait: Wait) -> String {
    bounded(&wait.to_string(), 2 * TEXT_MAX)
}

fn shown(place: Place) -> String {
    let text = place.to_string();
    let skip = text.chars().count().saturating_sub(TEXT_MAX);
    if skip == 0 { text } else { format!("…{}", text.chars().skip(skip).collect::<String>()) }
}

/// Text of strangers, which moves no cursor, changes no direction and has an end.
fn escaped(text: &str, chars_max: usize) -> String {
    let short: String = text.chars().take(chars_max + 1).collect(); // so that a name without an end costs nothing
    bounded(&short.escape_debug().to_string(), chars_max)
}

fn bounded(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => String::from(text),
    }
}

fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// The last of them behind an "and".
fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}
