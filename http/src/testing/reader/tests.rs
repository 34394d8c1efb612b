//! Transcripts of responses, good and bad, in every way that they may come.

use super::{Asked, FIELDS_MAX, HEAD_BYTES_MAX, INTERIM_MAX, Part, ResponseReader, Result};
use crate::codec::date::Date;
use crate::codec::encode::{self, BodyFraming, ConnectionField, ResponseHead};
use crate::message::StatusCode;
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

const DATE: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

const PLAIN: Asked = Asked { head: false, connect: false, http_1_0: false };
const HEAD: Asked = Asked { head: true, ..PLAIN };
const CONNECT: Asked = Asked { connect: true, ..PLAIN };
const HTTP_1_0: Asked = Asked { http_1_0: true, ..PLAIN };

/// The parts of a response that comes in pieces and then ends; pieces of the body that follow each other are one. And
/// what lies behind it.
fn read_pieces<'a>(asked: Asked, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<Part>, Vec<u8>)> {
    let mut reader = ResponseReader::new(asked);
    let mut input = BytesMut::new();
    let mut parts = Vec::new();
    let mut pull = |input: &mut BytesMut, ended| {
        while let Some(part) = reader.next(input, ended)? {
            match (parts.last_mut(), part) {
                (Some(Part::Piece(before)), Part::Piece(piece)) => *before = [&before[..], &piece].concat().into(),
                (_, part) => parts.push(part),
            }
        }
        Ok(())
    };
    for piece in pieces {
        input.extend_from_slice(piece);
        pull(&mut input, false)?;
    }
    pull(&mut input, true)?;
    Ok((parts, input.to_vec()))
}

fn read(asked: Asked, text: impl AsRef<[u8]>) -> Result<Vec<Part>> {
    read_pieces(asked, [text.as_ref()]).map(|(parts, rest)| {
        assert_eq!(rest, b"", "bytes are left");
        parts
    })
}

/// Head and body, where there are no other parts.
fn body(asked: Asked, text: impl AsRef<[u8]>) -> Bytes {
    let parts = read(asked, text).unwrap();
    match &parts[..] {
        [Part::Head(_), Part::End(_)] => Bytes::new(),
        [Part::Head(_), Part::Piece(piece), Part::End(_)] => piece.clone(),
        parts => panic!("{parts:?}"),
    }
}

fn with_length(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{DATE}content-length: {}\r\n\r\n{body}", body.len())
}

fn chunked(chunks: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{DATE}transfer-encoding: chunked\r\n\r\n{chunks}")
}

/// A response with everything that a response can have.
fn rich() -> String {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    [interim, &chunked("3\r\nabc\r\n00a\r\n0123456789\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n")].concat()
}

#[test]
fn every_part_comes_in_its_turn() {
    let parts = read(PLAIN, rich()).unwrap();
    let [Part::Interim(go_on), Part::Interim(hints), Part::Head(head), Part::Piece(piece), Part::End(trailers)] =
        &parts[..]
    else {
        panic!("{parts:?}")
    };
    assert_eq!((go_on.status(), hints.status()), (StatusCode::CONTINUE, StatusCode::EARLY_HINTS));
    assert_eq!(hints.header("Link"), Some("</a>"));
    assert_eq!((head.status(), head.headers().len()), (StatusCode::OK, 2));
    assert_eq!(piece, "abc0123456789");
    assert_eq!(trailers.headers().get_all("x-sum").collect::<Vec<_>>(), [b"1", b"2"]);
}

