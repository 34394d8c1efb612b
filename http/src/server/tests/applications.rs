//! Applications that do what they should not, and those that use their three handles in every way they may.

use super::{GET, HELLO, PIPE_BYTES, demo, is_seeded, ms, quiet, serve, still_serves, transcript, without_dates};
use crate::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use evloop_runtime::future::join;
use evloop_runtime::spawn;
use evloop_runtime::sync::mpsc;
use evloop_runtime::time::{sleep, timeout};
use std::cell::RefCell;
use std::rc::Rc;

/// The answer when an application fails.
const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\n\
    content-length: 21\r\nconnection: close\r\n\r\nInternal Server Error";

#[test]
fn handler_that_panics_is_a_500_and_the_server_lives_on() {
    serve(demo(), async |network| {
        for _ in 0..3 {
            assert_eq!(transcript(&network, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await, FAILED);
        }
        let answers = transcript(&network, [GET, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).await;
        assert_eq!(answers, [HELLO, FAILED].concat());
        still_serves(&mut network.connect(PIPE_BYTES)).await;
    });
}

#[test]
fn application_that_panics_before_it_gives_a_future_is_a_500() {
    let app = |scope: Scope, _: Receive, _: Send| {
        assert!(scope.path() != "/", "this application panics in its call");
        std::future::ready(Ok(()))
    };
    serve(app, async |network| {
        assert_eq!(transcript(&network, GET).await, FAILED);
        assert_eq!(transcript(&network, GET).await, FAILED);
    });
}

#[test]
fn application_that_ends_without_a_response_or_fails_before_it_is_a_500() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        match &*scope.path() {
            "/nothing" => Ok(()),
            "/begun" => send.response_start(200, NO_FIELDS).await,
            _ => Err(Error::new(Kind::ResponseLength)),
        }
    }
    serve(app, async |network| {
        for path in ["/nothing", "/begun", "/fails"] {
            assert_eq!(transcript(&network, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await, FAILED, "{path}");
        }
    });
}

/// Answers `/`, and begins an answer elsewhere that it does not end.
async fn unreliable(scope: Scope, _: Receive, mut send: Send) -> Result {
    if scope.path() == "/" {
        return send.respond(StatusCode::OK, b"Hello", [("content-type", "text/plain; charset=utf-8")]);
    }
    send.start(StatusCode::OK, Some(10), NO_FIELDS)?;
    send.response_piece("half ").await?;
    if scope.path() == "/waits" {
        sleep(ms(10)).await;
    }
    assert!(scope.path() != "/panics", "this application panics in the middle of its answer");
    if scope.path() == "/fails" { Err(Error::new(Kind::ResponseNotBegun)) } else { Ok(()) }
}

#[test]
fn response_that_is_not_completed_is_cut() {
    serve(unreliable, async |network| {
        for path in ["/fails", "/panics", "/stops", "/waits"] {
            let mut client = network.connect(PIPE_BYTES);
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n{GET}")).await;
            let answer = without_dates(&client.rest().await);
            assert!(!answer.contains("Hello") && answer.matches("HTTP/1.1").count() <= 1, "{path}: {answer}");
        }
        assert_eq!(transcript(&network, GET).await, HELLO);
    });
}

#[test]
fn answers_before_one_that_is_cut_are_not_lost() {
    serve(unreliable, async |network| {
        let answers = transcript(&network, format!("{GET}{GET}GET /fails HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert!(answers.starts_with(&[HELLO, HELLO].concat()), "two requests were answered: {answers:?}");
    });
}

#[test]
fn field_that_cannot_be_written_is_a_500_and_leaves_nothing_behind() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        let fields = [("content-type", "text/plain"), ("x", "a\r\nset-cookie: b")];
        send.respond(StatusCode::OK, b"Hello", fields)
    }
    serve(app, async |network| {
        assert_eq!(transcript(&network, GET).await, FAILED);
    });
}

#[test]
fn handles_may_go_to_a_task_that_the_call_waits_for() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        let task = spawn(async move {
            send.response_start(200, NO_FIELDS).await?;
            while let Some(piece) = receive.piece().await? {
                send.response_piece(piece).await?;
            }
            send.response_end()
        });
        task.await.expect("the task does not panic")
    }
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        quiet().await;
        client.send("abc").await;
        let answer = timeout(ms(60_000), client.until("0\r\n\r\n")).await.expect("the body never reaches the task");
        assert!(answer.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{answer}");
    });
}

