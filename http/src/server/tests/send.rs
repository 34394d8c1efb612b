//! `send`: the events of a response in every order, right and wrong, and what the client then sees.

use super::extensions::hint;
use super::{GET, PIPE_BYTES, ms, quiet, serve, transcript};
use crate::asgi::{App, FieldList, Inbound, NO_FIELDS, Outbound, Receive, Result, Scope, Send};
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use bytes::Bytes;
use evloop_runtime::future::join;
use evloop_runtime::spawn;
use evloop_runtime::time::{sleep, timeout};
use std::cell::RefCell;
use std::rc::Rc;

/// The answer when an application fails.
pub(super) const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 21\r\nconnection: close\r\n\r\nInternal Server Error";

pub(super) const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
pub(super) const GET_10: &str = "GET / HTTP/1.0\r\n\r\n";

pub(super) fn list(fields: &[(&str, &str)]) -> FieldList {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

pub(super) fn start(status: u16) -> Outbound {
    Outbound::ResponseStart { status, headers: Vec::new(), trailers: false }
}

fn start_with(headers: &[(&str, &str)]) -> Outbound {
    Outbound::ResponseStart { status: 200, headers: list(headers), trailers: false }
}

pub(super) fn piece(body: &'static str) -> Outbound {
    Outbound::ResponseBody { body: Bytes::from_static(body.as_bytes()), more_body: true }
}

pub(super) fn last(body: &'static str) -> Outbound {
    Outbound::ResponseBody { body: Bytes::from_static(body.as_bytes()), more_body: false }
}

/// Sends these events one after the other, wrong or not, and notes what was wrong with each.
fn sender(events: Vec<Outbound>) -> (impl App, Rc<RefCell<Vec<Option<Kind>>>>) {
    let outcomes = Rc::<RefCell<Vec<_>>>::default();
    let noted = Rc::clone(&outcomes);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let (events, noted) = (events.clone(), Rc::clone(&noted));
        async move {
            for event in events {
                let failed = send.event(event).await.err();
                noted.borrow_mut().push(failed.map(Error::kind));
            }
            Ok(())
        }
    };
    (app, outcomes)
}

/// What is wrong with each of the events, and what the client gets.
pub(super) fn sent(request: &str, events: Vec<Outbound>) -> (Vec<Option<Kind>>, String) {
    let (app, outcomes) = sender(events);
    let mut answer = String::new();
    serve(app, async |network| answer = transcript(&network, request).await);
    (outcomes.take(), answer)
}

/// What the client gets of events that are right.
pub(super) fn answer(request: &str, events: Vec<Outbound>) -> String {
    let (outcomes, answer) = sent(request, events);
    assert!(outcomes.iter().all(Option::is_none), "{outcomes:?}");
    answer
}

#[test]
fn only_piece_of_a_body_gives_its_length() {
    let hello = answer(GET, vec![start_with(&[("X-A", "1"), ("x-a", "2")]), last("Hello")]);
    assert_eq!(hello, "HTTP/1.1 200 OK\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 5\r\n\r\nHello");
    assert_eq!(answer(GET, vec![start(200), last("")]), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let head = answer(HEAD, vec![start(200), last("Hello")]);
    assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
}

#[test]
fn body_in_pieces_is_chunked_and_empty_pieces_do_not_end_it() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let pieces = answer(GET, vec![start(200), piece(""), piece("ab"), piece(""), piece("c"), last("")]);
    assert_eq!(pieces, format!("{chunked}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"));
    assert_eq!(
        answer(GET, vec![start(200), piece("ab"), last("c")]),
        format!("{chunked}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    );
    assert_eq!(answer(HEAD, vec![start(200), piece("ab"), last("c")]), chunked);
    let old = answer(GET_10, vec![start(200), piece("ab"), last("c")]);
    assert_eq!(old, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc");
}

#[test]
fn start_alone_sends_nothing() {
    assert_eq!(answer(GET, vec![start(200)]), FAILED);
}

#[test]
fn first_piece_is_sent_before_the_second_is_given() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.event(start(200)).await?;
        sleep(ms(100)).await;
        send.event(piece("one")).await?;
        sleep(ms(100)).await;
        send.event(last("two")).await
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        sleep(ms(50)).await;
        assert_eq!(client.unread_bytes(), 0, "the head waits for the first piece");
        sleep(ms(100)).await;
        assert!(client.unread_bytes() > 0, "the head is sent with the first piece");
        client.until("3\r\none\r\n").await;
        client.until("3\r\ntwo\r\n0\r\n\r\n").await;
    });
}

