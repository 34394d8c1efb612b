//! Traces that evloop wrote: in numbers, as a time line, and asked why one task ran before another.

mod drawing;
mod summary;

use crate::cli::Turns;
use crate::picture::{Picture, near};
use evloop::observe::{Key, Recording, Turn};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// That many turns before and after the longest one are shown with it.
const NEIGHBOURS: usize = 1;
/// The last ones, if those are wanted.
const LAST: usize = 8;
/// More turns than this are not drawn at once: nobody could tell them apart.
const DRAWN_MAX: usize = 200;

/// The numbers of a trace, and a picture of some of its turns; or one line about what is wrong.
pub(crate) fn show(file: &Path, wanted: &Turns) -> Result<(String, Picture), String> {
    let recording = read(file)?;
    let turns: Vec<Turn<'_>> = recording.turns().collect();
    if turns.is_empty() {
        return Err(format!("{}: there is no turn in this trace", file.display()));
    }
    let shown = choose(&turns, wanted).map_err(|error| format!("{}: {error}", file.display()))?;
    let summary = summary::of(&recording, &turns);
    Ok((summary, drawing::of(&recording, &turns, shown)))
}

/// Why one task ran before another; or one line about what is wrong.
pub(crate) fn why(file: &Path, [a, b]: &[String; 2]) -> Result<String, String> {
    let recording = read(file)?;
    let [a, b] = [find(&recording, a)?, find(&recording, b)?];
    let why = recording.why(a, b).map_err(|none| none.to_string())?;
    Ok(format!("{why}\n"))
}

fn read(file: &Path) -> Result<Recording, String> {
    let read = File::open(file).and_then(Recording::read_chrome);
    read.map_err(|error| format!("{}: {error}", file.display()))
}

/// The one task that is meant.
fn find(recording: &Recording, text: &str) -> Result<Key, String> {
    let mut found = recording.find(text);
    if found.is_empty() {
        found.extend(printed(recording, text));
    }
    match found[..] {
        [task] => Ok(task),
        [] if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("there is no task {text:?}; a number is as 6#7: `evloop trace FILE` prints them"))
        }
        [] => {
            let names = recording.tasks.iter().filter_map(|task| task.name.as_deref());
            Err(format!("there is no task {text:?}{}", near(text, names)))
        }
        [first, second, ..] => Err(format!(
            "{} tasks are called {text:?}: say which by its number, as {first:?} or {second:?}",
            found.len()
        )),
    }
}

/// The task that is told by this text, name and number in one, as in a summary or an answer to why.
fn printed(recording: &Recording, text: &str) -> Option<Key> {
    let numbers = text.split_whitespace().filter(|word| word.contains('#'));
    let mut tasks = numbers.flat_map(|number| recording.find(number));
    tasks.find(|task| [summary::name(recording, *task), recording.name(*task)].iter().any(|told| told == text))
}

/// The places of the turns to be shown.
fn choose(turns: &[Turn<'_>], wanted: &Turns) -> Result<Range<usize>, String> {
    let all = turns.len();
    match wanted {
        Turns::Longest => {
            let longest = (0..all).max_by_key(|at| (summary::busy(&turns[*at]), all - at)).unwrap_or(0);
            Ok(longest.saturating_sub(NEIGHBOURS)..(longest + NEIGHBOURS + 1).min(all))
        }
        Turns::Last => Ok(all.saturating_sub(LAST)..all),
        Turns::Range(numbers) => {
            let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let (first, last) = (place(*numbers.start()).max(1), place(*numbers.end()).min(all));
            match last.checked_sub(first) {
                None => Err(format!("it has the turns 1..{all}, and none of {}..{}", numbers.start(), numbers.end())),
                Some(more) if more >= DRAWN_MAX => {
                    Err(format!("{} turns are too many to be told apart: {DRAWN_MAX} at most", more + 1))
                }
                Some(_) => Ok(first - 1..last),
            }
        }
    }
}
