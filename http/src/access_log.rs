//! One line for each request that was answered.
//!
//! The lines go to [`log`], with the target [`TARGET`] and at the level `info`; so the program that embeds the server
//! chooses where they end up. When nobody wants them, none is made.

use crate::asgi::Scope;
use crate::codec::date::Date;
use crate::message::StatusCode;
use evloop_runtime::time::date;
use humantime::format_rfc3339_millis;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Under which name the lines are logged.
pub const TARGET: &str = "evloop::access";

/// Whether and how requests are logged.
///
/// # Examples
/// ```no_run
/// use evloop_http::access_log::AccessLog;
/// use evloop_http::{Request, Router, Server};
///
/// # fn main() -> std::io::Result<()> {
/// evloop_runtime::run(async {
///     let app = Router::new().get("/", |_: Request| async { "Hello" });
///     Server::bind("127.0.0.1:8000")?.access_log(AccessLog::Common).serve(app).await
/// })
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Not at all.
    #[default]
    Off,
    /// In the common log format, and how long it took: `127.0.0.1 - - [22/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200
    /// 13 0.000210`. The last number is in seconds.
    Common,
    /// As one JSON object a line, with `time`, `worker`, `pid`, `client`, `method`, `target`, `version`, `status`, `bytes` and
    /// `seconds`. The time is in UTC, in milliseconds, in the form of RFC 3339: `2026-11-22T08:00:00.250Z`. A number of a worker
    /// is there in a process that [is one](set_worker).
    Json,
}

impl AccessLog {
    /// Whether a line would be taken by anybody.
    #[inline]
    pub(crate) fn is_on(self) -> bool {
        self != AccessLog::Off && log::log_enabled!(target: TARGET, log::Level::Info)
    }

    /// Logs a request that was answered.
    pub(crate) fn note(self, entry: &Entry<'_>) {
        match self {
            AccessLog::Off => {}
            AccessLog::Common => log::info!(target: TARGET, "{}", Common(entry)),
            AccessLog::Json => log::info!(target: TARGET, "{}", Json { entry, time: date(), by: By::this_process() }),
        }
    }
}

/// The number that [`set_worker`] has given; 0: none.
static WORKER: AtomicUsize = AtomicUsize::new(0);

/// Says that this process is the worker of that number, from 1, of a server that has several: from now on its lines in JSON tell
/// so.
///
/// # Examples
/// ```
/// use evloop_http::access_log::set_worker;
///
/// set_worker(2); // {"time":"2026-11-22T08:00:00.250Z","worker":2,"pid":4711, ...
/// ```
pub fn set_worker(number: usize) {
    WORKER.store(number, Relaxed);
}

/// The last second of the year 9999 since 1970, past which RFC 3339 has no room.
const TIME_MAX: Duration = Duration::from_secs(253_402_300_799);

/// Who writes a line.
#[derive(Debug, Clone, Copy)]
struct By {
    worker: Option<usize>,
    pid: u32,
}

impl By {
    fn this_process() -> By {
        By { worker: Some(WORKER.load(Relaxed)).filter(|number| *number > 0), pid: process::id() }
    }
}

/// What is logged of a request.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) date: &'a Date,
    pub(crate) client: Option<SocketAddr>,
    /// Method, target and version, where they could be read.
    pub(crate) line: Option<(&'a str, &'a str, &'a str)>,
    pub(crate) status: StatusCode,
    /// Bytes of the answer's body that were sent, or are about to be.
    pub(crate) body_bytes: u64,
    /// From the whole head of the request to the end of the answer.
    pub(crate) took: Duration,
}

impl<'a> Entry<'a> {
    /// What a scope tells of its request, whose response has begun.
    pub(crate) fn of(scope: &'a Scope, date: &'a Date, took: Duration) -> Option<Entry<'a>> {
        Some(Entry::with(scope, scope.sent()?, date, took))
    }

    /// What a scope tells of its request, with the status and the bytes that are to be logged.
    pub(crate) fn with(scope: &'a Scope, sent: (StatusCode, u64), date: &'a Date, took: Duration) -> Entry<'a> {
        let (status, body_bytes) = sent;
        let head = scope.head();
        let line = Some((head.method_str(), head.target(), head.version().as_str()));
        Entry { date, client: scope.client(), line, status, body_bytes, took }
    }
}

/// The common log format, which NCSA's server began: <https://httpd.apache.org/docs/2.4/logs.html#common>.
struct Common<'a>(&'a Entry<'a>);

impl fmt::Display for Common<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { date, client, line, status, body_bytes, took } = self.0;
        match client {
            Some(client) => write!(f, "{}", client.ip())?,
            None => f.write_char('-')?,
        }
        // Of `Sun, 22 Nov 2026 08:00:00 GMT`.
        let date = date.as_str();
        write!(f, " - - [{}/{}/{}:{} +0000] ", &date[5..7], &date[8..11], &date[12..16], &date[17..25])?;
        match line {
            Some((method, target, version)) => write!(f, "\"{method} {} {version}\"", Escaped(target))?,
            None => f.write_str("\"-\"")?,
        }
        write!(f, " {} {body_bytes} {:.6}", status.as_u16(), took.as_secs_f64())
    }
}

