//! Writing all of what lies in several places.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;

use super::AsyncWrite;

/// How many pieces one call is given, at most. Few buffers have more, and the kernel gains little by them.
const PIECES_MAX: usize = 16;

/// The future that [`AsyncWrite::write_all_buf`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct WriteAllBuf<'a, W, B> {
    pub(super) writer: &'a mut W,
    pub(super) buf: &'a mut B,
}

impl<W: AsyncWrite, B: Buf> Future for WriteAllBuf<'_, W, B> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while this.buf.has_remaining() {
            let mut pieces = [IoSlice::new(&[]); PIECES_MAX];
            let count = this.buf.chunks_vectored(&mut pieces);
            match ready!(this.writer.poll_write_vectored(cx, &pieces[..count]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => this.buf.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<W, B: Buf> fmt::Debug for WriteAllBuf<'_, W, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAllBuf").field("left", &self.buf.remaining()).finish_non_exhaustive()
    }
}

/// The future that [`AsyncWrite::write_all_vectored`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct WriteAllVectored<'a, 'b, W> {
    pub(super) writer: &'a mut W,
    pub(super) rest: &'a mut [IoSlice<'b>],
}

impl<W: AsyncWrite> Future for WriteAllVectored<'_, '_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        IoSlice::advance_slices(&mut this.rest, 0); // past the empty ones
        while !this.rest.is_empty() {
            match ready!(this.writer.poll_write_vectored(cx, this.rest))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => IoSlice::advance_slices(&mut this.rest, count),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<W> fmt::Debug for WriteAllVectored<'_, '_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAllVectored").field("pieces", &self.rest.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{Tap, finish, poll};

    #[test]
    fn buffer_tells_what_a_dropped_write_has_not_written() {
        let (mut stream, mut buf) = (Tap::with_room([4, 0]), b"head"[..].chain(&b"body"[..]));
        buf.advance(1);
        assert!(poll(&mut stream.write_all_buf(&mut buf)).is_pending());
        assert_eq!((&stream.written[..], buf.remaining()), (&b"eadb"[..], 3));
        assert!(matches!(finish(stream.write_all_buf(&mut buf)), Ok(())));
        assert_eq!(stream.written, b"eadbody");
    }

    #[test]
    fn pieces_go_out_in_one_call_and_on_from_where_it_stopped() {
        let (mut stream, empty) = (Tap::with_room([0, 5, 1]), IoSlice::new(b""));
        let mut pieces = [empty, IoSlice::new(b"head"), empty, IoSlice::new(b"body"), empty];
        assert!(matches!(finish(stream.write_all_vectored(&mut pieces)), Ok(())));
        assert_eq!((&stream.written[..], stream.calls()), (&b"headbody"[..], vec![5, 1, 2]));
        assert!(matches!(finish(stream.write_all_vectored(&mut [empty])), Ok(())));
    }

    #[test]
    fn stream_that_takes_no_more_is_an_error() {
        let (mut stream, mut buf) = (Tap::broken_after(3), &b"abcd"[..]);
        assert_eq!(finish(stream.write_all_buf(&mut buf)).unwrap_err().kind(), ErrorKind::WriteZero);
        assert_eq!(buf, b"d");
        let error = finish(stream.write_all_vectored(&mut [IoSlice::new(buf)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    }
}
