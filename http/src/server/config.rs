//! What a server can be told.

use super::stop::StopHandle;
use crate::access_log::AccessLog;
use crate::limits::{Limits, Timeouts};
use evloop_runtime::sync::CancellationToken;
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
            idle_grace: Duration::ZERO,
            started: CancellationToken::new(),
            stopping: CancellationToken::new(),
            stop_handle: StopHandle::new(),
        }
    }
}
