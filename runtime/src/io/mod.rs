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

mod copy;
mod read;
mod write;

pub use copy::{COPY_BYTES, Copy, copy};
pub use read::{AsyncRead, Read, ReadExact, ReadToEnd};
pub use write::{AsyncWrite, Flush, Shutdown, Write, WriteAll, WriteVectored};
