//! No messages: the bytes as they come.

use std::io;

use bytes::BytesMut;

use super::{Decoder, Encoder};

/// A codec whose messages are whatever has come.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::framed::{BytesCodec, Framed}};
///
/// let mut pieces = Framed::new(&b"all of it"[..], BytesCodec);
/// assert_eq!(block_on(pieces.next()).unwrap().unwrap(), "all of it");
/// assert_eq!(block_on(pieces.next()).unwrap(), None);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct BytesCodec;

impl Decoder for BytesCodec {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        Ok((!bytes.is_empty()).then(|| bytes.split()))
    }
}

impl<T: AsRef<[u8]>> Encoder<T> for BytesCodec {
    type Error = io::Error;

    fn encode(&mut self, item: T, bytes: &mut BytesMut) -> io::Result<()> {
        bytes.extend_from_slice(item.as_ref());
        Ok(())
    }
}
