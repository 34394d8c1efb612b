//! What `evloop status` is asked for.

use super::{Command, Error};
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsStr;
use std::time::Duration;

const HELP: &str = "\
How a server and its workers do: requests, connections, how late the loops are

Usage:
  evloop status [OPTIONS]        the only server of this user, or a list of them
  evloop status PID [OPTIONS]    the server with that process
  evloop status PATH [OPTIONS]   the server with that control socket

Options:
  --json                      one line of JSON
  --watch[=S]                 again and again, every second or every S seconds,
                              as --watch=0.2, until the server is gone: on a
                              terminal in place, elsewhere a line whenever
                              something has changed, with --json one each time
  -h, --help                  print this and exit

A server has a control socket if it has workers, or by --control of `evloop
serve`. Loops tell their figures once a second, however often it is asked. It
ends with 0, with 1 when there is no server or it is gone while it is watched,
with 2 when an option is wrong.
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
            Arg::Value(which) if view.which.is_none() => view.which = Some(server(which.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Status(view))
}

/// A process or a path: what can only be meant as an address, or as seconds, is none.
fn server(which: String) -> Result<String, Error> {
    let ends_in_port = which.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if which.contains("://") || ends_in_port && !which.contains('/') {
        let what = "a server is told by the number of its process, or by the path of its control socket";
        return Err(Error(format!("{what}, not by its address {which:?}")));
    }
    Ok(which)
}

/// What follows is a number of seconds if it can be nothing else: one without a fraction may be that of a process.
fn period(parser: &mut Parser) -> Result<Duration, Error> {
    let is_fraction = |word: &OsStr| {
        let text = word.to_string_lossy();
        text.contains('.') && text.parse::<f64>().is_ok()
    };
    let value = parser.optional_value().or_else(|| parser.raw_args().ok()?.next_if(is_fraction));
    let Some(value) = value else { return Ok(Duration::from_secs(1)) };
    let text = value.to_string_lossy();
    let period = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    period
        .filter(|period| !period.is_zero())
        .ok_or_else(|| Error(format!("--watch takes a number of seconds above 0, not {text:?}")))
}
