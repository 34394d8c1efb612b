//! `receive`: the body as events and as pieces, and the end of it.

use super::{GET, PIPE_BYTES, is_seeded, ms, quiet, serve, serve_limited, transcript};
use crate::asgi::{App, Inbound, NO_FIELDS, Receive, Result, Scope, Send};
use crate::error::Kind;
use crate::limits::Limits;
use crate::message::StatusCode;
use bytes::Bytes;
use evloop_runtime::future::join;
use evloop_runtime::time::{now, sleep, timeout};
use evloop_runtime::{JoinHandle, spawn};
use std::cell::RefCell;
use std::rc::Rc;

/// What an application has noted.
type Notes<T> = Rc<RefCell<Vec<T>>>;

/// Notes all events up to the disconnect, and answers when the body is over.
fn noting() -> (impl App, Notes<Inbound>) {
    let seen = Notes::default();
    let noted = Rc::clone(&seen);
    let app = move |_: Scope, mut receive: Receive, mut send: Send| {
        let noted = Rc::clone(&noted);
        async move {
            loop {
                let event = receive.event().await;
                noted.borrow_mut().push(event.clone());
                match event {
                    Inbound::Request { more_body: true, .. } => {}
                    Inbound::Request { .. } => send.respond(StatusCode::OK, b"Hello", NO_FIELDS)?,
                    Inbound::Disconnect => return Ok(()),
                }
            }
        }
    };
    (app, seen)
}

fn request(body: &'static str, more_body: bool) -> Inbound {
    Inbound::Request { body: Bytes::from_static(body.as_bytes()), more_body }
}

/// The events of a request that is sent in these pieces, each after the one before has been taken.
fn events(pieces: &[&str]) -> Vec<Inbound> {
    let (app, notes) = noting();
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        for piece in pieces {
            client.send(piece).await;
            quiet().await;
        }
        client.until("Hello").await;
    });
    notes.take()
}

#[test]
fn request_without_a_body_is_one_event_that_says_so() {
    for request_text in [GET, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"] {
        assert_eq!(events(&[request_text]), [request("", false), Inbound::Disconnect]);
    }
}

#[test]
fn empty_chunked_body_ends_with_an_event_without_more() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let seen = events(&[chunked, "0\r\n\r\n"]);
    assert_eq!(seen, [request("", false), Inbound::Disconnect]);
}

#[test]
fn last_piece_of_a_known_length_says_that_it_is_the_last() {
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";
    assert_eq!(events(&[head, "abcdef"]), [request("abcdef", false), Inbound::Disconnect]);
    assert_eq!(events(&[head, "abc", "def"]), [request("abc", true), request("def", false), Inbound::Disconnect]);
    assert_eq!(events(&["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"]).len(), 2);
}

#[test]
fn chunked_body_ends_with_its_last_chunk_whatever_comes_with_it() {
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let whole = [request("abcdef", false), Inbound::Disconnect];
    assert_eq!(events(&[head, "3\r\nabc\r\n3;x=y\r\ndef\r\n0\r\nT: 1\r\n\r\n"]), whole);
    let parts = [request("abc", true), request("def", true), request("", false), Inbound::Disconnect];
    assert_eq!(events(&[head, "3\r\nabc\r\n", "3\r\ndef\r\n", "0\r\n\r\n"]), parts);
    assert_eq!(events(&[head, "3\r\nabc\r\n", "3\r\ndef\r\n", "0\r\n", "T: 1\r\n\r\n"]), parts);
}

#[test]
fn body_that_breaks_off_or_is_malformed_ends_with_a_disconnect() {
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    let length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    for (text, rest) in [(length, ""), (chunked, ""), (chunked, "3\r\n"), (chunked, "x\r\n"), (chunked, "3\r\nabcd")] {
        let (app, notes) = noting();
        serve(app, async |network| {
            let mut client = network.connect(PIPE_BYTES);
            client.send(text).await;
            quiet().await;
            client.send(rest).await;
            client.finish();
            client.rest().await;
        });
        let seen = notes.take();
        assert_eq!(seen.first(), Some(&request("abc", true)), "{rest:?}");
        assert_eq!(seen.last(), Some(&Inbound::Disconnect), "{rest:?}");
        assert!(!seen.iter().any(|event| matches!(event, Inbound::Request { more_body: false, .. })), "{rest:?}");
    }
}

