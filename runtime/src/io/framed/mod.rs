//! Messages over a stream of bytes.
//!
//! A codec says where one message ends and the next begins: a [`Decoder`] takes messages out of the bytes that have
//! come, an [`Encoder`] appends them to the bytes that will go. [`Framed`] puts a codec and a stream together and keeps
//! the bytes in between, in the shape that the field knows from tokio-util's `codec`.
//!
//! | codec | a message is |
//! |---|---|
//! | [`LinesCodec`] | a line of text |
//! | [`LengthDelimited`] | so many bytes, after a number that says how many |
//! | [`BytesCodec`] | whatever has come |
//!
//! A reader is no `Stream` of futures-core: [`next`](Framed::next) is a method to be awaited, and its loop is
//! `while let Some(message) = framed.next().await?`. A peer can take a bounded amount of memory only:
//! [`Decoder::bytes_max`] says how much.

mod any;
mod length;
mod lines;
mod stream;

pub use any::BytesCodec;
pub use length::{LengthDelimited, LengthPrefix};
pub use lines::LinesCodec;
pub use stream::{CloseFrames, FeedFrame, FlushFrames, Framed, FramedRead, FramedWrite, NextFrame, SendFrame};

use std::io::{self, ErrorKind};

use bytes::BytesMut;

/// How many bytes may wait for the end of a message, unless the decoder says otherwise: 8 MiB.
pub const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many bytes may wait to be written before [`Framed::feed`] waits: 64 KiB, a few writes' worth.
pub const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Takes messages out of bytes.
///
/// # Examples
/// Pairs of bytes:
/// ```
/// use bytes::{Buf, BytesMut};
/// use evloop_runtime::{block_on, io::framed::{Decoder, Framed}};
/// use std::io;
///
/// struct Pairs;
///
/// impl Decoder for Pairs {
///     type Item = (u8, u8);
///     type Error = io::Error;
///
///     fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<(u8, u8)>> {
///         Ok((bytes.len() >= 2).then(|| (bytes.get_u8(), bytes.get_u8())))
///     }
/// }
///
/// let mut pairs = Framed::new(&[1, 2, 3][..], Pairs);
/// assert_eq!(block_on(pairs.next()).unwrap(), Some((1, 2)));
/// assert_eq!(block_on(pairs.next()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
/// ```
pub trait Decoder {
    /// A message.
    type Item;
    /// Why there can be none; what the stream reports as well.
    type Error: From<io::Error>;

    /// Takes the next message from the front of `bytes`, or leaves them as they are until more have come.
    ///
    /// # Errors
    /// When the bytes cannot be a message. Whether the next call goes on behind them, is the decoder's to say.
    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error>;

    /// As [`decode`](Decoder::decode), when no more bytes will come; called until it gives none.
    ///
    /// # Errors
    /// As `decode`. Unless it is overridden, also [`ErrorKind::UnexpectedEof`] when bytes are left that are no message.
    fn decode_eof(&mut self, bytes: &mut BytesMut) -> Result<Option<Self::Item>, Self::Error> {
        match self.decode(bytes)? {
            None if !bytes.is_empty() => {
                let why = format!("the stream ended inside a message, after {} bytes of it", bytes.len());
                Err(io::Error::new(ErrorKind::UnexpectedEof, why).into())
            }
            item => Ok(item),
        }
    }

    /// How many bytes the longest message takes, with all that surrounds it. When so many have come and are none,
    /// no more are read: that is an error with [`TooLong`](super::TooLong) inside.
    fn bytes_max(&self) -> usize {
        FRAME_BYTES_MAX
    }
}

/// Appends messages of the type `T` to bytes.
pub trait Encoder<T> {
    /// Why one cannot be; what the stream reports as well.
    type Error: From<io::Error>;

    /// Appends `item` to `bytes`.
    ///
    /// # Errors
    /// When it cannot be sent in this way. What was appended by then is taken away again.
    fn encode(&mut self, item: T, bytes: &mut BytesMut) -> Result<(), Self::Error>;
}

#[cfg(test)]
mod tests;
