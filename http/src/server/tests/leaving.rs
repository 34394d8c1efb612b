//! Clients that leave while the application works: what it is told, what goes on alone, and what is logged.

use super::logs::errors_logged;
use super::memory::Network;
use super::{GET, PIPE_BYTES, Server, ms, quiet, serve, transcript};
use crate::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use evloop_runtime::sync::oneshot;
use evloop_runtime::time::{sleep, timeout};
use evloop_runtime::{Runtime, spawn};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[test]
fn everything_that_is_sent_to_a_client_that_has_gone_is_an_error_that_says_so() {
    let kinds = Rc::<RefCell<Vec<_>>>::default();
    let noted = Rc::clone(&kinds);
    let app = move |scope: Scope, mut receive: Receive, mut send: Send| {
        let noted = Rc::clone(&noted);
        async move {
            receive.finish_alone(true);
            if scope.raw_path() == "/begun" {
                send.start(StatusCode::OK, Some(100), NO_FIELDS)?;
                send.response_piece("a").await?;
            }
            receive.disconnect().await;
            let outcomes = [
                send.early_hint(["</a>"]),
                send.switch_protocols("echo", NO_FIELDS),
                send.start(StatusCode::OK, None, NO_FIELDS),
                send.response_piece("piece").await,
                send.response_body("body").await,
                send.respond(StatusCode::OK, b"Hello", NO_FIELDS),
                send.response_end(),
                send.response_trailers(NO_FIELDS),
            ];
            noted.borrow_mut().extend(outcomes.map(|outcome| outcome.map_err(Error::kind)));
            Err(receive.piece().await.expect_err("there is nobody to receive from"))
        }
    };
    let errors = errors_logged(|| {
        serve(app, async |network| {
            for path in ["/", "/begun"] {
                let mut client = network.connect(PIPE_BYTES);
                client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
                quiet().await;
                client.reset();
                quiet().await;
            }
        });
    });
    assert_eq!(kinds.take(), [Err(Kind::Gone); 16]);
    assert_eq!(errors, [""; 0]);
}

#[test]
fn call_that_finishes_alone_does_and_one_that_does_not_is_dropped() {
    for alone in [true, false] {
        let finished = Rc::new(Cell::new(false));
        let told = Rc::clone(&finished);
        let app = move |_: Scope, mut receive: Receive, mut send: Send| {
            let told = Rc::clone(&told);
            async move {
                receive.finish_alone(alone);
                sleep(ms(1_000)).await;
                told.set(true);
                send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
            }
        };
        serve(app, async |network| {
            let mut client = network.connect(PIPE_BYTES);
            client.send(GET).await;
            quiet().await;
            client.reset();
            sleep(ms(2_000)).await;
        });
        assert_eq!(finished.get(), alone);
    }
}

#[test]
fn call_that_finishes_alone_is_waited_for_when_client_and_server_end_at_once() {
    let finished = Rc::new(Cell::new(false));
    let told = Rc::clone(&finished);
    let app = move |_: Scope, mut receive: Receive, _: Send| {
        let told = Rc::clone(&told);
        async move {
            receive.finish_alone(true);
            sleep(ms(500)).await;
            told.set(true);
            Ok(())
        }
    };
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let network = Network::default();
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(network.clone()).graceful_timeout(ms(1_000));
        let server = spawn(server.serve_until(app, async { stopped.await.unwrap_or(()) }));
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        quiet().await;
        client.reset();
        stop.send(()).expect("the server waits for it");
        assert_eq!(server.await.unwrap().unwrap(), 0);
    });
    assert!(finished.get(), "the request had begun before the stop");
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
}

#[test]
fn call_that_finishes_alone_and_panics_or_fails_is_logged() {
    for panics in [true, false] {
        let app = move |_: Scope, mut receive: Receive, _: Send| async move {
            receive.finish_alone(true);
            receive.disconnect().await;
            assert!(!panics, "this application panics alone");
            Err(Error::application("alone"))
        };
        let errors = errors_logged(|| {
            serve(app, async |network| {
                let mut client = network.connect(PIPE_BYTES);
                client.send(GET).await;
                quiet().await;
                client.reset();
                quiet().await;
            });
        });
        assert_eq!(errors.len(), 1, "{errors:?}");
    }
}

