//! What this process is to another one of the same server.
//!
//! A master starts its workers, and its successor, from the same program and with the same arguments; what they are is in
//! their environment, under [`VARIABLE`]. What they start themselves has the same environment, so the variable alone means
//! nothing: it names the master too, and the standard input must be a connection that this master has made.

use evloop_runtime::net::UnixStream;
use rustix::net::sockopt::socket_peercred;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::OnceLock;

/// Where a child finds its role.
pub(super) const VARIABLE: &str = "EVLOOP_ROLE";

/// What the child of a master is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The worker of this number, from 1.
    Worker(usize),
    /// The master that is to take the place of the one that has started it.
    Successor,
}

impl Role {
    /// As the child of this process finds it.
    pub(super) fn to_variable(self) -> String {
        let master = std::process::id();
        match self {
            Role::Worker(number) => format!("worker:{number}:{master}"),
            Role::Successor => format!("master:{master}"),
        }
    }

    /// The role and the process that has given it.
    fn parse(text: &str) -> Option<(Role, u32)> {
        let (role, master) = text.rsplit_once(':')?;
        let role = match role.split_once(':') {
            Some(("worker", number)) => Role::Worker(number.parse().ok().filter(|number| *number > 0)?),
            None if role == "master" => Role::Successor,
            _ => return None,
        };
        Some((role, master.parse().ok()?))
    }

    /// That of this process; `None`: nobody's child.
    pub(super) fn of_this_process() -> Option<Role> {
        Role::and_master().map(|(role, _)| role)
    }

    /// The process that has given this one its role.
    pub(super) fn given_by() -> Option<u32> {
        Role::and_master().map(|(_, master)| master)
    }

    fn and_master() -> Option<(Role, u32)> {
        static ROLE: OnceLock<Option<(Role, u32)>> = OnceLock::new();
        *ROLE.get_or_init(|| {
            let (role, master) = Role::parse(std::env::var(VARIABLE).ok()?.as_str())?;
            // For two ends that were made together, the peer is who has made them, also when that one is gone by now.
            let maker = socket_peercred(io::stdin()).ok()?.pid;
            (maker.as_raw_nonzero().get().unsigned_abs() == master).then_some((role, master))
        })
    }
}

/// The number of this process among the workers of its server, from 1; `None` when it is none of them.
///
/// It is known from the beginning, before anything is served, as for a logger.
#[must_use]
pub fn worker() -> Option<usize> {
    match Role::of_this_process() {
        Some(Role::Worker(number)) => Some(number),
        _ => None,
    }
}

/// Takes the connection with the master, which is the standard input; in its place there is an empty one. So what this
/// process starts does not have it.
///
/// # Errors
/// When there are no descriptors, or no `/dev/null`.
pub(super) fn take_channel() -> io::Result<OwnedFd> {
    let channel = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(channel)
}

/// That connection on the loop of this thread.
///
/// # Errors
/// What the system says when it is registered.
pub(super) fn on_loop(channel: OwnedFd) -> io::Result<Rc<UnixStream>> {
    Ok(Rc::new(UnixStream::from_std(channel.into())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_is_read_as_it_is_written() {
        for role in [Role::Worker(1), Role::Worker(64), Role::Successor] {
            assert_eq!(Role::parse(&role.to_variable()), Some((role, std::process::id())));
        }
    }

    #[test]
    fn what_is_no_role_is_none() {
        for text in
            ["", "worker", "worker:1", "worker:0:7", "worker:x:7", "worker:1:", "master", "master:x", "a:1:7", ":7"]
        {
            assert_eq!(Role::parse(text), None, "{text:?}");
        }
    }
}
