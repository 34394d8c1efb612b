//! What a terminal does to a server that was started from it.
//!
//! # Whether a hang-up is one
//! A server is told by `SIGHUP` to replace its workers, and the kernel tells by the same signal that the terminal is gone from
//! which a process was started. To take the one for the other, as servers mostly do, leaves a server behind that nobody sees.
//! Who wants that starts it with nohup(1), which ignores the signal, or apart from a terminal, as supervisors do.
//!
//! # Writing in the background
//! A terminal can be set (`stty tostop`) to send `SIGTTOU` to a job that writes to it in the background. That would stop a server
//! at its next log line; and one that listens for the signal, because a master is told by it to take a worker away, would hear
//! it without end, for the write is tried anew each time. To ignore it would do away with that meaning. But the kernel sends
//! nothing for a thread that blocks the signal, and lets it write (termios(3)). So all threads block it but one, which does
//! nothing: there it comes when somebody does send it.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::io::Errno;
use std::fs::{self, File};
use std::sync::mpsc;
use std::{io, thread};

/// The terminal that is this process's, whatever its standard streams are; tty(4).
const TERMINAL: &str = "/dev/tty";

/// The terminal from which a process was started.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Its end is the end of the process.
    counts: bool,
}

impl Terminal {
    /// That of this process, if any; to be asked for before signals are listened for.
    pub(super) fn of_this_process() -> Terminal {
        Terminal { counts: File::open(TERMINAL).is_ok() && !ignores_hangup() }
    }

    /// Whether there was one, and is no more.
    pub(super) fn is_gone(&self) -> bool {
        let gone = |error: io::Error| error.raw_os_error() == Some(Errno::NXIO.raw_os_error());
        self.counts && File::open(TERMINAL).is_err_and(gone)
    }
}

/// The threads of a server write to its terminal from the background. As long as this lives, the thread that has made it does,
/// and those that it has started.
#[derive(Debug)]
pub(super) struct Undisturbed {
    before: SigSet,
    /// Its end is that of the thread which hears the signal.
    _over: mpsc::Sender<()>,
}

impl Undisturbed {
    /// From now on; `None` where there is no terminal.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn new() -> io::Result<Option<Undisturbed>> {
        let signal = SigSet::from(Signal::SIGTTOU);
        signal.thread_unblock()?; // whoever has started this process may have blocked it for the sake of its own terminal
        if File::open(TERMINAL).is_err() {
            return Ok(None);
        }
        let before = signal.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let (over, is_over) = mpsc::channel::<()>();
        let hear = move || signal.thread_unblock().map(|()| is_over.recv().is_err());
        let undisturbed = Undisturbed { before, _over: over };
        drop(thread::Builder::new().name("SIGTTOU".to_owned()).spawn(hear)?);
        Ok(Some(undisturbed))
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        if let Err(error) = self.before.thread_set_mask() {
            log::debug!("what this thread blocks stays blocked: {error}");
        }
    }
}

/// Whether this process was started to ignore `SIGHUP`; to be asked for before signals are listened for.
pub(super) fn ignores_hangup() -> bool {
    ignores_hangup_by(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The same of a process with that `/proc/PID/status`, where `SIGHUP` is the first of all signals; proc(5).
fn ignores_hangup_by(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangup_is_ignored_where_the_kernel_says_so() {
        assert!(ignores_hangup_by("Name:\tevloop\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n"));
        assert!(!ignores_hangup_by("Name:\tevloop\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup_by(""));
    }
}