#[test]
fn body_ends_where_its_framing_says() {
    assert_eq!(body(PLAIN, with_length("abc")), "abc");
    assert_eq!(body(PLAIN, with_length("")), "");
    assert_eq!(body(PLAIN, chunked("0\r\n\r\n")), "");
    assert_eq!(body(PLAIN, format!("HTTP/1.1 204 No Content\r\n{DATE}\r\n")), "");
    assert_eq!(body(PLAIN, format!("HTTP/1.1 304 Not Modified\r\n{DATE}content-length: 5\r\n\r\n")), "");
    assert_eq!(body(HEAD, with_length("abc").strip_suffix("abc").unwrap()), "");
    assert_eq!(body(HEAD, chunked("")), "");
    assert_eq!(body(HTTP_1_0, format!("HTTP/1.1 200 OK\r\n{DATE}\r\nto the end")), "to the end");
    assert_eq!(body(CONNECT, format!("HTTP/1.1 200 OK\r\n{DATE}\r\n")), "");
    assert_eq!(body(PLAIN, "HTTP/1.1 500 \r\ncontent-length: 0\r\n\r\n"), "", "without a date and a reason");
}

#[test]
fn what_lies_behind_a_response_is_left() {
    let two = [with_length("abc"), with_length("next")].concat();
    let (_, rest) = read_pieces(PLAIN, [two.as_bytes()]).unwrap();
    assert_eq!(rest, with_length("next").as_bytes());
}

/// Each fault, with what is said of it.
fn faults() -> Vec<(Asked, String, &'static str)> {
    let ok = |fields: &str| format!("HTTP/1.1 200 OK\r\n{DATE}{fields}\r\n");
    let no_length = "a body without a length, which a client of http/1.1 cannot tell from a cut one";
    let misplaced = "a field that frames a body where there can be none";
    let size = "not the size of a chunk:";
    vec![
        (PLAIN, "HTTP/1.0 200 OK\r\n\r\n".into(), "not a status line of http/1.1: \"HTTP/1.0 200 OK\""),
        (PLAIN, "\r\nHTTP/1.1 200 OK\r\n\r\n".into(), "not a status line"),
        (PLAIN, "HTTP/1.1  200 OK\r\n\r\n".into(), "not a status line"),
        (PLAIN, "HTTP/1.1 200\r\n\r\n".into(), "not a status line"),
        (PLAIN, "HTTP/1.1 099 No\r\n\r\n".into(), "not a status: \"HTTP/1.1 099 No\""),
        (PLAIN, "HTTP/1.1 2x0 No\r\n\r\n".into(), "not a head, "),
        (PLAIN, "HTTP/1.1 200 OK\n\n".into(), "a cr or lf that stands alone in a head: \"\\n\\n\""),
        (PLAIN, "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n".into(), "a cr or lf that stands alone"),
        (PLAIN, ok("a b: c\r\n"), "not a head, "),
        (PLAIN, ok("a: b\r\n c\r\n"), "not a head, "),
        (PLAIN, ok("a: \0\r\n"), "not a head, "),
        (PLAIN, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(), "a response without a date"),
        (PLAIN, ok(DATE), "date other than one in its format"),
        (
            PLAIN,
            "HTTP/1.1 200 OK\r\ndate: Sunday, 06-Nov-94 08:49:37 GMT\r\n\r\n".into(),
            "date other than one in its format: \"Sunday, 06-Nov-94 08:49:37 GMT\"",
        ),
        (PLAIN, ok(""), no_length),
        (PLAIN, ok("connection: close\r\n"), no_length),
        (PLAIN, ok("content-length: +1\r\n"), "content-length other than one decimal number: \"+1\""),
        (PLAIN, ok("content-length: \r\n"), "content-length other"),
        (PLAIN, ok("content-length: 1, 1\r\n"), "content-length other"),
        (PLAIN, ok("content-length: 1\r\ncontent-length: 1\r\n"), "content-length other"),
        (PLAIN, ok("content-length: 18446744073709551616\r\n"), "content-length other"),
        (PLAIN, ok("transfer-encoding: gzip, chunked\r\n"), "transfer-encoding other than one chunked"),
        (PLAIN, ok("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"), "transfer-encoding other"),
        (PLAIN, ok("transfer-encoding: chunked\r\ncontent-length: 5\r\n"), "both content-length and transfer-encoding"),
        (HTTP_1_0, ok("transfer-encoding: chunked\r\n"), "transfer-encoding to a client of http/1.0"),
        (PLAIN, format!("HTTP/1.1 204 No Content\r\n{DATE}content-length: 0\r\n\r\n"), misplaced),
        (CONNECT, ok("content-length: 0\r\n"), misplaced),
        (HTTP_1_0, "HTTP/1.1 100 Continue\r\n\r\n".into(), "an interim response to a client of http/1.0"),
        (
            PLAIN,
            "HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n".into(),
            "an interim response with a field that frames a body",
        ),
        (PLAIN, "HTTP/1.1 101 Switching Protocols\r\n\r\n".into(), "the server switches protocols"),
        (PLAIN, chunked("\r\n"), size),
        (PLAIN, chunked("x\r\n"), size),
        (PLAIN, chunked("3;a=b\r\nabc\r\n"), size),
        (PLAIN, chunked("3 \r\nabc\r\n"), size),
        (PLAIN, chunked("3\nabc\r\n"), size),
        (PLAIN, chunked("3\rxabc\r\n"), size),
        (PLAIN, chunked("00000000000000003\r\nabc\r\n"), size),
        (PLAIN, chunked("3\r\nabcd\r\n0\r\n\r\n"), "a chunk is longer than its size says: behind it stands \"d"),
        (PLAIN, chunked("0\r\ncontent-length: 0\r\n\r\n"), "content-length among the trailers"),
        (PLAIN, chunked("0\r\na b: c\r\n\r\n"), "not a trailer section, "),
        (PLAIN, chunked("0\r\na: b\n\r\n"), "a cr or lf that stands alone in a trailer section"),
    ]
}

