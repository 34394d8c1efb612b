//! What `evloop status` is asked for.

use super::{Command, Error};
use lexopt::{Arg, Parser, ValueExt};
use std::time::Duration;

const HELP: &str = "\
How a server and its workers do: requests, connections, how late the loops are

Usage:
  evloop status [OPTIONS]        the only server of this user, or a list of them
  evloop status PID [OPTIONS]    the server with that process
  evloop status PATH [OPTIONS]   the server with that control socket

Options:
  --json                      one line of JSON
  --watch[=S]                 again and again, every second or every S
  -h, --help                  print this and exit
";

/// Which server to look at, and how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct StatusView {
    /// The number of a process, or the path of a control socket; `None`: the only one.
    pub(crate) which: Option<String>,
    pub(crate) json: bool,
    /// `None`: once.
    pub(crate) watch: Option<Duration>,
}

pub(super) fn status(mut parser: Parser) -> Result<Command, Error> {
    let mut view = StatusView::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Arg::Long("json") => view.json = true,
            Arg::Long("watch") => view.watch = Some(period(&mut parser)?),
            Arg::Value(which) if view.which.is_none() => view.which = Some(which.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Status(view))
}

fn period(parser: &mut Parser) -> Result<Duration, Error> {
    let Some(value) = parser.optional_value() else { return Ok(Duration::from_secs(1)) };
    let text = value.to_string_lossy();
    let period = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    period
        .filter(|period| !period.is_zero())
        .ok_or_else(|| Error(format!("--watch takes a number of seconds above 0, not {text:?}")))
}
