//! What a server can be told.

use super::stop::StopHandle;
use crate::access_log::AccessLog;
use crate::asgi::{Added, Address, Surroundings};
use crate::codec::defaults::DefaultFields;
use crate::limits::{Limits, Timeouts};
use evloop_runtime::sync::CancellationToken;
use std::io;
use std::time::Duration;

/// What becomes of a request whose client ends its own side before the answer.
///
/// TCP says the same of a client that only has nothing more to send and of one that has gone: both are a FIN, and the
/// second is found out when it is sent something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HalfClose {
    /// It is answered, for the client may read on (RFC 9112 section 9.6).
    #[default]
    Answer,
    /// Its client counts as gone, at once. Work for clients that went away is then given up early; those that close one
    /// side, as `printf ... | nc` does, get no answer.
    Gone,
}

/// All of it, with the defaults.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
    pub(super) graceful: Duration,
    pub(super) half_close: HalfClose,
    pub(super) access_log: AccessLog,
    /// Open connections; past it, accepting waits.
    pub(super) connections_max: Option<usize>,
    /// Requests being served; past it, 503.
    pub(super) concurrency_max: Option<usize>,
    /// Requests altogether; after them the server stops.
    pub(super) requests_max: Option<u64>,
    /// How long connections that idle are kept when the server stops.
    pub(super) idle_grace: Duration,
    /// Cancelled when the application is ready.
    pub(super) started: CancellationToken,
    /// What a proxy in front takes off the paths of requests.
    pub(super) root_path: String,
    /// What each response has that does not have it already.
    pub(super) fields: DefaultFields,
    /// Whether one of them tells the server's name.
    pub(super) server_header: bool,
    pub(super) date_header: bool,
    /// Cancelled when the stop begins.
    pub(super) stopping: CancellationToken,
    /// Tells the server to stop.
    pub(super) stop_handle: StopHandle,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            graceful: Duration::from_secs(10),
            half_close: HalfClose::default(),
            access_log: AccessLog::Off,
            connections_max: None,
            concurrency_max: None,
            requests_max: None,
            root_path: String::new(),
            fields: DefaultFields::new(),
            server_header: false,
            date_header: true,
            idle_grace: Duration::ZERO,
            started: CancellationToken::new(),
            stopping: CancellationToken::new(),
            stop_handle: StopHandle::new(),
        }
    }
}

impl Config {
    /// What is the same for all requests, of which the state is still to come.
    ///
    /// # Errors
    /// When the root path is none.
    pub(super) fn surroundings(&self, server: Option<Address>) -> io::Result<Surroundings> {
        let mut fields = self.fields.clone();
        if self.server_header && !fields.contains("server") {
            fields.add("server", b"evloop").expect("a name and a value like others");
        }
        let is_usual = fields.is_empty() && self.date_header;
        let added = (!is_usual).then_some(Added { fields, has_date: self.date_header });
        let root_path = root_path(&self.root_path)?;
        Ok(Surroundings { server, root_path, added, ..Surroundings::default() })
    }
}

/// The path that is meant, without slashes at its end.
fn root_path(text: &str) -> io::Result<String> {
    let path = text.trim_end_matches('/');
    let is_path = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    if is_path && (text.is_empty() || text.starts_with('/')) {
        return Ok(path.to_owned());
    }
    let why = format!("the root path {text:?} is no path as it stands in a URL: it begins with a slash, as /api");
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