#[test]
fn every_fault_is_told() {
    for (asked, text, told) in faults() {
        let error = read(asked, &text).unwrap_err();
        assert!(error.to_string().starts_with(told), "{text:?}: {error}");
        assert!(error.is_malformed(), "{text:?}: {error}");
    }
}

#[test]
fn response_that_is_cut_anywhere_is_an_error_that_says_so() {
    for whole in [rich(), with_length("abc")] {
        for cut in 0..whole.len() {
            let error = read(PLAIN, &whole[..cut]).unwrap_err();
            assert!(error.is_cut(), "cut at {cut} of {whole:?}: {error}");
        }
    }
    let told = |text: &str| read(PLAIN, text).unwrap_err().to_string();
    assert_eq!(told(""), "the connection ended before the response began");
    assert_eq!(told("HTTP/1.1 2"), "the connection ended in the midst of a head, after \"HTTP/1.1 2\"");
    assert_eq!(
        told(with_length("abc").strip_suffix("c").unwrap()),
        "the connection ended after 2 of 3 bytes of the body"
    );
    assert_eq!(told(&chunked("5\r\nabc")), "the connection ended 2 bytes before the end of a chunk");
    assert_eq!(told(&chunked("3\r\nabc\r\n")), "the connection ended before the last chunk");
    assert_eq!(told(&chunked("0\r\n")), "the connection ended in the midst of the trailers");
}

