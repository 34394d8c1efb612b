//! What the commands that draw are asked for.

use super::{Command, Error, Value};
use lexopt::{Arg, Parser, ValueExt};
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
