//! What a server takes at once and altogether: each limit at its value and past it, and what is said then.

use super::memory::Network;
use super::{
    GET, HELLO, PIPE_BYTES, Server, demo, is_seeded, ms, quiet, refusal, serve, serve_as, serve_limited, still_serves,
};
use super::{transcript, without_dates};
use crate::asgi::{App, NO_FIELDS, Receive, Result, Scope, Send};
use crate::limits::Limits;
use crate::message::StatusCode;
use crate::router::{Request, Router};
use evloop_runtime::time::{sleep, timeout};
use evloop_runtime::{JoinHandle, Runtime, spawn};
use std::cell::Cell;
use std::io;
use std::rc::Rc;

const SLEEP: &str = "GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n";

/// The answer when too many requests are being served.
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n\
    content-length: 19\r\n\r\nService Unavailable";

// --- Requests being served -------------------------------------------------------------------------------------------

fn one_at_once<A: App>(app: A, test: impl AsyncFnOnce(Network)) {
    serve_as(|server| server.concurrency_max(1), app, test);
}

#[test]
fn request_past_the_limit_is_a_503_and_its_connection_goes_on() {
    serve_as(
        |server| server.concurrency_max(2),
        demo(),
        async |network| {
            let [mut one, mut two, mut three] = [(); 3].map(|()| network.connect(PIPE_BYTES));
            one.send(SLEEP).await;
            two.send(SLEEP).await;
            quiet().await;
            for _ in 0..2 {
                three.send(GET).await;
                let answer = three.until("Service Unavailable\r\n").await + &three.until("Unavailable").await;
                assert_eq!(without_dates(answer.as_bytes()), BUSY);
            }
            one.until("slept").await;
            still_serves(&mut three).await;
            two.until("slept").await;
        },
    );
}

#[test]
fn pipelined_requests_are_served_one_after_the_other_and_count_as_one() {
    one_at_once(demo(), async |network| {
        assert_eq!(transcript(&network, GET.repeat(10)).await, HELLO.repeat(10));
    });
}

#[test]
fn request_that_is_turned_away_leaves_nothing_of_its_body_behind() {
    one_at_once(demo(), async |network| {
        let mut busy = network.connect(PIPE_BYTES);
        busy.send(SLEEP).await;
        quiet().await;
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 37\r\n\r\nGET /no HTTP/1.1\r\n").await;
        assert_eq!(without_dates(client.until("\n\r\nService Unavailable").await.as_bytes()), BUSY);
        busy.until("slept").await;
        client.send("Host: smuggled\r\n\r\n\n").await;
        still_serves(&mut client).await;
        client.finish();
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn client_that_waits_to_be_told_to_go_on_is_turned_away_with_a_close() {
    one_at_once(demo(), async |network| {
        let mut busy = network.connect(PIPE_BYTES);
        busy.send(SLEEP).await;
        quiet().await;
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
        let answer = without_dates(&client.rest().await);
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("connection: close\r\n"), "{answer}");
        busy.until("slept").await;
    });
}

#[test]
fn head_request_that_is_turned_away_gets_no_body() {
    one_at_once(demo(), async |network| {
        let mut busy = network.connect(PIPE_BYTES);
        busy.send(SLEEP).await;
        quiet().await;
        let head = BUSY.strip_suffix("Service Unavailable").unwrap();
        assert_eq!(transcript(&network, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2)).await, head.repeat(2));
        busy.until("slept").await;
    });
}

#[test]
fn request_turned_away_while_the_server_stops_says_that_the_connection_ends() {
    let seen = Rc::new(Cell::new(String::new()));
    let noted = Rc::clone(&seen);
    one_at_once(demo(), async |network| {
        let (mut busy, mut client) = (network.connect(PIPE_BYTES), network.connect(PIPE_BYTES));
        busy.send(SLEEP).await;
        client.send(&GET[..5]).await;
        quiet().await;
        drop(spawn(async move {
            sleep(ms(50)).await; // the server is told to stop when this test is over
            client.send(&GET[5..]).await;
            noted.set(without_dates(&client.rest().await));
            busy.until("slept").await;
        }));
    });
    let answer = seen.take();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("connection: close\r\n"), "{answer}");
}

/// Ends in every way that is bad, after a while.
async fn unreliable(scope: Scope, _: Receive, mut send: Send) -> Result {
    if scope.path() == "/" {
        return send.respond(StatusCode::OK, b"Hello", [("content-type", "text/plain; charset=utf-8")]);
    }
    send.start(StatusCode::OK, Some(10), NO_FIELDS)?;
    if scope.path() == "/cut" {
        return Ok(());
    }
    sleep(ms(10)).await;
    panic!("this application panics after a while");
}

