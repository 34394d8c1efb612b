//! Reading and writing bytes that may not be there yet.
//!
//! [`AsyncRead`] and [`AsyncWrite`] have the names and the meaning that the field gave them, with one difference: they
//! are implemented by values that may move, so they take `&mut self` and not a pinned one. A stream of this loop is a
//! key and a descriptor; nothing in it points to itself.
//!
//! The `poll_` methods are for those who write streams and protocols. Beside them stand methods to be awaited
//! ([`read`](AsyncRead::read), [`write_all`](AsyncWrite::write_all), ...), each a named future that borrows the stream
//! and the bytes: no allocation, no copy between the caller's bytes and the kernel's. All of them are leaves' callers,
//! not leaves: the stream below notes what it waits for and takes from the poll's budget.
//!
//! The end of a stream is a read of zero bytes; the end of what one writes is [`shutdown`](AsyncWrite::shutdown).
//!
//! # What is built on them
//!
//! | to | there is |
//! |---|---|
//! | read lines, or to a delimiter, and look ahead | [`BufReader`], [`AsyncBufRead`] |
//! | write in small pieces | [`BufWriter`]; both ways [`BufStream`] |
//! | exchange messages instead of bytes | [`framed`] |
//! | move all from here to there | [`copy()`], [`copy_buf()`], [`copy_both_ways()`] |
//! | read and write in two places | [`split()`] |
//! | read a part, or one after the other | [`take()`], [`chain()`] |
//! | do without a kernel | [`duplex()`], [`simplex`], [`Cursor`](std::io::Cursor), `&[u8]`, `Vec<u8>` |
//! | read nothing, write to nobody, read for ever | [`empty`], [`sink`], [`repeat`] |

mod buf_read;
mod buf_reader;
mod buf_writer;
mod chain;
mod copy;
mod copy_both_ways;
mod copy_buf;
mod cursor;
mod duplex;
mod ends;
pub mod framed;
mod lines;
mod number;
mod read;
mod read_into;
mod split;
mod take;
mod write;
mod write_all;

pub use buf_read::{AsyncBufRead, FillBuf, ReadLine, ReadUntil, SkipUntil};
pub use buf_reader::{BUFFER_BYTES, BufReader, BufStream};
pub use buf_writer::BufWriter;
pub use chain::{Chain, chain};
pub use copy::{COPY_BYTES, Copy, copy};
pub use copy_both_ways::{CopyBothWays, copy_both_ways};
pub use copy_buf::{CopyBuf, copy_buf};
pub use duplex::{DuplexStream, SimplexReader, SimplexWriter, duplex, simplex};
pub use ends::{Empty, Repeat, Sink, empty, repeat, sink};
pub use lines::{Chunks, Lines, NextChunk, NextLine, NextPiece, Split};
pub use number::{ReadNumber, WriteNumber};
pub use read::{AsyncRead, Read, ReadExact};
pub use read_into::{ReadBuf, ReadToEnd, ReadToString};
pub use split::{ReadHalf, WriteHalf, split};
pub use take::{Take, TooLong, take};
pub use write::{AsyncWrite, Flush, Shutdown, Write, WriteAll, WriteVectored};
pub use write_all::{WriteAllBuf, WriteAllVectored};

#[cfg(test)]
mod testing;
