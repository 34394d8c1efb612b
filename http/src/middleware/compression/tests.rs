//! What is compressed and what is left alone, and that nothing is lost on the way.

use super::{BODY_BYTES_MIN, Compression, Gzip, STREAMS_MAX, is_compressible_type};
use crate::asgi::{App, Filter, NO_FIELDS, Receive, Result, Scope, Send};
use crate::codec::encode::ResponseHead;
use crate::error::Error;
use crate::files::Files;
use crate::message::StatusCode;
use crate::testing::{StreamingResponse, TestResponse, drive};
use bytes::{Bytes, BytesMut};
use evloop_runtime::time::sleep;
use flate2::write::GzDecoder;
use proptest::prelude::*;
use std::cell::Cell;
use std::future::pending;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

const TEXT: (&str, &str) = ("content-type", "text/plain");

fn long_text() -> Vec<u8> {
    (0..1_000).flat_map(|number: u32| format!("line {number}\n").into_bytes()).collect()
}

/// What a client makes of it.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(Vec::new());
    decoder.write_all(bytes).expect("what was sent is gzip");
    decoder.finish().expect("what was sent is whole")
}

/// Answers everything alike, in one piece.
fn fixed(status: StatusCode, fields: &'static [(&'static str, &'static str)], body: Vec<u8>) -> impl App {
    let body = Bytes::from(body);
    Compression::new(move |_: Scope, _: Receive, mut send: Send| {
        std::future::ready(send.respond(status, &body, fields.iter().copied()))
    })
}

/// The answer of [`fixed`] to a GET with these fields.
fn answer(app: impl App, fields: &[(&str, &str)]) -> TestResponse {
    drive(app, async |client| {
        let request = client.get("/");
        fields.iter().fold(request, |request, (name, value)| request.header(name, value)).send().await
    })
}

const GZIP: &[(&str, &str)] = &[("accept-encoding", "gzip")];

fn is_compressed(response: &TestResponse) -> bool {
    response.header("content-encoding") == Some("gzip")
}

#[test]
fn response_is_compressed_and_its_meaning_stays() {
    let response = answer(fixed(StatusCode::OK, &[TEXT, ("x", "y")], long_text()), GZIP);
    let names: Vec<_> = response.headers().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["content-type", "x", "vary", "content-encoding", "content-length", "date"]);
    assert_eq!(response.header("vary"), Some("accept-encoding"));
    assert!(response.bytes().len() < long_text().len() / 3);
    assert_eq!(decoded(response.bytes()), long_text());
}

#[test]
fn client_gets_what_it_accepts() {
    for (value, expected) in [
        ("gzip", true),
        ("x-gzip", true),
        ("br, GZIP;q=0.1", true),
        ("*", true),
        ("gzip;q=0", false),
        ("*;q=0", false),
        ("gzip;q=0, *", false),
        ("identity, gzip;q=0.5", false),
        ("br, deflate, zstd", false),
        ("", false),
    ] {
        let response = answer(fixed(StatusCode::OK, &[TEXT], long_text()), &[("accept-encoding", value)]);
        assert_eq!(is_compressed(&response), expected, "{value:?}");
        assert_eq!(response.header("vary"), Some("accept-encoding"), "{value:?}");
    }
    assert!(!is_compressed(&answer(fixed(StatusCode::OK, &[TEXT], long_text()), &[])));
}

#[test]
fn body_is_compressed_from_its_least_length_on() {
    let length = usize::try_from(BODY_BYTES_MIN).unwrap();
    assert!(is_compressed(&answer(fixed(StatusCode::OK, &[TEXT], vec![b'a'; length]), GZIP)));
    let short = answer(fixed(StatusCode::OK, &[TEXT], vec![b'a'; length - 1]), GZIP);
    assert!(!is_compressed(&short) && short.header("vary").is_none());
}

#[test]
fn types_that_gain_are_known() {
    for gains in [
        "text/html; charset=utf-8",
        "TEXT/PLAIN",
        "text/event-stream",
        "application/json",
        "application/problem+json ;a=b",
        "application/javascript",
        "image/svg+xml",
        "application/wasm",
    ] {
        assert!(is_compressible_type(gains.as_bytes()), "{gains}");
    }
    for gains_not in
        ["", "image/png", "video/mp4", "application/gzip", "application/octet-stream", "font/woff2", "text"]
    {
        assert!(!is_compressible_type(gains_not.as_bytes()), "{gains_not}");
    }
}