#[test]
fn response_without_content_has_no_body_whatever_is_given() {
    assert_eq!(answer(GET, vec![start(204), last("Hello")]), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(answer(GET, vec![start(304), piece("He"), last("llo")]), "HTTP/1.1 304 Not Modified\r\n\r\n");
    assert_eq!(answer(GET, vec![start(204), last("")]), "HTTP/1.1 204 No Content\r\n\r\n");
}

#[test]
fn response_is_begun_once() {
    let (outcomes, answer) = sent(GET, vec![start(200), start(404), last("Hello")]);
    assert_eq!(outcomes, [None, Some(Kind::ResponseBegun), None]);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello");
    let (outcomes, answer) = sent(GET, vec![start(200), piece("Hello"), start(404), last("")]);
    assert_eq!(outcomes, [None, None, Some(Kind::ResponseBegun), None]);
    assert!(answer.ends_with("5\r\nHello\r\n0\r\n\r\n"), "{answer}");
}

#[test]
fn body_comes_after_the_start() {
    for event in [piece("Hello"), last("Hello")] {
        let (outcomes, answer) = sent(GET, vec![event]);
        assert_eq!(outcomes, [Some(Kind::ResponseNotBegun)]);
        assert_eq!(answer, FAILED);
    }
    let (outcomes, answer) = sent(GET, vec![last("Hello"), start(200), last("Hello")]);
    assert_eq!(outcomes, [Some(Kind::ResponseNotBegun), None, None]);
    assert!(answer.ends_with("content-length: 5\r\n\r\nHello"), "nothing was done, so it can be done right: {answer}");
}

#[test]
fn nothing_follows_the_end() {
    let trailers = Outbound::ResponseTrailers { headers: Vec::new(), more_trailers: false };
    let late = vec![start(200), last("Hello"), last(""), piece("more"), start(200), trailers, hint("</>")];
    let (outcomes, answer) = sent(GET, late);
    let ended = Some(Kind::ResponseEnded);
    assert_eq!(outcomes, [None, None, ended, ended, ended, Some(Kind::ResponseTrailers), ended]);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello");
}

#[test]
fn status_is_a_final_one() {
    for status in [0, 99, 100, 101, 103, 199, 1000, u16::MAX] {
        let (outcomes, answer) = sent(GET, vec![start(status), last("Hello")]);
        assert_eq!(outcomes, [Some(Kind::ResponseStatus), Some(Kind::ResponseNotBegun)], "{status}");
        assert_eq!(answer, FAILED, "{status}");
    }
    for (status, line) in [(200, "200 OK"), (299, "299 "), (999, "999 ")] {
        let answer = answer(GET, vec![start(status), last("Hello")]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {line}\r\ncontent-length: 5\r\n")), "{answer}");
    }
}

#[test]
fn field_that_cannot_be_written_fails_with_the_first_piece_and_may_be_left_out() {
    for (name, value, kind) in [
        ("x y", "1", Kind::ResponseName),
        ("", "1", Kind::ResponseName),
        ("x:", "1", Kind::ResponseName),
        ("x", "a\r\nset-cookie: b", Kind::ResponseValue),
        ("x", "a\0", Kind::ResponseValue),
        ("Connection", "keep-alive", Kind::ResponseReserved),
        ("date", "x", Kind::ResponseReserved),
    ] {
        let (outcomes, answer) = sent(GET, vec![start_with(&[("x-before", "1"), (name, value)]), last("Hello")]);
        assert_eq!(outcomes, [None, Some(kind)], "{name}");
        assert_eq!(answer, FAILED, "{name}");
    }
    let again = vec![start_with(&[("x y", "1")]), last("Hello"), start(200), last("Hello")];
    let (outcomes, answer) = sent(GET, again);
    assert_eq!(outcomes, [None, Some(Kind::ResponseName), None, None]);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello");
}

#[test]
fn every_violation_names_its_event() {
    for kind in [
        Kind::ResponseStatus,
        Kind::ResponseBegun,
        Kind::ResponseNotBegun,
        Kind::ResponseEnded,
        Kind::ResponseLength,
        Kind::ResponseTrailers,
        Kind::TrailerReserved,
        Kind::NoUpgrade,
        Kind::LifespanOrder,
    ] {
        let error = Error::new(kind);
        assert!(error.is_violation() && error.status().is_none(), "{kind:?}");
        let text = error.to_string();
        let (event, rule) = text.split_once(": ").expect("an event and its rule");
        let known = ["http.response.start", "http.response.body", "http.response.trailers"];
        assert!(known.contains(&event) || ["switching protocols", "lifespan"].contains(&event), "{text}");
        assert!(!rule.is_empty() && !text.ends_with('.'), "{text}");
    }
    assert!(!Error::new(Kind::Gone).is_violation(), "the client's going away is nobody's fault");
}

#[test]
fn whole_response_counts_as_a_second_one_after_the_start() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.response_start(201, NO_FIELDS).await?;
        let begun = |result: Result| result.map_err(Error::kind) == Err(Kind::ResponseBegun);
        assert!(begun(send.respond(StatusCode::OK, b"other", NO_FIELDS)));
        assert!(begun(send.start(StatusCode::OK, None, NO_FIELDS)));
        send.response_body("Hello").await
    }
    serve(app, async |network| {
        let answer = transcript(&network, GET).await;
        assert_eq!(answer, "HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nHello");
    });
}

/// Says that its body has ten bytes, and gives as many as the path says.
async fn promises(scope: Scope, _: Receive, mut send: Send) -> Result {
    let given: usize = scope.raw_path()[1..].parse().expect("the path is a number");
    send.start(StatusCode::OK, Some(10), NO_FIELDS)?;
    for _ in 0..given {
        send.response_piece("x").await?;
    }
    send.response_end()
}

