//! Reading into memory that grows.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use super::{AsyncRead, BUFFER_BYTES};

/// The room that one read is offered: what the memory has spare, within these bounds.
///
/// A read needs initialised room, and without unsafe that means zeroing it first. The upper bound keeps the price of a
/// short read into much memory small; the lower one keeps the first reads into none from being tiny.
const ROOM_BYTES: std::ops::RangeInclusive<usize> = 512..=16 * 1024;

/// Reads once, behind what is in `bytes`; they hold what was read, and nothing else, however it ends.
fn poll_append<R: AsyncRead>(reader: &mut R, cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Poll<io::Result<usize>> {
    let len = bytes.len();
    let room = (bytes.capacity() - len).clamp(*ROOM_BYTES.start(), *ROOM_BYTES.end());
    bytes.resize(len + room, 0);
    let read = reader.poll_read(cx, &mut bytes[len..]);
    bytes.truncate(len + count_of(&read));
    read
}

/// As [`poll_append`]. Where next to nothing is spare, a whole buffer's room is made.
pub(super) fn poll_read_buf<R: AsyncRead>(
    reader: &mut R,
    cx: &mut Context<'_>,
    bytes: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let len = bytes.len();
    if bytes.capacity() - len < *ROOM_BYTES.start() {
        bytes.reserve(BUFFER_BYTES);
    }
    let room = (bytes.capacity() - len).min(*ROOM_BYTES.end());
    bytes.resize(len + room, 0);
    let read = reader.poll_read(cx, &mut bytes[len..]);
    bytes.truncate(len + count_of(&read));
    read
}

fn count_of(read: &Poll<io::Result<usize>>) -> usize {
    if let Poll::Ready(Ok(count)) = read { *count } else { 0 }
}

/// The future that [`AsyncRead::read_to_end`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadToEnd<'a, R> {
    pub(super) reader: &'a mut R,
    pub(super) bytes: &'a mut Vec<u8>,
    pub(super) total: usize,
}

impl<R: AsyncRead> Future for ReadToEnd<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match ready!(poll_append(this.reader, cx, this.bytes))? {
                0 => return Poll::Ready(Ok(this.total)),
                count => this.total += count,
            }
        }
    }
}

impl<R> fmt::Debug for ReadToEnd<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadToEnd").field("total", &self.total).finish_non_exhaustive()
    }
}

/// The future that [`AsyncRead::read_to_string`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadToString<'a, R> {
    pub(super) reader: &'a mut R,
    pub(super) text: &'a mut String,
    /// What was read until now: it may end in the midst of a character.
    pub(super) bytes: Vec<u8>,
}

impl<R: AsyncRead> Future for ReadToString<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while ready!(poll_append(this.reader, cx, &mut this.bytes))? > 0 {}
        let more = String::from_utf8(std::mem::take(&mut this.bytes));
        let more = more.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let count = more.len();
        if this.text.is_empty() {
            *this.text = more; // without a copy
        } else {
            this.text.push_str(&more);
        }
        Poll::Ready(Ok(count))
    }
}

impl<R> fmt::Debug for ReadToString<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadToString").field("total", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// The future that [`AsyncRead::read_buf`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadBuf<'a, R> {
    pub(super) reader: &'a mut R,
    pub(super) bytes: &'a mut BytesMut,
}

impl<R: AsyncRead> Future for ReadBuf<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        poll_read_buf(this.reader, cx, this.bytes)
    }
}

impl<R> fmt::Debug for ReadBuf<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuf").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{Script, finish, poll};
    use std::string::FromUtf8Error;

    #[test]
    fn character_may_come_in_pieces() {
        let mut text = "a".to_owned();
        assert!(matches!(finish(Script::new("ä€𝄞".as_bytes(), &[1, 0, 2, 2, 1, 1]).read_to_string(&mut text)), Ok(9)));
        assert_eq!(text, "aä€𝄞");
    }

    #[test]
    fn what_is_no_text_comes_back_with_the_error() {
        let mut text = "kept".to_owned();
        let error = finish((&b"ab\xffcd"[..]).read_to_string(&mut text)).unwrap_err();
        assert_eq!((error.kind(), &text[..]), (ErrorKind::InvalidData, "kept"));
        let inside = error.into_inner().unwrap().downcast::<FromUtf8Error>().unwrap();
        assert_eq!(inside.into_bytes(), b"ab\xffcd");
    }

    #[test]
    fn read_buf_appends_and_a_read_that_waits_leaves_nothing() {
        let (mut stream, mut bytes) = (Script::new(b"abcd", &[0, 2]), BytesMut::from(&b"-"[..]));
        assert!(poll(&mut stream.read_buf(&mut bytes)).is_pending());
        assert_eq!(bytes, "-");
        assert!(matches!(finish(stream.read_buf(&mut bytes)), Ok(2)));
        assert!(matches!(finish(stream.read_buf(&mut bytes)), Ok(2)));
        assert!(matches!(finish(stream.read_buf(&mut bytes)), Ok(0)));
        assert_eq!(bytes, "-abcd");
    }
}