#[test]
fn response_that_says_so_is_left_alone() {
    let left_alone: [&[(&str, &str)]; 7] = [
        &[],
        &[("content-type", "image/png")],
        &[TEXT, ("content-encoding", "br")],
        &[TEXT, ("cache-control", "no-transform")],
        &[TEXT, ("cache-control", "no-cache"), ("cache-control", "max-age=1 , No-Transform")],
        &[TEXT, ("repr-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")],
        &[TEXT, ("content-md5", "Q2hlY2sgSW50ZWdyaXR5IQ==")],
    ];
    for fields in left_alone {
        let response = answer(fixed(StatusCode::OK, fields, long_text()), GZIP);
        assert_eq!(response.bytes(), &long_text(), "{fields:?}");
        assert_eq!(response.header("vary"), None, "{fields:?}");
    }
    let other_status = answer(fixed(StatusCode::NOT_FOUND, &[TEXT], long_text()), GZIP);
    assert!(is_compressed(&other_status), "a long page that says so is a page");
}

#[test]
fn vary_names_the_field_once_beside_the_others() {
    let vary = |fields| {
        let response = answer(fixed(StatusCode::OK, fields, long_text()), GZIP);
        let values: Vec<_> = response.headers().get_all("vary").map(<[u8]>::to_vec).collect();
        String::from_utf8(values.join(&b"|"[..])).unwrap()
    };
    assert_eq!(vary(&[TEXT, ("vary", "cookie")]), "cookie, accept-encoding");
    assert_eq!(vary(&[TEXT, ("vary", "cookie"), ("Vary", "origin, te")]), "cookie, origin, te, accept-encoding");
    assert_eq!(vary(&[TEXT, ("vary", "cookie"), ("vary", "x, Accept-Encoding")]), "cookie|x, Accept-Encoding");
    assert_eq!(vary(&[TEXT, ("vary", "*")]), "*");
}

#[test]
fn validator_of_other_bytes_is_weak_and_they_have_no_ranges() {
    const FIELDS: &[(&str, &str)] = &[TEXT, ("etag", "\"1\""), ("accept-ranges", "bytes")];
    let response = answer(fixed(StatusCode::OK, FIELDS, long_text()), GZIP);
    assert_eq!((response.header("etag"), response.header("accept-ranges")), (Some("W/\"1\""), None));
    let response = answer(fixed(StatusCode::OK, FIELDS, long_text()), &[]);
    assert_eq!((response.header("etag"), response.header("accept-ranges")), (Some("\"1\""), Some("bytes")));
    let response = answer(fixed(StatusCode::OK, &[TEXT, ("etag", "W/\"1\"")], long_text()), GZIP);
    assert_eq!(response.header("etag"), Some("W/\"1\""));
}

#[test]
fn unchanged_is_said_by_the_validator_that_the_client_knows() {
    let etag = |known: &str, accepted: &str| {
        let app = fixed(StatusCode::NOT_MODIFIED, &[("etag", "\"1\"")], Vec::new());
        let response = answer(app, &[("if-none-match", known), ("accept-encoding", accepted)]);
        assert_eq!(response.header("vary"), Some("accept-encoding"));
        response.header("etag").unwrap().to_owned()
    };
    assert_eq!(etag("\"0\", W/\"1\"", "gzip"), "W/\"1\"");
    assert_eq!(etag("\"1\"", "gzip"), "\"1\"");
    assert_eq!(etag("W/\"1\"", "br"), "\"1\"");
}

#[test]
fn files_are_compressed_and_their_parts_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let large = long_text().repeat(30); // several pieces
    std::fs::write(folder.path().join("a.txt"), &large).unwrap();
    drive(Compression::new(Files::new(folder.path()).unwrap()), async |client| {
        let get = || client.get("/a.txt").header("accept-encoding", "gzip");
        let whole = get().send().await;
        assert!(is_compressed(&whole) && whole.header("transfer-encoding") == Some("chunked"));
        assert_eq!(decoded(whole.bytes()), large);

        let etag = whole.header("etag").unwrap();
        let unchanged = get().header("if-none-match", etag).send().await;
        assert_eq!((unchanged.status(), unchanged.header("etag")), (StatusCode::NOT_MODIFIED, Some(etag)));

        let part = get().header("range", "bytes=0-4999").send().await;
        assert_eq!((part.status(), &part.bytes()[..]), (StatusCode::PARTIAL_CONTENT, &large[..5_000]));
        assert_eq!(part.header("vary"), Some("accept-encoding"));
        let resumed = get().header("range", "bytes=0-4999").header("if-range", etag).send().await;
        assert_eq!(decoded(resumed.bytes()), large, "a part of the original is none of what was compressed");
    });
}

