//! Where a request's body lies in the bytes that follow its head.
//!
//! A [`BodyDecoder`] copies nothing. Shown some input, it says how much of it is used up and which part of that is
//! the body's; the caller hands that part on and comes back with the rest.
//!
//! A chunked body (RFC 9112 section 7.1) is walked one byte at a time where it is framing, and in one piece where it
//! is data:
//!
//! ```text
//!        ┌──────────────── data ends: DataCr ─ DataLf ◀──────────┐
//!        ▼                                                       │
//!  Size ─ digits ─┬─────────────── CR ─▶ SizeLf ─┬─ size > 0 ─▶ Data
//!                 └─ Extension ─── CR ─▶   ▲     │
//!                                                └─ size = 0 ─▶ TrailerStart ─ CR ─▶ EndLf ─▶ Ended
//!                                                                ▲  │
//!                                   TrailerLf ◀─ TrailerValue ◀──│──┴ TrailerName
//!                                       └────────────────────────┘
//! ```

use std::ops::Range;

use super::framing::BodyLength;
use super::{is_text, is_token};
use crate::error::{Error, Kind};
use crate::limits::Limits;

/// Digits of the largest size a `u64` holds. More are refused, even zeros: a run of zeros without end is an attack
/// too.
const SIZE_DIGITS_MAX: u8 = 16;

/// What a look at some input has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// So many bytes of the input are used up, and are not to be shown again.
    pub consumed: usize,
    /// This part of the input is body; it lies within the consumed bytes, and may be empty.
    pub data: Range<usize>,
    /// Whether the body has ended. What follows the consumed bytes is then the next request's.
    pub ended: bool,
}

/// Finds the body's bytes in the input.
///
/// # Examples
///
/// ```
/// use evloop_http::codec::body::BodyDecoder;
/// use evloop_http::codec::framing::BodyLength;
/// use evloop_http::limits::Limits;
///
/// let mut decoder = BodyDecoder::new(BodyLength::Chunked, &Limits::default());
/// let mut input = &b"6\r\nHello,\r\n7\r\n World!\r\n0\r\n\r\nGET /next"[..];
/// let mut body = Vec::new();
/// while !decoder.is_ended() {
///     let decoded = decoder.decode(input)?;
///     body.extend_from_slice(&input[decoded.data]);
///     input = &input[decoded.consumed..];
/// }
/// assert_eq!(body, b"Hello, World!");
/// assert_eq!(input, b"GET /next");
/// # Ok::<(), evloop_http::error::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BodyDecoder {
    state: State,
    /// Hexadecimal digits of the size that have been read.
    digits: u8,
    /// Bytes of the body, or of the chunk, that are still to come; while its size is read, the size so far.
    left: u64,
    /// Body bytes that `body_bytes_max` still allows.
    allowed: u64,
    /// Bytes that the extensions of this chunk, or the trailers, may still have.
    spare: usize,
    extension_bytes_max: usize,
    trailer_bytes_max: usize,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Body, known by its length.
    Length,
    /// A digit of a chunk's size, or what ends the size.
    Size,
    /// White space between a size and the `;` that must follow it.
    ExtensionSpace,
    /// Part of a chunk's extensions, or the CR that ends them.
    Extension,
    /// The LF after a size.
    SizeLf,
    /// Data of a chunk.
    Data,
    /// The CR after a chunk's data.
    DataCr,
    /// The LF after a chunk's data.
    DataLf,
    /// The first byte of a trailer's name, or the CR of the empty line.
    TrailerStart,
    /// A further byte of a trailer's name, or the colon after it.
    TrailerName,
    /// Part of a trailer's value, or the CR that ends it.
    TrailerValue,
    /// The LF after a trailer.
    TrailerLf,
    /// The LF of the empty line.
    EndLf,
    /// Not ours.
    Ended,
    /// Nothing that can be understood, for this reason.
    Refused(Kind),
}

impl BodyDecoder {
    /// A decoder for a body of this length, which has passed [`head::parse`](super::head::parse).
    #[inline]
    pub fn new(length: BodyLength, limits: &Limits) -> BodyDecoder {
        let (state, left) = match length {
            BodyLength::None | BodyLength::Length(0) => (State::Ended, 0),
            BodyLength::Length(length) => (State::Length, length),
            BodyLength::Chunked => (State::Size, 0),
        };
        BodyDecoder {
            state,
            digits: 0,
            left,
            allowed: limits.body_bytes_max,
            spare: limits.chunk_extension_bytes_max,
            extension_bytes_max: limits.chunk_extension_bytes_max,
            trailer_bytes_max: limits.trailer_bytes_max,
        }
    }

    /// Whether the whole body has been seen.
    #[inline]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// How many bytes of the body are still to come, where the client has said so; never for chunks, unless they
    /// ended.
    #[inline]
    pub fn remaining_hint(&self) -> Option<u64> {
        match self.state {
            State::Length => Some(self.left),
            State::Ended => Some(0),
            _ => None,
        }
    }

