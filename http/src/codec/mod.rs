//! Bytes to messages and back, without sockets, clocks or waiting.
//!
//! What comes in passes two stages. [`head::parse`] turns the bytes of a request head into a
//! [`RequestHead`](crate::message::RequestHead) and, in the same pass over its fields, decides how long the body is:
//! [`framing`]. A [`body::BodyDecoder`] then finds the body's bytes in what follows. What goes out is written by
//! [`encode`], with the [`date`] every response carries and the [`defaults`] of its server.
//!
//! Everything here is strict where a lenient reading could protect nobody: whatever two parsers could read in two
//! ways is refused, because request smuggling lives off that difference.

pub mod body;
pub(crate) mod coding;
pub mod date;
pub mod defaults;
pub mod encode;
pub mod framing;
pub mod head;

/// Whether this byte may be in a token, which methods and field names are (RFC 9110 section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether this byte may be in a field value or a chunk extension: no control character but the tab (RFC 9110 section
/// 5.5).
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether this text is the other when case is set aside; the other is in small letters.
///
/// One bit turns capitals into small letters. It turns control characters into digits and hyphens too, but no name or value
/// that comes here has one.
#[inline]
const fn is<const N: usize>(text: &[u8], lower: &[u8; N]) -> bool {
    if text.len() != N {
        return false;
    }
    let mut different = 0;
    let mut at = 0;
    while at < N {
        different |= (text[at] | 0x20) ^ lower[at];
        at += 1;
    }
    different == 0
}

/// For each byte, the answer of a question about it; zero is the usual one.
macro_rules! byte_table {
    (|$byte:ident| $answer:expr) => {{
        let mut table = [0_u8; 256];
        let mut $byte = 0_u8;
        loop {
            table[$byte as usize] = $answer;
            if $byte == u8::MAX {
                break table;
            }
            $byte += 1;
        }
    }};
}
use byte_table;

/// The answers of a table for all these bytes together. No branch a byte: two instructions each.
#[inline]
fn gather(table: &[u8; 256], bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |seen, &byte| seen | table[byte as usize])
}

/// How many bytes there are before the first with an answer other than zero; all, if there is none.
#[inline]
fn usual_prefix(table: &[u8; 256], bytes: &[u8]) -> usize {
    let mut at = 0;
    // Eight at a time while they are all usual: half the instructions, from the second eight on.
    while let Some(block) = bytes[at..].first_chunk::<8>() {
        if gather(table, block) != 0 {
            break;
        }
        at += block.len();
    }
    while at < bytes.len() && table[bytes[at] as usize] == 0 {
        at += 1;
    }
    at
}
