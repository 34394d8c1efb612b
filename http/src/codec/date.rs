//! The Date field, formatted once for all the heads that bear it.

use std::fmt::{self, Write as _};
use std::time::{Duration, UNIX_EPOCH};

/// The last second of the year 9999, past which the format has no room.
const SECOND_MAX: u64 = 253_402_300_799;

/// The end of the line before, `date: `, the 29 bytes of the date, the line's end and the head's.
pub(super) const TAIL_BYTES: usize = NAME.len() + DATE_BYTES + 4;
const NAME: &[u8] = b"\r\ndate: ";
const DATE_BYTES: usize = 29;

/// A moment in the one format HTTP has for it (IMF-fixdate, RFC 9110 section 5.6.7).
///
/// # Examples
///
/// ```
/// use evloop_http::codec::date::Date;
///
/// assert_eq!(Date::at(1_763_798_400).as_str(), "Sat, 22 Nov 2025 08:00:00 GMT");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The field with the end of the line before it and the empty line after it, for a head ends with its date, and one copy
    /// is cheaper than four.
    ///
    /// Invariant: ASCII.
    tail: [u8; TAIL_BYTES],
}

impl Default for Date {
    /// The beginning of 1970: no clock has been read.
    fn default() -> Date {
        Date::at(0)
    }
}

impl Date {
    /// The date of a second since 1970. Seconds past the year 9999 are taken for its last.
    pub fn at(unix_second: u64) -> Date {
        let time = UNIX_EPOCH + Duration::from_secs(unix_second.min(SECOND_MAX));
        let mut text = Text::default();
        write!(text, "\r\ndate: {}\r\n\r\n", httpdate::HttpDate::from(time)).expect("an IMF-fixdate has 29 bytes");
        debug_assert_eq!(text.length, TAIL_BYTES);
        Date { tail: text.bytes }
    }

    /// The 29 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.tail[NAME.len()..NAME.len() + DATE_BYTES]
    }

    /// The same as text.
    pub fn as_str(&self) -> &str {
        ascii(self.as_bytes())
    }

    /// The Date field, its line end, and the empty line that ends a head.
    #[inline]
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail[2..]
    }

    /// The same behind a line that has not ended.
    #[inline]
    pub(super) fn next_line(&self) -> &[u8; TAIL_BYTES] {
        &self.tail
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Date({})", self.as_str())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bytes of a date, by the invariant of [`Date`].
fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("a date is ASCII")
}

/// A place to format into.
struct Text {
    bytes: [u8; TAIL_BYTES],
    length: usize,
}

impl Default for Text {
    fn default() -> Text {
        Text { bytes: [0; TAIL_BYTES], length: 0 }
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_one_of_its_second() {
        assert_eq!(Date::at(1_763_798_399).as_str(), "Sat, 22 Nov 2025 07:59:59 GMT");
        assert_eq!(Date::at(1_763_798_400).as_str(), "Sat, 22 Nov 2025 08:00:00 GMT");
        assert_eq!(Date::at(0).as_str(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn seconds_past_the_year_9999_are_its_last() {
        assert_eq!(Date::at(u64::MAX).as_str(), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(Date::at(SECOND_MAX), Date::at(SECOND_MAX + 1));
    }

    #[test]
    fn the_tail_is_the_field_and_the_end_of_the_head() {
        let date = Date::at(784_111_777);
        assert_eq!(date.tail(), b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
        assert_eq!(&date.next_line()[..], b"\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
        assert_eq!(date.as_bytes(), date.to_string().as_bytes());
    }
}