#[test]
fn head_is_answered_as_get_would_be() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        if scope.path() == "/whole" {
            return send.respond(StatusCode::OK, &long_text(), [TEXT]);
        }
        send.start(StatusCode::OK, Some(long_text().len() as u64), [TEXT])?;
        send.response_piece(long_text()).await?;
        send.response_end()
    }
    drive(Compression::new(app), async |client| {
        for path in ["/whole", "/pieces"] {
            let get = client.get(path).header("accept-encoding", "gzip").send().await;
            let head = client.head(path).header("accept-encoding", "gzip").send().await;
            assert!(is_compressed(&get) && head.bytes().is_empty());
            let fields = |response: &TestResponse| {
                let all = response.headers().iter();
                all.map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .filter(|(name, _)| name != "date")
                    .collect()
            };
            let (get, head): (Vec<_>, Vec<_>) = (fields(&get), fields(&head));
            assert_eq!(get, head, "{path}");
        }
    });
}

#[test]
fn client_of_http_1_0_gets_it_too() {
    drive(fixed(StatusCode::OK, &[TEXT], long_text()), async |client| {
        let response = client.get("/").http_1_0().header("accept-encoding", "gzip").send().await;
        assert_eq!(decoded(response.bytes()), long_text());
    });
}

#[test]
fn events_arrive_as_they_are_sent() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.response_start(200, [("content-type", "text/event-stream")]).await?;
        for number in 0..3 {
            send.response_piece(format!("data: {number}\n\n")).await?;
            send.response_piece("").await?;
            sleep(Duration::from_secs(60)).await;
        }
        send.response_trailers([("x-count", "3")])
    }
    drive(Compression::new(app), async |client| {
        let request = client.get("/").header("accept-encoding", "gzip").header("te", "trailers");
        let mut response = request.send_streaming().await;
        let mut decoder = GzDecoder::new(Vec::new());
        for expected in ["data: 0\n\n", "data: 1\n\n", "data: 2\n\n"] {
            decoder.write_all(&response.piece().await.unwrap()).unwrap();
            decoder.flush().unwrap();
            assert_eq!(std::mem::take(decoder.get_mut()), expected.as_bytes());
        }
        while let Some(end) = response.piece().await {
            decoder.write_all(&end).unwrap();
        }
        assert_eq!(decoder.finish().unwrap(), b"");
        assert_eq!(response.trailers().get_str("x-count"), Some("3"));
    });
}

#[test]
fn body_that_is_not_as_long_as_was_said_is_cut() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        let pieces = if scope.path() == "/short" { 3 } else { 5 };
        send.start(StatusCode::OK, Some(4_000), [TEXT])?;
        for _ in 0..pieces {
            send.response_piece(vec![b'a'; 1_000]).await?;
        }
        send.response_end()
    }
    drive(Compression::new(app), async |client| {
        for path in ["/short", "/long"] {
            client.get(path).header("accept-encoding", "gzip").try_send().await.unwrap_err();
        }
    });
}

#[test]
fn response_that_is_begun_twice_goes_on_as_it_began() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, None, [TEXT])?;
        send.response_piece(long_text()).await?;
        assert!(send.start(StatusCode::OK, None, NO_FIELDS).unwrap_err().is_violation());
        assert!(send.respond(StatusCode::OK, b"", NO_FIELDS).unwrap_err().is_violation());
        send.response_piece(long_text()).await?;
        send.response_end()
    }
    let response = answer(Compression::new(app), GZIP);
    assert_eq!(decoded(response.bytes()), [long_text(), long_text()].concat());
}

#[test]
fn other_protocols_pass_as_they_are() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        send.switch_protocols("echo", NO_FIELDS)?;
        while let Some(piece) = receive.piece().await? {
            send.response_piece(piece).await?;
        }
        send.response_end()
    }
    drive(Compression::new(app), async |client| {
        let mut connection = client.connection();
        let head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nAccept-Encoding: gzip\r\n\r\n";
        connection.send(head).await;
        assert!(connection.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
        connection.send("to and fro").await;
        assert_eq!(connection.take(10).await, b"to and fro");
    });
}

