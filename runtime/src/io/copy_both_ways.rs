//! Between two streams, in both directions at once: what a proxy does.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::copy::Transfer;
use super::{AsyncRead, AsyncWrite};

/// Passes on what `a` gives to `b`, and what `b` gives to `a`, until both have ended; tells how many bytes `b` has
/// taken and how many `a` has.
///
/// When one stream ends, the other is shut down for writing and may still answer (a half-close is passed on). An error
/// on either way ends both. Each way holds a buffer of [`COPY_BYTES`](super::COPY_BYTES), allocated once, and flushes
/// while it waits.
///
/// [`copied`](CopyBothWays::copied) tells the counts at any time: poll the future by reference, and they are there
/// after an error or a time-out, too.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join, io::{self, AsyncRead, AsyncWrite}};
///
/// let (mut client, mut front) = io::duplex(64);
/// let (mut back, mut server) = io::duplex(64);
/// let ask = async {
///     client.write_all(b"ping").await.unwrap();
///     client.shutdown().await.unwrap();
///     let mut answer = Vec::new();
///     client.read_to_end(&mut answer).await.unwrap();
///     assert_eq!(answer, b"PING!");
/// };
/// let answer = async move {
///     let mut question = Vec::new();
///     server.read_to_end(&mut question).await.unwrap(); // until the client's end, which was passed on
///     question.make_ascii_uppercase();
///     question.push(b'!');
///     server.write_all(&question).await.unwrap();
/// };
/// let counts = block_on(join(join(ask, answer), io::copy_both_ways(&mut front, &mut back))).1;
/// assert_eq!(counts.unwrap(), (4, 5));
/// ```
///
/// # Errors
/// What either stream reports, and [`ErrorKind::WriteZero`] when one takes no more.
///
/// # Cancel safety
/// Up to [`COPY_BYTES`](super::COPY_BYTES) are lost on each way: what was read and not yet written.
#[doc(alias = "copy_bidirectional")]
pub fn copy_both_ways<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBothWays<'a, A, B>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    CopyBothWays { a, b, there: Way::new(), back: Way::new() }
}

/// The future that [`copy_both_ways`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct CopyBothWays<'a, A, B> {
    a: &'a mut A,
    b: &'a mut B,
    there: Way,
    back: Way,
}

impl<A, B> CopyBothWays<'_, A, B> {
    /// How many bytes the second stream has taken until now, and how many the first.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{io, time::timeout};
    /// use evloop_runtime::io::AsyncWrite;
    /// use std::time::Duration;
    ///
    /// evloop_runtime::block_on(async {
    ///     let ((mut client, mut front), (mut back, _server)) = (io::duplex(64), io::duplex(64));
    ///     client.write_all(b"ping").await.unwrap();
    ///     let mut copy = io::copy_both_ways(&mut front, &mut back);
    ///     timeout(Duration::from_millis(1), &mut copy).await.unwrap_err();
    ///     assert_eq!(copy.copied(), (4, 0));
    /// });
    /// ```
    pub fn copied(&self) -> (u64, u64) {
        (self.there.transfer.total, self.back.transfer.total)
    }
}

impl<A, B> Future for CopyBothWays<'_, A, B>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    type Output = io::Result<(u64, u64)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let there = this.there.poll(cx, this.a, this.b)?;
        let back = this.back.poll(cx, this.b, this.a)?;
        if there.is_ready() && back.is_ready() { Poll::Ready(Ok(this.copied())) } else { Poll::Pending }
    }
}

/// One of the two directions.
struct Way {
    transfer: Transfer,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    /// The reader has not ended, or what it gave is not yet written.
    Copy,
    /// The writer is being shut down.
    End,
    /// The writer was shut down.
    Ended,
}

impl Way {
    fn new() -> Way {
        Way { transfer: Transfer::new(), step: Step::Copy }
    }

    fn poll<R: AsyncRead, W: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<()>> {
        if let Step::Copy = self.step {
            ready!(self.transfer.poll(cx, reader, writer))?;
            self.step = Step::End;
        }
        if let Step::End = self.step {
            match ready!(writer.poll_shutdown(cx)) {
                // The connection is gone wholly: there is nothing to end, and the other way will come to its own.
                Err(error) if error.kind() == ErrorKind::NotConnected => {}
                done => done?,
            }
            self.step = Step::Ended;
        }
        Poll::Ready(Ok(()))
    }
}

impl<A, B> fmt::Debug for CopyBothWays<'_, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyBothWays").field("copied", &self.copied()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{Both, Script, Tap, finish, poll};
    use proptest::prelude::*;

    #[test]
    fn half_close_is_passed_on_and_the_other_way_goes_on() {
        let mut a = Both { read: Script::new(b"question", &[]), write: Tap::default() };
        let mut b = Both { read: Script::new(b"answer", &[0, 3, 0]), write: Tap::default() };
        let mut copy = copy_both_ways(&mut a, &mut b);
        assert!(poll(&mut copy).is_pending());
        assert!(copy.b.write.ended && !copy.a.write.ended);
        assert!(matches!(finish(copy), Ok((8, 6))));
        assert_eq!((&a.write.written[..], a.write.ended), (&b"answer"[..], true));
        assert_eq!(b.write.written, b"question");
    }

    #[test]
    fn counts_are_there_after_an_error() {
        let mut a = Both { read: Script::new(b"abc", &[]), write: Tap::default() };
        let mut b = Both { read: Script::new(b"", &[0]), write: Tap::broken_after(2) };
        let mut copy = copy_both_ways(&mut a, &mut b);
        assert_eq!(finish(&mut copy).unwrap_err().kind(), ErrorKind::WriteZero);
        assert_eq!(copy.copied(), (2, 0));
    }

    #[test]
    fn stream_that_is_gone_needs_no_end() {
        let mut a = Both { read: Script::new(b"", &[]), write: Tap::default() };
        let mut b = Both { read: Script::new(b"", &[]), write: Tap::gone() };
        assert!(matches!(finish(copy_both_ways(&mut a, &mut b)), Ok((0, 0))));
    }

    fn steps() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(0..5_usize, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

        /// The slow twin: what each stream is given is what the other gives, wherever they make it wait.
        #[test]
        fn both_ways_arrive_whole_wherever_they_wait(
            bytes in (prop::collection::vec(any::<u8>(), 0..32), prop::collection::vec(any::<u8>(), 0..32)),
            reads in (steps(), steps()),
            rooms in (steps(), steps()),
        ) {
            let mut a = Both { read: Script::new(&bytes.0, &reads.0), write: Tap::with_room(rooms.0) };
            let mut b = Both { read: Script::new(&bytes.1, &reads.1), write: Tap::with_room(rooms.1) };
            let counts = finish(copy_both_ways(&mut a, &mut b)).unwrap();
            prop_assert_eq!(counts, (bytes.0.len() as u64, bytes.1.len() as u64));
            prop_assert_eq!((&b.write.written, &a.write.written), (&bytes.0, &bytes.1));
            prop_assert_eq!((b.write.flushed, a.write.flushed), (bytes.0.len(), bytes.1.len()));
            prop_assert!(a.write.ended && b.write.ended);
        }
    }
}
