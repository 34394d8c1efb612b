//! Messages that say first how long they are.

use std::io::{self, ErrorKind};

use bytes::{Buf, BufMut, BytesMut};

use super::{Decoder, Encoder};
use crate::io::TooLong;

/// A codec whose messages are so many bytes, after a number that says how many.
///
/// A message that is too long is an error with [`TooLong`] inside: of the kind [`ErrorKind::InvalidData`] when read, and
/// then it comes again with each call, for what follows in the stream cannot be found any more; of the kind
/// [`ErrorKind::InvalidInput`] when written. What a prefix announces takes no memory before it has come.
///
/// No copy and no allocation a message: what is read is a part of the buffer, which is shared.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::duplex, io::framed::{Framed, LengthDelimited, LengthPrefix}};
///
/// let codec = LengthDelimited::new(LengthPrefix::U16, 1024);
/// let (client, server) = duplex(64);
/// let (mut client, mut server) = (Framed::new(client, codec), Framed::new(server, codec));
/// block_on(async {
///     client.send("hello").await?; // 00 05 h e l l o
///     assert_eq!(server.next().await?.unwrap(), "hello");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LengthDelimited {
    prefix: LengthPrefix,
    frame_bytes_max: usize,
}

/// The number in front of a message: how wide it is, and with which byte it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthPrefix {
    /// One byte.
    U8,
    /// Two bytes, the higher first.
    U16,
    /// Two bytes, the lower first.
    U16Le,
    /// Four bytes, the highest first.
    U32,
    /// Four bytes, the lowest first.
    U32Le,
    /// Eight bytes, the highest first.
    U64,
    /// Eight bytes, the lowest first.
    U64Le,
}

impl LengthPrefix {
    /// How many bytes the number takes.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            LengthPrefix::U8 => 1,
            LengthPrefix::U16 | LengthPrefix::U16Le => 2,
            LengthPrefix::U32 | LengthPrefix::U32Le => 4,
            LengthPrefix::U64 | LengthPrefix::U64Le => 8,
        }
    }

    const fn lowest_first(self) -> bool {
        matches!(self, LengthPrefix::U16Le | LengthPrefix::U32Le | LengthPrefix::U64Le)
    }

    /// The greatest length it can tell.
    fn length_max(self) -> usize {
        usize::try_from(u64::MAX >> (64 - 8 * self.width())).unwrap_or(usize::MAX)
    }

    /// The length that these bytes tell.
    fn read(self, mut bytes: &[u8]) -> u64 {
        if self.lowest_first() { bytes.get_uint_le(self.width()) } else { bytes.get_uint(self.width()) }
    }

    fn write(self, length: u64, bytes: &mut BytesMut) {
        if self.lowest_first() {
            bytes.put_uint_le(length, self.width());
        } else {
            bytes.put_uint(length, self.width());
        }
    }
}

impl LengthDelimited {
    /// Messages of at most `frame_bytes_max` bytes, which do not count the prefix; fewer, if it cannot tell so many.
    #[must_use]
    pub fn new(prefix: LengthPrefix, frame_bytes_max: usize) -> LengthDelimited {
        LengthDelimited { prefix, frame_bytes_max: frame_bytes_max.min(prefix.length_max()) }
    }
}

impl Decoder for LengthDelimited {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let width = self.prefix.width();
        let Some(prefix) = bytes.get(..width) else {
            return Ok(None);
        };
        let length = usize::try_from(self.prefix.read(prefix)).unwrap_or(usize::MAX);
        if length > self.frame_bytes_max {
            return Err(TooLong { bytes_max: self.frame_bytes_max }.into());
        }
        if bytes.len() - width < length {
            return Ok(None);
        }
        bytes.advance(width);
        Ok(Some(bytes.split_to(length)))
    }

    fn bytes_max(&self) -> usize {
        self.frame_bytes_max.saturating_add(self.prefix.width())
    }
}

impl<T: AsRef<[u8]>> Encoder<T> for LengthDelimited {
    type Error = io::Error;

    fn encode(&mut self, item: T, bytes: &mut BytesMut) -> io::Result<()> {
        let item = item.as_ref();
        if item.len() > self.frame_bytes_max {
            return Err(io::Error::new(ErrorKind::InvalidInput, TooLong { bytes_max: self.frame_bytes_max }));
        }
        self.prefix.write(item.len() as u64, bytes);
        bytes.extend_from_slice(item);
        Ok(())
    }
}
