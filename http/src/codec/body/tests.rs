use proptest::prelude::*;

use super::*;
use crate::message::StatusCode;

const LIMITS: Limits = Limits {
    request_line_bytes_max: 0,
    head_bytes_max: 0,
    header_count_max: 0,
    body_bytes_max: 40,
    chunk_extension_bytes_max: 12,
    trailer_bytes_max: 30,
    pipelined_max: 0,
    requests_per_connection_max: None,
};

/// The body and how many bytes it took; none if it has not ended.
type Seen = Result<Option<(Vec<u8>, usize)>, Error>;

/// Shows a decoder the input in pieces that end here, and gathers what it finds.
fn decode(length: BodyLength, input: &[u8], ends: &[usize]) -> Seen {
    let mut decoder = BodyDecoder::new(length, &LIMITS);
    let mut body = Vec::new();
    let mut at = 0;
    for &end in ends {
        // Until nothing is consumed: a piece of input may hold several pieces of the body.
        loop {
            let piece = &input[at..end.max(at)];
            let found = decoder.decode(piece)?;
            assert!(found.data.end <= found.consumed && found.consumed <= piece.len());
            assert_eq!(found.ended, decoder.is_ended());
            body.extend_from_slice(&piece[found.data]);
            at += found.consumed;
            if found.ended {
                return Ok(Some((body, at)));
            }
            if found.consumed == 0 {
                break;
            }
        }
        assert_eq!(at, end, "all input is used up");
    }
    Ok(None)
}

fn whole(length: BodyLength, input: &[u8]) -> Seen {
    decode(length, input, &[input.len()])
}

fn chunked(input: &[u8]) -> Result<Option<(String, usize)>, Kind> {
    let seen = whole(BodyLength::Chunked, input).map_err(Error::kind)?;
    Ok(seen.map(|(body, consumed)| (String::from_utf8(body).unwrap(), consumed)))
}

#[track_caller]
fn refused(input: impl AsRef<[u8]>, kind: Kind) {
    let input = input.as_ref();
    assert_eq!(chunked(input), Err(kind), "{}", input.escape_ascii());
    let ends: Vec<usize> = (0..=input.len()).collect();
    let split = decode(BodyLength::Chunked, input, &ends);
    assert_eq!(split, Err(Error::new(kind)), "split: {}", input.escape_ascii());
}

#[test]
fn no_body_has_ended_before_it_began() {
    for length in [BodyLength::None, BodyLength::Length(0)] {
        let decoder = BodyDecoder::new(length, &LIMITS);
        assert!(decoder.is_ended());
        assert_eq!(decoder.remaining_hint(), Some(0));
        assert_eq!(whole(length, b"GET /"), Ok(Some((vec![], 0))));
    }
}

#[test]
fn a_length_ends_the_body_and_leaves_the_rest() {
    assert_eq!(whole(BodyLength::Length(5), b"hello GET /"), Ok(Some((b"hello".to_vec(), 5))));
    assert_eq!(whole(BodyLength::Length(5), b"hell"), Ok(None));
    let mut decoder = BodyDecoder::new(BodyLength::Length(5), &LIMITS);
    assert_eq!(decoder.remaining_hint(), Some(5));
    decoder.decode(b"hel").unwrap();
    assert_eq!(decoder.remaining_hint(), Some(2));
}

#[test]
fn chunks_are_joined_until_the_empty_one() {
    let seen = chunked(b"6\r\nHello,\r\n7\r\n World!\r\n0\r\n\r\nGET /");
    assert_eq!(seen, Ok(Some(("Hello, World!".to_owned(), 28))));
    assert_eq!(chunked(b"0\r\n\r\n"), Ok(Some((String::new(), 5))));
    assert_eq!(chunked(b"00a\r\n0123456789\r\n000\r\n\r\n"), Ok(Some(("0123456789".to_owned(), 24))));
    assert_eq!(chunked(b"A;a=b\r\n0123456789\r\n0;x\r\nT: u\r\n\r\n"), Ok(Some(("0123456789".to_owned(), 32))));
}

#[test]
fn the_last_data_comes_with_the_end() {
    let input = b"5\r\nhello\r\n0\r\n\r\nGET /";
    let mut decoder = BodyDecoder::new(BodyLength::Chunked, &LIMITS);
    let found = decoder.decode(input).unwrap();
    let expected = Decoded { consumed: 15, data: 3..8, ended: true };
    assert_eq!(found, expected);
}

#[test]
fn a_chunk_size_is_hexadecimal_digits_and_nothing_else() {
    for size in ["", "-1", "+1", "0x5", " 5", "5 ", "5\t", "g", "5 5", "\u{666}", "5\n", "\r\n"] {
        refused(format!("{size}\r\nhello\r\n0\r\n\r\n"), Kind::ChunkSize);
    }
    refused("5\rhello\r\n0\r\n\r\n", Kind::ChunkSize);
    refused("5\nhello\r\n0\r\n\r\n", Kind::ChunkSize);
}

