//! Unix signals as streams.
//!
//! Each [`Signal`] has a socket pair of its own. The handler, which signal-hook installs once per process and signal,
//! writes a byte into every pair that asked for it; the other ends are sources like any other. So several loops in a
//! process all hear a signal, no thread waits for it, and nothing in the handler could be unsound.

use crate::registered::Registered;
use crate::trace::Side;
use signal_hook::SigId;
use signal_hook::consts::{FORBIDDEN, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::flag;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

/// Which signal, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignalKind(i32);

impl SignalKind {
    /// `SIGINT`: Ctrl-C in the terminal.
    pub const INTERRUPT: SignalKind = SignalKind(SIGINT);
    /// `SIGTERM`: the polite request to end.
    pub const TERMINATE: SignalKind = SignalKind(SIGTERM);
    /// `SIGHUP`: the terminal is gone; for a server, read the configuration anew.
    pub const HANGUP: SignalKind = SignalKind(SIGHUP);
    /// `SIGQUIT`: Ctrl-\ in the terminal.
    pub const QUIT: SignalKind = SignalKind(SIGQUIT);
    /// `SIGUSR1`.
    pub const USER_DEFINED_1: SignalKind = SignalKind(SIGUSR1);
    /// `SIGUSR2`.
    pub const USER_DEFINED_2: SignalKind = SignalKind(SIGUSR2);
    /// `SIGWINCH`: the terminal has another size.
    pub const WINDOW_CHANGE: SignalKind = SignalKind(SIGWINCH);

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
}

impl From<SignalKind> for i32 {
    fn from(kind: SignalKind) -> i32 {
        kind.0
    }
}

/// Listens for a signal, from now on, in place of what the signal does by default. That default does not come back when
/// the stream is dropped: the signal is then ignored, as signal-hook has it.
///
/// # Errors
/// When the signal cannot be handled (`SIGKILL`, `SIGSTOP`, those of faults), or there are no descriptors.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::signal::{SignalKind, signal};
///
/// evloop_runtime::block_on(async {
///     let mut usr1 = signal(SignalKind::USER_DEFINED_1)?;
///     signal_hook::low_level::raise(SignalKind::USER_DEFINED_1.as_raw())?;
///     usr1.recv().await
/// }).unwrap();
/// ```
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    check(kind)?;
    let (ours, handlers) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let source = Registered::new(mio::net::UnixStream::from_std(ours))?;
    let registration = pipe::register(kind.0, handlers)?;
    Ok(Signal { source, registration, kind })
}

/// Waits for Ctrl-C.
///
/// From its first poll on, Ctrl-C no longer ends the process by itself.
///
/// # Errors
/// As [`signal`].
///
/// # Panics
/// When this thread is in no loop.
///
/// # Cancel safety
/// A Ctrl-C between two calls is not seen; hold a [`signal`] stream where that matters.
pub async fn ctrl_c() -> io::Result<()> {
    signal(SignalKind::INTERRUPT)?.recv().await
}

/// A stream of one signal; see [`signal`].
#[derive(Debug)]
pub struct Signal {
    source: Registered<mio::net::UnixStream>,
    registration: SigId,
    kind: SignalKind,
}

impl Signal {
    /// Which signal it is.
    #[must_use]
    pub fn kind(&self) -> SignalKind {
        self.kind
    }

    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not: the task that uses it
    /// does.
    pub fn set_referenced(&self, referenced: bool) {
        self.source.set_referenced(referenced);
    }

    /// Waits until the signal has come since the last time. Signals that come together are one, as with the kernel.
    ///
    /// # Errors
    /// What reading from the socket pair says, or that the loop has ended.
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub fn recv(&mut self) -> Recv<'_> {
        Recv { signal: self, waits: false }
    }

    /// Polls for the signal; see [`recv`](Signal::recv).
    ///
    /// # Errors
    /// As [`recv`](Signal::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_io(Side::Read, cx, |mut socket| {
            let mut bytes = [0; 64];
            let mut come = false;
            loop {
                match socket.read(&mut bytes) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => come = true,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && come => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        })
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        unregister(self.registration);
    }
}

/// A signal to come; see [`Signal::recv`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Recv<'a> {
    signal: &'a mut Signal,
    waits: bool,
}

impl Future for Recv<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.signal.poll_recv(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl Drop for Recv<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.signal.source.give_up(Side::Read);
        }
    }
}
/// Lets the second of these signals, of one kind or of two, end the process at once and with this status, whatever the
/// loop does: it happens in the signal's handler. The first does nothing here; who wants to hear of it asks for a
/// [`signal`].
///
/// Nothing is cleaned up then. That is what a person wants who presses Ctrl-C for the second time.
///
/// # Errors
/// When one of the signals cannot be handled.
///
/// # Examples
/// ```no_run
/// use evloop_runtime::signal::{SignalKind, exit_on_second};
///
/// exit_on_second(&[SignalKind::INTERRUPT, SignalKind::TERMINATE], 130)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn exit_on_second(kinds: &[SignalKind], status: i32) -> io::Result<()> {
    let seen = Arc::new(AtomicBool::new(false));
    for kind in kinds {
        check(*kind)?;
        // In this order: the one looks whether the flag is set, the other sets it.
        flag::register_conditional_shutdown(kind.0, status, Arc::clone(&seen))?;
        flag::register(kind.0, Arc::clone(&seen))?;
    }
    Ok(())
}

/// Whether a signal can be handled: `sigaction` refuses some, and faults must not be ignored.
fn check(kind: SignalKind) -> io::Result<()> {
    if FORBIDDEN.contains(&kind.0) {
        let text = format!("signal {} cannot be listened for", kind.0);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}
