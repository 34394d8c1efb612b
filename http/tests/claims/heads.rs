//! Claims about `codec::head::parse`.

use super::limits;
use crate::twin::head::{self as twin, Body, Head};
use evloop_http::codec::framing::BodyLength;
use evloop_http::codec::head;
use evloop_http::error::Error;
use evloop_http::message::{RequestHead, Version};
use evloop_http::{Limits, StatusCode};

/// What a look at some input has found.
type Seen = Result<Option<Head>, Error>;

/// Heads that a [`RequestHead`] has seen before: what it still knows of them must not show.
pub(crate) const EARLIER: [&[u8]; 4] = [
    b"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
    b"POST /echo?n=1 HTTP/1.1\r\nhost: [::1]:80\r\nTransfer-Encoding: chunked\r\nX-Odd:  \t\xfc b\t \r\n\r\n",
    b"\r\nHEAD http://example.com HTTP/1.0\r\nConnection: Foo, Keep-Alive\r\nContent-Length: 3\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost:\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
];

/// For any limits, any requests one after the other, and any cut.
pub(crate) fn hold(data: &[u8]) {
    let [choice, cut, wire @ ..] = data else { return };
    let limits = limits(*choice);
    let mut rest = wire;
    let mut head = RequestHead::default();
    while let Ok(Some(seen)) = agree(rest, &limits, usize::from(*cut)) {
        assert_eq!(look(rest, &limits, &mut head), Ok(Some(seen.clone())), "the head before shows");
        rest = &rest[seen.consumed..];
    }
}

/// All claims about this input: it means what the twin reads, however it comes and whatever came before. The number
/// chooses both.
pub(crate) fn agree(input: &[u8], limits: &Limits, cut: usize) -> Seen {
    let whole = look(input, limits, &mut RequestHead::default());
    as_the_twin(input, limits, &whole);
    whatever_came_before(EARLIER[cut % EARLIER.len()], input, limits, &whole);
    let cut = cut % (input.len() + 1);
    for ends in [(0..=input.len()).collect::<Vec<_>>(), vec![cut, input.len()]] {
        let (end, mut split) = in_pieces(input, &ends, limits);
        if split == Ok(None) && whole.is_err() {
            // A head that is not whole is looked at again when a line has ended.
            let ended = [input, b"\n"].concat();
            (_, split) = in_pieces(&ended, &[&ends[..], &[ended.len()]].concat(), limits);
            assert!(split.is_err(), "{whole:?}, but not in pieces: {}", input.escape_ascii());
        } else if split != whole {
            // Which of several rules is seen to be broken first may depend on the pieces; whether one is may not.
            assert!(split.is_err() && whole.is_err(), "split {split:?}, whole {whole:?}: {}", input.escape_ascii());
            as_the_twin(&input[..end], limits, &split);
        }
    }
    whole
}

pub(crate) fn look(input: &[u8], limits: &Limits, head: &mut RequestHead) -> Seen {
    let Some(parsed) = head::parse(input, limits, head)? else { return Ok(None) };
    let body = match parsed.framing.body {
        BodyLength::None => Body::None,
        BodyLength::Length(length) => Body::Length(length),
        BodyLength::Chunked => Body::Chunked,
    };
    Ok(Some(Head {
        consumed: parsed.consumed,
        method: head.method_str().to_owned(),
        target: head.target().to_owned(),
        path: head.path().to_owned(),
        query: head.query().map(str::to_owned),
        authority: head.authority().to_owned(),
        is_http11: head.version() == Version::Http11,
        fields: head.headers().iter().map(|(name, value)| (name.to_lowercase(), value.to_vec())).collect(),
        body,
        keep_alive: parsed.framing.keep_alive,
        waits: parsed.framing.expect_continue,
        upgrade: parsed.framing.upgrade,
    }))
}

/// What is taken is what the twin takes, and what is refused breaks a rule that has this status.
pub(crate) fn as_the_twin(input: &[u8], limits: &Limits, seen: &Seen) {
    let text = input.escape_ascii();
    let reading = twin::read(input, limits);
    match seen {
        Ok(Some(head)) => {
            assert_eq!(reading.broken, [], "{text}");
            assert_eq!(reading.head.as_ref(), Some(head), "{text}");
        }
        Ok(None) => {
            assert!(!reading.is_whole, "waits for more: {text}");
            assert!(input.len() < limits.head_bytes_max, "waits past the limit: {text}");
            let line = input.strip_prefix(b"\r\n").unwrap_or(input);
            let is_short = line.len() < limits.request_line_bytes_max + 2;
            assert!(is_short || line.contains(&b'\n'), "waits past the line's limit: {text}");
        }
        Err(error) if reading.is_whole => broken(input, limits, error),
        // It is too early to tell what is wrong with the whole of it, but not that it is wrong whatever follows.
        Err(error) => {
            for fields in ["\r\n", "\r\nHost: a\r\n\r\n", " HTTP/1.1\r\nHost: a\r\n\r\n", "\n", ": a\r\n\r\n"] {
                let more = [input, fields.as_bytes(), b"\r\n\r\n"].concat();
                broken(&more, limits, error);
            }
        }
    }
}

/// The twin names a broken rule for this error.
fn broken(input: &[u8], limits: &Limits, error: &Error) {
    let reading = twin::read(input, limits);
    let status = error.status().map(StatusCode::as_u16);
    let is_named = reading.broken.iter().any(|broken| Some(broken.status) == status);
    assert!(is_named, "{error}, but the twin found {:?}: {}", reading.broken, input.escape_ascii());
}

/// Shows a parser the input up to these ends, until it has an answer; and tells at which it had.
fn in_pieces(input: &[u8], ends: &[usize], limits: &Limits) -> (usize, Seen) {
    let mut head = RequestHead::default();
    for &end in ends {
        let seen = look(&input[..end], limits, &mut head);
        if seen != Ok(None) {
            return (end, seen);
        }
    }
    (input.len(), Ok(None))
}

/// A head that is used again says what a fresh one says, also where request line and fields come from two requests, or
/// were taken under other limits.
fn whatever_came_before(earlier: &[u8], input: &[u8], limits: &Limits, whole: &Seen) {
    let mut head = RequestHead::default();
    let mut look_again = |input: &[u8], limits: &Limits| {
        head.retire(usize::MAX);
        let seen = look(input, limits, &mut head);
        let is_clear = head.target().is_empty() && head.headers().is_empty();
        assert!(seen.is_ok() || is_clear, "a head that was refused shows: {}", input.escape_ascii());
        seen
    };
    let (line, fields) = split_line(input);
    let (earlier_line, earlier_fields) = split_line(earlier);
    let mixed = [[earlier_line, fields].concat(), [line, earlier_fields].concat()];
    for other in [earlier, input, &mixed[0], &mixed[1], input, &mixed[0], input] {
        if *limits != Limits::default() {
            let _seen = look_again(other, &Limits::default());
        }
        let fresh = if other == input { whole } else { &look(other, limits, &mut RequestHead::default()) };
        assert_eq!(&look_again(other, limits), fresh, "the head before shows: {}", other.escape_ascii());
    }
}

/// The request line with its end, and the rest.
fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    let lead = if input.starts_with(b"\r\n") { 2 } else { 0 };
    let end = input[lead..].iter().position(|&byte| byte == b'\n').map_or(input.len(), |end| lead + end + 1);
    input.split_at(end)
}
