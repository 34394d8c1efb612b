//! The command line: what it says becomes a [`Command`], or one line about what is wrong with it.

use evloop::http::access_log::AccessLog;
use evloop::http::limits::Timeouts;
use lexopt::{Arg, Parser, ValueExt};
use log::LevelFilter;
use std::ffi::OsString;
use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

const HELP: &str = "\
evloop: an event loop, and a server on it

Usage:
  evloop [serve] [OPTIONS]    serve the demo on http://127.0.0.1:8000
  evloop serve --dir PATH     serve the files of a folder

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

Other:
  -h, --help                  print this and exit
  -V, --version               print the version and exit

Ctrl-C or SIGTERM ends it: requests that have begun are finished. A second one
does not wait for them.
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print this text.
    Print(String),
    /// Serve.
    Serve(Box<Serve>),
}

/// What to serve, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Serve {
    /// A folder; `None`: the demo.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) listing: bool,
    pub(crate) place: Place,
    pub(crate) backlog: u32,
    pub(crate) log_level: LevelFilter,
    pub(crate) access_log: AccessLog,
    pub(crate) timeouts: Timeouts,
    /// `None`: a stop waits for as long as it takes.
    pub(crate) graceful: Option<Duration>,
    pub(crate) concurrency_max: Option<usize>,
    pub(crate) connections_max: Option<usize>,
    pub(crate) requests_max: Option<u64>,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// An address or a name, and a port.
    Inet(String, u16),
    /// A Unix domain socket.
    Unix(PathBuf),
    /// A socket that listens already.
    Inherited(RawFd),
}

