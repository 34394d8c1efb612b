//! Unix signals as streams.
//!
//! Each [`Signal`] has a pipe of its own. The handler, which signal-hook installs once per process and signal, writes a
//! byte into every pipe that asked for it; the other ends are sources like any other. So several loops in a process all
//! hear a signal, no thread waits for it, and nothing in the handler could be unsound. A pipe and not a pair of sockets:
//! it holds 65,536 bytes and takes a page of memory for 4,096 of them, where a socket is full after some 280. (It is two pages
//! where a user has more pipes than `pipe-user-pages-soft` grants, pipe(7).) So a flood of signals is bounded in memory, and
//! that some have come is known also when nobody looked for long.
//!
//! How often a signal came can be asked for ([`recv_count`](Signal::recv_count)), with one reservation that is the
//! kernel's: a signal that is sent while one of its kind is still pending merges with it, and one of the two is never
//! heard of. Real-time signals ([`SignalKind::real_time`]) do not merge.
//!
//! | file | what it gives |
//! |---|---|
//! | `kind.rs` | which signal: numbers and names |
//! | `many.rs` | several kinds in one stream |
//! | `once.rs` | one signal, and then no more |
//! | `send.rs` | signals to this process and to others |
//! | `unheard.rs` | what a signal does that nobody listens for; the second of two |

mod kind;
mod many;
mod once;
mod send;
mod unheard;

pub use kind::SignalKind;
pub use many::{RecvAny, Signals, signals};
pub use once::{Once, once};
pub use send::{kill, raise};
pub use unheard::{exit_on_second, restore_default};

use crate::registered::Registered;
use crate::sys::source::FdSource;
use crate::trace::Side;
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::SigId;
use signal_hook::consts::FORBIDDEN;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use unheard::Listening;

/// So many signals are taken from the pipe by one read.
const SIGNALS_PER_READ: usize = 4096;

/// So many are waited for at most, while they keep coming: as many as the pipe holds.
const SIGNALS_MAX: usize = 65_536;

/// Listens for a signal, from now on, in place of what the signal does by default. That default does not come back when
/// the stream is dropped: the signal is then ignored, unless [`restore_default`] was called for it.
///
/// # Errors
/// When the signal cannot be handled (`SIGKILL`, `SIGSTOP`, those of faults), or there are no descriptors.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::signal::{SignalKind, raise, signal};
///
/// evloop_runtime::block_on(async {
///     let mut usr1 = signal(SignalKind::USER_DEFINED_1)?;
///     raise(SignalKind::USER_DEFINED_1)?;
///     usr1.recv().await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    check(kind)?;
    let (ours, handlers) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let source = Registered::new(FdSource(ours))?;
    let listening = Listening::new(kind);
    let registration = pipe::register(kind.as_raw(), handlers)?;
    Ok(Signal { source, registration, kind, _listening: listening })
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
    source: Registered<FdSource<OwnedFd>>,
    registration: SigId,
    kind: SignalKind,
    _listening: Listening,
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
    /// What reading from the pipe says, or that the loop has ended.
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub fn recv(&mut self) -> Recv<'_> {
        Recv { signal: self, waits: false }
    }

    /// As [`recv`](Signal::recv), and tells how often the signal has come since the last time: never zero, and at most as many
    /// as fit into the pipe, 65,536. Signals that merged in the kernel count as one.
    ///
    /// # Errors
    /// As [`recv`](Signal::recv).
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub fn recv_count(&mut self) -> RecvCount<'_> {
        RecvCount { signal: self, waits: false }
    }

    /// Polls for the signal; see [`recv`](Signal::recv).
    ///
    /// # Errors
    /// As [`recv`](Signal::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_recv_count(cx).map_ok(|_| ())
    }

    /// Polls for the signal; see [`recv_count`](Signal::recv_count).
    ///
    /// # Errors
    /// As [`recv`](Signal::recv).
    pub fn poll_recv_count(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let polled = self.source.poll_io(Side::Read, cx, |mut pipe| {
            let mut bytes = [0; SIGNALS_PER_READ];
            let mut come = 0;
            loop {
                match pipe.read(&mut bytes) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(read) => come += read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && come > 0 => return Ok(come),
                    Err(error) => return Err(error),
                }
                if come % SIGNALS_PER_READ != 0 || come >= SIGNALS_MAX {
                    return Ok(come);
                }
            }
        });
        if let Poll::Ready(Ok(1..SIGNALS_MAX)) = polled {
            self.source.spend(Side::Read); // the pipe was drained, and the next byte brings the next edge
        }
        polled
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
            self.signal.source.give_up_last(Side::Read);
        }
    }
}

/// A signal to come, and how often it came; see [`Signal::recv_count`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct RecvCount<'a> {
    signal: &'a mut Signal,
    waits: bool,
}

impl Future for RecvCount<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.signal.poll_recv_count(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl Drop for RecvCount<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.signal.source.give_up_last(Side::Read);
        }
    }
}

/// Whether a signal can be handled: `sigaction` refuses some, and faults must not be ignored.
fn check(kind: SignalKind) -> io::Result<()> {
    if FORBIDDEN.contains(&kind.as_raw()) {
        return Err(kind::invalid(format!("{kind} cannot be listened for")));
    }
    Ok(())
}