#[test]
fn request_that_ends_badly_counts_no_longer() {
    one_at_once(unreliable, async |network| {
        for path in ["/cut", "/panic", "/reset", "/half"] {
            let mut client = network.connect(PIPE_BYTES);
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            quiet().await;
            match path {
                "/reset" => client.reset(),
                "/half" => drop(client),
                _ => {
                    client.rest().await;
                }
            }
            sleep(ms(20)).await;
            assert_eq!(transcript(&network, GET).await, HELLO, "{path}");
            assert_eq!(transcript(&network, "bad\r\n\r\n").await, refusal("400 Bad Request"));
        }
    });
}

#[test]
fn request_whose_time_was_over_counts_no_longer() {
    one_at_once(demo(), async |network| {
        let mut silent = network.connect(PIPE_BYTES);
        silent.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n").await;
        silent.rest().await;
        assert_eq!(transcript(&network, GET).await, HELLO);
        let mut reader = network.connect(10);
        reader.send("GET /lines HTTP/1.1\r\nHost: a\r\n\r\n").await;
        sleep(ms(30_000)).await;
        assert!(reader.seen().is_gone());
        assert_eq!(transcript(&network, GET).await, HELLO);
    });
}

#[test]
fn request_that_goes_on_without_its_client_counts_until_it_is_done() {
    async fn app(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
        if scope.path() == "/alone" {
            receive.finish_alone(true);
            sleep(ms(1_000)).await;
        }
        send.respond(StatusCode::OK, b"Hello", [("content-type", "text/plain; charset=utf-8")])
    }
    one_at_once(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET /alone HTTP/1.1\r\nHost: a\r\n\r\n").await;
        quiet().await;
        client.reset();
        sleep(ms(900)).await;
        assert_eq!(transcript(&network, GET).await, BUSY);
        sleep(ms(200)).await;
        assert_eq!(transcript(&network, GET).await, HELLO);
    });
}

// --- Connections -----------------------------------------------------------------------------------------------------

#[test]
fn connection_past_the_limit_waits_until_one_has_ended() {
    serve_as(
        |server| server.connections_max(2),
        demo(),
        async |network| {
            let [mut one, mut two, mut three, mut four] = [(); 4].map(|()| network.connect(PIPE_BYTES));
            still_serves(&mut one).await;
            still_serves(&mut two).await;
            three.send(GET).await;
            four.send(GET).await;
            quiet().await;
            assert_eq!((network.accepted(), three.unread_bytes()), (2, 0));
            drop(one);
            three.until("Hello").await;
            assert_eq!((network.accepted(), four.unread_bytes()), (3, 0));
            two.reset();
            four.until("Hello").await;
            assert_eq!(network.accepted(), 4);
        },
    );
}

#[test]
fn connections_that_come_and_go_in_one_turn_leave_their_room_behind() {
    serve_as(
        |server| server.connections_max(1),
        demo(),
        async |network| {
            for _ in 0..100 {
                drop(network.connect(PIPE_BYTES));
                network.connect(PIPE_BYTES).reset();
            }
            assert_eq!(transcript(&network, GET).await, HELLO);
            assert_eq!(network.accepted(), 201);
        },
    );
}

#[test]
fn silent_connections_make_room_when_their_time_is_over() {
    serve_as(
        |server| server.connections_max(3),
        demo(),
        async |network| {
            let _silent = [(); 3].map(|()| network.connect(PIPE_BYTES));
            assert_eq!(transcript(&network, GET).await, HELLO);
        },
    );
}

#[test]
fn server_without_room_stops_all_the_same() {
    let kept = Cell::new(None);
    serve_as(
        |server| server.connections_max(1),
        demo(),
        async |network| {
            let mut client = network.connect(PIPE_BYTES);
            let waits = network.connect(PIPE_BYTES);
            still_serves(&mut client).await;
            assert_eq!(network.accepted(), 1);
            kept.set(Some((client, waits)));
        },
    );
}

// --- Requests altogether ---------------------------------------------------------------------------------------------