impl Default for Serve {
    fn default() -> Self {
        Serve {
            dir: None,
            listing: false,
            place: Place::Inet("127.0.0.1".to_owned(), 8000),
            backlog: 2048,
            log_level: LevelFilter::Info,
            access_log: AccessLog::Common,
            timeouts: Timeouts::default(),
            graceful: Some(Duration::from_secs(10)),
            concurrency_max: None,
            connections_max: None,
            requests_max: None,
        }
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

/// Where to listen, as far as the options have said. Only one of them can be meant.
#[derive(Default)]
struct Places {
    host: Option<String>,
    port: Option<u16>,
    unix: Option<PathBuf>,
    inherited: Option<RawFd>,
}

impl Places {
    fn choose(self) -> Result<Place, Error> {
        let exclude = |one: &str, other: &str| Err(Error(format!("{one} and {other} exclude each other")));
        let inet = if self.host.is_some() { Some("--host") } else { self.port.map(|_| "--port") };
        match (self.unix, self.inherited, inet) {
            (Some(_), Some(_), _) => exclude("--uds", "--fd"),
            (Some(_), _, Some(inet)) => exclude("--uds", inet),
            (_, Some(_), Some(inet)) => exclude("--fd", inet),
            (Some(path), None, None) => Ok(Place::Unix(path)),
            (None, Some(number), None) => Ok(Place::Inherited(number)),
            (None, None, _) => {
                Ok(Place::Inet(self.host.unwrap_or_else(|| "127.0.0.1".to_owned()), self.port.unwrap_or(8000)))
            }
        }
    }
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
    let mut parser = Parser::from_args(arguments);
    let (mut serve, mut places) = (Serve::default(), Places::default());
    let (mut named, mut access_log) = (false, true);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Arg::Short('V') | Arg::Long("version") => {
                return Ok(Command::Print(format!("evloop {}\n", env!("CARGO_PKG_VERSION"))));
            }
            Arg::Value(command) if !named && command == "serve" => named = true,
            Arg::Long("no-access-log") => access_log = false,
            Arg::Long("listing") => serve.listing = true,
            Arg::Long(option) => {
                let option = format!("--{option}");
                if !set(&mut serve, &mut places, &option, &mut parser)? {
                    return Err(Arg::Long(&option[2..]).unexpected().into());
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if !access_log {
        serve.access_log = AccessLog::Off;
    }
    if serve.listing && serve.dir.is_none() {
        return Err(Error("--listing belongs to --dir".to_owned()));
    }
    serve.place = places.choose()?;
    Ok(Command::Serve(Box::new(serve)))
}

/// Takes an option that has a value; `false` when there is no such option.
fn set(serve: &mut Serve, places: &mut Places, option: &str, parser: &mut Parser) -> Result<bool, Error> {
    let mut read = Value { option, parser };
    match option {
        "--dir" => serve.dir = Some(read.path("a folder")?),
        "--host" => places.host = Some(read.parse("an address or a name", not_empty)?),
        "--port" => places.port = Some(read.parse("a number from 0 to 65535", |text| text.parse().ok())?),
        "--uds" => places.unix = Some(read.path("the path of a socket")?),
        "--fd" => places.inherited = Some(read.parse("the number of a descriptor", descriptor)?),
        "--backlog" => {
            serve.backlog = read.parse("a number from 1 to 2147483647", |text| {
                text.parse().ok().filter(|backlog| (1..=i32::MAX as u32).contains(backlog))
            })?;
        }
        "--log-level" => {
            serve.log_level = read.parse("off, error, warn, info, debug or trace", |text| text.parse().ok())?;
        }
        "--access-log" => serve.access_log = read.parse("common or json", access_log_format)?,
        "--timeout-head" => serve.timeouts.head = read.seconds()?,
        "--timeout-body" => serve.timeouts.body = read.seconds()?,
        "--timeout-write" => serve.timeouts.write = read.seconds()?,
        "--timeout-keep-alive" => serve.timeouts.keep_alive = read.seconds()?,
        "--timeout-graceful-shutdown" => serve.graceful = read.seconds()?,
        "--limit-concurrency" => serve.concurrency_max = read.limit()?,
        "--limit-connections" => serve.connections_max = read.limit()?,
        "--limit-max-requests" => serve.requests_max = read.limit()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn descriptor(text: &str) -> Option<RawFd> {
    text.parse().ok().filter(|number| *number >= 0)
}

fn access_log_format(text: &str) -> Option<AccessLog> {
    match text {
        "common" => Some(AccessLog::Common),
        "json" => Some(AccessLog::Json),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn served(arguments: &[&str]) -> Serve {
        match parsed(arguments) {
            Ok(Command::Serve(serve)) => *serve,
            other => panic!("{arguments:?} became {other:?}"),
        }
    }

    #[test]
    fn no_arguments_serve_with_the_defaults() {
        assert_eq!(served(&[]), Serve::default());
        assert_eq!(served(&["serve"]), Serve::default());
    }

    #[test]
    fn options_are_read_in_both_spellings() {
        let place = Place::Inet("::1".to_owned(), 0);
        let wanted = Serve { place, log_level: LevelFilter::Debug, ..Serve::default() };
        assert_eq!(served(&["serve", "--host", "::1", "--port=0", "--log-level", "debug"]), wanted);
        assert_eq!(served(&["--port", "0", "--log-level=DEBUG", "--host=::1", "serve"]), wanted);
    }

    #[test]
    fn every_option_finds_its_place() {
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        let arguments = [
            "--dir=/srv",
            "--listing",
            "--backlog=7",
            "--access-log=json",
            "--timeout-head=1",
            "--timeout-body=0.5",
            "--timeout-write=none",
            "--timeout-keep-alive=65",
            "--timeout-graceful-shutdown=none",
            "--limit-concurrency=3",
            "--limit-connections=4",
            "--limit-max-requests=5",
        ];
        let wanted = Serve {
            dir: Some("/srv".into()),
            listing: true,
            backlog: 7,
            access_log: AccessLog::Json,
            timeouts: Timeouts { head: seconds(1.0), body: seconds(0.5), write: None, keep_alive: seconds(65.0) },
            graceful: None,
            concurrency_max: Some(3),
            connections_max: Some(4),
            requests_max: Some(5),
            ..Serve::default()
        };
        assert_eq!(served(&arguments), wanted);
        assert_eq!(served(&["--limit-concurrency=none"]), Serve::default());
        for arguments in [["--no-access-log", "--access-log=json"], ["--access-log=json", "--no-access-log"]] {
            assert_eq!(served(&arguments).access_log, AccessLog::Off);
        }
    }

    #[test]
    fn one_place_is_listened_on() {
        assert_eq!(served(&["--uds=/run/a"]).place, Place::Unix("/run/a".into()));
        assert_eq!(served(&["--fd=3"]).place, Place::Inherited(3));
        for arguments in [["--uds=a", "--fd=3"], ["--uds=a", "--port=1"], ["--host=a", "--fd=3"]] {
            let text = parsed(&arguments).unwrap_err();
            assert!(text.contains("exclude each other"), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_that_names_the_option() {
        for (arguments, named) in [
            (&["--port", "70000"][..], "--port"),
            (&["--port", "-1"], "--port"),
            (&["--port"], "--port"),
            (&["--host="], "--host"),
            (&["--uds="], "--uds"),
            (&["--fd=-1"], "--fd"),
            (&["--fd=3000000000"], "--fd"),
            (&["--backlog=0"], "--backlog"),
            (&["--log-level", "loud"], "--log-level"),
            (&["--access-log", "xml"], "--access-log"),
            (&["--timeout-head=0"], "--timeout-head"),
            (&["--timeout-body=-1"], "--timeout-body"),
            (&["--timeout-write=nan"], "--timeout-write"),
            (&["--timeout-keep-alive=soon"], "--timeout-keep-alive"),
            (&["--timeout-graceful-shutdown=1e400"], "--timeout-graceful-shutdown"),
            (&["--limit-concurrency=0"], "--limit-concurrency"),
            (&["--limit-connections=1.5"], "--limit-connections"),
            (&["--limit-max-requests=-3"], "--limit-max-requests"),
            (&["--listing"], "--listing"),
            (&["--no-access-log=yes"], "--no-access-log"),
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
        for option in [
            "--dir",
            "--listing",
            "--host",
            "--port",
            "--uds",
            "--fd",
            "--backlog",
            "--log-level",
            "--no-access-log",
            "--access-log",
            "--timeout-head",
            "--timeout-body",
            "--timeout-write",
            "--timeout-keep-alive",
            "--timeout-graceful-shutdown",
            "--limit-concurrency",
            "--limit-connections",
            "--limit-max-requests",
            "--help",
            "--version",
        ] {
            assert!(help.contains(option), "{option}");
        }
    }
}
