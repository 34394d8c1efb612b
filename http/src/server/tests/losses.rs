//! Clients that go away while their request is served: what becomes of the handler, and what shows that an answer is cut.

use super::memory::{End, Network};
use super::{GET, PIPE_BYTES, demo, ms, quiet, serve, serve_as, transcript, without_dates};
use crate::asgi::{App, NO_FIELDS, Receive, Result, Scope, Send};
use crate::message::StatusCode;
use crate::server::{HalfClose, Server};
use evloop_runtime::future::{Either, race};
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::sync::oneshot;
use evloop_runtime::time::{sleep, timeout};
use evloop_runtime::{Runtime, spawn};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

/// What the application of these tests has to say.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Notes that it is dropped, unless it was told that all is done.
struct Watch {
    notes: Notes,
    done: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.notes.note(if self.done { "done" } else { "dropped" });
    }
}

/// Works for a second, and answers. `/alone` finishes without its client, `/changed` wanted to.
fn worker(notes: &Notes) -> impl App {
    let notes = notes.clone();
    move |scope: Scope, mut receive: Receive, mut send: Send| {
        let mut watch = Watch { notes: notes.clone(), done: false };
        async move {
            receive.finish_alone(scope.path() != "/");
            receive.finish_alone(scope.path() == "/alone");
            sleep(ms(1_000)).await;
            let sent = send.respond(StatusCode::OK, b"worked", NO_FIELDS);
            watch.done = true;
            watch.notes.note(match &sent {
                Ok(()) => "sent".to_owned(),
                Err(error) => error.to_string(),
            });
            sent
        }
    }
}

#[test]
fn handler_is_dropped_when_its_client_breaks_the_connection_unless_it_goes_on_alone() {
    let notes = Notes::default();
    serve(worker(&notes), async |network| {
        for (path, expected) in
            [("/", vec!["dropped"]), ("/changed", vec!["dropped"]), ("/alone", vec!["the client has gone", "done"])]
        {
            let mut client = network.connect(PIPE_BYTES);
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            sleep(ms(500)).await;
            assert!(notes.take().is_empty());
            client.reset();
            quiet().await;
            assert_eq!(notes.0.borrow().is_empty(), path == "/alone");
            sleep(ms(1_000)).await;
            assert_eq!(notes.take(), expected, "{path}");
        }
    });
}

#[test]
fn client_is_seen_to_go_though_it_has_sent_what_nobody_has_asked_for() {
    let notes = Notes::default();
    let body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".to_owned();
    serve(worker(&notes), async |network| {
        for sent in [GET.repeat(2), GET.repeat(100), body.clone() + "abc", body + &"x".repeat(60_000)] {
            for late in [false, true] {
                let mut client = network.connect(PIPE_BYTES);
                let (all, last) = sent.split_at(sent.len() - 1);
                client.send(all).await;
                quiet().await;
                client.send(last).await;
                if late {
                    sleep(ms(500)).await;
                }
                client.reset();
                quiet().await;
                assert_eq!(notes.take(), ["dropped"]);
            }
        }
    });
}

#[test]
fn no_more_is_taken_from_a_client_that_is_watched_than_one_read_can_bring() {
    let notes = Notes::default();
    serve(worker(&notes), async |network| {
        let mut client = network.connect(10);
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        client.send(head).await;
        let body = vec![b'x'; 100_000];
        assert!(timeout(ms(500), client.write_all(&body)).await.is_err());
        assert_eq!(client.seen().bytes_read(), head.len() + 64 * 1024);
    });
}