#[test]
fn last_request_of_a_connection_says_that_it_is_the_last() {
    let limits = Limits { requests_per_connection_max: Some(3), ..Limits::default() };
    serve_limited(limits, demo(), async |network| {
        let last = HELLO.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        assert_eq!(transcript(&network, GET.repeat(2)).await, HELLO.repeat(2));
        let mut client = network.connect(PIPE_BYTES);
        still_serves(&mut client).await;
        still_serves(&mut client).await;
        client.send(GET).await;
        assert_eq!(without_dates(&client.rest().await), last);
        assert_eq!(transcript(&network, GET.repeat(5)).await, [HELLO, HELLO, &last].concat(), "those past it are left");
    });
    let limits = Limits { requests_per_connection_max: Some(1), ..Limits::default() };
    serve_limited(limits, demo(), async |network| {
        let answer = transcript(&network, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert!(answer.contains("connection: close\r\n") && !answer.contains("keep-alive"), "{answer}");
    });
}

/// Runs a server that nobody stops.
fn run<A: App>(
    configure: impl FnOnce(Server<Network>) -> Server<Network>,
    app: A,
    test: impl AsyncFnOnce(Network, JoinHandle<io::Result<usize>>),
) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let network = Network::default();
        let server = spawn(configure(Server::new(network.clone())).serve_until(app, std::future::pending()));
        timeout(ms(3_600_000), test(network, server)).await.expect("the test waits for something that never comes");
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
}

#[test]
fn server_ends_by_itself_after_its_last_request() {
    run(
        |server| server.requests_max(3),
        demo(),
        async |network, server| {
            let (mut client, mut idle) = (network.connect(PIPE_BYTES), network.connect(PIPE_BYTES));
            still_serves(&mut client).await;
            assert_eq!(transcript(&network, GET).await, HELLO);
            sleep(ms(1_000)).await;
            assert!(!server.is_finished());
            client.send(GET).await;
            client.until("Hello").await;
            assert_eq!(server.await.expect("the server does not panic").expect("nothing fails"), 0);
            assert_eq!((client.rest().await, idle.rest().await), (vec![], vec![]));
        },
    );
}

#[test]
fn requests_that_have_begun_when_the_last_one_comes_are_finished() {
    run(
        |server| server.requests_max(2),
        demo(),
        async |network, server| {
            let [mut one, mut two] = [(); 2].map(|()| network.connect(PIPE_BYTES));
            one.send(SLEEP).await;
            quiet().await;
            two.send(SLEEP).await;
            for client in [&mut one, &mut two] {
                let answer = without_dates(&client.rest().await);
                assert!(answer.contains("connection: close\r\n") && answer.ends_with("slept"), "{answer}");
            }
            assert_eq!(server.await.expect("the server does not panic").expect("nothing fails"), 0);
        },
    );
}

#[test]
fn requests_that_are_turned_away_or_refused_are_not_counted_as_served() {
    run(
        |server| server.requests_max(2).concurrency_max(1),
        demo(),
        async |network, server| {
            let mut busy = network.connect(PIPE_BYTES);
            busy.send(SLEEP).await;
            quiet().await;
            assert_eq!(transcript(&network, GET.repeat(5)).await, BUSY.repeat(5));
            assert_eq!(transcript(&network, "bad\r\n\r\n").await, refusal("400 Bad Request"));
            busy.until("slept").await;
            sleep(ms(1_000)).await;
            assert!(!server.is_finished());
            busy.send(GET).await;
            busy.until("Hello").await;
            assert_eq!(server.await.expect("the server does not panic").expect("nothing fails"), 0);
        },
    );
}

// --- One request -----------------------------------------------------------------------------------------------------

/// Small limits, so that tests can be at each of them.
const SMALL: Limits = Limits {
    request_line_bytes_max: 30,
    head_bytes_max: 120,
    header_count_max: 4,
    body_bytes_max: 8,
    chunk_extension_bytes_max: 6,
    trailer_bytes_max: 12,
    pipelined_max: 4,
    requests_per_connection_max: None,
};

/// A request that is within all of them, with so much in one place.
fn request(line_bytes: usize, fields: usize, head_bytes: usize) -> String {
    let line = format!("POST /count{} HTTP/1.1\r\n", "?".repeat(line_bytes - "POST /count HTTP/1.1".len()));
    let lines = ["Host: a\r\n", "Content-Length: 0\r\n", "x: y\r\n", "z:\r\n", "z:\r\n"][..fields].concat();
    let short = line.len() + lines.len() + 2;
    let filler = head_bytes.checked_sub(short).map(|bytes| format!("f:{}\r\n", "y".repeat(bytes - 4)));
    format!("{line}{lines}{}\r\n", filler.unwrap_or_default())
}

