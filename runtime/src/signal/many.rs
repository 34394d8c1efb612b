//! Several kinds of signals in one stream.

use super::kind::SignalKind;
use super::{Signal, signal};
use crate::trace::Side;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Listens for signals of several kinds, from now on.
///
/// # Errors
/// As [`signal`]; and when no kind is named, for it would wait for ever. Named twice, a kind is listened for once.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::signal::{SignalKind, raise, signals};
///
/// evloop_runtime::block_on(async {
///     let mut ends = signals(&[SignalKind::INTERRUPT, SignalKind::TERMINATE])?;
///     raise(SignalKind::TERMINATE)?;
///     assert_eq!(ends.recv().await?, SignalKind::TERMINATE);
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn signals(kinds: &[SignalKind]) -> io::Result<Signals> {
    let mut streams: Vec<Signal> = Vec::new();
    for kind in kinds {
        if streams.iter().all(|stream| stream.kind != *kind) {
            streams.push(signal(*kind)?);
        }
    }
    if streams.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no signal is named"));
    }
    Ok(Signals { streams, next: 0 })
}

/// A stream of signals of several kinds; see [`signals`].
#[derive(Debug)]
pub struct Signals {
    streams: Vec<Signal>,
    /// Who is asked first: the one after the last that was given, so that a flood of one kind hides no other.
    next: usize,
}

impl Signals {
    /// Lets it count, or not, when the loop asks whether anything keeps it alive. A new one does not.
    pub fn set_referenced(&self, referenced: bool) {
        for stream in &self.streams {
            stream.set_referenced(referenced);
        }
    }

    /// Waits until one of the signals has come since the last time, and tells which. Those that came together are one for each
    /// kind; in which order the kinds came, the kernel does not tell.
    ///
    /// # Errors
    /// As [`Signal::recv`].
    ///
    /// # Cancel safety
    /// No signal is lost.
    pub fn recv(&mut self) -> RecvAny<'_> {
        RecvAny { signals: self, waits: false }
    }

    /// Polls for a signal, and tells which has come and how often.
    ///
    /// # Errors
    /// As [`Signal::recv`].
    pub fn poll_recv_count(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(SignalKind, usize)>> {
        for turn in 0..self.streams.len() {
            let place = (self.next + turn) % self.streams.len();
            let stream = &mut self.streams[place];
            if let Poll::Ready(come) = stream.poll_recv_count(cx) {
                self.next = place + 1;
                return Poll::Ready(come.map(|count| (stream.kind, count)));
            }
        }
        Poll::Pending
    }
}

/// A signal to come; see [`Signals::recv`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct RecvAny<'a> {
    signals: &'a mut Signals,
    waits: bool,
}

impl Future for RecvAny<'_> {
    type Output = io::Result<SignalKind>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.waits = true; // by the time one is ready, others may have been asked
        self.signals.poll_recv_count(cx).map_ok(|(kind, _)| kind)
    }
}

impl Drop for RecvAny<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.signals.streams.iter().for_each(|stream| stream.source.give_up_last(Side::Read));
        }
    }
}
