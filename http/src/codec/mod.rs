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

/// How many bytes there are before the first that is not visible ASCII, or one of these; all, if there is none.
///
/// Eight at a time, and without a table: a byte that is sought or not visible has its highest bit set in `found`. So may
/// one behind it, by a borrow or a carry, but none before it: the lowest bit counts. (As in "Determine if a word has a
/// zero byte", <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>.)
#[inline]
fn visible_prefix<const N: usize>(sought: [u8; N], bytes: &[u8]) -> usize {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = EACH << 7;
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // What is below `!` borrows, what is past `~` has the bit or gets it; what is sought becomes zero, and borrows.
        let unlike = word.wrapping_sub(EACH * u64::from(b'!')) | word.wrapping_add(EACH);
        let found =
            sought.iter().fold(unlike, |found, byte| found | (word ^ (EACH * u64::from(*byte))).wrapping_sub(EACH))
                & HIGHEST;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let is_usual = |byte: &u8| byte.is_ascii_graphic() && !sought.contains(byte);
    at + bytes[at..].iter().take_while(|byte| is_usual(byte)).count()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by a look at each byte.
    fn slowly<const N: usize>(sought: [u8; N], bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| byte.is_ascii_graphic() && !sought.contains(byte)).count()
    }

    #[test]
    fn first_byte_that_is_sought_or_not_visible_is_found_wherever_it_is_and_whatever_follows() {
        for length in 0..=20 {
            for at in 0..length {
                for (byte, next) in
                    (0..=u8::MAX).flat_map(|byte| [0, b' ', b'#', b'a', 0x7f, 0xff].map(|next| (byte, next)))
                {
                    let mut bytes = vec![b'~'; length];
                    bytes[at] = byte;
                    if let Some(place) = bytes.get_mut(at + 1) {
                        *place = next;
                    }
                    assert_eq!(visible_prefix([b'#', b'?'], &bytes), slowly([b'#', b'?'], &bytes), "{bytes:?}");
                    assert_eq!(visible_prefix([b'#'], &bytes), slowly([b'#'], &bytes), "{bytes:?}");
                }
            }
        }
    }
}
