//! Which signal: by number and by name.

use std::fmt;
use std::io;
use std::str::FromStr;

/// Which signal, by its number.
///
/// It is written, and read, as the system's manuals have it: `SIGINT`, and `SIGRTMIN+1` for a real-time signal.
///
/// # Examples
/// ```
/// use evloop_runtime::signal::SignalKind;
///
/// assert_eq!(SignalKind::INTERRUPT.to_string(), "SIGINT");
/// assert_eq!("usr1".parse::<SignalKind>()?, SignalKind::USER_DEFINED_1);
/// assert_eq!("SIGRTMIN+1".parse::<SignalKind>()?, SignalKind::real_time(1)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalKind(i32);

/// The constants, and the table of names that `Display` and `FromStr` read.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $constant:ident = $number:ident;)+) => {
        impl SignalKind {
            $($(#[doc = $doc])+ pub const $constant: SignalKind = SignalKind(libc::$number);)+
        }

        const NAMES: &[(SignalKind, &str)] = &[$((SignalKind::$constant, stringify!($number))),+];
    };
}

kinds! {
    /// `SIGHUP`: the terminal is gone; for a server, read the configuration anew.
    HANGUP = SIGHUP;
    /// `SIGINT`: Ctrl-C in the terminal.
    INTERRUPT = SIGINT;
    /// `SIGQUIT`: Ctrl-\ in the terminal.
    QUIT = SIGQUIT;
    /// `SIGILL`: an instruction that there is not. It cannot be listened for.
    ILLEGAL = SIGILL;
    /// `SIGTRAP`: a breakpoint.
    TRAP = SIGTRAP;
    /// `SIGABRT`: the process gives itself up.
    ABORT = SIGABRT;
    /// `SIGBUS`: memory that is not behind its address.
    BUS = SIGBUS;
    /// `SIGFPE`: arithmetic without a result. It cannot be listened for.
    ARITHMETIC = SIGFPE;
    /// `SIGKILL`: the end at once. It cannot be listened for.
    KILL = SIGKILL;
    /// `SIGUSR1`.
    USER_DEFINED_1 = SIGUSR1;
    /// `SIGSEGV`: memory that is not the process's. It cannot be listened for.
    SEGMENTATION = SIGSEGV;
    /// `SIGUSR2`.
    USER_DEFINED_2 = SIGUSR2;
    /// `SIGPIPE`: what was written can be read by nobody. Rust programs ignore it from their start.
    PIPE = SIGPIPE;
    /// `SIGALRM`: the timer of `alarm`.
    ALARM = SIGALRM;
    /// `SIGTERM`: the polite request to end.
    TERMINATE = SIGTERM;
    /// `SIGCHLD`: a child has ended, stopped or gone on.
    CHILD = SIGCHLD;
    /// `SIGCONT`: a stopped process goes on.
    CONTINUE = SIGCONT;
    /// `SIGSTOP`: stopped. It cannot be listened for.
    STOP = SIGSTOP;
    /// `SIGTSTP`: Ctrl-Z in the terminal.
    TERMINAL_STOP = SIGTSTP;
    /// `SIGTTIN`: a process in the background reads from the terminal.
    TERMINAL_READ = SIGTTIN;
    /// `SIGTTOU`: a process in the background writes to the terminal, or sets its mode.
    TERMINAL_WRITE = SIGTTOU;
    /// `SIGURG`: out-of-band data on a socket.
    URGENT = SIGURG;
    /// `SIGXCPU`: the limit of processor time is reached.
    PROCESSOR_LIMIT = SIGXCPU;
    /// `SIGXFSZ`: the limit of a file's size is reached.
    FILE_LIMIT = SIGXFSZ;
    /// `SIGVTALRM`: the timer of processor time.
    VIRTUAL_ALARM = SIGVTALRM;
    /// `SIGPROF`: the timer of a profiler.
    PROFILE = SIGPROF;
    /// `SIGWINCH`: the terminal has another size.
    WINDOW_CHANGE = SIGWINCH;
    /// `SIGIO`: a descriptor that was asked to tell so is ready.
    IO = SIGIO;
    /// `SIGPWR`: the power fails.
    POWER = SIGPWR;
    /// `SIGSYS`: a system call that is not allowed.
    SYSTEM_CALL = SIGSYS;
}

impl SignalKind {
    /// The signal of that number.
    #[must_use]
    pub const fn from_raw(number: i32) -> SignalKind {
        SignalKind(number)
    }

    /// Its number.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// The `n`th real-time signal, from zero: `SIGRTMIN+n`. Other than the rest, these do not merge while they are pending:
    /// each that was sent comes (signal(7)).
    ///
    /// # Errors
    /// When the system has fewer of them.
    pub fn real_time(n: u32) -> io::Result<SignalKind> {
        let number = i32::try_from(n).ok().and_then(|n| libc::SIGRTMIN().checked_add(n));
        match number {
            Some(number) if number <= libc::SIGRTMAX() => Ok(SignalKind(number)),
            _ => Err(invalid(format!("there is no real-time signal {n}"))),
        }
    }

    /// Whether it is a real-time signal.
    #[must_use]
    pub fn is_real_time(self) -> bool {
        (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&self.0)
    }
}

impl From<SignalKind> for i32 {
    fn from(kind: SignalKind) -> i32 {
        kind.0
    }
}

/// `SIGINT`, `SIGRTMIN+1`; `signal 99` where the number means nothing.
impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(kind, _)| kind == self) {
            Some((_, name)) => f.pad(name),
            None if self.is_real_time() => f.pad(&format!("SIGRTMIN+{}", self.0 - libc::SIGRTMIN())),
            None => f.pad(&format!("signal {}", self.0)),
        }
    }
}

/// Takes a name as `kill` does: with `SIG` before it or without, in capitals or not; not a number.
impl FromStr for SignalKind {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<SignalKind> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((kind, _)) = NAMES.iter().find(|(_, known)| known.strip_prefix("SIG") == Some(name)) {
            return Ok(*kind);
        }
        let real_time = name.strip_prefix("RTMIN").and_then(|rest| match rest {
            "" => Some(0),
            rest => rest.strip_prefix('+')?.parse().ok(),
        });
        match real_time {
            Some(n) => SignalKind::real_time(n),
            None => Err(invalid(format!("there is no signal {text:?}"))),
        }
    }
}

pub(super) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for (kind, name) in NAMES {
            assert_eq!(kind.to_string(), *name);
            assert_eq!(name.parse::<SignalKind>().unwrap(), *kind);
            assert_eq!(name.to_lowercase()[3..].parse::<SignalKind>().unwrap(), *kind);
        }
        let last = SignalKind::from_raw(libc::SIGRTMAX());
        assert_eq!(last.to_string().parse::<SignalKind>().unwrap(), last);
    }

    #[test]
    fn name_that_there_is_not_is_an_error() {
        for text in ["", "SIG", "SIGSIGINT", "15", "RTMIN+", "RTMIN-1", "RTMIN+99", "RTMIN+99999999999", "int "] {
            assert!(text.parse::<SignalKind>().is_err(), "{text:?}");
        }
        assert_eq!(SignalKind::from_raw(99).to_string(), "signal 99");
    }

    #[test]
    fn real_time_signals_end_where_the_system_says() {
        assert!(SignalKind::real_time(0).unwrap().is_real_time());
        assert!(SignalKind::real_time(u32::MAX).is_err());
        assert!(!SignalKind::TERMINATE.is_real_time());
    }
}
