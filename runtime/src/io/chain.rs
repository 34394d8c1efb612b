//! One stream after the other.

use std::io;
use std::task::{Context, Poll, ready};

use super::AsyncRead;

/// The first stream to its end, then the second.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::{AsyncRead, chain}};
///
/// let mut text = String::new();
/// block_on(chain(&b"head"[..], &b"body"[..]).read_to_string(&mut text)).unwrap();
/// assert_eq!(text, "headbody");
/// ```
pub fn chain<A: AsyncRead, B: AsyncRead>(first: A, second: B) -> Chain<A, B> {
    Chain { first, second, first_ended: false }
}

/// One stream to its end, then another; see [`chain`].
///
/// It has no buffer in which a line could lie that begins in the one and ends in the other: put a
/// [`BufReader`](super::BufReader) in front of it for that.
#[derive(Debug)]
pub struct Chain<A, B> {
    first: A,
    second: B,
    /// The first has come to its end, and is not asked again.
    first_ended: bool,
}

impl<A, B> Chain<A, B> {
    /// The two streams.
    pub fn get_ref(&self) -> (&A, &B) {
        (&self.first, &self.second)
    }

    /// The two streams; what is read from them directly does not come here.
    pub fn get_mut(&mut self) -> (&mut A, &mut B) {
        (&mut self.first, &mut self.second)
    }

    /// The two streams, with what is left of them.
    pub fn into_inner(self) -> (A, B) {
        (self.first, self.second)
    }
}

impl<A: AsyncRead, B: AsyncRead> AsyncRead for Chain<A, B> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.first_ended && !buf.is_empty() {
            match ready!(self.first.poll_read(cx, buf))? {
                0 => self.first_ended = true,
                count => return Poll::Ready(Ok(count)),
            }
        }
        self.second.poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{Script, finish};
    use crate::io::{AsyncBufRead, BufReader};

    #[test]
    fn second_follows_the_end_of_the_first() {
        let mut both = chain(Script::new(b"ab", &[0, 1, 0]), Script::new(b"cd", &[0]));
        let mut bytes = Vec::new();
        assert!(matches!(finish(both.read_to_end(&mut bytes)), Ok(4)));
        assert_eq!(bytes, b"abcd");
    }

    #[test]
    fn read_of_nothing_is_not_the_end_of_the_first() {
        let mut both = chain(&b"a"[..], &b"b"[..]);
        assert!(matches!(finish(both.read(&mut [])), Ok(0)));
        let mut bytes = [0; 2];
        assert!(matches!(finish(both.read_exact(&mut bytes)), Ok(())));
        assert_eq!(&bytes, b"ab");
    }

    #[test]
    fn line_may_begin_in_the_first_and_end_in_the_second() {
        let mut lines = BufReader::new(chain(&b"on"[..], &b"e\ntwo"[..])).lines(80);
        assert!(matches!(finish(lines.next()), Ok(Some(line)) if line == "one"));
    }
}
