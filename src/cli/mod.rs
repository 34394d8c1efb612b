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
        Command::Print(serve::help())
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

/// Reads the arguments, without the program's name, and the variables of the environment that stand for options.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Command, Error> {
    let mut arguments = arguments.into_iter().peekable();
    let named = arguments.peek().and_then(|first| COMMANDS.iter().find(|command| first == command.name));
    let Some(command) = named else {
        return serve::parse(Parser::from_args(arguments), environment).map_err(|error| error.of(""));
    };
    arguments.next();
    (command.read)(Parser::from_args(arguments)).map_err(|error| error.of(&format!("{} ", command.name)))
}

/// The commands other than `serve`, and what reads their arguments.
const COMMANDS: [Named; 5] = [
    Named { name: "lab", read: drawn::lab },
    Named { name: "trace", read: drawn::trace },
    Named { name: "why", read: drawn::why },
    Named { name: "status", read: status::status },
    Named { name: "step", read: step::step },
];

struct Named {
    name: &'static str,
    read: fn(Parser) -> Result<Command, Error>,
}

/// The name that is nearest to what was written, if one is near.
fn nearest(written: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let near = names.map(|name| (strsim::jaro_winkler(written, &name), name)).filter(|(likeness, _)| *likeness > 0.8);
    near.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, name)| name)
}

/// A value should follow the option.
fn missing(option: &str, takes: &str) -> Error {
    Error(format!("{option} takes {takes}"))
}

/// The value of an option that is still to be read.
struct Value<'a> {
    option: &'a str,
    parser: &'a mut Parser,
}

impl Value<'_> {
    /// The value, if it is what the option takes.
    fn parse<T>(&mut self, takes: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        let option = self.option;
        let missing = |_| missing(option, takes);
        let text = self.parser.value().map_err(missing)?.string().map_err(missing)?;
        read(&text).ok_or_else(|| Error(format!("{option} takes {takes}, not {text:?}")))
    }

    /// A path, which may be no text.
    fn path(&mut self, takes: &str) -> Result<PathBuf, Error> {
        let path = self.parser.value().map_err(|_| missing(self.option, takes))?;
        if path.is_empty() { Err(Error(format!("{} takes {takes}, not \"\"", self.option))) } else { Ok(path.into()) }
    }
}

/// Writes to the standard output, which may be closed; then nobody wants to know.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