#[test]
fn pieces_sent_by_another_task_reach_the_client_as_they_are_sent() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        let task = spawn(async move {
            send.response_start(200, NO_FIELDS).await?;
            for _ in 0..3 {
                send.response_piece("piece").await?;
                sleep(ms(1_000)).await;
            }
            send.response_end()
        });
        task.await.expect("the task does not panic")
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        let first = timeout(ms(500), client.until("piece\r\n")).await;
        first.expect("the first piece comes before the second is sent");
        client.until("0\r\n\r\n").await;
    });
}

#[test]
fn task_that_sends_more_than_there_is_room_for_goes_on_when_the_client_reads() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        let task = spawn(async move {
            send.start(StatusCode::OK, Some(1_000_000), NO_FIELDS)?;
            for _ in 0..100 {
                send.response_piece(vec![b'x'; 10_000]).await?;
            }
            send.response_end()
        });
        task.await.expect("the task does not panic")
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("\r\n\r\n").await;
        timeout(ms(60_000), client.take(1_000_000)).await.expect("the task waits for room that is there");
    });
}

#[test]
fn application_may_send_and_receive_at_once() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, Some(1_000_000), NO_FIELDS)?;
        let sending = async {
            for _ in 0..100 {
                send.response_piece(vec![b'x'; 10_000]).await?;
            }
            send.response_end()
        };
        let reading = async {
            while receive.piece().await?.is_some() {}
            Ok(())
        };
        let ends = join(sending, reading).await;
        ends.0.and(ends.1)
    }
    serve(app, async |network| {
        let mut client = network.connect(4 * PIPE_BYTES); // so that a write ends with room in the pipe
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        client.until("\r\n\r\n").await;
        let whole = timeout(ms(60_000), client.take(1_000_000)).await;
        whole.expect("the sender waits for room that is there, while the receiver waits for the body");
        client.send("abc").await;
        quiet().await;
        client.finish();
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn handles_that_outlive_their_call_are_told_that_it_is_over() {
    if is_seeded() {
        return; // two are told in the order of their timers
    }
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&outcomes);
    let app = move |scope: Scope, mut receive: Receive, mut send: Send| {
        let noted = Rc::clone(&noted);
        async move {
            let answered = send.respond(StatusCode::OK, b"Hello", NO_FIELDS);
            drop(spawn(async move {
                sleep(ms(500)).await;
                let late = send.respond(StatusCode::OK, b"again", NO_FIELDS);
                let piece = send.response_piece("more").await;
                let body = receive.piece().await;
                let path = scope.path().into_owned();
                noted.borrow_mut().push((
                    path,
                    late.is_err(),
                    piece.is_err(),
                    body.map(|piece| piece.map(|p| p.len())),
                ));
            }));
            answered
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        for path in ["/one", "/two"] {
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")).await;
            client.until("Hello").await;
        }
        sleep(ms(1_000)).await;
        assert_eq!(client.unread_bytes(), 0);
        client.finish();
        assert_eq!(client.rest().await, b"");
        let gone = || Err(Error::new(Kind::Gone));
        let expected = [("/one".to_owned(), true, true, gone()), ("/two".to_owned(), true, true, gone())];
        assert_eq!(*outcomes.borrow(), expected);
    });
}

#[test]
fn body_is_given_to_its_own_request_and_to_no_other() {
    let bodies = Rc::new(RefCell::new(Vec::new()));
    let (keep, mut kept) = mpsc::channel::<Receive>(10);
    let noted = Rc::clone(&bodies);
    let app = move |_: Scope, receive: Receive, mut send: Send| {
        let keep = keep.clone();
        async move {
            drop(keep.try_send(receive));
            send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        client.until("Hello").await;
        let mut late = kept.recv().await.expect("the handle was sent");
        let reader = spawn(async move { late.piece().await });
        quiet().await;
        client.send("abcPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nsecret").await;
        client.until("Hello").await;
        let first = reader.await.unwrap();
        let late = kept.recv().await.expect("the handle was sent").piece().await;
        noted.borrow_mut().extend([first, late]);
        client.finish();
        client.rest().await;
    });
    let gone = Err(Error::new(Kind::Gone));
    assert_eq!(*bodies.borrow(), [gone.clone(), gone]);
}
