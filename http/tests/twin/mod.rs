//! The rules of HTTP/1.1 again, each in its own words, without a thought for cost.
//!
//! This is the slow twin of the codec: to be read next to RFC 9112, 9110 and 3986, whose sections it names. It shares no
//! line with the code it is held against. Where those texts leave a choice to the recipient ("MAY", "SHOULD", a
//! repair), the choice is to refuse, and a comment says so.

pub(crate) mod authority;
pub(crate) mod chunked;
pub(crate) mod head;
pub(crate) mod responses;

/// A rule that a message breaks, and the status that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) status: u16,
    pub(crate) rule: &'static str,
}

/// `token = 1*tchar` (RFC 9110 section 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_tchar(byte))
}

/// `tchar`: what is visible and no delimiter (RFC 9110 section 5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)
}

/// `field-vchar`, which is VCHAR and obs-text, and the white space that may stand between (RFC 9110 section 5.5).
pub(crate) fn is_text(text: &[u8]) -> bool {
    text.iter().all(|&byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xff))
}

/// Without the optional white space around it, `OWS = *( SP / HTAB )` (RFC 9110 section 5.6.3).
pub(crate) fn without_ows(text: &[u8]) -> &[u8] {
    let is_ows = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_ows(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_ows(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// The members of a list: `#element` (RFC 9110 section 5.6.1).
pub(crate) fn members(value: &[u8]) -> Vec<&[u8]> {
    value.split(|&byte| byte == b',').map(without_ows).collect()
}

/// Takes a field line apart: `field-name ":" OWS field-value OWS` (RFC 9112 section 5). No white space comes before the
/// colon (5.1), and none before the name, which once folded lines (5.2).
pub(crate) fn field_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    (is_token(name) && is_text(value)).then(|| (name, without_ows(value)))
}

/// Bytes that have been found to be ASCII, as text.
pub(crate) fn ascii(text: &[u8]) -> String {
    assert!(text.is_ascii(), "only what was looked at becomes text");
    String::from_utf8_lossy(text).into_owned()
}