#[test]
fn client_that_ended_its_side_is_answered_or_gone_as_the_server_was_told() {
    let notes = Notes::default();
    for (half_close, answer, expected) in
        [(HalfClose::Answer, "worked", vec!["sent", "done"]), (HalfClose::Gone, "", vec!["dropped"])]
    {
        serve_as(
            |server| server.half_close(half_close),
            worker(&notes),
            async |network| {
                let text = transcript(&network, GET).await;
                assert!(text.ends_with(answer) && text.is_empty() == answer.is_empty(), "{half_close:?}: {text}");
                assert_eq!(notes.take(), expected);
                // The end may come later than the request.
                let mut client = network.connect(PIPE_BYTES);
                client.send(GET).await;
                sleep(ms(500)).await;
                client.finish();
                assert_eq!(client.rest().await.is_empty(), answer.is_empty());
                assert_eq!(notes.take(), expected);
                // And a whole request between is answered, since its client is there.
                let mut client = network.connect(PIPE_BYTES);
                client.send(GET).await;
                assert!(client.until("worked").await.starts_with("HTTP/1.1 200 OK"));
                assert_eq!(notes.take(), ["sent", "done"]);
            },
        );
    }
}

#[test]
fn client_that_counts_as_gone_leaves_a_handler_that_finishes_alone() {
    let notes = Notes::default();
    serve_as(
        |server| server.half_close(HalfClose::Gone),
        worker(&notes),
        async |network| {
            assert_eq!(transcript(&network, "GET /alone HTTP/1.1\r\nHost: a\r\n\r\n").await, "");
            assert!(notes.take().is_empty());
            sleep(ms(1_001)).await;
            assert_eq!(notes.take(), ["the client has gone", "done"]);
        },
    );
}

#[test]
fn answers_before_the_client_counts_as_gone_are_sent() {
    serve_as(
        |server| server.half_close(HalfClose::Gone),
        demo(),
        async |network| {
            let text = transcript(&network, [GET, "GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).await;
            assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("Hello"), "{text}");
        },
    );
}

#[test]
fn who_waits_for_the_client_to_go_is_told_and_may_tidy_up() {
    let notes = Notes::default();
    let kept = notes.clone();
    let app = move |_: Scope, mut receive: Receive, mut send: Send| {
        let notes = kept.clone();
        async move {
            receive.finish_alone(true);
            if let Either::Left(()) = race(receive.disconnect(), sleep(ms(10_000))).await {
                notes.note("disconnect");
                sleep(ms(1_000)).await;
                notes.note("tidy");
            }
            send.response_start(200, NO_FIELDS).await
        }
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        sleep(ms(500)).await;
        client.reset();
        quiet().await;
        assert_eq!(notes.take(), ["disconnect"]);
        sleep(ms(1_000)).await;
        assert_eq!(notes.take(), ["tidy"]);
    });
}

#[test]
fn handler_that_finishes_alone_ends_with_the_server_at_the_latest() {
    let notes = Notes::default();
    let kept = notes.clone();
    let app = move |_: Scope, mut receive: Receive, _: Send| {
        let watch = Watch { notes: kept.clone(), done: false };
        async move {
            let _watch = watch;
            receive.finish_alone(true);
            std::future::pending().await
        }
    };
    let (ended, ()) = stopped(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        quiet().await;
        client.reset();
        quiet().await;
    });
    assert_eq!(ended, 1);
    assert_eq!(notes.take(), ["dropped"]);
}

#[test]
fn handler_that_panics_alone_harms_nobody() {
    async fn app(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
        if scope.path() == "/alone" {
            receive.finish_alone(true);
            sleep(ms(1_000)).await;
            panic!("this application panics when nobody is there to see it");
        }
        send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET /alone HTTP/1.1\r\nHost: a\r\n\r\n").await;
        quiet().await;
        client.reset();
        sleep(ms(2_000)).await;
        assert!(transcript(&network, GET).await.ends_with("Hello"));
    });
}