/// Waits for the body, and gives no answer when there is none.
async fn gives_up(_: Scope, mut receive: Receive, mut send: Send) -> Result {
    loop {
        match receive.event().await {
            Inbound::Request { more_body: true, .. } => {}
            Inbound::Request { .. } => return send.respond(StatusCode::OK, b"Hello", NO_FIELDS),
            Inbound::Disconnect => return Ok(()),
        }
    }
}

#[test]
fn client_whose_body_fails_is_told_why_when_the_application_gives_up() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let limits = Limits { body_bytes_max: 5, ..Limits::default() };
    serve_limited(limits, gives_up, async |network| {
        let malformed = transcript(&network, format!("{head}x\r\n")).await;
        assert!(malformed.starts_with("HTTP/1.1 400 "), "{malformed}");
        let long = transcript(&network, format!("{head}6\r\nabcdef\r\n0\r\n\r\n")).await;
        assert!(long.starts_with("HTTP/1.1 413 "), "{long}");
        let cut = transcript(&network, format!("{head}3\r\nabc\r\n")).await;
        assert!(cut.starts_with("HTTP/1.1 400 "), "{cut}");
        let mut client = network.connect(PIPE_BYTES);
        client.send(format!("{head}3\r\nabc\r\n")).await;
        let slow = String::from_utf8(client.rest().await).expect("it is text");
        assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    });
}

#[test]
fn piece_names_the_reason_and_names_it_again() {
    let kinds = Notes::default();
    let noted = Rc::clone(&kinds);
    let app = move |_: Scope, mut receive: Receive, mut send: Send| {
        let noted = Rc::clone(&noted);
        async move {
            for _ in 0..2 {
                let failed = loop {
                    match receive.piece().await {
                        Ok(piece) => assert!(piece.is_some(), "the body never ends well"),
                        Err(error) => break error,
                    }
                };
                noted.borrow_mut().push(failed.kind());
            }
            assert_eq!(receive.event().await, Inbound::Disconnect);
            assert_eq!(receive.event().await, Inbound::Disconnect);
            send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
        }
    };
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    serve(app, async |network| {
        for rest in ["x\r\n", "3\r\nabc"] {
            let answer = transcript(&network, format!("{head}{rest}")).await;
            assert!(answer.contains("connection: close\r\n") && answer.ends_with("Hello"), "{answer}");
        }
        let mut client = network.connect(PIPE_BYTES);
        client.send(head).await;
        client.until("Hello").await;
    });
    let twice = [Kind::ChunkSize, Kind::ChunkSize, Kind::Gone, Kind::Gone, Kind::BodyTimeout, Kind::BodyTimeout];
    assert_eq!(kinds.take(), twice);
}

#[test]
fn piece_after_the_end_is_none_again_and_bytes_left_counts_down() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        let mut left = vec![receive.bytes_left()];
        while let Some(piece) = receive.piece().await? {
            assert!(!piece.is_empty());
            left.push(receive.bytes_left());
        }
        assert_eq!(receive.piece().await?, None);
        send.respond(StatusCode::OK, format!("{left:?}").as_bytes(), NO_FIELDS)
    }
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n").await;
        quiet().await;
        client.send("abcd").await;
        quiet().await;
        client.send("ef").await;
        client.until("[Some(6), Some(2), Some(0)]").await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").await;
        quiet().await;
        client.send("0\r\n\r\n").await;
        client.until("[None, None]").await;
        client.send(GET).await;
        client.until("[Some(0)]").await;
    });
}