#[test]
fn one_inside_of_another_compresses_once() {
    let response = answer(Compression::new(fixed(StatusCode::OK, &[TEXT], long_text())), GZIP);
    assert_eq!(response.headers().get_all("content-encoding").count(), 1);
    assert_eq!(decoded(response.bytes()), long_text());
}

#[test]
fn only_so_many_are_compressed_at_one_time() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, None, [TEXT])?;
        send.response_piece("piece").await?;
        pending().await
    }
    drive(Compression::new(app), async |client| {
        let begin =
            async || -> StreamingResponse { client.get("/").header("accept-encoding", "gzip").send_streaming().await };
        let mut held = Vec::new();
        for _ in 0..STREAMS_MAX {
            held.push(begin().await);
        }
        assert!(held.iter().all(|response| response.header("content-encoding") == Some("gzip")));
        let mut next = begin().await;
        assert_eq!((next.header("content-encoding"), next.header("vary")), (None, Some("accept-encoding")));
        assert_eq!(next.piece().await.unwrap(), "piece");
    });
}

#[test]
fn place_is_free_when_the_response_is_over_or_its_client_has_gone() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, None, [TEXT])?;
        send.response_piece("piece").await?;
        if scope.path() == "/waits" {
            pending::<()>().await;
        }
        send.response_end()
    }
    let app = Compression::new(app);
    let streams = Rc::clone(&app.streams);
    drive(app, async |client| {
        client.get("/").header("accept-encoding", "gzip").send().await;
        assert_eq!(streams.get(), 0);
        let mut connection = client.connection();
        connection.send("GET /waits HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").await;
        connection.until("\r\n\r\n").await;
        assert_eq!(streams.get(), 1);
        connection.reset();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(streams.get(), 0);
    });
}

/// A filter that has looked at the head of a response of text.
fn begun(length: Option<u64>) -> Gzip {
    let mut filter = Gzip { accepted: true, holds_weak: false, streams: Rc::default(), stream: None };
    let mut out = BytesMut::new();
    let mut head = ResponseHead::begin(&mut out, StatusCode::OK);
    head.header("content-type", b"text/plain").unwrap();
    assert_eq!(filter.head(StatusCode::OK, &mut head, length), Ok(true));
    filter
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))] // unoptimised, it compresses a MiB a second

    #[test]
    fn each_piece_can_be_decoded_when_it_comes(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..8),
        repeats in 1..50_usize,
    ) {
        let mut filter = begun(None);
        let mut decoder = GzDecoder::new(Vec::new());
        for piece in &pieces {
            let piece = piece.repeat(repeats);
            let mut out = Vec::new();
            filter.piece(&piece, false, &mut out).unwrap();
            decoder.write_all(&out).unwrap();
            decoder.flush().unwrap();
            prop_assert_eq!(std::mem::take(decoder.get_mut()), piece);
        }
        let mut out = b"kept".to_vec();
        filter.piece(b"end", true, &mut out).unwrap();
        prop_assert!(out.starts_with(b"kept"), "it appends");
        decoder.write_all(&out[4..]).unwrap();
        prop_assert_eq!(decoder.finish().unwrap(), b"end");
    }

    #[test]
    fn what_arrives_is_what_was_given(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3_000), 0..5),
        tells_length in any::<bool>(),
    ) {
        let whole = pieces.concat();
        let length = tells_length.then_some(whole.len() as u64);
        let app = move |_: Scope, _: Receive, mut send: Send| {
            let pieces = pieces.clone();
            async move {
                send.start(StatusCode::OK, length, [TEXT])?;
                for piece in pieces {
                    send.response_piece(piece).await?;
                }
                send.response_end()
            }
        };
        let response = answer(Compression::new(app), GZIP);
        let compressed = length.is_none_or(|length| length >= BODY_BYTES_MIN);
        prop_assert_eq!(is_compressed(&response), compressed);
        prop_assert_eq!(if compressed { decoded(response.bytes()) } else { response.bytes().to_vec() }, whole);
    }
}

#[test]
fn piece_after_the_last_is_an_error() {
    let mut filter = begun(Some(BODY_BYTES_MIN));
    filter.piece(&vec![b'a'; usize::try_from(BODY_BYTES_MIN).unwrap()], true, &mut Vec::new()).unwrap();
    assert!(filter.piece(b"", true, &mut Vec::new()).as_ref().is_err_and(Error::is_violation));
    assert_eq!(filter.streams, Rc::new(Cell::new(0)));
}
