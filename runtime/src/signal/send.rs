//! Signals sent: to this process, and to another.

use super::kind::{SignalKind, invalid};
use rustix::process::{Pid, Signal};
use std::io;

/// Sends a signal to this thread; what listens for it in this process has heard it when the call is over.
///
/// # Errors
/// When there is no such signal.
///
/// # Examples
/// ```
/// use evloop_runtime::signal::{SignalKind, raise, signal};
///
/// evloop_runtime::block_on(async {
///     let mut stream = signal(SignalKind::WINDOW_CHANGE)?;
///     raise(SignalKind::WINDOW_CHANGE)?;
///     stream.recv().await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn raise(kind: SignalKind) -> io::Result<()> {
    if kind.as_raw() <= 0 {
        return Err(invalid(format!("there is no {kind}")));
    }
    signal_hook::low_level::raise(kind.as_raw())
}

/// Sends a signal to the process of that number. A process of one's own that has ended and was not waited for takes it without
/// a word, and the number of one that was waited for may be a stranger's by then.
///
/// # Errors
/// When there is no such process (`ESRCH`), or it may not be told (`EPERM`); when the number is no process's, as zero; when the
/// signal has no name, as those of real time.
pub fn kill(process: u32, kind: SignalKind) -> io::Result<()> {
    let pid = i32::try_from(process).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| invalid(format!("{process} is no number of a process")))?;
    let signal = Signal::from_named_raw(kind.as_raw());
    let signal = signal.ok_or_else(|| invalid(format!("{kind} cannot be sent to a process")))?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_process_or_no_signal_is_refused() {
        for process in [0, u32::MAX, 1 << 31] {
            assert_eq!(kill(process, SignalKind::HANGUP).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert!(kill(std::process::id(), SignalKind::from_raw(99)).is_err());
        for number in [0, -1, 99] {
            assert!(raise(SignalKind::from_raw(number)).is_err(), "{number}");
        }
    }
}
