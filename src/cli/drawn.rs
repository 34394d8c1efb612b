//! What the commands that draw are asked for: `lab`, `trace` and `why`.

use super::{Command, Error, Value};
use lexopt::{Arg, Parser, ValueExt};
use std::ops::RangeInclusive;
use std::path::PathBuf;

const LAB_HELP: &str = "\
Experiments that show how a loop works, with times measured here and now

Usage:
  evloop lab                  list them
  evloop lab NAME [OPTIONS]   run one: a time line, and what it shows

Options:
  --svg FILE                  where the picture goes, - for nowhere
                              [evloop-lab-NAME.svg]
  -h, --help                  print this and exit

Each is a file of its own, src/lab/NAME.rs, made to be read and changed.
COLUMNS says how wide the time line is where there is no terminal; NO_COLOR
takes the colours away.
";

const TRACE_HELP: &str = "\
A trace that evloop wrote, in numbers and as a time line

Usage:
  evloop trace FILE [OPTIONS]

Options:
  --turns WHICH               longest, last, one by its number, as 3, or those
                              from A to B, as 3..17 [longest]
  --svg FILE                  draw the time line into this file, too, - for none
                              [-]
  -h, --help                  print this and exit

The file is a Chrome trace: Perfetto opens it, too (https://ui.perfetto.dev).
";

const WHY_HELP: &str = "\
Which wakes made task A run before task B, out of a trace that evloop wrote

Usage:
  evloop why FILE A B

A and B are tasks as `evloop trace FILE` prints them: by name, by number, as
6#7, or by both in quotes, as \"connection 6#7\".
  -h, --help                  print this and exit
";

/// Which experiment to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lab {
    /// `None`: list them all.
    pub(crate) name: Option<String>,
    pub(crate) svg: Svg,
}

/// Where a picture goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Svg {
    /// A file named after the experiment.
    Named,
    File(PathBuf),
    Nowhere,
}

/// Which trace to show, and what of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TraceView {
    pub(crate) file: PathBuf,
    pub(crate) turns: Turns,
    pub(crate) svg: Option<PathBuf>,
}

/// Which turns to show.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    /// That in which tasks held the loop for longest, and its neighbours.
    Longest,
    Last,
    /// These, by their numbers in the trace.
    Range(RangeInclusive<u64>),
}

/// Which two tasks of which trace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) file: PathBuf,
    pub(crate) tasks: [String; 2],
}

pub(super) fn lab(mut parser: Parser) -> Result<Command, Error> {
    let mut lab = Lab { name: None, svg: Svg::Named };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(LAB_HELP.to_owned())),
            Arg::Long("svg") => {
                let path = Value { option: "--svg", parser: &mut parser }.path("a file, or - for none")?;
                lab.svg = if path.as_os_str() == "-" { Svg::Nowhere } else { Svg::File(path) };
            }
            Arg::Value(name) if lab.name.is_none() => lab.name = Some(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if lab.name.is_none() && lab.svg != Svg::Named {
        return Err(Error("--svg belongs to an experiment".to_owned()));
    }
    Ok(Command::Lab(lab))
}

pub(super) fn trace(mut parser: Parser) -> Result<Command, Error> {
    let (mut file, mut turns, mut svg) = (None, Turns::Longest, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(TRACE_HELP.to_owned())),
            Arg::Long("svg") => {
                let path = Value { option: "--svg", parser: &mut parser }.path("a file, or - for none")?;
                svg = (path.as_os_str() != "-").then_some(path);
            }
            Arg::Long("turns") => {
                let mut value = Value { option: "--turns", parser: &mut parser };
                turns = value.parse("longest, last, a number, or a range as 3..17", read_turns)?;
            }
            Arg::Value(path) if file.is_none() => file = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let file = file.ok_or_else(|| Error("trace takes the file of a trace".to_owned()))?;
    Ok(Command::Trace(TraceView { file, turns, svg }))
}

/// Both ends of a range belong to it, as a person means it, and a number by itself is both.
fn read_turns(text: &str) -> Option<Turns> {
    match text {
        "longest" => Some(Turns::Longest),
        "last" => Some(Turns::Last),
        range => {
            let (first, last) = range.split_once("..").unwrap_or((range, range));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Turns::Range(first..=last))
        }
    }
}

pub(super) fn why(mut parser: Parser) -> Result<Command, Error> {
    let mut values = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(WHY_HELP.to_owned())),
            Arg::Value(value) if values.len() < 3 => values.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let Ok([file, a, b]) = <[_; 3]>::try_from(values) else {
        return Err(Error("why takes the file of a trace and two tasks".to_owned()));
    };
    Ok(Command::Why(Why { file: file.into(), tasks: [a.string()?, b.string()?] }))
}