struct Json<'a> {
    entry: &'a Entry<'a>,
    time: SystemTime,
    by: By,
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { client, line, status, body_bytes, took, .. } = self.entry;
        let time = self.time.clamp(UNIX_EPOCH, UNIX_EPOCH + TIME_MAX);
        write!(f, "{{\"time\":\"{}\"", format_rfc3339_millis(time))?;
        if let Some(worker) = self.by.worker {
            write!(f, ",\"worker\":{worker}")?;
        }
        write!(f, ",\"pid\":{}", self.by.pid)?;
        if let Some(client) = client {
            write!(f, ",\"client\":\"{client}\"")?;
        }
        if let Some((method, target, version)) = line {
            let (method, target) = (Escaped(method), Escaped(target));
            write!(f, ",\"method\":\"{method}\",\"target\":\"{target}\",\"version\":\"{version}\"")?;
        }
        let (status, seconds) = (status.as_u16(), took.as_secs_f64());
        write!(f, ",\"status\":{status},\"bytes\":{body_bytes},\"seconds\":{seconds:.6}}}")
    }
}

/// Visible ASCII, as methods and targets are, inside quotation marks.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(entry: &Entry<'_>, worker: Option<usize>) -> String {
        json_at(entry, worker, UNIX_EPOCH + Duration::from_millis(1_763_798_400_250))
    }

    fn json_at(entry: &Entry<'_>, worker: Option<usize>, time: SystemTime) -> String {
        Json { entry, time, by: By { worker, pid: 4711 } }.to_string()
    }

    fn lines(target: &str, client: Option<&str>) -> (String, String) {
        let entry = Entry {
            date: &Date::at(1_763_798_400),
            client: client.map(|client| client.parse().unwrap()),
            line: Some(("GET", target, "HTTP/1.1")),
            status: StatusCode::OK,
            body_bytes: 13,
            took: Duration::from_micros(210),
        };
        (Common(&entry).to_string(), json(&entry, Some(2)))
    }

    #[test]
    fn common_line_says_who_when_what_and_how_long() {
        let (common, _) = lines("/a?b", Some("127.0.0.1:5000"));
        assert_eq!(common, "127.0.0.1 - - [22/Nov/2025:08:00:00 +0000] \"GET /a?b HTTP/1.1\" 200 13 0.000210");
        let (common, _) = lines("/", Some("[::1]:5000"));
        assert!(common.starts_with("::1 - - ["), "{common}");
    }

    #[test]
    fn json_line_is_one_object() {
        let (_, json) = lines("/a", Some("127.0.0.1:5000"));
        let expected = "{\"time\":\"2025-11-22T08:00:00.250Z\",\"worker\":2,\"pid\":4711,\"client\":\"127.0.0.1:5000\",\
            \"method\":\"GET\",\"target\":\"/a\",\"version\":\"HTTP/1.1\",\"status\":200,\"bytes\":13,\"seconds\":0.000210}";
        assert_eq!(json, expected);
    }

    #[test]
    fn client_cannot_write_a_line_of_its_own() {
        let (common, json) = lines("/\"\\x", None);
        assert!(common.contains("\"GET /\\\"\\\\x HTTP/1.1\""), "{common}");
        assert!(common.starts_with("- - - ["), "{common}");
        assert!(json.contains("\"target\":\"/\\\"\\\\x\""), "{json}");
        assert!(!json.contains("client"), "{json}");
    }

    #[test]
    fn request_that_could_not_be_read_has_a_line_too() {
        let (date, took) = (Date::at(0), Duration::ZERO);
        let entry =
            Entry { date: &date, client: None, line: None, status: StatusCode::BAD_REQUEST, body_bytes: 11, took };
        let common = Common(&entry).to_string();
        assert!(common.ends_with("\"-\" 400 11 0.000000"), "{common}");
        let json = json(&entry, None);
        assert!(json.ends_with("Z\",\"pid\":4711,\"status\":400,\"bytes\":11,\"seconds\":0.000000}"), "{json}");
    }

    #[test]
    fn clock_that_is_far_off_is_told_as_far_as_the_form_has_room() {
        let date = Date::at(0);
        let status = StatusCode::OK;
        let entry = Entry { date: &date, client: None, line: None, status, body_bytes: 0, took: Duration::ZERO };
        let [early, late] = [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH + 2 * TIME_MAX];
        assert!(json_at(&entry, None, early).starts_with("{\"time\":\"1970-01-01T00:00:00.000Z\""));
        assert!(json_at(&entry, None, late).starts_with("{\"time\":\"9999-12-31T23:59:59.000Z\""));
    }
}
