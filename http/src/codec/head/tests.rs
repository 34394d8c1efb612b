use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::codec::framing::BodyLength;
use crate::message::StatusCode;

const CURL: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";
const UPLOAD: &[u8] = b"POST /echo?n=1 HTTP/1.1\r\nhost: [::1]:80\r\n\
    Transfer-Encoding: chunked\r\nX-Empty:\r\nX-Odd:  \t\xfc b\t \r\n\r\n";
const OLD: &[u8] = b"\r\nHEAD http://example.com HTTP/1.0\r\nConnection: Foo, Keep-Alive\r\n\r\n";
const TUNNEL: &[u8] = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n";
const SERVER_WIDE: &[u8] = b"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n";
const GOOD: [&[u8]; 5] = [CURL, UPLOAD, OLD, TUNNEL, SERVER_WIDE];

/// What can be seen of a parsed head, or why it was refused.
type Seen = Result<Option<(Parsed, String)>, Error>;

fn look(input: &[u8], limits: &Limits, head: &mut RequestHead) -> Seen {
    let parsed = parse(input, limits, head)?;
    Ok(parsed.map(|parsed| (parsed, format!("{head:?} {} {:?}", head.path(), head.query()))))
}

fn whole(input: &[u8]) -> Seen {
    look(input, &Limits::default(), &mut RequestHead::default())
}

/// Shows the parser one byte more each time, until it has an answer.
fn byte_by_byte(input: &[u8], limits: &Limits) -> Seen {
    let mut head = RequestHead::default();
    for end in 0..=input.len() {
        let seen = look(&input[..end], limits, &mut head)?;
        if seen.is_some() {
            return Ok(seen);
        }
    }
    Ok(None)
}

fn parsed(input: &[u8]) -> (RequestHead, Parsed) {
    let mut head = RequestHead::default();
    let parsed = parse(input, &Limits::default(), &mut head);
    let parsed = parsed.unwrap_or_else(|error| panic!("{error}: {}", input.escape_ascii()));
    (head, parsed.expect("the head is whole"))
}

#[track_caller]
fn refused(input: impl AsRef<[u8]>, kind: Kind) {
    let input = input.as_ref();
    assert_eq!(whole(input), Err(Error::new(kind)), "{}", input.escape_ascii());
    let split = byte_by_byte(input, &Limits::default());
    assert_eq!(split, Err(Error::new(kind)), "split: {}", input.escape_ascii());
}

#[test]
fn a_head_is_method_target_version_and_fields() {
    let (head, parsed) = parsed(CURL);
    assert_eq!(parsed.consumed, CURL.len());
    assert_eq!(head.method(), Method::Get);
    assert_eq!(head.method_str(), "GET");
    assert_eq!(head.target(), "/plaintext");
    assert_eq!(head.path(), "/plaintext");
    assert_eq!(head.query(), None);
    assert_eq!(head.version(), Version::Http11);
    assert_eq!(head.authority(), "127.0.0.1:8080");
    let fields: Vec<_> = head.headers().iter().collect();
    let expected = [("host", &b"127.0.0.1:8080"[..]), ("user-agent", b"curl/8.5.0"), ("accept", b"*/*")];
    assert_eq!(fields, expected);
}

#[test]
fn values_lose_the_white_space_around_them_and_keep_other_bytes() {
    let (head, parsed) = parsed(UPLOAD);
    assert_eq!(head.headers().get("x-empty"), Some(&b""[..]));
    assert_eq!(head.headers().get("x-odd"), Some(&b"\xfc b"[..]));
    assert_eq!(head.query(), Some("n=1"));
    assert_eq!(parsed.framing.body, BodyLength::Chunked);
}