/// Runs a server, lets it stop after the test, and tells how many connections it ended.
fn stopped<T>(app: impl App, test: impl AsyncFnOnce(Network) -> T) -> (usize, T) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    let outcome = runtime.block_on(async {
        let network = Network::default();
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(network.clone()).graceful_timeout(ms(1_000));
        let server = spawn(server.serve_until(app, async { stopped.await.unwrap_or(()) }));
        let kept = test(network).await;
        stop.send(()).expect("the server waits for it");
        let ended = timeout(ms(3_600_000), server).await.expect("the server does not stop");
        (ended.expect("the server does not panic").expect("accepting does not fail here"), kept)
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
    outcome
}

// --- What a cut answer looks like ------------------------------------------------------------------------------------

/// Begins an answer of unknown length, and goes on as its path says.
async fn begins(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
    send.response_start(200, NO_FIELDS).await?;
    send.response_piece("begun").await?;
    match &*scope.path() {
        "/ends" => return Ok(()),
        "/panics" => panic!("this application panics in the middle of its answer"),
        "/reads" => while receive.piece().await?.is_some() {},
        "/alone" => receive.finish_alone(true),
        _ => {}
    }
    sleep(ms(10_000)).await;
    send.response_end()
}

/// To a client of HTTP/1.0, the end of the connection says that the answer is whole.
async fn ask(network: &Network, path: &str) -> End {
    let mut client = network.connect(PIPE_BYTES);
    client.send(format!("POST {path} HTTP/1.0\r\nContent-Length: 3\r\n\r\n")).await;
    client
}

async fn is_reset(client: &mut End) -> bool {
    let mut bytes = [0; 1_000];
    loop {
        match client.read(&mut bytes).await {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn answer_to_the_end_of_the_connection_is_reset_when_the_application_cuts_it() {
    serve(begins, async |network| {
        for path in ["/ends", "/panics"] {
            let mut client = ask(&network, path).await;
            assert!(is_reset(&mut client).await, "{path}: it looks whole");
        }
        let mut client = ask(&network, "/reads").await;
        client.finish();
        assert!(is_reset(&mut client).await, "the body was cut, and so is the answer");
        let mut client = ask(&network, "/reads").await;
        assert!(is_reset(&mut client).await, "the body has stalled, and the answer is cut");
    });
}

#[test]
fn answer_to_the_end_of_the_connection_is_whole_when_it_is_over() {
    serve(begins, async |network| {
        let mut client = ask(&network, "/").await;
        assert!(without_dates(&client.rest().await).ends_with("\r\n\r\nbegun"));
    });
}

#[test]
fn answer_to_the_end_of_the_connection_is_reset_when_the_server_stops_in_the_middle_of_it() {
    for path in ["/", "/alone"] {
        let (ended, mut client) = stopped(begins, async |network| {
            let client = ask(&network, path).await;
            quiet().await;
            client
        });
        assert_eq!(ended, 1);
        let seen = Runtime::new().unwrap().block_on(is_reset(&mut client));
        assert!(seen, "{path}: what was cut by the stop looks whole");
    }
}

#[test]
fn answer_that_was_not_taken_is_reset_when_the_server_stops() {
    let body = async |_: Scope, _: Receive, mut send: Send| {
        send.start(StatusCode::OK, None, NO_FIELDS)?;
        send.response_body("x".repeat(1_000)).await
    };
    let (ended, mut client) = stopped(body, async |network| {
        let mut client = network.connect(200);
        client.send("GET / HTTP/1.0\r\n\r\n").await;
        quiet().await;
        client
    });
    assert_eq!(ended, 1);
    assert!(Runtime::new().unwrap().block_on(is_reset(&mut client)), "the rest was never written");
}

#[test]
fn answer_to_the_end_of_the_connection_is_reset_for_a_client_that_counts_as_gone() {
    serve_as(
        |server| server.half_close(HalfClose::Gone),
        begins,
        async |network| {
            for path in ["/", "/alone"] {
                let mut client = ask(&network, path).await;
                client.send("abc").await;
                client.finish();
                assert!(is_reset(&mut client).await, "{path}: what is cut looks whole");
            }
            sleep(ms(10_000)).await; // for the one that goes on alone
        },
    );
}
