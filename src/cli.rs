//! The command line: what it says becomes a [`Command`], or one line about what is wrong with it.

use lexopt::{Arg, Parser, ValueExt};
use log::LevelFilter;
use std::ffi::OsString;
use std::fmt;

const HELP: &str = "\
evloop: an event loop, and a server on it

Usage:
  evloop [serve] [OPTIONS]    serve the demo on http://127.0.0.1:8000

Socket:
  --host HOST                 address or name to listen on [127.0.0.1]
  --port PORT                 port to listen on, 0 for a free one [8000]

Log:
  --log-level LEVEL           off, error, warn, info, debug or trace [info]

Other:
  -h, --help                  print this and exit
  -V, --version               print the version and exit

Ctrl-C or SIGTERM ends it: requests that have begun are finished, for at most
10 seconds. A second one does not wait for them.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print this text.
    Print(String),
    /// Serve the demo.
    Serve(Serve),
}

/// How to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Serve {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) log_level: LevelFilter,
}

impl Default for Serve {
    fn default() -> Self {
        Serve { host: "127.0.0.1".to_owned(), port: 8000, log_level: LevelFilter::Info }
    }
}

/// What is wrong with a command line, in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; see `evloop --help`", self.0)
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
    let mut parser = Parser::from_args(arguments);
    let mut serve = Serve::default();
    let mut named = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Arg::Short('V') | Arg::Long("version") => {
                return Ok(Command::Print(format!("evloop {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Arg::Long("host") => serve.host = value(&mut parser, "--host", "an address or a name", not_empty)?,
            Arg::Long("port") => {
                serve.port = value(&mut parser, "--port", "a number from 0 to 65535", |t| t.parse().ok())?;
            }
            Arg::Long("log-level") => {
                serve.log_level =
                    value(&mut parser, "--log-level", "off, error, warn, info, debug or trace", |t| t.parse().ok())?;
            }
            Arg::Value(command) if !named && command == "serve" => named = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Serve(serve))
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The value of an option, if it is what the option takes.
fn value<T>(parser: &mut Parser, option: &str, takes: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
    let missing = |_| Error(format!("{option} takes {takes}"));
    let text = parser.value().map_err(missing)?;
    let text = text.string().map_err(missing)?;
    read(&text).ok_or_else(|| Error(format!("{option} takes {takes}, not {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn no_arguments_serve_with_the_defaults() {
        assert_eq!(parsed(&[]), Ok(Command::Serve(Serve::default())));
        assert_eq!(parsed(&["serve"]), Ok(Command::Serve(Serve::default())));
    }

    #[test]
    fn options_are_read_in_both_spellings() {
        let wanted = Serve { host: "::1".to_owned(), port: 0, log_level: LevelFilter::Debug };
        let one = parsed(&["serve", "--host", "::1", "--port=0", "--log-level", "debug"]);
        let other = parsed(&["--port", "0", "--log-level=DEBUG", "--host=::1", "serve"]);
        assert_eq!(one, Ok(Command::Serve(wanted.clone())));
        assert_eq!(other, Ok(Command::Serve(wanted)));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_that_names_the_option() {
        for (arguments, named) in [
            (&["--port", "70000"][..], "--port"),
            (&["--port", "-1"], "--port"),
            (&["--port"], "--port"),
            (&["--host="], "--host"),
            (&["--log-level", "loud"], "--log-level"),
            (&["--colour"], "--colour"),
            (&["-x"], "-x"),
            (&["server"], "server"),
            (&["serve", "serve"], "serve"),
            (&["two\nlines"], "two"),
        ] {
            let text = parsed(arguments).expect_err(named);
            assert!(text.contains(named) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn help_names_every_option() {
        let Ok(Command::Print(help)) = parsed(&["--help"]) else { panic!("help is printed") };
        for option in ["--host", "--port", "--log-level", "--help", "--version"] {
            assert!(help.contains(option), "{option}");
        }
    }
}