#[test]
fn an_unknown_method_keeps_its_text() {
    let (head, _) = parsed(b"PURGE /cache HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(head.method(), Method::Other);
    assert_eq!(head.method_str(), "PURGE");
    assert_eq!(head.target(), "/cache");
    refused("G\u{e9}T / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::RequestLine);
    refused(" / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::RequestLine);
}

#[test]
fn what_follows_a_head_is_left_alone() {
    for good in GOOD {
        let followed = [good, b"\r\n\r\nGET \0"].concat();
        assert_eq!(whole(&followed), whole(good));
    }
}

#[test]
fn a_head_split_anywhere_is_not_whole_and_then_the_same() {
    for good in GOOD {
        let expected = whole(good);
        assert!(matches!(expected, Ok(Some(_))));
        for end in 0..good.len() {
            let mut head = RequestHead::default();
            let first = look(&good[..end], &Limits::default(), &mut head);
            assert_eq!(first, Ok(None), "{}", good[..end].escape_ascii());
            assert_eq!(look(good, &Limits::default(), &mut head), expected);
        }
        assert_eq!(byte_by_byte(good, &Limits::default()), expected);
    }
}

#[test]
fn a_used_head_shows_nothing_of_the_request_before() {
    let mut head = RequestHead::default();
    for first in GOOD {
        for second in GOOD {
            look(first, &Limits::default(), &mut head).unwrap();
            assert_eq!(look(second, &Limits::default(), &mut head), whole(second));
        }
    }
    head.clear();
    assert_eq!(head.target(), "");
    assert_eq!(head.authority(), "");
    assert!(head.headers().is_empty());
}

#[test]
fn fields_that_repeat_are_held_to_the_limits_of_their_time() {
    let mut head = RequestHead::default();
    assert!(look(CURL, &Limits::default(), &mut head).is_ok());
    let fewer = Limits { header_count_max: 2, ..Limits::default() };
    let refused = look(CURL, &fewer, &mut head);
    assert_eq!(refused, Err(Error::new(Kind::TooManyFields)));
    let shorter = Limits { head_bytes_max: CURL.len() - 1, ..Limits::default() };
    assert!(look(CURL, &Limits::default(), &mut head).is_ok());
    let refused = look(CURL, &shorter, &mut head);
    assert_eq!(refused, Err(Error::new(Kind::HeadTooLong)));
}

#[test]
fn fields_that_repeat_are_weighed_with_each_request_line() {
    let fields = "Host:\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let lines =
        ["POST / HTTP/1.1", "POST / HTTP/1.0", "POST http://a/ HTTP/1.1", "CONNECT a:1 HTTP/1.1", "OPTIONS * HTTP/1.1"];
    let mut head = RequestHead::default();
    for line in lines.iter().cycle().take(3 * lines.len()) {
        let input = format!("{line}\r\n{fields}");
        assert_eq!(look(input.as_bytes(), &Limits::default(), &mut head), whole(input.as_bytes()), "{line}");
    }
}

#[test]
fn a_head_is_clear_after_an_error() {
    let mut head = RequestHead::default();
    assert_eq!(look(&CURL[..40], &Limits::default(), &mut head), Ok(None));
    assert!(look(b"GET / HTTP/2.0\r\nHost: a\r\nUser-Agent: b\r\n\r\n", &Limits::default(), &mut head).is_err());
    assert_eq!(head.target(), "");
    assert_eq!(look(&CURL[..40], &Limits::default(), &mut head), Ok(None));
    assert_eq!(look(CURL, &Limits::default(), &mut head), whole(CURL));
}

#[test]
fn a_cleared_head_forgets_what_was_not_whole() {
    let mut head = RequestHead::default();
    assert_eq!(look(&UPLOAD[..60], &Limits::default(), &mut head), Ok(None));
    head.clear();
    assert_eq!(look(SERVER_WIDE, &Limits::default(), &mut head), whole(SERVER_WIDE));
}

#[test]
fn one_empty_line_may_come_first_and_no_more() {
    assert_eq!(parsed(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").1.consumed, 29);
    refused("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::LineEnd);
    refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::LineEnd);
    refused("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::LineEnd);
}

#[test]
fn lines_end_with_cr_lf() {
    refused("GET / HTTP/1.1\nHost: a\r\n\r\n", Kind::LineEnd);
    refused("GET / HTTP/1.1\r\nHost: a\n\r\n", Kind::LineEnd);
    refused("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", Kind::LineEnd);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX:\nY: b\r\n\r\n", Kind::LineEnd);
    refused("GET / HTTP/1.1\r\nHost: a\r\n\n", Kind::LineEnd);
    refused("GET / HTTP/1.1\r\nHost: a\n\n", Kind::LineEnd);
    refused("GET / HTTP/1.0\r\n\n", Kind::LineEnd);
    refused("GET / HTTP/1.1\rHost: a\r\n\r\n", Kind::LineEnd);
    refused("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", Kind::FieldValue);
    refused("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Kind::FieldValue);
}

#[test]
fn fields_are_refused_that_others_may_read_otherwise() {
    refused("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX:\r\n c\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", Kind::FieldName);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", Kind::FieldValue);
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: b\x7fc\r\n\r\n", Kind::FieldValue);
}

#[test]
fn request_lines_have_three_parts_and_two_spaces() {
    refused("GET /\r\n\r\n", Kind::RequestLine);
    refused("GET\r\n\r\n", Kind::RequestLine);
    refused("GET / \r\n\r\n", Kind::Version);
    refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::Version);
    refused("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Kind::Version);
    refused("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Kind::LineEnd);
    refused("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Kind::RequestLine);
    refused("\x16\x03\x01\x02", Kind::RequestLine);
}

#[test]
fn major_versions_other_than_1_are_named_or_nonsense() {
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.0"] {
        refused(format!("GET / {version}\r\nHost: a\r\n\r\n"), Kind::VersionUnsupported);
    }
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind::VersionUnsupported);
    for version in ["http/1.1", "HTTP/1,1", "HTTP/11", "HTTP/2", "HTTP", "ICY", "HTTP/1.x"] {
        refused(format!("GET / {version}\r\nHost: a\r\n\r\n"), Kind::Version);
    }
    for version in ["1.10", "1.20", "1.2 ", "1.2\r", "1.0\n"] {
        refused(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"), Kind::LineEnd);
    }
    let error = whole(b"GET / HTTP/2.0\r\n").unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::HTTP_VERSION_NOT_SUPPORTED));
}

#[test]
fn higher_minor_version_is_read_as_1_1() {
    for version in 2..=9 {
        let input = format!("GET / HTTP/1.{version}\r\nHost: a\r\n\r\n");
        assert_eq!(whole(input.as_bytes()), whole(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(byte_by_byte(input.as_bytes(), &Limits::default()), whole(input.as_bytes()));
        refused(format!("GET / HTTP/1.{version}\r\n\r\n"), Kind::Host);
    }
}

/// Method, target, and the path, query and authority it has next to `Host: h`.
type Target = (&'static str, &'static str, &'static str, Option<&'static str>, &'static str);

#[test]
fn a_target_has_a_form_its_method_allows() {
    let cases: [Target; 15] = [
        ("GET", "/", "/", None, "h"),
        ("GET", "/a/b?c=d?e", "/a/b", Some("c=d?e"), "h"),
        ("GET", "/?", "/", Some(""), "h"),
        ("GET", "//a", "//a", None, "h"),
        ("GET", "/%7B{|}", "/%7B{|}", None, "h"),
        ("GET", "http://example.com/a?b", "/a", Some("b"), "example.com"),
        ("GET", "HTTP://example.com:1", "/", None, "example.com:1"),
        ("GET", "http://example.com?b", "/", Some("b"), "example.com"),
        ("OPTIONS", "http://example.com", "*", None, "example.com"),
        ("OPTIONS", "http://example.com?b", "/", Some("b"), "example.com"),
        ("OPTIONS", "http://example.com/", "/", None, "example.com"),
        ("OPTIONS", "*", "*", None, "h"),
        ("OPTIONS", "/a", "/a", None, "h"),
        ("CONNECT", "example.com:443", "", None, "example.com:443"),
        ("CONNECT", "[::1]:65535", "", None, "[::1]:65535"),
    ];
    for (method, target, path, query, authority) in cases {
        let input = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let (head, _) = parsed(input.as_bytes());
        assert_eq!(head.target(), target);
        assert_eq!(head.path(), path, "{target}");
        assert_eq!(head.query(), query, "{target}");
        assert_eq!(head.authority(), authority, "{target}");
    }
}

#[test]
fn a_target_in_another_form_is_refused() {
    let cases = [
        "GET *",
        "GET a",
        "GET example.com:443",
        "GET /a#b",
        "GET /a?b#c",
        "GET /\u{e9}",
        "GET /?\u{e9}",
        "GET /\u{7f}",
        "GET /\t",
        "GET http:///a",
        "GET http://:80/a",
        "GET http://user@example.com/",
        "GET ftp://example.com/",
        "GET https://example.com/",
        "GET http:/example.com/",
        "OPTIONS **",
        "CONNECT /",
        "CONNECT example.com",
        "CONNECT example.com:",
        "CONNECT :443",
        "CONNECT example.com:0",
        "CONNECT example.com:65536",
        "CONNECT example.com:18446744073709551617",
        "CONNECT example.com:443?a",
        "CONNECT http://example.com:443",
    ];
    for case in cases {
        refused(format!("{case} HTTP/1.1\r\nHost: h\r\n\r\n"), Kind::Target);
    }
}

#[test]
fn host_is_an_authority() {
    let good = [
        "a",
        "a.b-c_d~e",
        "example.com:",
        "example.com:80",
        "127.0.0.1",
        "[::1]",
        "[::1]:80",
        "[v1.a:b]",
        "a%20b",
        "%41:1",
        "",
    ];
    for host in good {
        parsed(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    }
    let bad = [
        "a b",
        "a,b c",
        "a/b",
        "a@b",
        "u:p@b",
        "a:b",
        "a:80:80",
        "a:-1",
        ":80",
        ":",
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[a]",
        "[::1]a",
        "[::1]a:80",
        "[::1]:a",
        "[v.a]",
        "[v1.]",
        "[vg.a]",
        "a%2",
        "a%zz",
        "%",
        "a?b",
        "a#b",
        "\"a\"",
        "\u{e9}",
        "a[::1]",
    ];
    for host in bad {
        refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Kind::Host);
    }
}

#[test]
fn host_is_there_once() {
    refused("GET / HTTP/1.1\r\n\r\n", Kind::Host);
    refused("GET / HTTP/1.1\r\nHosts: a\r\n\r\n", Kind::Host);
    refused("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Kind::Host);
    refused("GET / HTTP/1.0\r\nHost: a\r\nHOST: b\r\n\r\n", Kind::Host);
    refused("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", Kind::Host);
    assert_eq!(parsed(b"GET / HTTP/1.0\r\n\r\n").0.authority(), "");
}

#[test]
fn host_may_be_empty_only_if_the_target_names_none() {
    parsed(b"GET / HTTP/1.1\r\nHost:\r\n\r\n");
    refused("GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", Kind::Host);
    refused("CONNECT a:1 HTTP/1.1\r\nHost:\r\n\r\n", Kind::Host);
}

#[test]
fn each_byte_is_taken_or_refused_wherever_it_stands() {
    // httparse looks at 32, 16, 8 or 1 bytes at once; the padding moves the byte through all of these.
    for byte in 0..=u8::MAX {
        for padding in 0..40 {
            let padding = "p".repeat(padding);
            let padding = padding.as_bytes();
            let byte = &[byte][..];
            let before: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nX";
            let end: &[u8] = b"pppppp\r\n\r\n";

            let name = [before, padding, byte, b"p: ", end].concat();
            assert_eq!(whole(&name).is_ok(), is_token(byte[0]) || byte == b":", "{}", name.escape_ascii());

            let value = [before, b": p", padding, byte, end].concat();
            let text = crate::codec::is_text(byte[0]);
            assert_eq!(whole(&value).is_ok(), text, "{}", value.escape_ascii());

            let target = [b"GET /", padding, byte, b"p HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
            let visible = byte[0].is_ascii_graphic() && byte != b"#";
            assert_eq!(whole(&target).is_ok(), visible, "{}", target.escape_ascii());
        }
    }
}

#[test]
fn a_request_line_has_its_limit() {
    let limits = Limits { request_line_bytes_max: 20, ..Limits::default() };
    let at = b"GET /123456 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(matches!(byte_by_byte(at, &limits), Ok(Some(_))));
    let past = b"GET /1234567 HTTP/1.1\r\nHost: a\r\n\r\n";
    let error = Error::new(Kind::RequestLineTooLong);
    assert_eq!(look(past, &limits, &mut RequestHead::default()), Err(error.clone()));
    assert_eq!(byte_by_byte(past, &limits), Err(error.clone()));
    // Noticed as soon as there can be no end of the line within the limit.
    assert_eq!(byte_by_byte(&b"GET /123456789012345678901234567890"[..21], &limits), Ok(None));
    assert_eq!(byte_by_byte(&b"GET /123456789012345678901234567890"[..22], &limits), Err(error.clone()));
    assert_eq!(error.status(), Some(StatusCode::URI_TOO_LONG));
    // An empty line in front is no part of it.
    assert!(matches!(byte_by_byte(&[b"\r\n", &at[..]].concat(), &limits), Ok(Some(_))));
}

#[test]
fn a_head_has_its_limit() {
    let limits = Limits { head_bytes_max: CURL.len(), ..Limits::default() };
    assert_eq!(byte_by_byte(CURL, &limits), whole(CURL));
    let followed = [CURL, CURL].concat();
    assert_eq!(look(&followed, &limits, &mut RequestHead::default()), whole(CURL));
    let past = Limits { head_bytes_max: CURL.len() - 1, ..Limits::default() };
    let error = Error::new(Kind::HeadTooLong);
    assert_eq!(look(CURL, &past, &mut RequestHead::default()), Err(error.clone()));
    assert_eq!(byte_by_byte(CURL, &past), Err(error.clone()));
    assert_eq!(byte_by_byte(&CURL[..CURL.len() - 2], &past), Ok(None));
    assert_eq!(error.status(), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
}

fn with_fields(count: usize) -> Vec<u8> {
    let fields = "x: y\r\n".repeat(count - 1);
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

#[test]
fn a_head_has_so_many_fields_and_no_more() {
    let mut head = RequestHead::default();
    for max in [1, 2, 7, 8, 9, 32, 33, 100, 127, 128] {
        let limits = Limits { header_count_max: max, ..Limits::default() };
        let seen = look(&with_fields(max), &limits, &mut head).unwrap();
        assert!(seen.is_some(), "{max}");
        assert_eq!(head.headers().len(), max);
        let past = look(&with_fields(max + 1), &limits, &mut head);
        assert_eq!(past, Err(Error::new(Kind::TooManyFields)), "{max}");
    }
}

#[test]
fn the_number_of_fields_has_a_ceiling_whatever_the_limit() {
    let limits = Limits { header_count_max: usize::MAX, ..Limits::default() };
    let mut head = RequestHead::default();
    assert!(matches!(look(&with_fields(128), &limits, &mut head), Ok(Some(_))));
    assert_eq!(look(&with_fields(129), &limits, &mut head), Err(Error::new(Kind::TooManyFields)));
}

#[test]
fn heads_of_any_number_of_fields_follow_each_other() {
    let mut head = RequestHead::default();
    for count in [1, 100, 1, 9, 40, 8, 33, 9, 32] {
        look(&with_fields(count), &Limits::default(), &mut head).unwrap();
        assert_eq!(head.headers().len(), count);
        assert_eq!(head.headers().get_all("X").count(), count - 1);
    }
}

/// A good head with some of its bytes replaced, added or taken out.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => proptest::sample::select(&b"\r\n :\t,;/?#*%[]@0\0\x7f\xff"[..]),
        1 => any::<u8>(),
    ];
    let damage = (any::<Index>(), 0..3, byte);
    let head = proptest::sample::select(&GOOD[..]);
    (head, proptest::collection::vec(damage, 0..4)).prop_map(|(head, damages)| {
        let mut head = head.to_vec();
        for (at, how, byte) in damages {
            let at = at.index(head.len());
            match how {
                0 => head[at] = byte,
                1 => head.insert(at, byte),
                _ => drop(head.remove(at)),
            }
        }
        // A head that was not whole is looked at again when a line has ended.
        head.push(b'\n');
        head
    })
}

proptest! {
    #[test]
    fn a_head_is_read_the_same_whatever_was_read_before(
        first in damaged(),
        second in damaged(),
        cut in any::<Index>(),
    ) {
        // The second line before the first fields, too, for fields that repeat are not read again.
        let line_end = |input: &[u8]| input.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let mixed = [&second[..line_end(&second)], &first[line_end(&first)..]].concat();
        let mut head = RequestHead::default();
        for input in [&first, &second, &first, &mixed, &mixed, &second] {
            head.seen_bytes = 0;
            prop_assert_eq!(look(input, &Limits::default(), &mut head), whole(input));
        }
        head.seen_bytes = 0;
        let part = &first[..cut.index(first.len())];
        if look(part, &Limits::default(), &mut head) == Ok(None) {
            prop_assert_eq!(look(&first, &Limits::default(), &mut head), whole(&first));
        }
    }

    #[test]
    fn a_damaged_head_is_read_the_same_however_it_is_split(input in damaged(), cut in any::<Index>()) {
        let expected = whole(&input);
        prop_assert_eq!(&byte_by_byte(&input, &Limits::default()), &expected);
        let mut head = RequestHead::default();
        let first = look(&input[..cut.index(input.len())], &Limits::default(), &mut head);
        let both = match first {
            Ok(None) => look(&input, &Limits::default(), &mut head),
            known => known,
        };
        prop_assert_eq!(both, expected);
    }
}