#[test]
fn responses_and_faults_are_the_same_wherever_they_are_split() {
    let good = [(PLAIN, rich()), (PLAIN, with_length("abc")), (HTTP_1_0, format!("HTTP/1.1 200 OK\r\n{DATE}\r\nabc"))];
    let bad = faults().into_iter().map(|(asked, text, _)| (asked, text));
    for (asked, text) in good.into_iter().chain(bad) {
        // What an error shows of the bytes may differ.
        let seen = |pieces: &[&[u8]]| {
            read_pieces(asked, pieces.iter().copied()).map_err(|error| (error.is_malformed(), error.is_cut()))
        };
        let whole = seen(&[text.as_bytes()]);
        for cut in 0..text.len() {
            let (front, back) = text.as_bytes().split_at(cut);
            assert_eq!(seen(&[front, back]), whole, "{text:?}, split at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(seen(&bytes), whole, "{text:?}, byte by byte");
    }
}

#[test]
fn head_is_taken_at_its_limits_and_refused_past_them() {
    let long = |bytes: usize| {
        let frame = format!("HTTP/1.1 200 OK\r\n{DATE}content-length: 0\r\na: \r\n\r\n");
        frame.replace("a: ", &format!("a: {}", "x".repeat(bytes - frame.len())))
    };
    assert_eq!(long(HEAD_BYTES_MAX).len(), HEAD_BYTES_MAX);
    assert_eq!(body(PLAIN, long(HEAD_BYTES_MAX)), "");
    let too_long = long(HEAD_BYTES_MAX + 1);
    assert!(read(PLAIN, &too_long).unwrap_err().is_too_long());
    assert!(read(PLAIN, &too_long[..=HEAD_BYTES_MAX]).unwrap_err().is_too_long(), "known before its end has come");

    let fields =
        |fields: usize| format!("HTTP/1.1 200 OK\r\n{DATE}content-length: 0\r\n{}\r\n", "a: b\r\n".repeat(fields - 2));
    assert_eq!(body(PLAIN, fields(FIELDS_MAX)), "");
    assert!(read(PLAIN, fields(FIELDS_MAX + 1)).unwrap_err().is_too_long());

    let interim = |count: usize| ["HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count), with_length("")].concat();
    assert_eq!(read(PLAIN, interim(INTERIM_MAX)).unwrap().len(), INTERIM_MAX + 2);
    assert!(read(PLAIN, interim(INTERIM_MAX + 1)).unwrap_err().is_too_long());
}

/// Cuts bytes at these places, as far as they lie in them.
fn split<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).chain([0, bytes.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect()
}

proptest! {
    #[test]
    fn what_the_servers_codec_writes_is_read_as_it_was_meant(
        status in 200_u16..=599,
        fields in vec(("x-[a-z0-9]{0,8}", "([!-~]([ -~]{0,8}[!-~])?)?"), 0..5),
        pieces in vec(vec(any::<u8>(), 1..50), 0..5),
        in_chunks: bool,
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        let whole = pieces.concat();
        let mut out = BytesMut::new();
        let mut head = ResponseHead::begin(&mut out, status);
        for (name, value) in &fields {
            head.header(name, value.as_bytes()).unwrap();
        }
        let framing = if in_chunks { BodyFraming::Chunked } else { BodyFraming::Length(whole.len() as u64) };
        head.finish(framing, ConnectionField::Omit, &Date::at(784_111_777));
        let has_body = !status.forbids_body();
        if has_body && in_chunks {
            for piece in &pieces {
                encode::chunk_head(&mut out, piece.len());
                out.extend_from_slice(piece);
                encode::chunk_end(&mut out);
            }
            encode::last_chunk(&mut out);
        } else if has_body {
            out.extend_from_slice(&whole);
        }

        let (parts, rest) = read_pieces(PLAIN, split(&out, &cuts)).unwrap();
        prop_assert_eq!(rest, b"");
        let Part::Head(head) = &parts[0] else { panic!("{parts:?}") };
        prop_assert_eq!(head.status(), status);
        let named = head.headers().iter().filter(|(name, _)| name.starts_with("x-"));
        let named: Vec<_> = named.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value).into())).collect();
        prop_assert_eq!(named, fields);
        let read: Vec<u8> = parts.iter().flat_map(|part| if let Part::Piece(piece) = part { &piece[..] } else { &[] }).copied().collect();
        prop_assert_eq!(read, if has_body { whole } else { Vec::new() });
    }

    #[test]
    fn changed_bytes_are_read_alike_in_pieces_and_never_panic(
        at in any::<usize>(),
        byte in prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'0')],
        insert: bool,
        cuts in vec(any::<usize>(), 0..6),
        http_1_0: bool,
    ) {
        let mut bytes = rich().into_bytes();
        let at = at % bytes.len();
        if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        let asked = Asked { http_1_0, ..PLAIN };
        let whole = read_pieces(asked, [&bytes[..]]).map_err(|_| ());
        prop_assert_eq!(read_pieces(asked, split(&bytes, &cuts)).map_err(|_| ()), whole);
    }
}
