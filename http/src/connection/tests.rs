//! The protocol of one connection, with bytes for a client and calls for an application.

use super::{Connection, Next};
use crate::codec::date::Date;
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{RequestHead, StatusCode};
use bytes::BytesMut;
use proptest::prelude::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection, with what it has written.
#[derive(Default)]
struct Talk {
    connection: Connection,
    head: RequestHead,
    out: BytesMut,
}

impl Talk {
    /// A connection that has received this whole head.
    fn after(head: &str) -> Talk {
        let mut talk = Talk::default();
        talk.receive(head);
        talk
    }

    fn receive(&mut self, head: &str) {
        let used = self.connection.receive_head(head.as_bytes(), &Limits::default(), &mut self.head);
        assert_eq!(used, Ok(Some(head.len())));
    }

    fn respond(&mut self, status: u16, body: &str) -> Result<(), Error> {
        let status = StatusCode::from_u16(status).unwrap();
        self.connection.respond(&mut self.out, status, &Date::at(0), body.as_bytes(), |_| Ok(()))
    }

    fn start(&mut self, status: u16, length: Option<u64>) -> Result<(), Error> {
        let status = StatusCode::from_u16(status).unwrap();
        self.connection.start(&mut self.out, status, &Date::at(0), length, |_| Ok(()))
    }

    fn body(&mut self, piece: &str) -> Result<(), Error> {
        self.connection.body(&mut self.out, piece.as_bytes())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.connection.end(&mut self.out)
    }