#[test]
fn a_chunk_size_has_so_many_digits_that_it_cannot_overflow() {
    assert_eq!(chunked(b"0000000000000005\r\nhello\r\n0\r\n\r\n").map(|seen| seen.is_some()), Ok(true));
    refused("00000000000000005\r\nhello\r\n0\r\n\r\n", Kind::ChunkSize);
    refused("10000000000000000\r\n", Kind::ChunkSize);
    refused("ffffffffffffffff\r\n", Kind::BodyTooLong);
}

#[test]
fn a_chunk_ends_with_cr_lf() {
    refused("5\r\nhello\n0\r\n\r\n", Kind::ChunkEnd);
    refused("5\r\nhelloo\r\n0\r\n\r\n", Kind::ChunkEnd);
    refused("5\r\nhello\r0\r\n\r\n", Kind::ChunkEnd);
    refused("5\r\nhello0\r\n\r\n", Kind::ChunkEnd);
}

#[test]
fn extensions_are_passed_over_but_have_no_control_characters() {
    assert_eq!(chunked(b"1 ; a=\"b\xff\"\r\nx\r\n0\r\n\r\n").map(|seen| seen.is_some()), Ok(true));
    assert_eq!(chunked(b"1\t;\r\nx\r\n0\r\n\r\n").map(|seen| seen.is_some()), Ok(true));
    refused("1;a\nb\r\nx\r\n0\r\n\r\n", Kind::ChunkExtension);
    refused("1;a\0b\r\nx\r\n0\r\n\r\n", Kind::ChunkExtension);
    refused("1;a\rb\r\nx\r\n0\r\n\r\n", Kind::ChunkSize);
    refused("1 a\r\nx\r\n0\r\n\r\n", Kind::ChunkSize);
}

#[test]
fn the_extensions_of_a_chunk_have_their_limit() {
    assert_eq!(chunked(b"1;1234567890a\r\nx\r\n1;1234567890a\r\nx\r\n0\r\n\r\n").map(|seen| seen.is_some()), Ok(true));
    refused("1;1234567890ab\r\nx\r\n0\r\n\r\n", Kind::ChunkExtensionTooLong);
    refused(format!("1{}", " ".repeat(13)), Kind::ChunkExtensionTooLong);
}

#[test]
fn chunks_together_have_the_limit_of_the_body() {
    let ten = "a\r\n0123456789\r\n";
    let at = format!("{}0\r\n\r\n", ten.repeat(4));
    assert_eq!(chunked(at.as_bytes()).map(|seen| seen.unwrap().0.len()), Ok(40));
    refused(format!("{}1\r\n", ten.repeat(4)), Kind::BodyTooLong);
    refused("29\r\n", Kind::BodyTooLong);
    assert_eq!(Error::new(Kind::BodyTooLong).status(), Some(StatusCode::CONTENT_TOO_LARGE));
}

#[test]
fn trailers_are_field_lines() {
    for trailers in ["", "a: b\r\n", "a:\r\nb:\tc\u{e9}\r\n", "A-b!: \"\"\r\n"] {
        let input = format!("0\r\n{trailers}\r\n");
        assert_eq!(chunked(input.as_bytes()), Ok(Some((String::new(), input.len()))));
    }
    for trailers in [
        "a\r\n",
        ": b\r\n",
        "a : b\r\n",
        " a: b\r\n",
        "a: b\n",
        "a: b\r\n c\r\n",
        "a: \0\r\n",
        "\n",
        "a: b\rc\r\n",
        "\rX",
    ] {
        refused(format!("0\r\n{trailers}\r\n"), Kind::Trailer);
    }
}

#[test]
fn trailers_have_their_limit() {
    let at = "0\r\na: 2345678901\r\nb: 6789012345\r\n\r\n";
    assert_eq!(chunked(at.as_bytes()), Ok(Some((String::new(), at.len()))));
    refused("0\r\na: 2345678901\r\nb: 67890123456\r\n\r\n", Kind::TrailerTooLong);
    let none = Limits { trailer_bytes_max: 0, ..LIMITS };
    assert!(BodyDecoder::new(BodyLength::Chunked, &none).decode(b"0\r\n\r\n").unwrap().ended);
    assert!(BodyDecoder::new(BodyLength::Chunked, &none).decode(b"0\r\na").is_err());
}

/// The decoder once went on after an error, from where it stood: shown the same bytes again, it took the end of the line
/// before the fault for the end of the body.
#[test]
fn body_that_was_refused_stays_refused() {
    let mut decoder = BodyDecoder::new(BodyLength::Chunked, &LIMITS);
    decoder.decode(b"0\r\nx: y").unwrap();
    for _ in 0..2 {
        assert_eq!(decoder.decode(b"\r\n: \r\n\r\n"), Err(Error::new(Kind::Trailer)));
        assert!(!decoder.is_ended());
        assert_eq!(decoder.remaining_hint(), None);
    }
}

proptest! {
    #[test]
    fn a_body_of_known_length_is_the_same_however_it_is_split(length in 0..30_usize, cut in 0..30_usize) {
        let input = b"0123456789012345678901234567890123456789";
        let seen = decode(BodyLength::Length(length as u64), input, &[cut, input.len()]);
        prop_assert_eq!(seen, Ok(Some((input[..length].to_vec(), length))));
    }
}