fn chunked(body: &str) -> String {
    format!("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

fn length(bytes: usize) -> String {
    format!("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n{}", "x".repeat(bytes))
}

/// By the server or by the handler, which may say more about it.
fn assert_refused(answer: &[u8], status: &str, request: &str) {
    let answer = without_dates(answer);
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {answer}");
    assert!(answer.contains("\r\nconnection: close\r\n") && answer.len() < 200, "{request:?}: {answer}");
}

#[test]
fn each_limit_holds_at_its_value_and_past_it_says_which_kind_it_is() {
    let eight = "5\r\n12345\r\n3\r\n678\r\n";
    serve_limited(SMALL, demo(), async |network| {
        for (at, past, status) in [
            (request(30, 2, 0), request(31, 2, 0), "414 URI Too Long"),
            (request(20, 3, 120), request(20, 3, 121), "431 Request Header Fields Too Large"),
            (request(20, 4, 0), request(20, 5, 0), "431 Request Header Fields Too Large"),
            (length(8), length(9), "413 Content Too Large"),
            (chunked(&format!("{eight}0\r\n\r\n")), chunked(&format!("{eight}1\r\n")), "413 Content Too Large"),
            (chunked("1;x=456\r\nx\r\n0;x=456\r\n\r\n"), chunked("1;x=4567\r\nx\r\n"), "400 Bad Request"),
            (
                chunked("1\r\nx\r\n0\r\nt:34\r\nu:90\r\n\r\n"),
                chunked("1\r\nx\r\n0\r\nt:34\r\nu:901\r\n"),
                "431 Request Header Fields Too Large",
            ),
        ] {
            let answer = transcript(&network, &at).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(" bytes"), "{at:?}: {answer}");
            // A client that has sent no more than that, and waits.
            let mut client = network.connect(PIPE_BYTES);
            client.send(&past).await;
            let answer = timeout(ms(100), client.rest()).await.expect("it is refused as soon as it is past the limit");
            assert_refused(&answer, status, &past);
        }
    });
}

#[test]
fn limits_that_are_none_hold_too() {
    let none = Limits {
        body_bytes_max: 0,
        chunk_extension_bytes_max: 0,
        trailer_bytes_max: 0,
        pipelined_max: 0,
        requests_per_connection_max: Some(0),
        ..Limits::default()
    };
    serve_limited(none, demo(), async |network| {
        for (at, past, status) in [
            (length(0), length(1), "413 Content Too Large"),
            (chunked("0\r\n\r\n"), chunked("1\r\n"), "413 Content Too Large"),
            (chunked("0\r\n\r\n"), chunked("0;\r\n"), "400 Bad Request"),
            (chunked("0\r\n\r\n"), chunked("0\r\nt"), "431 Request Header Fields Too Large"),
        ] {
            assert!(transcript(&network, &at).await.ends_with("0 bytes"), "{at:?}");
            let mut client = network.connect(PIPE_BYTES);
            client.send(&past).await;
            assert_refused(&client.rest().await, status, &past);
        }
    });
}

#[test]
fn body_past_the_limit_is_refused_though_the_client_would_have_waited() {
    serve_limited(SMALL, demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n").await;
        assert_eq!(without_dates(&client.rest().await), refusal("413 Content Too Large"));
    });
}

#[test]
fn what_the_server_does_not_speak_is_named_by_its_status() {
    serve(demo(), async |network| {
        for (request, status) in [
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 Not Implemented"),
            ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 0\r\n\r\n", "417 Expectation Failed"),
            ("GET /\r\n", "400 Bad Request"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 Bad Request"),
        ] {
            assert_eq!(transcript(&network, request).await, refusal(status), "{request}");
        }
    });
}

#[test]
fn so_many_answers_are_gathered_before_they_are_written() {
    if is_seeded() {
        return; // it counts writes
    }
    for (pipelined_max, writes) in [(0, 10), (1, 10), (4, 3), (9, 2), (10, 1), (11, 1)] {
        let limits = Limits { pipelined_max, ..Limits::default() };
        serve_limited(limits, demo(), async |network| {
            let mut client = network.connect(PIPE_BYTES);
            client.send(GET.repeat(10)).await;
            client.finish();
            assert_eq!(without_dates(&client.rest().await), HELLO.repeat(10));
            assert_eq!(client.seen().writes(), writes, "at most {pipelined_max} in a write");
        });
    }
}

#[test]
fn request_past_so_many_waits_for_a_client_that_reads() {
    if is_seeded() {
        return; // its server is to read all that there is at once
    }
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let app = Router::new().get("/", move |_: Request| {
        counted.set(counted.get() + 1);
        async { "Hello" }
    });
    serve_limited(SMALL, app, async |network| {
        let mut client = network.connect(GET.len() * 10);
        client.send(GET.repeat(10)).await;
        client.send(GET.repeat(10)).await;
        quiet().await;
        let first = calls.get();
        assert!(first <= 12, "{first} requests were answered for a client that has read nothing");
        client.finish();
        assert_eq!(without_dates(&client.rest().await), HELLO.repeat(20));
        assert_eq!(calls.get(), 20);
    });
}
