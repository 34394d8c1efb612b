//! What there is to be said when a process may open no more descriptors.

use super::{Accept, Config, Error};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::error::Error as _;
use std::io;

/// What a limit is raised to at least, where one has to be named.
const USUAL: usize = 1024;

/// Adds what the limit is, what is needed, and how the limit is raised, where that was the reason.
pub(super) fn explain(error: Error, config: &Config) -> Error {
    if !is_out(&error) {
        return error;
    }
    let limit =
        getrlimit(Resource::Nofile).current.map_or_else(|| "any number of".to_owned(), |limit| limit.to_string());
    let needed = needed(config);
    let raised = (needed * 2).max(USUAL);
    error.with_more(&format!(
        ": a process may open {limit} files here, and about {needed} are needed to start, and then one for each connection; \
         `ulimit -n {raised}` raises the limit, or LimitNOFILE={raised} in a unit of systemd"
    ))
}

/// `EMFILE`, whatever was added to it on its way.
fn is_out(error: &Error) -> bool {
    let errno = |error: &io::Error| error.raw_os_error() == Some(Errno::MFILE.raw_os_error());
    let mut cause = error.source();
    while let Some(one) = cause {
        if one.downcast_ref().is_some_and(errno) {
            return true;
        }
        cause = one.source();
    }
    errno(error.io())
}

/// How many the hungriest of its processes has open once it serves. The figures were found by lowering the limit until it did
/// not start any more; a loop has its epoll, its bell, and pipes for signals.
fn needed(config: &Config) -> usize {
    let (workers, threads, places) = (config.workers, config.threads.max(1), config.binds.len().max(1));
    let sockets = |loops| if config.accept == Accept::ReusePort { places * loops } else { places };
    let serving = 19 + 5 * threads + places * threads + sockets(threads);
    if workers > 1 { serving.max(22 + 3 * workers + sockets(workers * threads)) } else { serving }
}
