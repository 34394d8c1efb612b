//! The command line: what it says becomes a [`Command`], or one line about what is wrong with it.

mod drawn;
mod serve;
mod status;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use drawn::{Lab, Svg, TraceView, Turns, Why};
pub(crate) use serve::Serve;
pub(crate) use status::StatusView;
pub(crate) use step::Step;

use lexopt::{Parser, ValueExt};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

const HELP: &str = "\
evloop: an event loop, and a server on it

Usage:
  evloop [serve] [OPTIONS]    serve the demo on http://127.0.0.1:8000
  evloop serve --dir PATH     serve the files of a folder
  evloop lab [NAME]           experiments that show how a loop works
  evloop trace FILE           a trace that evloop wrote, as a time line
  evloop why FILE A B         which wakes made task A run before task B
  evloop step [NAME]          small programs, one turn of their loop at a key
The last four have a --help each.

What:
  --dir PATH                  the folder to serve, in place of the demo
  --listing                   list folders that have no index.html

Socket:
  --host HOST                 address or name to listen on [127.0.0.1]
  --port PORT                 port to listen on, 0 for a free one [8000]
  --uds PATH                  listen on a Unix domain socket instead
  --fd N                      take the listening socket with this number
  --backlog N                 connections that may wait to be taken [2048]

Log:
  --log-level LEVEL           off, error, warn, info, debug or trace [info]
  --no-access-log             no line for each request
  --access-log FORMAT         common or json [common]
  --slow-ms MS                warn of what holds the loop for so many
                              milliseconds, or none [100]

Time-outs, in seconds, as 0.5; or none:
  --timeout-head S            for a request's head to come [10]
  --timeout-body S            for its body to go on [20]
  --timeout-write S           for the client to take some of the answer [20]
  --timeout-keep-alive S      for the next request to begin [5]
  --timeout-graceful-shutdown S
                              for requests to end after Ctrl-C [10]

Limits, numbers or none:
  --limit-concurrency N       requests being served; past it 503 [none]
  --limit-connections N       open connections; past it the next wait [none]
  --limit-max-requests N      requests until it stops by itself [none]

To see it turn:
  --trace FILE                write what the loop did last as a Chrome trace,
                              for https://ui.perfetto.dev: at the end, on
                              SIGUSR1, and for GET /trace of the demo
  --trace-records N           how many phases and polls that is, of 64 bytes
                              each [65536]

Other:
  -h, --help                  print this and exit
  -V, --version               print the version and exit

Ctrl-C or SIGTERM ends it: requests that have begun are finished. A second one
does not wait for them. SIGUSR1 has it write to stderr what each task waits for.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print this text.
    Print(String),
    /// Serve.
    Serve(Box<Serve>),
    /// Show how a server does.
    Status(StatusView),
    /// List the experiments, or run one.
    Lab(Lab),
    /// Show a trace.
    Trace(TraceView),
    /// Tell why one task ran before another.
    Why(Why),
    /// List the programs, or step through one.
    Step(Step),
}

impl Command {
    fn help() -> Command {
        Command::Print(HELP.to_owned())
    }

    fn version() -> Command {
        Command::Print(format!("evloop {}\n", env!("CARGO_PKG_VERSION")))
    }
}

/// What is wrong with a command line, in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Error(String);

impl Error {
    /// With the place that tells what would be right.
    fn of(self, command: &str) -> Error {
        Error(format!("{}; see `evloop {command}--help`", self.0))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<lexopt::Error> for Error {
    fn from(error: lexopt::Error) -> Self {
        // Text that came from outside stays on one line, whatever is in it.
        Error(error.to_string().escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\""))
    }
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
    let mut arguments = arguments.into_iter().peekable();
    let Some((name, read)) = arguments.peek().and_then(|first| command(first.to_str()?)) else {
        return serve::parse(Parser::from_args(arguments)).map_err(|error| error.of(""));
    };
    arguments.next();
    read(Parser::from_args(arguments)).map_err(|error| error.of(name))
}

/// How a command other than `serve` is written, and what reads its arguments.
fn command(name: &str) -> Option<(&'static str, Reader)> {
    match name {
        "lab" => Some(("lab ", drawn::lab)),
        "trace" => Some(("trace ", drawn::trace)),
        "why" => Some(("why ", drawn::why)),
        "status" => Some(("status ", status::status)),
        "step" => Some(("step ", step::step)),
        _ => None,
    }
}

type Reader = fn(Parser) -> Result<Command, Error>;

/// The value of an option that is still to be read.
struct Value<'a> {
    option: &'a str,
    parser: &'a mut Parser,
}

impl Value<'_> {
    /// The value, if it is what the option takes.
    fn parse<T>(&mut self, takes: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        let option = self.option;
        let missing = |_| Error(format!("{option} takes {takes}"));
        let text = self.parser.value().map_err(missing)?.string().map_err(missing)?;
        read(&text).ok_or_else(|| Error(format!("{option} takes {takes}, not {text:?}")))
    }

    /// A path, which may be no text.
    fn path(&mut self, takes: &str) -> Result<PathBuf, Error> {
        let path = self.parser.value().map_err(|_| Error(format!("{} takes {takes}", self.option)))?;
        if path.is_empty() { Err(Error(format!("{} takes {takes}, not \"\"", self.option))) } else { Ok(path.into()) }
    }

    /// A length of time.
    fn seconds(&mut self) -> Result<Option<Duration>, Error> {
        self.parse("a number of seconds above 0, or none", |text| {
            if text == "none" {
                return Some(None);
            }
            let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            seconds.filter(|seconds| !seconds.is_zero()).map(Some)
        })
    }

    /// A number that something may not exceed.
    fn limit<T: TryFrom<u64>>(&mut self) -> Result<Option<T>, Error> {
        self.parse("a number above 0, or none", |text| {
            if text == "none" {
                return Some(None);
            }
            text.parse().ok().filter(|limit| *limit > 0).and_then(|limit| T::try_from(limit).ok()).map(Some)
        })
    }
}

/// Writes to the standard output, which may be closed; then nobody wants to know.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
