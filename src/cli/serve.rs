//! What `evloop serve` is asked for.

use super::{Command, Error, Value};
use evloop::http::access_log::AccessLog;
use evloop::http::limits::Timeouts;
use evloop::serve::{Bind, Config};
use lexopt::{Arg, Parser};
use log::LevelFilter;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

/// What to serve, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Serve {
    pub(crate) config: Config,
    /// A folder; `None`: the demo.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) listing: bool,
    pub(crate) log_level: LevelFilter,
    /// The file for what the loop did last.
    pub(crate) trace: Option<PathBuf>,
    pub(crate) trace_records: usize,
}

/// 4 MiB: the last ten thousand requests, or hours of a loop that has few.
const TRACE_RECORDS: usize = 1 << 16;
/// A trace with more would not be read again.
const TRACE_RECORDS_MAX: usize = 1 << 22;

impl Default for Serve {
    fn default() -> Serve {
        Serve {
            config: Config::new(),
            dir: None,
            listing: false,
            log_level: LevelFilter::Info,
            trace: None,
            trace_records: TRACE_RECORDS,
        }
    }
}

/// Where to listen, as far as the options have said. Only one of them can be meant.
#[derive(Default)]
struct Places {
    host: Option<String>,
    port: Option<u16>,
    unix: Option<PathBuf>,
    inherited: Option<RawFd>,
    timeouts: Timeouts,
}

impl Places {
    fn choose(self) -> Result<Bind, Error> {
        let exclude = |one: &str, other: &str| Err(Error(format!("{one} and {other} exclude each other")));
        let inet = if self.host.is_some() { Some("--host") } else { self.port.map(|_| "--port") };
        match (self.unix, self.inherited, inet) {
            (Some(_), Some(_), _) => exclude("--uds", "--fd"),
            (Some(_), _, Some(inet)) => exclude("--uds", inet),
            (_, Some(_), Some(inet)) => exclude("--fd", inet),
            (Some(path), None, None) => Ok(Bind::Unix(path)),
            (None, Some(number), None) => Ok(Bind::Inherited(number)),
            (None, None, _) => {
                Ok(Bind::Inet(self.host.unwrap_or_else(|| "127.0.0.1".to_owned()), self.port.unwrap_or(8000)))
            }
        }
    }
}

/// Reads the options of `serve`, which may also stand before its name.
pub(super) fn parse(mut parser: Parser) -> Result<Command, Error> {
    let (mut serve, mut places) = (Serve::default(), Places::default());
    let (mut named, mut access_log, mut records) = (false, true, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::help()),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::version()),
            Arg::Value(command) if !named && command == "serve" => named = true,
            Arg::Long("no-access-log") => access_log = false,
            Arg::Long("listing") => serve.listing = true,
            Arg::Long("trace-records") => {
                let number = |text: &str| text.parse().ok().filter(|number| (1..=TRACE_RECORDS_MAX).contains(number));
                let mut value = Value { option: "--trace-records", parser: &mut parser };
                records = Some(value.parse("a number from 1 to 4194304", number)?);
            }
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
        serve.config = serve.config.access_log(AccessLog::Off);
    }
    if serve.listing && serve.dir.is_none() {
        return Err(Error("--listing belongs to --dir".to_owned()));
    }
    if records.is_some() && serve.trace.is_none() {
        return Err(Error("--trace-records belongs to --trace".to_owned()));
    }
    serve.trace_records = records.unwrap_or(TRACE_RECORDS);
    serve.config = serve.config.timeouts(places.timeouts).bind(places.choose()?);
    Ok(Command::Serve(Box::new(serve)))
}

/// Takes an option that has a value; `false` when there is no such option.
fn set(serve: &mut Serve, places: &mut Places, option: &str, parser: &mut Parser) -> Result<bool, Error> {
    let mut read = Value { option, parser };
    let config = serve.config.clone();
    match option {
        "--dir" => serve.dir = Some(read.path("a folder")?),
        "--host" => places.host = Some(read.parse("an address or a name", not_empty)?),
        "--port" => places.port = Some(read.parse("a number from 0 to 65535", |text| text.parse().ok())?),
        "--uds" => places.unix = Some(read.path("the path of a socket")?),
        "--fd" => places.inherited = Some(read.parse("the number of a descriptor", descriptor)?),
        "--backlog" => {
            serve.config = config.backlog(read.parse("a number from 1 to 2147483647", |text| {
                text.parse().ok().filter(|backlog| (1..=i32::MAX as u32).contains(backlog))
            })?);
        }
        "--log-level" => {
            serve.log_level = read.parse("off, error, warn, info, debug or trace", |text| text.parse().ok())?;
        }
        "--access-log" => serve.config = config.access_log(read.parse("common or json", access_log_format)?),
        "--slow-ms" => serve.config = config.slow(read.limit()?.map(Duration::from_millis)),
        "--timeout-head" => places.timeouts.head = read.seconds()?,
        "--timeout-body" => places.timeouts.body = read.seconds()?,
        "--timeout-write" => places.timeouts.write = read.seconds()?,
        "--timeout-keep-alive" => places.timeouts.keep_alive = read.seconds()?,
        "--timeout-graceful-shutdown" => serve.config = config.timeout_graceful(read.seconds()?),
        "--limit-concurrency" => serve.config = config.concurrency_max(read.limit()?),
        "--limit-connections" => serve.config = config.connections_max(read.limit()?),
        "--limit-max-requests" => serve.config = config.requests_max(read.limit()?),
        "--trace" => serve.trace = Some(read.path("a file")?),
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
