//! Memory with a position in it: std's [`Cursor`], read from and written to as it does by itself.

use std::io::{self, Cursor, IoSlice};
use std::task::{Context, Poll};

use super::{AsyncBufRead, AsyncRead, AsyncWrite};

/// Bytes in memory are always there; the position moves on.
impl<T: AsRef<[u8]>> AsyncRead for Cursor<T> {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(self, buf))
    }
}

/// All behind the position is in the buffer.
impl<T: AsRef<[u8]>> AsyncBufRead for Cursor<T> {
    fn buffer(&self) -> &[u8] {
        let bytes = self.get_ref().as_ref();
        let position = usize::try_from(self.position()).unwrap_or(usize::MAX);
        &bytes[position.min(bytes.len())..]
    }

    fn poll_more(&mut self, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn consume(&mut self, count: usize) {
        assert!(count <= self.buffer().len(), "{count} bytes consumed of {}", self.buffer().len());
        self.set_position(self.position() + count as u64);
    }
}

/// A vector grows behind its end; other memory takes as much as there is, then zero bytes.
impl<T> AsyncWrite for Cursor<T>
where
    Cursor<T>: io::Write,
{
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Write::write(self, buf))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Write::write_vectored(self, bufs))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::finish;
    use std::io::ErrorKind;

    #[test]
    fn what_was_written_can_be_read_from_any_position() {
        let mut memory = Cursor::new(Vec::new());
        assert!(matches!(finish(memory.write_all(b"one\ntwo\n")), Ok(())));
        memory.set_position(4);
        assert!(matches!(finish(memory.read_line(&mut String::new(), 80)), Ok(4)));
        assert!(matches!(finish(memory.read(&mut [0; 8])), Ok(0)));
    }

    #[test]
    fn memory_that_does_not_grow_takes_no_more_than_it_has() {
        let mut memory = Cursor::new([0; 3]);
        assert_eq!(finish(memory.write_all(b"abcd")).unwrap_err().kind(), ErrorKind::WriteZero);
        assert_eq!(memory.get_ref(), b"abc");
    }

    #[test]
    fn position_behind_the_end_is_the_end() {
        let mut memory = Cursor::new(b"abc");
        memory.set_position(u64::MAX);
        assert!(memory.buffer().is_empty());
        memory.consume(0);
        assert!(matches!(finish(memory.read(&mut [0; 8])), Ok(0)));
    }
}
