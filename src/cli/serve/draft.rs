//! What the options have said until now.

use super::{Serve, read};
use evloop::http::limits::Timeouts;
use evloop::serve::{Bind, Config};
use std::mem;

/// A [`Serve`], and what becomes a part of it only when all has been said.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) serve: Serve,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    /// A Unix domain socket or an inherited one.
    pub(super) socket: Option<Bind>,
    pub(super) timeouts: Timeouts,
    pub(super) proxy_headers: Option<bool>,
    pub(super) forwarded_allow: Option<String>,
}

impl Draft {
    /// Changes the configuration.
    #[expect(clippy::unnecessary_wraps, reason = "it is the last word of functions that can fail")]
    pub(super) fn config(&mut self, change: impl FnOnce(Config) -> Config) -> Result<(), read::Wrong> {
        self.serve.config = change(mem::take(&mut self.serve.config));
        Ok(())
    }

    /// All has been said. Without a word about a place, the configuration has none: it is for the library to say what holds
    /// then.
    pub(super) fn finish(self) -> Serve {
        let Draft { mut serve, host, port, socket, timeouts, proxy_headers, forwarded_allow } = self;
        let mut config = serve.config.timeouts(timeouts);
        if let Some(socket) = socket {
            config = config.bind(socket);
        }
        if host.is_some() || port.is_some() {
            let host = host.unwrap_or_else(|| "127.0.0.1".to_owned());
            config = config.bind(Bind::Inet(host, port.unwrap_or(8000)));
        }
        let allowed = match proxy_headers {
            Some(false) => None,
            Some(true) => forwarded_allow.or_else(|| Some(read::FORWARDED_ALLOW.to_owned())),
            None => forwarded_allow,
        };
        serve.config = config.forwarded_allow(allowed);
        serve
    }
}
