//! What is held for one client has a bound, and the client feels it; no client makes the server turn for nothing.

use super::memory::End;
use super::{GET, HELLO, PIPE_BYTES, demo, ms, quiet, serve, still_serves, without_dates};
use crate::asgi;
use crate::router::{BodyStream, Request, Response, Router};
use bytes::Bytes;
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::time::{now, sleep, timeout};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Sends until all is sent or the server takes no more, and tells how much it took.
async fn send_until_stuck(client: &mut End, bytes: &[u8]) -> usize {
    let mut sent = 0;
    while sent < bytes.len() {
        match timeout(ms(1), client.write(&bytes[sent..])).await {
            Ok(written) => sent += written.expect("the server keeps the connection"),
            Err(_) => break,
        }
    }
    sent
}

/// Reads until nothing more comes.
async fn read_until_stuck(client: &mut End, bytes: &mut Vec<u8>) {
    let mut piece = vec![0; PIPE_BYTES];
    while let Ok(read) = timeout(ms(1), client.read(&mut piece)).await {
        match read.expect("the server keeps the connection") {
            0 => break,
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// A body that always has a piece more, and counts them.
struct Endless {
    given: Rc<Cell<usize>>,
}

/// Where the endless body ends after all, so that a test fails and does not hang.
const PIECES_MAX: usize = 100_000;
const PIECE: [u8; 1_000] = [b'x'; 1_000];

impl BodyStream for Endless {
    fn poll_piece(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<asgi::Result<Option<Bytes>>> {
        self.given.set(self.given.get() + 1);
        Poll::Ready(Ok((self.given.get() < PIECES_MAX).then_some(Bytes::from_static(&PIECE))))
    }
}

fn endless(given: &Rc<Cell<usize>>) -> Router {
    let given = Rc::clone(given);
    Router::new().get("/", move |_: Request| {
        let given = Rc::clone(&given);
        async move { Response::stream(Endless { given }) }
    })
}

#[test]
fn ten_thousand_pipelined_requests_wait_for_a_client_that_does_not_read() {
    const REQUESTS: usize = 10_000;
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        let requests = GET.repeat(REQUESTS);
        let mut sent = send_until_stuck(&mut client, requests.as_bytes()).await;
        assert!(sent <= 4 * PIPE_BYTES, "{sent} bytes of requests were taken and not one answer was read");
        let mut answers = Vec::new();
        while sent < requests.len() {
            read_until_stuck(&mut client, &mut answers).await;
            sent += send_until_stuck(&mut client, &requests.as_bytes()[sent..]).await;
        }
        client.finish();
        answers.extend(client.rest().await);
        assert_eq!(without_dates(&answers), HELLO.repeat(REQUESTS));
    });
}

#[test]
fn answers_are_gathered_by_their_size_and_not_only_by_their_number() {
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let app = Router::new().get("/", move |_: Request| {
        counted.set(counted.get() + 1);
        async { "x".repeat(1_000_000) }
    });
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET.repeat(20)).await;
        quiet().await;
        assert!(calls.get() <= 2, "{} answers of a megabyte are held for a client that reads none", calls.get());
        client.finish();
        let answers = without_dates(&client.rest().await);
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 20);
    });
}

#[test]
fn big_body_is_echoed_through_bounded_buffers() {
    const BODY_BYTES: usize = 10_000_000;
    let body: Vec<u8> = (0..=250).cycle().take(BODY_BYTES).collect();
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_BYTES}\r\n\r\n")).await;
        let mut sent = send_until_stuck(&mut client, &body).await;
        assert!(sent <= 8 * PIPE_BYTES, "{sent} bytes of the body were taken and none was read");
        let mut answer = Vec::new();
        while sent < body.len() {
            read_until_stuck(&mut client, &mut answer).await;
            sent += send_until_stuck(&mut client, &body[sent..]).await;
        }
        read_until_stuck(&mut client, &mut answer).await;
        let head = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert!(answer[head..] == body, "the body comes back as it was");
        still_serves(&mut client).await;
    });
}

#[test]
fn stream_gives_no_more_than_the_client_takes() {
    let given = Rc::new(Cell::new(0));
    serve(endless(&given), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        quiet().await;
        assert!(given.get() * PIECE.len() <= 4 * PIPE_BYTES, "{} pieces", given.get());
        client.take(PIPE_BYTES).await;
        quiet().await;
        assert!(given.get() * PIECE.len() <= 5 * PIPE_BYTES, "{} pieces", given.get());
    });
}

#[test]
fn stream_is_not_asked_for_a_body_that_is_not_sent() {
    let given = Rc::new(Cell::new(0));
    serve(endless(&given), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 OK"));
        assert!(given.get() < 100, "{} pieces were made for a HEAD, without a pause", given.get());
    });
}

/// Polls a body until it fails, then waits; panics when it is polled over and over, instead of hanging.
async fn wait_after_failure(mut request: Request, polls: Rc<Cell<usize>>) -> &'static str {
    while let Ok(Some(_)) = request.piece().await {}
    let mut wait = Box::pin(sleep(ms(100)));
    std::future::poll_fn(|cx| {
        polls.set(polls.get() + 1);
        assert!(polls.get() < 1_000, "the application is polled over and over without a turn of the loop");
        wait.as_mut().poll(cx)
    })
    .await;
    "waited"
}

#[test]
fn malformed_chunk_does_not_make_the_server_spin_while_the_handler_waits() {
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let app = Router::new().post("/", move |request: Request| wait_after_failure(request, Rc::clone(&counted)));
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        quiet().await;
        client.send("zz\r\n").await;
        let answer = without_dates(&client.rest().await);
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("waited"), "{answer}");
        assert!(polls.get() < 10, "{} polls", polls.get());
    });
}

#[test]
fn end_of_input_does_not_make_the_server_spin_while_the_handler_waits() {
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let app = Router::new().post("/", move |request: Request| wait_after_failure(request, Rc::clone(&counted)));
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
        client.finish();
        let answer = without_dates(&client.rest().await);
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("waited"), "{answer}");
        assert!(polls.get() < 10, "{} polls", polls.get());
    });
}

#[test]
fn lingering_ends_by_itself() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        let before = now();
        client.send("bad\r\n\r\n").await;
        client.rest().await;
        assert!(!client.seen().is_gone());
        while !client.seen().is_gone() {
            sleep(ms(10)).await;
        }
        let lingered = now() - before;
        assert!(ms(2_000) <= lingered && lingered <= ms(2_020), "{lingered:?}");
    });
}

#[test]
fn lingering_ends_when_the_client_closes_and_when_it_sends_for_too_long() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("bad\r\n\r\n").await;
        client.rest().await;
        client.finish();
        quiet().await;
        assert!(client.seen().is_gone());

        let mut client = network.connect(PIPE_BYTES);
        client.send("bad\r\n\r\n").await;
        client.rest().await;
        let before = now();
        while client.write_all(&PIECE).await.is_ok() {
            assert!(now() - before < ms(2_100), "the server reads on and on");
            sleep(ms(10)).await;
        }
        assert!(now() - before >= ms(2_000), "the client had no time to read its answer");
    });
}
