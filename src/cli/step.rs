//! What `evloop step` is asked for.

use super::{Command, Error};
use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
A small program on a loop, one turn at a key: what is ready, the timer wheel,
the sources and who waits for them, the pool, before and after

Usage:
  evloop step                 list the programs
  evloop step NAME [OPTIONS]  run one

Options:
  --manual                    time stands still while anything is to be done,
                              and moves to the next deadline where the loop
                              would wait
  -h, --help                  print this and exit

Keys: space or Enter makes one turn, n ten, r turns until a task has ended, q or
Ctrl-C quits, also while a turn waits. Without --manual deadlines pass while you
think; that time is told, and not counted as lateness. Without a terminal, each
line of the standard input is a key. NO_COLOR takes the colours away.
";

/// Which program to step through, and how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// `None`: list them all.
    pub(crate) name: Option<String>,
    /// Time moves by hand.
    pub(crate) manual: bool,
}

pub(super) fn step(mut parser: Parser) -> Result<Command, Error> {
    let mut step = Step::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Arg::Long("manual") => step.manual = true,
            Arg::Value(name) if step.name.is_none() => step.name = Some(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if step.manual && step.name.is_none() {
        return Err(Error("--manual belongs to a program".to_owned()));
    }
    Ok(Command::Step(step))
}