    /// What was written since the last time, without the date.
    fn written(&mut self) -> String {
        let out = self.out.split();
        let text = String::from_utf8_lossy(&out);
        text.replace("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "")
    }
}

// --- Whether the connection lasts ------------------------------------------------------------------------------------

#[test]
fn connection_lasts_as_version_and_options_have_it() {
    for (version, options, field, next) in [
        ("1.1", "", "", Next::Request),
        ("1.1", "Connection: keep-alive\r\n", "", Next::Request),
        ("1.1", "Connection: close\r\n", "connection: close\r\n", Next::Close),
        ("1.1", "Connection: CLOSE\r\n", "connection: close\r\n", Next::Close),
        ("1.1", "Connection: x, close, y\r\n", "connection: close\r\n", Next::Close),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", "connection: close\r\n", Next::Close),
        ("1.1", "Connection: closed\r\n", "", Next::Request),
        ("1.0", "", "connection: close\r\n", Next::Close),
        ("1.0", "Connection: keep-alive\r\n", "connection: keep-alive\r\n", Next::Request),
        ("1.0", "Connection: Keep-Alive, x\r\n", "connection: keep-alive\r\n", Next::Request),
        ("1.0", "Connection: keep-alive, close\r\n", "connection: close\r\n", Next::Close),
    ] {
        let mut talk = Talk::after(&format!("GET / HTTP/{version}\r\nHost: a\r\n{options}\r\n"));
        talk.respond(200, "x").unwrap();
        assert_eq!(
            talk.written(),
            format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n{field}\r\nx"),
            "{version} {options}"
        );
        assert_eq!(talk.connection.next_step(), Some(next), "{version} {options}");
    }
}

#[test]
fn what_one_request_said_does_not_hold_for_the_next() {
    let mut talk = Talk::after("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    talk.respond(200, "x").unwrap();
    assert_eq!(talk.connection.next_step(), Some(Next::Request));
    talk.written();
    talk.receive(GET);
    talk.respond(200, "x").unwrap();
    assert_eq!(talk.written(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
    assert_eq!(talk.connection.next_step(), Some(Next::Request));
}

#[test]
fn server_may_end_what_the_client_would_keep() {
    let mut talk = Talk::after(GET);
    talk.connection.close_after_response();
    talk.respond(200, "").unwrap();
    assert!(talk.written().contains("connection: close\r\n"));
    assert_eq!(talk.connection.next_step(), Some(Next::Close));
}

// --- How a body is framed --------------------------------------------------------------------------------------------

#[test]
fn body_of_unknown_length_is_chunked_for_1_1_and_ends_the_connection_of_1_0() {
    for (request, written, next) in [
        (GET, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", Next::Request),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcd",
            Next::Close,
        ),
    ] {
        let mut talk = Talk::after(request);
        talk.start(200, None).unwrap();
        for piece in ["abc", "", "d"] {
            talk.body(piece).unwrap();
            assert_eq!(talk.connection.next_step(), None);
        }
        talk.end().unwrap();
        assert_eq!(talk.written(), written);
        assert_eq!(talk.connection.next_step(), Some(next));
    }
}

#[test]
fn head_says_what_a_get_would_and_no_body_follows() {
    for length in [None, Some(4)] {
        let (mut get, mut head) = (Talk::after(GET), Talk::after("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
        for talk in [&mut get, &mut head] {
            talk.start(200, length).unwrap();
            talk.body("abcd").unwrap();
            talk.end().unwrap();
            assert_eq!(talk.connection.next_step(), Some(Next::Request));
        }
        let (get, head) = (get.written(), head.written());
        let end = get.find("\r\n\r\n").unwrap() + 4;
        assert_eq!(head, get[..end]);
    }
    let mut talk = Talk::after("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    talk.start(200, Some(4)).unwrap();
    talk.end().expect("a body that is not sent need not be given");
}

#[test]
fn head_of_unknown_length_does_not_end_a_connection_of_1_0() {
    let mut talk = Talk::after("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    talk.start(200, None).unwrap();
    talk.end().unwrap();
    assert_eq!(talk.written(), "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!(talk.connection.next_step(), Some(Next::Request));
}

#[test]
fn statuses_without_a_body_have_neither_body_nor_framing() {
    for status in [204, 304] {
        for length in [None, Some(0), Some(4)] {
            let mut talk = Talk::after(GET);
            talk.start(status, length).unwrap();
            if length != Some(0) {
                talk.body("abcd").unwrap();
            }
            talk.end().unwrap();
            let written = talk.written();
            assert!(!written.contains("transfer-encoding") && written.ends_with("\r\n\r\n"), "{written}");
            let told = written.contains("content-length");
            assert_eq!(
                told,
                status == 304 && length.is_some(),
                "a 304 may tell the length that a 200 would have: {written}"
            );
            assert_eq!(talk.connection.next_step(), Some(Next::Request));
        }
        let mut talk = Talk::after(GET);
        talk.respond(status, "").unwrap();
        let written = talk.written();
        assert!(!written.contains("content-length"), "of the length nothing was said: {written}");
    }
}

#[test]
fn body_longer_than_its_length_is_refused_and_nothing_of_the_piece_is_written() {
    for request in [GET, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut talk = Talk::after(request);
        talk.start(200, Some(5)).unwrap();
        talk.body("abc").unwrap();
        let before = talk.out.len();
        assert_eq!(talk.body("def"), Err(Error::new(Kind::ResponseLength)));
        assert_eq!(talk.out.len(), before);
        talk.body("de").unwrap();
        talk.end().unwrap();
    }
}

#[test]
fn body_shorter_than_its_length_cannot_be_ended() {
    let mut talk = Talk::after(GET);
    talk.start(200, Some(5)).unwrap();
    talk.body("abc").unwrap();
    assert_eq!(talk.end(), Err(Error::new(Kind::ResponseLength)));
    assert_eq!(talk.connection.next_step(), None, "the connection cannot go on, it can only be cut");
}

// --- Order -----------------------------------------------------------------------------------------------------------

#[test]
fn parts_of_a_response_out_of_their_order_are_refused_by_name_and_write_nothing() {
    let is = |kind: Kind| Err(Error::new(kind));
    let all = |talk: &mut Talk| [talk.respond(200, ""), talk.start(200, None), talk.body("x"), talk.end()];
    let ended = || is(Kind::ResponseEnded);
    let mut talk = Talk::default();
    assert_eq!(all(&mut talk), [ended(), ended(), ended(), ended()], "no request");
    talk.receive(GET);
    assert_eq!([talk.body("x"), talk.end()], [is(Kind::ResponseNotBegun), is(Kind::ResponseNotBegun)]);
    for status in [100, 101, 199] {
        assert_eq!(
            [talk.start(status, None), talk.respond(status, "")],
            [is(Kind::ResponseStatus), is(Kind::ResponseStatus)]
        );
    }
    assert!(talk.connection.is_due());
    assert_eq!(talk.written(), "");
    talk.start(200, None).unwrap();
    assert_eq!([talk.start(200, None), talk.respond(200, "")], [is(Kind::ResponseBegun), is(Kind::ResponseBegun)]);
    talk.end().unwrap();
    assert_eq!(all(&mut talk), [ended(), ended(), ended(), ended()], "after the end");
    assert_eq!(talk.written(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
}

#[test]
fn field_that_cannot_be_written_takes_the_whole_head_back() {
    let mut talk = Talk::after(GET);
    let refused = talk.connection.respond(&mut talk.out, StatusCode::OK, &Date::at(0), b"x", |head| {
        head.header("a", b"b")?;
        head.header("content-length", b"5")
    });
    assert_eq!(refused, Err(Error::new(Kind::ResponseReserved)));
    assert!(talk.out.is_empty() && talk.connection.is_due());
    talk.respond(500, "").unwrap();
}

#[test]
fn refusal_is_the_last_answer_and_never_comes_into_one() {
    let refuse = |talk: &mut Talk| {
        talk.connection.refuse(&mut talk.out, StatusCode::BAD_REQUEST, &Date::at(0));
        talk.written()
    };
    let refused = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 11\r\n\
                   connection: close\r\n\r\nBad Request";
    for mut talk in [Talk::default(), Talk::after(GET)] {
        assert_eq!(refuse(&mut talk), refused);
        assert_eq!(talk.connection.next_step(), Some(Next::Close));
        assert_eq!(refuse(&mut talk), "", "twice");
    }
    let mut talk = Talk::after(GET);
    talk.start(200, Some(1)).unwrap();
    talk.written();
    assert_eq!(refuse(&mut talk), "", "into a response");
    talk.body("x").unwrap();
    talk.end().unwrap();
    assert_eq!(talk.connection.next_step(), Some(Next::Request), "what was not refused does not end");
}

#[test]
fn refusal_of_a_head_says_nothing_about_the_request_before_it() {
    let mut talk = Talk::after("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    talk.respond(200, "x").unwrap();
    assert_eq!(talk.connection.next_step(), Some(Next::Request));
    talk.written();
    assert!(talk.connection.receive_head(b"bad\r\n\r\n", &Limits::default(), &mut talk.head).is_err());
    talk.connection.refuse(&mut talk.out, StatusCode::BAD_REQUEST, &Date::at(0));
    assert!(talk.written().ends_with("\r\n\r\nBad Request"), "its length says 11 and no byte follows");
}

// --- The request's body ----------------------------------------------------------------------------------------------

#[test]
fn unread_body_is_drained_before_the_next_request() {
    let mut talk = Talk::after("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    assert!(talk.connection.is_receiving());
    assert_eq!(talk.connection.body_left(), Some(5));
    talk.respond(200, "").unwrap();
    assert_eq!(talk.connection.next_step(), Some(Next::Drain));
    let decoded = talk.connection.receive_body(b"abc").unwrap();
    assert_eq!((decoded.consumed, talk.connection.body_left()), (3, Some(2)));
    assert_eq!(talk.connection.next_step(), Some(Next::Drain));
    let decoded = talk.connection.receive_body(b"deGET").unwrap();
    assert_eq!((decoded.consumed, decoded.ended), (2, true));
    assert_eq!(talk.connection.next_step(), Some(Next::Request));
}

#[test]
fn malformed_body_ends_the_connection() {
    let mut talk = Talk::after("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(talk.connection.receive_body(b"zz\r\n").is_err());
    talk.respond(400, "").unwrap();
    assert!(talk.written().contains("connection: close\r\n"));
    assert_eq!(talk.connection.next_step(), Some(Next::Close));
}

const EXPECTS: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";

#[test]
fn client_is_told_to_go_on_once_and_only_before_the_response() {
    let mut talk = Talk::after(EXPECTS);
    for written in ["HTTP/1.1 100 Continue\r\n\r\n", ""] {
        talk.connection.continue_body(&mut talk.out);
        assert_eq!(talk.written(), written);
    }
    talk.connection.receive_body(b"x").unwrap();
    talk.respond(200, "").unwrap();
    assert!(!talk.written().contains("close"));
    assert_eq!(talk.connection.next_step(), Some(Next::Request));

    let mut talk = Talk::after(GET);
    talk.connection.continue_body(&mut talk.out);
    assert_eq!(talk.written(), "", "nobody waits");
}

#[test]
fn connection_ends_when_a_client_that_waits_was_not_told_to_go_on() {
    let mut talk = Talk::after(EXPECTS);
    talk.respond(200, "").unwrap();
    assert!(talk.written().contains("connection: close\r\n"));
    talk.connection.continue_body(&mut talk.out);
    assert_eq!(talk.written(), "", "an interim answer after the final one");
    assert_eq!(talk.connection.next_step(), Some(Next::Close));

    let mut talk =
        Talk::after("POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
    talk.connection.continue_body(&mut talk.out);
    assert_eq!(talk.written(), "", "a client of 1.0 knows no interim answers");
}

// --- Cuts ------------------------------------------------------------------------------------------------------------

/// What a connection made of its input.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Head { target: String, left: Option<u64> },
    Body(Vec<u8>),
    Refused(Kind),
}

/// Shows a connection the input in pieces that end at these places, as a server does, and answers each request.
fn events(input: &[u8], cuts: &[usize]) -> (Vec<Event>, String) {
    let mut talk = Talk::default();
    let mut events = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        loop {
            let used = step(&mut talk, &input[start..end], &mut events);
            start += used;
            if matches!(events.last(), Some(Event::Refused(_))) {
                return (events, talk.written());
            }
            if used == 0 {
                break;
            }
        }
    }
    (events, talk.written())
}

/// Takes what it can of the input, and tells how much that was.
fn step(talk: &mut Talk, input: &[u8], events: &mut Vec<Event>) -> usize {
    if talk.connection.is_receiving() {
        let decoded = match talk.connection.receive_body(input) {
            Ok(decoded) => decoded,
            Err(error) => {
                events.push(Event::Refused(error.kind()));
                return 0;
            }
        };
        match events.last_mut() {
            Some(Event::Body(body)) => body.extend_from_slice(&input[decoded.data]),
            _ => events.push(Event::Body(input[decoded.data].to_vec())),
        }
        if decoded.ended {
            talk.respond(200, "").unwrap();
            assert_eq!(talk.connection.next_step(), Some(Next::Request));
        }
        return decoded.consumed;
    }
    match talk.connection.receive_head(input, &Limits::default(), &mut talk.head) {
        Ok(Some(used)) => {
            events.push(Event::Head { target: talk.head.target().to_owned(), left: talk.connection.body_left() });
            if !talk.connection.is_receiving() {
                talk.respond(200, "").unwrap();
                assert_eq!(talk.connection.next_step(), Some(Next::Request));
            }
            used
        }
        Ok(None) => 0,
        Err(error) => {
            events.push(Event::Refused(error.kind()));
            0
        }
    }
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let target = "[a-z]{0,12}(\\?[a-z=&]{0,8})?";
    let field = ("x-[a-z]{1,10}", "[ -~]{0,30}");
    let fields = proptest::collection::vec(field, 0..6);
    let body = proptest::collection::vec(any::<u8>(), 0..300);
    let sizes = proptest::option::of(proptest::collection::vec((1..90_usize, "(;[a-z]{1,9})?"), 1..9));
    let bad = proptest::option::weighted(0.05, Just(()));
    (target, fields, proptest::option::of((body, sizes)), bad).prop_map(|(target, fields, body, bad)| {
        let mut bytes = format!("POST /{target} HTTP/1.1\r\nHost: a\r\n").into_bytes();
        for (name, value) in fields {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        match body {
            None => bytes.extend(b"\r\n"),
            Some((body, None)) => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(body);
            }
            Some((body, Some(sizes))) => {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                chunk(&body, &sizes, &mut bytes);
            }
        }
        if bad.is_some() {
            bytes.extend(b"\x01 bad\r\n\r\n");
        }
        bytes
    })
}

fn chunk(mut body: &[u8], sizes: &[(usize, String)], bytes: &mut Vec<u8>) {
    for (size, extension) in sizes.iter().cycle() {
        let (piece, rest) = body.split_at(body.len().min(*size));
        if piece.is_empty() {
            break;
        }
        bytes.extend(format!("{:X}{extension}\r\n", piece.len()).bytes());
        bytes.extend(piece);
        bytes.extend(b"\r\n");
        body = rest;
    }
    bytes.extend(b"0\r\nt: v\r\n\r\n");
}

proptest! {
    #[test]
    fn pipeline_means_the_same_wherever_it_is_cut(
        requests in proptest::collection::vec(request(), 1..6),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let input = requests.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = events(&input, &[]);
        prop_assert_eq!(&events(&input, &cuts), &whole);
        let everywhere: Vec<usize> = (0..input.len()).collect();
        prop_assert_eq!(&events(&input, &everywhere), &whole);
    }
}
