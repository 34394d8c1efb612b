//! Messages that are lines.

use std::io::{self, ErrorKind};

use bytes::{Buf, BytesMut};

use super::{Decoder, Encoder};
use crate::io::TooLong;
use crate::io::buf_read::find;
use crate::io::lines::without_end;

/// A codec whose messages are lines of UTF-8, without the `\n` or `\r\n` at their ends; written with `\n`.
///
/// The last line may do without its end. After a line that is too long, or no text, the next call goes on with the line
/// behind it. One allocation a line that is read, none a line that is written. It remembers how far it has looked: one
/// that has begun is for the stream it has begun with.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::framed::{Framed, LinesCodec}};
///
/// let mut lines = Framed::new(&b"one\r\nmuch too long\ntwo"[..], LinesCodec::new(4));
/// block_on(async {
///     assert_eq!(lines.next().await.unwrap().as_deref(), Some("one"));
///     assert_eq!(lines.next().await.unwrap_err().to_string(), "longer than the maximum of 4 bytes");
///     assert_eq!(lines.next().await.unwrap().as_deref(), Some("two"));
///     assert_eq!(lines.next().await.unwrap(), None);
/// });
/// ```
#[derive(Debug, Clone)]
pub struct LinesCodec {
    bytes_max: usize,
    /// So many bytes at the front have no end of a line.
    scanned: usize,
    /// What comes up to the end of the line belongs to one that was too long.
    skipping: bool,
}

impl LinesCodec {
    /// Lines of at most so many bytes in front of the `\n`.
    #[must_use]
    pub fn new(bytes_max: usize) -> LinesCodec {
        LinesCodec { bytes_max, scanned: 0, skipping: false }
    }

    /// Takes a line of so many bytes, its end included.
    fn take(&mut self, bytes: &mut BytesMut, count: usize) -> io::Result<Option<String>> {
        self.scanned = 0;
        let line = without_end(&bytes[..count]).to_vec();
        bytes.advance(count);
        String::from_utf8(line).map(Some).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    /// Throws away the rest of a line that was too long, as much of it as is there.
    fn skip(&mut self, bytes: &mut BytesMut) {
        match find(b'\n', bytes) {
            Some(at) => {
                bytes.advance(at + 1);
                self.skipping = false;
            }
            None => bytes.clear(),
        }
    }
}

/// A line that is no text is an error with a [`FromUtf8Error`](std::string::FromUtf8Error) inside, which has its bytes.
impl Decoder for LinesCodec {
    type Item = String;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<String>> {
        if self.skipping {
            self.skip(bytes);
        }
        let end = bytes.len().min(self.bytes_max.saturating_add(1));
        if self.scanned > end {
            self.scanned = 0; // these are other bytes than the last time: the codec is used again
        }
        if let Some(at) = find(b'\n', &bytes[self.scanned..end]) {
            return self.take(bytes, self.scanned + at + 1);
        }
        if end > self.bytes_max {
            (self.scanned, self.skipping) = (0, true);
            return Err(TooLong { bytes_max: self.bytes_max }.into());
        }
        self.scanned = end;
        Ok(None)
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> io::Result<Option<String>> {
        match self.decode(bytes)? {
            None if !bytes.is_empty() => self.take(bytes, bytes.len()),
            line => Ok(line),
        }
    }

    fn bytes_max(&self) -> usize {
        self.bytes_max.saturating_add(1)
    }
}

/// A line with a `\n` in it would be two, and is an error of the kind [`ErrorKind::InvalidInput`]; so is, with
/// [`TooLong`] inside, one that is longer than the maximum.
impl<T: AsRef<str>> Encoder<T> for LinesCodec {
    type Error = io::Error;

    fn encode(&mut self, item: T, bytes: &mut BytesMut) -> io::Result<()> {
        let line = item.as_ref();
        if line.contains('\n') {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a line cannot have a line feed in it"));
        }
        if line.len() > self.bytes_max {
            return Err(io::Error::new(ErrorKind::InvalidInput, TooLong { bytes_max: self.bytes_max }));
        }
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\n");
        Ok(())
    }
}
