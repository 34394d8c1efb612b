use proptest::prelude::*;

use super::*;
use crate::codec::body::BodyDecoder;
use crate::codec::framing::BodyLength;
use crate::limits::Limits;

const SECOND: u64 = 1_763_798_400;

fn response(status: StatusCode, body: BodyFraming, connection: ConnectionField) -> String {
    let mut out = BytesMut::new();
    ResponseHead::begin(&mut out, status).finish(body, connection, &Date::at(SECOND));
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn the_commonest_answer_is_these_bytes() {
    let mut out = BytesMut::new();
    let mut head = ResponseHead::begin(&mut out, StatusCode::OK);
    head.header("Content-Type", b"text/plain").unwrap();
    head.finish(BodyFraming::Length(13), ConnectionField::Omit, &Date::at(SECOND));
    let expected = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\
        content-length: 13\r\ndate: Sat, 22 Nov 2025 08:00:00 GMT\r\n\r\n";
    assert_eq!(out, expected);
}

#[test]
fn the_server_says_how_the_body_ends_and_what_becomes_of_the_connection() {
    let date = "date: Sat, 22 Nov 2025 08:00:00 GMT\r\n\r\n";
    let cases = [
        (BodyFraming::Length(u64::MAX), ConnectionField::Omit, "content-length: 18446744073709551615\r\n"),
        (BodyFraming::Length(0), ConnectionField::KeepAlive, "content-length: 0\r\nconnection: keep-alive\r\n"),
        (BodyFraming::Chunked, ConnectionField::Omit, "transfer-encoding: chunked\r\n"),
        (BodyFraming::Close, ConnectionField::Close, "connection: close\r\n"),
        (BodyFraming::None, ConnectionField::Omit, ""),
    ];
    for (body, connection, fields) in cases {
        let seen = response(StatusCode::OK, body, connection);
        assert_eq!(seen, format!("HTTP/1.1 200 OK\r\n{fields}{date}"));
    }
}

#[test]
fn length_of_any_number_of_digits_is_written_whole() {
    let powers = (0..20).map(|digits| 10_u64.pow(digits));
    for length in powers.flat_map(|power| [power - 1, power, power + 1]).chain([12, u64::MAX - 1, u64::MAX]) {
        let seen = response(StatusCode::OK, BodyFraming::Length(length), ConnectionField::Omit);
        assert!(seen.starts_with(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ndate: ")), "{seen}");
    }
}

#[test]
fn answers_that_may_not_have_framing_get_none() {
    for status in [StatusCode::EARLY_HINTS, StatusCode::NO_CONTENT] {
        for body in [BodyFraming::Length(5), BodyFraming::Chunked] {
            let seen = response(status, body, ConnectionField::Omit);
            assert!(!seen.contains("content-length") && !seen.contains("transfer-encoding"), "{seen}");
        }
    }
    assert!(
        response(StatusCode::NOT_MODIFIED, BodyFraming::Length(5), ConnectionField::Omit).contains("content-length: 5")
    );
    let reset = response(StatusCode::RESET_CONTENT, BodyFraming::Length(0), ConnectionField::Omit);
    assert!(reset.contains("content-length: 0"));
}

#[test]
fn a_client_reads_every_status() {
    for number in 100..=999 {
        let status = StatusCode::from_u16(number).unwrap();
        let text = response(status, BodyFraming::Length(1), ConnectionField::Omit);
        let mut slots = [httparse::EMPTY_HEADER; 4];
        let mut seen = httparse::Response::new(&mut slots);
        let parsed = seen.parse(text.as_bytes()).unwrap();
        assert_eq!(parsed, httparse::Status::Complete(text.len()));
        assert_eq!((seen.version, seen.code), (Some(1), Some(number)));
        assert_eq!(seen.reason, Some(status.reason()));
    }
}

#[test]
fn a_field_that_would_begin_another_is_refused_and_leaves_no_trace() {
    let mut out = BytesMut::new();
    let mut head = ResponseHead::begin(&mut out, StatusCode::OK);
    for value in [&b"a\r\nset-cookie: b"[..], b"a\n", b"\r", b"a\0b", b"\x7f", b"\x1b[0m"] {
        let error = head.header("x", value).unwrap_err();
        assert_eq!(error, Error::new(Kind::ResponseValue));
        assert!(error.is_response_field());
    }
    for name in ["", "a b", "a:", "a\r\nb", "\u{e9}", " a", "a\0"] {
        assert_eq!(head.header(name, b"v"), Err(Error::new(Kind::ResponseName)), "{name:?}");
    }
    for name in ["date", "Connection", "CONTENT-LENGTH", "transfer-encoding"] {
        assert_eq!(head.header(name, b"1"), Err(Error::new(Kind::ResponseReserved)), "{name}");
    }
    head.header("x", b"\ta \xff").unwrap();
    head.header("y", b"").unwrap();
    head.finish(BodyFraming::None, ConnectionField::Omit, &Date::at(SECOND));
    let expected: &[u8] = b"HTTP/1.1 200 OK\r\nx: \ta \xff\r\ny: \r\ndate: Sat, 22 Nov 2025 08:00:00 GMT\r\n\r\n";
    assert_eq!(&out[..], expected);
}

#[test]
fn a_connection_is_told_of_an_upgrade() {
    for (connection, options) in [
        (ConnectionField::Omit, "upgrade"),
        (ConnectionField::Close, "close, upgrade"),
        (ConnectionField::KeepAlive, "keep-alive, upgrade"),
    ] {
        for copied in [false, true] {
            let (mut fields, mut out) = (BytesMut::new(), BytesMut::new());
            let mut head = ResponseHead::begin(&mut fields, StatusCode::UPGRADE_REQUIRED);
            head.header("Upgrade", b"x").unwrap();
            if copied {
                let lines = head.into_fields();
                head = ResponseHead::begin(&mut out, StatusCode::UPGRADE_REQUIRED);
                head.copy_fields(&lines);
            }
            head.finish(BodyFraming::None, connection, &Date::at(SECOND));
            let out = if copied { out } else { fields };
            let expected = format!("upgrade: x\r\nconnection: {options}\r\ndate: ");
            assert!(String::from_utf8_lossy(&out).contains(&expected), "{out:?}");
        }
    }
}

#[test]
fn a_head_that_is_not_finished_is_taken_back() {
    let mut out = BytesMut::from("earlier");
    let mut head = ResponseHead::begin(&mut out, StatusCode::NOT_FOUND);
    head.header("x", b"y").unwrap();
    drop(head);
    assert_eq!(out, "earlier");
}

#[test]
fn a_ready_line_is_the_field_it_says() {
    let mut plain = BytesMut::new();
    let mut head = ResponseHead::begin(&mut plain, StatusCode::OK);
    head.header("content-type", b"text/plain; charset=utf-8").unwrap();
    head.finish(BodyFraming::None, ConnectionField::Omit, &Date::at(SECOND));
    let mut ready = BytesMut::new();
    let mut head = ResponseHead::begin(&mut ready, StatusCode::OK);
    head.line(FieldLine::TEXT_PLAIN);
    head.finish(BodyFraming::None, ConnectionField::Omit, &Date::at(SECOND));
    assert_eq!(plain, ready);
}

#[test]
fn a_ready_line_is_one_field_line() {
    let bad = [
        "",
        "a",
        "a: b",
        "a: b\n",
        "a:b\r\n",
        "a : b\r\n",
        ": b\r\n",
        "A: b\r\n",
        "a: b\r\nc: d\r\n",
        "a: \0\r\n",
        "date: x\r\n",
        "upgrade: x\r\n",
        "content-length: 1\r\n",
        "a\r\n",
        "a: \r",
        "a:\r\n",
    ];
    for text in bad {
        let taken = std::panic::catch_unwind(|| FieldLine::new(text));
        assert!(taken.is_err(), "{text:?}");
    }
    assert_eq!(FieldLine::new("a: \r\n").text, "a: \r\n");
}

#[test]
fn fields_that_were_added_can_be_looked_at_and_changed() {
    let mut out = BytesMut::from("before\r\n");
    let mut head = ResponseHead::begin(&mut out, StatusCode::OK);
    for (name, value) in [("Vary", "a"), ("x", "1"), ("vary", "b"), ("empty", "")] {
        head.header(name, value.as_bytes()).unwrap();
    }
    assert_eq!((head.get("VARY"), head.get("empty"), head.get("before")), (Some(&b"a"[..]), Some(&b""[..]), None));
    assert_eq!(head.get_all("vary").collect::<Vec<_>>(), [b"a", b"b"]);
    head.replace("vary", b"a\n").unwrap_err();
    assert_eq!(head.get_all("vary").count(), 2, "what cannot be written replaces nothing");
    head.replace("Vary", b"c").unwrap();
    head.replace("new", b"d").unwrap();
    head.remove("Empty");
    head.remove("never");
    assert_eq!(head.into_fields(), "x: 1\r\nvary: c\r\nnew: d\r\n");
    assert_eq!(out, "before\r\n");
}

#[test]
#[should_panic(expected = "an empty chunk ends the body")]
fn a_chunk_of_nothing_is_not_written() {
    chunk_head(&mut BytesMut::new(), 0);
}

#[test]
fn chunk_sizes_are_plain_hexadecimal() {
    for size in [1, 9, 10, 15, 16, 255, 256, 4096, 65_535, usize::MAX] {
        let mut out = BytesMut::new();
        chunk_head(&mut out, size);
        assert_eq!(out, format!("{size:x}\r\n"));
    }
}

/// Names that are tokens, not reserved, and no more than fit the parser's slots together with the server's fields.
fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let value = proptest::collection::vec(prop_oneof![0x21..0x7f_u8, 0x80..=0xff_u8], 0..30);
    proptest::collection::vec(("x-[a-zA-Z0-9!#$%&'*+.^_`|~-]{0,12}", value), 0..10)
}

proptest! {
    #[test]
    fn a_client_reads_back_what_was_written(number in 200..=999_u16, fields in fields(), length in any::<u64>()) {
        let status = StatusCode::from_u16(number).unwrap();
        let mut out = BytesMut::new();
        let mut head = ResponseHead::begin(&mut out, status);
        for (name, value) in &fields {
            head.header(name, value).unwrap();
        }
        head.finish(BodyFraming::Length(length), ConnectionField::Close, &Date::at(SECOND));

        let mut slots = [httparse::EMPTY_HEADER; 16];
        let mut seen = httparse::Response::new(&mut slots);
        prop_assert_eq!(seen.parse(&out), Ok(httparse::Status::Complete(out.len())));
        prop_assert_eq!(seen.code, Some(number));
        let seen: Vec<_> = seen.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
        let mut expected: Vec<_> = fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        if number != 204 {
            expected.push(("content-length".to_owned(), length.to_string().into_bytes()));
        }
        expected.push(("connection".to_owned(), b"close".to_vec()));
        expected.push(("date".to_owned(), b"Sat, 22 Nov 2025 08:00:00 GMT".to_vec()));
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn chunks_are_read_back(pieces in proptest::collection::vec("[ -~]{1,40}", 0..5)) {
        let mut out = BytesMut::new();
        for piece in &pieces {
            chunk_head(&mut out, piece.len());
            out.extend_from_slice(piece.as_bytes());
            chunk_end(&mut out);
        }
        last_chunk(&mut out);
        let mut decoder = BodyDecoder::new(BodyLength::Chunked, &Limits::default());
        let mut input = &out[..];
        let mut body = Vec::new();
        while !decoder.is_ended() {
            let decoded = decoder.decode(input).unwrap();
            body.extend_from_slice(&input[decoded.data]);
            input = &input[decoded.consumed..];
        }
        prop_assert_eq!(body, pieces.concat().into_bytes());
        prop_assert!(input.is_empty());
    }
}