#[test]
fn body_that_is_not_as_long_as_was_said_is_cut_at_the_length_or_before() {
    serve(promises, async |network| {
        for given in [0, 9, 10, 11, 20] {
            let answer = transcript(&network, format!("GET /{given} HTTP/1.1\r\nHost: a\r\n\r\n{HEAD}")).await;
            let body = answer.split_once("\r\n\r\n").expect("the head is whole").1;
            match given {
                10 => assert!(body.starts_with("xxxxxxxxxxHTTP/1.1 "), "{given}: {answer}"),
                _ => assert_eq!(body, "x".repeat(given.min(10)), "the connection is cut"),
            }
        }
    });
}

#[test]
fn clones_of_send_are_for_one_response_and_may_go_on_with_each_other() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        let mut other = send.clone();
        send.response_start(200, NO_FIELDS).await?;
        let task = spawn(async move { other.response_piece("one").await });
        task.await.expect("it does not panic")?;
        send.response_body("two").await
    }
    serve(app, async |network| {
        let answer = transcript(&network, GET).await;
        assert!(answer.ends_with("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"), "{answer}");
    });
}

#[test]
fn clones_of_send_in_two_tasks_both_go_on_when_the_client_reads() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, Some(2_000_000), NO_FIELDS)?;
        let tasks = [b'x', b'y'].map(|letter| {
            let mut send = send.clone();
            spawn(async move {
                for _ in 0..100 {
                    send.response_piece(vec![letter; 10_000]).await?;
                }
                Ok::<_, Error>(())
            })
        });
        for task in tasks {
            task.await.expect("it does not panic")?;
        }
        send.response_end()
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("\r\n\r\n").await;
        let body = timeout(ms(60_000), client.take(2_000_000)).await.expect("a task waits for room that is there");
        let (mut x, y): (Vec<u8>, Vec<u8>) = body.into_iter().partition(|byte| *byte == b'x');
        x.extend(y);
        assert!(x == [vec![b'x'; 1_000_000], vec![b'y'; 1_000_000]].concat(), "a piece is missing");
    });
}

#[test]
fn pieces_nobody_is_sent_do_not_hold_the_loop() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.response_start(200, NO_FIELDS).await?;
        loop {
            send.response_piece("without end").await?;
        }
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(HEAD).await;
        client.until("\r\n\r\n").await;
        client.reset();
        quiet().await;
    });
}

#[test]
fn task_that_waits_for_room_is_told_when_another_has_ended_the_response() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        let mut other = send.clone();
        send.start(StatusCode::OK, Some(200_000), NO_FIELDS)?;
        send.response_piece(vec![b'x'; 200_000]).await?;
        drop(spawn(async move { other.response_piece("more").await }));
        sleep(ms(10)).await;
        send.response_end()
    }
    serve(app, async |network| {
        let mut client = network.connect(1_000);
        client.send(GET).await;
        client.until("\r\n\r\n").await;
        sleep(ms(100)).await;
        client.take(200_000).await;
        quiet().await; // no task may be left
        client.finish();
        client.rest().await;
    });
}

#[test]
fn client_need_not_wait_for_what_its_application_does_after_the_last_answer() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, None, NO_FIELDS)?;
        send.response_body("Hello").await?;
        sleep(ms(600_000)).await;
        Ok(())
    }
    serve(app, async |network| {
        for request in [GET_10, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"] {
            let mut client = network.connect(PIPE_BYTES);
            client.send(request).await;
            let answer = timeout(ms(1_000), client.rest()).await.expect("the end of the answer does not come");
            assert!(!answer.is_empty());
        }
        sleep(ms(600_000)).await; // until the calls are over
    });
}

#[test]
fn task_that_answers_after_its_call_has_ended_is_too_late() {
    let late = Rc::<RefCell<Vec<_>>>::default();
    let noted = Rc::clone(&late);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let noted = Rc::clone(&noted);
        drop(spawn(async move {
            sleep(ms(100)).await;
            let outcomes = [send.event(start(200)).await, send.event(last("Hello")).await];
            noted.borrow_mut().extend(outcomes.map(|outcome| outcome.is_err()));
        }));
        std::future::ready(Ok(()))
    };
    serve(app, async |network| {
        assert_eq!(transcript(&network, GET).await, FAILED);
        sleep(ms(200)).await;
    });
    assert_eq!(late.take(), [true, true]);
}

#[test]
fn application_may_answer_before_it_reads_and_read_on() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        let answered = join(send.respond_in_events("Hello"), async {
            let mut length = 0;
            while let Inbound::Request { body, more_body } = receive.event().await {
                length += body.len();
                if !more_body {
                    break;
                }
            }
            length
        });
        let (answered, length) = answered.await;
        assert_eq!(length, 3);
        answered
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        client.until("Hello").await;
        client.send("abc").await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
        client.until("Hello").await;
    });
}

impl Send {
    /// A whole response, as two events.
    async fn respond_in_events(&mut self, body: &'static str) -> Result {
        self.event(start(200)).await?;
        self.event(last(body)).await
    }
}
