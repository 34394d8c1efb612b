//! What an application says about the length of its body.

use super::GET;
use super::send::{GET_10, HEAD, answer, last, list, piece, sent};
use crate::asgi::Outbound;
use crate::error::Kind;

fn start_with(status: u16, fields: &[(&str, &str)]) -> Outbound {
    Outbound::ResponseStart { status, headers: list(fields), trailers: false }
}

#[test]
fn content_length_of_the_application_frames_a_body_in_pieces() {
    let events = || vec![start_with(200, &[("x-a", "1"), ("content-length", "5")]), piece("He"), last("llo")];
    assert_eq!(answer(GET, events()), "HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 5\r\n\r\nHello");
    let old = "HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 5\r\nconnection: close\r\n\r\nHello";
    assert_eq!(answer(GET_10, events()), old);
}

#[test]
fn content_length_is_a_promise_that_the_body_keeps() {
    let (outcomes, answer) = sent(GET, vec![start_with(200, &[("content-length", "6")]), last("Hello")]);
    assert_eq!(outcomes, [None, Some(Kind::ResponseLength)]);
    assert!(answer.is_empty() || answer.contains("content-length: 6\r\n") || answer.contains(" 500 "), "{answer}");
    let (outcomes, _) = sent(GET, vec![start_with(200, &[("content-length", "4")]), piece("Hel"), last("lo")]);
    assert_eq!(outcomes, [None, None, Some(Kind::ResponseLength)]);
}

#[test]
fn content_length_after_head_is_what_the_application_says_though_it_gives_no_body() {
    let head = answer(HEAD, vec![start_with(200, &[("content-length", "5")]), last("")]);
    assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    let unchanged = answer(GET, vec![start_with(304, &[("content-length", "5")]), last("")]);
    assert_eq!(unchanged, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n");
}

#[test]
fn content_length_that_is_no_number_or_there_twice_is_refused() {
    for fields in [
        &[("content-length", "+5")][..],
        &[("content-length", "")],
        &[("content-length", "5"), ("Content-Length", "5")],
    ] {
        let (outcomes, _) = sent(GET, vec![start_with(200, fields), last("Hello")]);
        assert!(outcomes[0].is_some() || outcomes[1].is_some(), "{fields:?}");
    }
}

#[test]
fn transfer_encoding_of_the_application_is_ignored() {
    // The specification of ASGI has it so: the server handles that field itself.
    let events = vec![start_with(200, &[("transfer-encoding", "chunked")]), last("Hello")];
    assert_eq!(answer(GET, events), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello");
}

#[test]
fn connection_ends_after_a_response_that_says_close() {
    let close = answer(GET, vec![start_with(200, &[("Connection", "close")]), last("Hello")]);
    assert_eq!(close, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nHello");
    let (outcomes, _) = sent(GET, vec![start_with(200, &[("connection", "upgrade")]), last("Hello")]);
    assert_eq!(outcomes[1], Some(Kind::ResponseReserved));
}

#[test]
fn status_that_forbids_a_body_says_no_length_of_its_own() {
    for status in [204, 304] {
        let answer = answer(GET, vec![start_with(status, &[]), last("")]);
        assert!(!answer.contains("content-length"), "{answer}");
    }
}