#[test]
fn disconnect_comes_when_the_response_is_over_to_the_call_itself() {
    let calls = Notes::default();
    let ended = Rc::clone(&calls);
    let app = move |_: Scope, mut receive: Receive, mut send: Send| {
        let ended = Rc::clone(&ended);
        async move {
            let answered = join(receive.disconnect(), async {
                sleep(ms(100)).await;
                send.response_start(200, NO_FIELDS).await?;
                send.response_body("Hello").await
            });
            let answered = answered.await.1;
            ended.borrow_mut().push(());
            answered
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        for count in 1..=2 {
            client.send(GET).await;
            client.until("Hello").await;
            quiet().await;
            assert_eq!(calls.borrow().len(), count, "nobody has told the first of the two");
        }
    });
}

#[test]
fn disconnect_comes_when_the_response_is_over_to_another_task() {
    for head in [
        GET,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
    ] {
        let watchers: Notes<JoinHandle<std::time::Instant>> = Rc::default();
        let kept = Rc::clone(&watchers);
        let app = move |_: Scope, mut receive: Receive, mut send: Send| {
            kept.borrow_mut().push(spawn(async move {
                receive.disconnect().await;
                now()
            }));
            async move {
                sleep(ms(100)).await;
                send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
            }
        };
        serve(app, async |network| {
            let mut client = network.connect(PIPE_BYTES);
            let before = now();
            client.send(head).await;
            client.until("Hello").await;
            let watcher = watchers.borrow_mut().pop().expect("the application was called");
            let told = watcher.await.unwrap() - before;
            assert!(told <= ms(110), "{told:?} after the request: {head}");
            client.finish();
            client.rest().await;
        });
    }
}

#[test]
fn disconnect_does_not_come_while_the_response_is_due_and_the_client_has_only_ended_its_side() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        let gone = timeout(ms(1_000), receive.disconnect()).await.is_ok();
        let text = if gone { "gone" } else { "here" };
        send.respond(StatusCode::OK, text.as_bytes(), NO_FIELDS)
    }
    serve(app, async |network| {
        assert!(transcript(&network, GET).await.ends_with("here"));
    });
}

#[test]
fn client_is_not_read_from_while_nobody_wants_its_body() {
    const READ_BYTES: usize = 64 * 1024;
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        sleep(ms(1_000)).await;
        let mut longest = 0;
        let mut length = 0;
        while let Some(piece) = receive.piece().await? {
            longest = longest.max(piece.len());
            length += piece.len();
            sleep(ms(1_000)).await;
        }
        send.respond(StatusCode::OK, format!("{length} {}", longest <= 64 * 1024).as_bytes(), NO_FIELDS)
    }
    const LENGTH: usize = 1_000_000;
    serve(app, async |network| {
        let mut client = network.connect(2 * LENGTH);
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n")).await;
        client.send(vec![b'x'; LENGTH]).await;
        quiet().await;
        assert!(client.seen().bytes_read() <= 2 * READ_BYTES, "{}", client.seen().bytes_read());
        let mut before = client.seen().bytes_read();
        for _ in 0..5 {
            sleep(ms(1_000)).await;
            let now = client.seen().bytes_read();
            assert!(now - before <= 2 * READ_BYTES, "{before} {now}");
            before = now;
        }
        client.until("1000000 true").await;
    });
}

#[test]
fn piece_that_is_given_up_is_not_lost() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        let mut body = Vec::new();
        loop {
            match timeout(ms(10), receive.piece()).await {
                Err(_) => sleep(ms(100)).await, // meanwhile the next piece comes
                Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
                Ok(end) => break end.map(drop)?,
            }
        }
        send.respond(StatusCode::OK, &body, NO_FIELDS)
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await;
        for digit in 0..10 {
            sleep(ms(50)).await;
            client.send(digit.to_string()).await;
        }
        client.until("0123456789").await;
        client.finish();
        client.rest().await;
    });
}