    /// Looks at what came, and finds at most one piece of the body in it.
    ///
    /// All input is used up unless the body ended, or a second piece begins: call again with the rest until nothing
    /// is consumed. Framing after a piece is read ahead, so the last piece usually comes with `ended` set.
    ///
    /// # Errors
    ///
    /// If the chunked coding is malformed (400), or a limit is passed (413 for the body, 431 for trailers, 400 for
    /// extensions). Every further call says the same.
    #[inline]
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Error> {
        match self.state {
            State::Length => Ok(self.decode_length(input)),
            State::Ended => Ok(Decoded { consumed: 0, data: 0..0, ended: true }),
            State::Refused(kind) => Err(Error::new(kind)),
            _ => self.decode_chunked(input).map_err(|kind| self.refuse(kind)),
        }
    }

    #[inline]
    fn decode_length(&mut self, input: &[u8]) -> Decoded {
        let taken = self.take(input.len());
        if self.left == 0 {
            self.state = State::Ended;
        }
        Decoded { consumed: taken, data: 0..taken, ended: self.left == 0 }
    }

    fn decode_chunked(&mut self, input: &[u8]) -> Result<Decoded, Kind> {
        let mut data = 0..0;
        let mut at = 0;
        while at < input.len() && self.state != State::Ended {
            if self.state != State::Data {
                self.framing_byte(input[at])?;
                at += 1;
                continue;
            }
            if !data.is_empty() {
                break;
            }
            let taken = self.take(input.len() - at);
            data = at..at + taken;
            at += taken;
            if self.left == 0 {
                self.state = State::DataCr;
            }
        }
        Ok(Decoded { consumed: at, data, ended: self.state == State::Ended })
    }

    /// Of so many bytes at hand, how many are data; they count as used.
    #[inline]
    fn take(&mut self, available: usize) -> usize {
        let taken = usize::try_from(self.left).map_or(available, |left| left.min(available));
        self.left -= taken as u64;
        taken
    }

    /// Remembers the fault: the state is that of the byte before it, and whoever shows the same input again must not be
    /// answered from there.
    #[cold]
    fn refuse(&mut self, kind: Kind) -> Error {
        self.state = State::Refused(kind);
        Error::new(kind)
    }

    /// Steps over one byte that is not data.
    fn framing_byte(&mut self, byte: u8) -> Result<(), Kind> {
        self.state = match (self.state, byte) {
            (State::Size, _) => self.size_byte(byte)?,
            (State::ExtensionSpace, b' ' | b'\t') => {
                self.spend(Kind::ChunkExtensionTooLong)?;
                State::ExtensionSpace
            }
            (State::ExtensionSpace, b';') => {
                self.spend(Kind::ChunkExtensionTooLong)?;
                State::Extension
            }
            (State::Extension, b'\r') => State::SizeLf,
            (State::Extension, _) if is_text(byte) => {
                self.spend(Kind::ChunkExtensionTooLong)?;
                State::Extension
            }
            (State::Extension, _) => return Err(Kind::ChunkExtension),
            (State::SizeLf, b'\n') => self.size_read()?,
            (State::ExtensionSpace | State::SizeLf, _) => return Err(Kind::ChunkSize),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.digits = 0;
                self.spare = self.extension_bytes_max;
                State::Size
            }
            (State::DataCr | State::DataLf, _) => return Err(Kind::ChunkEnd),
            (State::Length | State::Data | State::Ended | State::Refused(_), _) => {
                unreachable!("these bytes are not framing")
            }
            _ => self.trailer_byte(byte)?,
        };
        Ok(())
    }

    fn size_byte(&mut self, byte: u8) -> Result<State, Kind> {
        if let Some(digit) = (byte as char).to_digit(16) {
            if self.digits == SIZE_DIGITS_MAX {
                return Err(Kind::ChunkSize);
            }
            self.digits += 1;
            self.left = self.left << 4 | u64::from(digit);
            return Ok(State::Size);
        }
        match byte {
            _ if self.digits == 0 => Err(Kind::ChunkSize),
            b'\r' => Ok(State::SizeLf),
            b';' => {
                self.spend(Kind::ChunkExtensionTooLong)?;
                Ok(State::Extension)
            }
            b' ' | b'\t' => {
                self.spend(Kind::ChunkExtensionTooLong)?;
                Ok(State::ExtensionSpace)
            }
            _ => Err(Kind::ChunkSize),
        }
    }

    /// The line of a size has ended: data follows, or trailers after the last.
    fn size_read(&mut self) -> Result<State, Kind> {
        if self.left == 0 {
            self.spare = self.trailer_bytes_max;
            return Ok(State::TrailerStart);
        }
        match self.allowed.checked_sub(self.left) {
            Some(allowed) => {
                self.allowed = allowed;
                Ok(State::Data)
            }
            None => Err(Kind::BodyTooLong),
        }
    }

    /// Trailers must be field lines (RFC 9112 section 7.1.2). Nobody here uses them, so that is all.
    fn trailer_byte(&mut self, byte: u8) -> Result<State, Kind> {
        let next = match (self.state, byte) {
            // The empty line is no trailer and counts for nothing.
            (State::TrailerStart, b'\r') => return Ok(State::EndLf),
            (State::EndLf, b'\n') => return Ok(State::Ended),
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerStart | State::TrailerName, _) if is_token(byte) => State::TrailerName,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, _) if is_text(byte) => State::TrailerValue,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            _ => return Err(Kind::Trailer),
        };
        self.spend(Kind::TrailerTooLong)?;
        Ok(next)
    }

    /// Counts one byte against the limit that now holds.
    fn spend(&mut self, past: Kind) -> Result<(), Kind> {
        self.spare = self.spare.checked_sub(1).ok_or(past)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
