//! Numbers of a fixed width, in either order of their bytes.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{AsyncRead, AsyncWrite};

/// Hands the table of all numbers to another macro: their methods, their type, their conversions, their order in words.
macro_rules! numbers {
    ($methods:ident) => {
        $methods! {
            read_u8 write_u8 u8 from_be_bytes to_be_bytes "its one byte";
            read_i8 write_i8 i8 from_be_bytes to_be_bytes "its one byte";
            read_u16 write_u16 u16 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_i16 write_i16 i16 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_u32 write_u32 u32 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_i32 write_i32 i32 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_u64 write_u64 u64 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_i64 write_i64 i64 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_u128 write_u128 u128 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_i128 write_i128 i128 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_f32 write_f32 f32 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_f64 write_f64 f64 from_be_bytes to_be_bytes "its highest byte first, as networks have it";
            read_u16_le write_u16_le u16 from_le_bytes to_le_bytes "its lowest byte first";
            read_i16_le write_i16_le i16 from_le_bytes to_le_bytes "its lowest byte first";
            read_u32_le write_u32_le u32 from_le_bytes to_le_bytes "its lowest byte first";
            read_i32_le write_i32_le i32 from_le_bytes to_le_bytes "its lowest byte first";
            read_u64_le write_u64_le u64 from_le_bytes to_le_bytes "its lowest byte first";
            read_i64_le write_i64_le i64 from_le_bytes to_le_bytes "its lowest byte first";
            read_u128_le write_u128_le u128 from_le_bytes to_le_bytes "its lowest byte first";
            read_i128_le write_i128_le i128 from_le_bytes to_le_bytes "its lowest byte first";
            read_f32_le write_f32_le f32 from_le_bytes to_le_bytes "its lowest byte first";
            read_f64_le write_f64_le f64 from_le_bytes to_le_bytes "its lowest byte first";
        }
    };
}

/// The methods of [`AsyncRead`].
macro_rules! read_methods {
    ($($read:ident $write:ident $number:ident $from:ident $to:ident $order:literal;)*) => { $(
        #[doc = concat!("Reads a number, ", $order, "; see [`ReadNumber`] for an example.")]
        ///
        /// # Errors
        /// What the stream reports, and [`ErrorKind::UnexpectedEof`] when it ends before the number is whole.
        ///
        /// # Cancel safety
        /// A part of the number may have been read, and is lost. Nothing is lost of a single byte, nor where the bytes
        /// are known to be there.
        fn $read(&mut self) -> ReadNumber<'_, Self, $number, { size_of::<$number>() }>
        where
            Self: Sized,
        {
            ReadNumber::new(self, $number::$from)
        }
    )* };
}

/// The methods of [`AsyncWrite`].
macro_rules! write_methods {
    ($($read:ident $write:ident $number:ident $from:ident $to:ident $order:literal;)*) => { $(
        #[doc = concat!("Writes a number, ", $order, "; see [`WriteNumber`] for an example.")]
        ///
        /// # Errors
        /// What the stream reports, and [`ErrorKind::WriteZero`] when it takes no more.
        ///
        /// # Cancel safety
        /// A part of the number may have been written; how much, is not known. A single byte has not.
        fn $write(&mut self, number: $number) -> WriteNumber<'_, Self, { size_of::<$number>() }>
        where
            Self: Sized,
        {
            WriteNumber::new(self, number.$to())
        }
    )* };
}

pub(super) use {numbers, read_methods, write_methods};

/// The future that [`AsyncRead::read_u16`] and its like return.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::AsyncRead};
///
/// let mut stream = &[0, 7, 7, 0][..];
/// assert_eq!(block_on(stream.read_u16()).unwrap(), 7);
/// assert_eq!(block_on(stream.read_u16_le()).unwrap(), 7);
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadNumber<'a, R, T, const N: usize> {
    reader: &'a mut R,
    bytes: [u8; N],
    filled: usize,
    decode: fn([u8; N]) -> T,
}

impl<'a, R, T, const N: usize> ReadNumber<'a, R, T, N> {
    pub(super) fn new(reader: &'a mut R, decode: fn([u8; N]) -> T) -> Self {
        ReadNumber { reader, bytes: [0; N], filled: 0, decode }
    }
}

impl<R: AsyncRead, T, const N: usize> Future for ReadNumber<'_, R, T, N> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while this.filled < N {
            match ready!(this.reader.poll_read(cx, &mut this.bytes[this.filled..]))? {
                0 => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                count => this.filled += count,
            }
        }
        Poll::Ready(Ok((this.decode)(this.bytes)))
    }
}

impl<R, T, const N: usize> fmt::Debug for ReadNumber<'_, R, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadNumber").field("filled", &self.filled).field("of", &N).finish_non_exhaustive()
    }
}

/// The future that [`AsyncWrite::write_u16`] and its like return.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, io::AsyncWrite};
///
/// let mut stream = Vec::new();
/// block_on(stream.write_u16(7)).unwrap();
/// block_on(stream.write_u16_le(7)).unwrap();
/// assert_eq!(stream, [0, 7, 7, 0]);
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct WriteNumber<'a, W, const N: usize> {
    writer: &'a mut W,
    bytes: [u8; N],
    written: usize,
}

impl<'a, W, const N: usize> WriteNumber<'a, W, N> {
    pub(super) fn new(writer: &'a mut W, bytes: [u8; N]) -> Self {
        WriteNumber { writer, bytes, written: 0 }
    }
}

impl<W: AsyncWrite, const N: usize> Future for WriteNumber<'_, W, N> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while this.written < N {
            match ready!(this.writer.poll_write(cx, &this.bytes[this.written..]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => this.written += count,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<W, const N: usize> fmt::Debug for WriteNumber<'_, W, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteNumber").field("written", &self.written).field("of", &N).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::{Script, Tap, finish};

    macro_rules! each_comes_back {
        ($($read:ident $write:ident $number:ident $from:ident $to:ident $order:literal;)*) => { $(
            let number: $number = "77".parse().unwrap();
            let mut stream = Tap::with_room([1, 0, 2]);
            assert!(matches!(finish(stream.$write(number)), Ok(())));
            assert_eq!(stream.written, number.$to(), stringify!($write));
            let read = finish(Script::new(&stream.written, &[0, 1, 0, 3]).$read()).unwrap();
            assert_eq!(read.$to(), number.$to(), stringify!($read));
        )* };
    }

    #[test]
    fn each_number_is_read_as_it_was_written_wherever_it_is_cut() {
        numbers!(each_comes_back);
    }

    #[test]
    fn number_that_is_cut_off_is_an_error() {
        assert_eq!(finish((&b"abc"[..]).read_u32()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(finish(Tap::broken_after(3).write_u32(7)).unwrap_err().kind(), ErrorKind::WriteZero);
    }
}