/// Sends back the body as it comes, and passes on whatever goes wrong.
async fn echo(_: Scope, mut receive: Receive, mut send: Send) -> Result {
    send.start(StatusCode::OK, None, NO_FIELDS)?;
    while let Some(piece) = receive.piece().await? {
        send.response_piece(piece).await?;
    }
    send.response_end()
}

/// The same, but all of it at once.
async fn count(_: Scope, mut receive: Receive, mut send: Send) -> Result {
    let mut length = 0;
    while let Some(piece) = receive.piece().await? {
        length += piece.len();
    }
    send.respond(StatusCode::OK, length.to_string().as_bytes(), NO_FIELDS)
}

#[test]
fn what_a_client_does_wrong_is_no_error_in_the_log() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let errors = errors_logged(|| {
        serve(count, async |network| {
            assert!(transcript(&network, format!("{head}x\r\n")).await.starts_with("HTTP/1.1 400 "));
            assert!(transcript(&network, head).await.starts_with("HTTP/1.1 400 "), "its body is not whole");
            let mut client = network.connect(PIPE_BYTES);
            client.send(head).await;
            assert!(client.rest().await.starts_with(b"HTTP/1.1 408 "));
        });
        serve(echo, async |network| {
            for rest in ["x\r\n", ""] {
                let answer = transcript(&network, format!("{head}{rest}")).await;
                assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
            }
            let mut client = network.connect(10);
            client.send(head.split_at(10).0).await;
            client.reset();
        });
    });
    assert_eq!(errors, [""; 0]);
}

#[test]
fn what_an_application_does_wrong_is_an_error_in_the_log() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        match scope.raw_path() {
            "/nothing" => Ok(()),
            "/fails" => Err(Error::application("the oven is cold")),
            "/panics" => panic!("this application panics"),
            _ => {
                send.response_start(200, NO_FIELDS).await?;
                send.response_piece("half").await
            }
        }
    }
    for path in ["/nothing", "/fails", "/panics", "/half"] {
        let errors = errors_logged(|| {
            serve(app, async |network| {
                transcript(&network, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            });
        });
        assert_eq!(errors.len(), 1, "{path}: {errors:?}");
    }
}

#[test]
fn client_whose_body_is_cut_may_still_be_answered_in_any_way() {
    async fn app(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
        while let Ok(piece) = receive.piece().await {
            assert!(piece.is_some(), "the body is cut");
        }
        if scope.raw_path() == "/whole" {
            return send.respond(StatusCode::BAD_REQUEST, b"more!", NO_FIELDS);
        }
        send.response_start(400, NO_FIELDS).await?;
        send.response_body("more!").await
    }
    serve(app, async |network| {
        for path in ["/whole", "/events"] {
            let answer =
                transcript(&network, format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"));
            let expected = "HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\nconnection: close\r\n\r\nmore!";
            assert_eq!(answer.await, expected, "{path}");
        }
    });
}

#[test]
fn work_after_the_response_goes_on_when_the_client_leaves() {
    let done = Rc::new(Cell::new(false));
    let told = Rc::clone(&done);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let told = Rc::clone(&told);
        async move {
            send.respond(StatusCode::OK, b"Hello", NO_FIELDS)?;
            sleep(ms(1_000)).await;
            told.set(true);
            Ok(())
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("Hello").await;
        client.reset();
        sleep(ms(2_000)).await;
    });
    assert!(done.get());
}

#[test]
fn next_request_does_not_wait_for_work_after_the_response() {
    let app = move |_: Scope, _: Receive, mut send: Send| async move {
        send.respond(StatusCode::OK, b"Hello", NO_FIELDS)?;
        sleep(ms(60_000)).await;
        Ok(())
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("Hello").await;
        client.send(GET).await;
        timeout(ms(1_000), client.until("Hello")).await.expect("it waits");
        sleep(ms(61_000)).await; // until the work is done, which a stop would wait for
    });
}
