//! A child by its descriptor: `pidfd_open(2)`, `waitid(2)` by `P_PIDFD`, `pidfd_send_signal(2)`.
//!
//! A number names a process only until somebody has waited for it; then the kernel may give the number to another. A
//! descriptor names the one process for good: what is sent to it reaches this child or nobody, and what is waited for is
//! this child and none of those that other parts of the program have started. And it can be polled: it is readable once
//! the process has ended.

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, pidfd_send_signal, waitid,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What wait(2) calls the status: the exit code lies above these bits, and a core that was dumped is the one after them.
const SIGNAL_BITS: u32 = 7;

/// Looks whether the kernel has all that is needed here, so that no child is started where it could not be waited for. Once
/// it has said so, this costs nothing.
///
/// # Errors
/// `Unsupported`, with the version it takes; what `pidfd_open` says, as that there are no descriptors.
pub(crate) fn check() -> io::Result<()> {
    static WORKS: AtomicBool = AtomicBool::new(false);
    if WORKS.load(Relaxed) {
        return Ok(());
    }
    let ourselves = open(rustix::process::getpid())?;
    match waitid(WaitId::PidFd(ourselves.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
        Err(rustix::io::Errno::INVAL) => Err(unsupported(rustix::io::Errno::INVAL)),
        _that_it_is_no_child_of_ours => {
            WORKS.store(true, Relaxed);
            Ok(())
        }
    }
}

/// The descriptor of a process that nobody has waited for. It is closed when a child is started.
///
/// # Errors
/// `Unsupported` where the kernel has none; what `pidfd_open` says.
pub(crate) fn open(pid: Pid) -> io::Result<OwnedFd> {
    pidfd_open(pid, PidfdFlags::empty()).map_err(|error| match error {
        rustix::io::Errno::NOSYS => unsupported(error),
        error => error.into(),
    })
}

/// How a child has ended, if it has; it is gone then.
///
/// # Errors
/// That somebody else has waited for it (`ECHILD`).
pub(crate) fn try_wait(pidfd: impl AsFd) -> io::Result<Option<ExitStatus>> {
    match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
        Ok(status) => Ok(status.map(|status| exit_status(&status))),
        Err(rustix::io::Errno::CHILD) => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the exit status is lost: SIGCHLD is ignored, or something in this process waits for all children",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Sends a signal. The number 0 is none, and does nothing.
///
/// # Errors
/// `InvalidInput` when it is no number of a signal that has a name; what `pidfd_send_signal` says, as that the process is
/// gone (`ESRCH`) or may not be signalled (`EPERM`).
pub(crate) fn send(pidfd: impl AsFd, number: i32) -> io::Result<()> {
    if number == 0 {
        return Ok(());
    }
    let Some(signal) = Signal::from_named_raw(number) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{number} is not a signal")));
    };
    Ok(pidfd_send_signal(pidfd, signal)?)
}

/// The same status as wait(2) gives it, which is how std takes it.
fn exit_status(status: &WaitIdStatus) -> ExitStatus {
    let raw = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << (SIGNAL_BITS + 1),
        (None, signal) => signal.unwrap_or_default() | i32::from(status.dumped()) << SIGNAL_BITS,
    };
    ExitStatus::from_raw(raw)
}

fn unsupported(error: rustix::io::Errno) -> io::Error {
    let text = format!("child processes take pidfds, which the kernel has from Linux 5.4 on: {error}");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(test)]
mod tests {
    use super::{check, open, send, try_wait};
    use rustix::process::{Pid, getpid};
    use std::io::ErrorKind;
    use std::process::Command;

    #[expect(clippy::zombie_processes, reason = "it is waited for by its descriptor")]
    fn ended(script: &str) -> std::process::ExitStatus {
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let pidfd = open(Pid::from_child(&child)).unwrap();
        let mut poll = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
        let status = try_wait(&pidfd).unwrap().expect("the descriptor says that it has ended");
        assert_eq!(try_wait(&pidfd).unwrap_err().kind(), ErrorKind::NotFound, "it is gone");
        assert_eq!(send(&pidfd, 15).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        status
    }

    #[test]
    fn status_is_what_std_would_say() {
        for script in ["exit 0", "exit 7", "exit 255", "kill -9 $$", "kill -15 $$"] {
            let expected = Command::new("sh").args(["-c", script]).status().unwrap();
            assert_eq!(ended(script), expected, "{script}");
        }
    }

    #[test]
    fn number_without_a_signal_is_refused() {
        let ourselves = open(getpid()).unwrap();
        send(&ourselves, 0).unwrap();
        for number in [-1, 65, i32::MAX] {
            assert_eq!(send(&ourselves, number).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn kernel_here_has_it() {
        check().unwrap();
        check().unwrap();
    }
}
