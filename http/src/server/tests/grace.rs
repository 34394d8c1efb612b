//! A stop that gives connections that idle a while for one more request, and one that is in a hurry.

use super::memory::{End, Network};
use super::{GET, PIPE_BYTES, Server, demo, is_about, ms, quiet, still_serves, without_dates};
use crate::asgi::{App, Lifespan, LifespanFuture, NO_FIELDS, Receive, Result, Scope, Send};
use crate::limits::Timeouts;
use crate::message::StatusCode;
use crate::router::{Request, Router};
use crate::server::StopHandle;
use evloop_runtime::future::yield_now;
use evloop_runtime::sync::CancellationToken;
use evloop_runtime::time::{now, sleep, timeout};
use evloop_runtime::{JoinHandle, Runtime, spawn};
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long connections that idle are kept, where nothing else is said.
const IDLE: Duration = ms(1_000);

/// How long a stop waits for what has begun.
const LIMIT: Duration = ms(10_000);

/// The last answer to `GET /`, without its date.
const LAST: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 5\r\n\
    connection: close\r\n\r\nHello";

struct Running {
    network: Network,
    stop: StopHandle,
    /// `None` once its end was waited for.
    server: Cell<Option<JoinHandle<std::io::Result<usize>>>>,
}

impl Running {
    /// Waits until the server has ended: how many connections it cut, and how long ago `since` is then.
    async fn end(&self, since: Instant) -> (usize, Duration) {
        let server = self.server.take().expect("it ends once");
        let ended = timeout(ms(3_600_000), server).await.expect("the server does not stop");
        (ended.expect("the server does not panic").expect("accepting does not fail here"), now() - since)
    }
}

/// Runs a server, which the test has to stop, and which cuts nobody unless the test sees to its end.
fn run(configure: impl FnOnce(Server<Network>) -> Server<Network>, app: impl App, test: impl AsyncFnOnce(&Running)) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let (network, stop) = (Network::default(), StopHandle::new());
        let server = Server::new(network.clone()).graceful_timeout(LIMIT).idle_grace(IDLE).stop_handle(stop.clone());
        let server = Cell::new(Some(spawn(configure(server).serve_until(app, pending()))));
        quiet().await;
        let running = Running { network, stop, server };
        test(&running).await;
        if let Some(server) = running.server.take() {
            assert_eq!(server.await.expect("the server does not panic").expect("nothing fails"), 0);
        }
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
}

/// As the server was configured, by [`run`].
fn as_it_is(server: Server<Network>) -> Server<Network> {
    server
}

/// All that still comes, without dates, and when.
async fn rest(client: &mut End, since: Instant) -> (String, Duration) {
    let rest = client.rest().await;
    (without_dates(&rest), now() - since)
}

#[test]
fn idle_connections_may_send_one_more_request_and_are_told_that_it_is_the_last() {
    run(as_it_is, demo(), async |running| {
        let (mut fresh, mut used) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
        still_serves(&mut used).await;
        quiet().await;
        let began = now();
        running.stop.drain(IDLE);
        sleep(ms(500)).await;
        for client in [&mut fresh, &mut used] {
            client.send(GET).await;
            assert_eq!(without_dates(&client.rest().await), LAST);
            client.finish();
        }
        let (cut, took) = running.end(began).await;
        assert_eq!(cut, 0);
        assert!(took < IDLE, "nobody is there to be waited for, but it took {took:?}");
    });
}

#[test]
fn idle_connections_that_send_nothing_are_closed_after_the_grace() {
    run(as_it_is, demo(), async |running| {
        let (mut fresh, mut used) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
        still_serves(&mut used).await;
        quiet().await;
        let began = now();
        running.stop.drain(ms(700));
        for client in [&mut fresh, &mut used] {
            let (rest, took) = rest(client, began).await;
            assert_eq!(rest, "");
            assert!(is_about(took, ms(700)), "{took:?}");
        }
        let (cut, took) = running.end(began).await;
        assert_eq!(cut, 0, "a connection without a request is not cut");
        assert!(is_about(took, ms(700)), "{took:?}");
    });
}

#[test]
fn grace_is_the_servers_own_unless_the_stop_says_another() {
    for (how, expected) in [("it is exhausted", IDLE), ("it is told", ms(300)), ("it is told twice", ms(300))] {
        run(
            |server| if how == "it is exhausted" { server.requests_max(1) } else { server },
            demo(),
            async |running| {
                let mut idle = running.network.connect(PIPE_BYTES);
                quiet().await;
                let began = now();
                if how == "it is exhausted" {
                    still_serves(&mut running.network.connect(PIPE_BYTES)).await;
                } else {
                    running.stop.drain(ms(300));
                }
                if how == "it is told twice" {
                    running.stop.drain(ms(600));
                }
                let (_, took) = rest(&mut idle, began).await;
                assert!(is_about(took, expected), "{how}: {took:?}");
                running.end(began).await;
            },
        );
    }
}

#[test]
fn stop_that_says_no_grace_closes_idle_connections_at_once() {
    run(as_it_is, demo(), async |running| {
        let (mut fresh, mut used) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
        still_serves(&mut used).await;
        quiet().await;
        let began = now();
        running.stop.drain(Duration::ZERO);
        for client in [&mut fresh, &mut used] {
            assert_eq!(rest(client, began).await, (String::new(), ms(0)));
        }
        assert_eq!(running.end(began).await, (0, ms(0)));
    });
}

#[test]
fn connection_taken_in_the_turn_of_the_stop_has_the_grace_too() {
    run(as_it_is, demo(), async |running| {
        let (mut speaks, mut silent) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
        while running.network.accepted() < 2 {
            yield_now().await;
        }
        let began = now();
        running.stop.drain(IDLE);
        sleep(ms(500)).await;
        speaks.send(GET).await;
        assert_eq!(without_dates(&speaks.rest().await), LAST);
        let (_, took) = rest(&mut silent, began).await;
        assert!(is_about(took, IDLE), "{took:?}");
    });
}

/// Runs a server that is told to stop as soon as it has taken so many of three connections, which wait with a request each.
fn stopped_after(taken: usize) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let network = Network::default();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = network.connect(PIPE_BYTES);
            client.send(GET).await;
            clients.push(client);
        }
        let server = Server::new(network.clone()).graceful_timeout(LIMIT).idle_grace(IDLE);
        let stop = poll_fn(|_| if network.accepted() >= taken { Poll::Ready(()) } else { Poll::Pending });
        assert_eq!(server.serve_until(demo(), stop).await.expect("nothing fails"), 0);
        for client in &mut clients {
            let answer = timeout(LIMIT, client.rest()).await.expect("who is connected is answered");
            assert_eq!(without_dates(&answer), LAST, "stopped after {taken}");
        }
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
}

#[test]
fn connections_taken_in_the_very_poll_of_the_stop_are_served() {
    stopped_after(3);
}

#[test]
fn connections_that_wait_when_the_stop_comes_are_served() {
    stopped_after(1);
    stopped_after(2);
}

#[test]
fn keep_alive_time_out_ends_idle_connections_within_the_grace() {
    let timeouts = Timeouts { head: Some(ms(800)), keep_alive: Some(ms(600)), ..Timeouts::default() };
    run(
        |server| server.timeouts(timeouts),
        demo(),
        async |running| {
            let opened = now();
            let (mut fresh, mut used) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
            still_serves(&mut used).await;
            sleep(ms(400)).await;
            running.stop.drain(IDLE);
            let (_, took) = rest(&mut used, opened).await;
            assert!(is_about(took, ms(600)), "{took:?}");
            let (_, took) = rest(&mut fresh, opened).await;
            assert!(is_about(took, ms(800)), "{took:?}");
        },
    );
}

#[test]
fn connections_that_could_idle_for_ever_have_the_grace_and_no_more() {
    let timeouts = Timeouts { head: None, keep_alive: None, ..Timeouts::default() };
    run(
        |server| server.timeouts(timeouts),
        demo(),
        async |running| {
            let (mut fresh, mut used) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
            still_serves(&mut used).await;
            sleep(ms(100_000)).await;
            let began = now();
            running.stop.drain(IDLE);
            for client in [&mut fresh, &mut used] {
                let (_, took) = rest(client, began).await;
                assert!(is_about(took, IDLE), "{took:?}");
            }
        },
    );
}

#[test]
fn limit_of_the_stop_ends_the_grace_and_cuts_nobody_who_idles() {
    run(
        |server| server.graceful_timeout(ms(400)),
        demo(),
        async |running| {
            let mut idle = running.network.connect(PIPE_BYTES);
            let mut partial = running.network.connect(PIPE_BYTES);
            partial.send("GET / HT").await;
            quiet().await;
            let began = now();
            running.stop.drain(IDLE);
            let (cut, took) = running.end(began).await;
            assert_eq!(cut, 1, "the one whose request has begun to come");
            assert!(is_about(took, ms(400)), "{took:?}");
            assert_eq!((idle.rest().await, partial.rest().await), (vec![], vec![]));
        },
    );
}

#[test]
fn request_that_comes_within_the_grace_may_take_longer_than_it() {
    let app = Router::new().get("/", |_: Request| async {
        sleep(ms(5_000)).await;
        "Hello"
    });
    run(as_it_is, app, async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        quiet().await;
        let began = now();
        running.stop.drain(IDLE);
        sleep(ms(900)).await;
        client.send(&GET[..10]).await;
        sleep(ms(900)).await;
        client.send(&GET[10..]).await;
        let (answer, took) = rest(&mut client, began).await;
        assert_eq!(answer, LAST);
        assert!(is_about(took, ms(6_800)), "{took:?}");
        client.finish();
        assert_eq!(running.end(began).await.0, 0);
    });
}

#[test]
fn client_of_http_1_0_is_told_that_its_request_was_the_last() {
    run(as_it_is, demo(), async |running| {
        let request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(request).await;
        assert!(client.until("Hello").await.contains("connection: keep-alive\r\n"));
        quiet().await;
        running.stop.drain(IDLE);
        quiet().await;
        client.send(request).await;
        assert_eq!(without_dates(&client.rest().await), LAST);
    });
}

#[test]
fn of_pipelined_requests_within_the_grace_the_first_is_the_last() {
    run(as_it_is, demo(), async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        quiet().await;
        running.stop.drain(IDLE);
        quiet().await;
        client.send(GET.repeat(3)).await;
        assert_eq!(without_dates(&client.rest().await), LAST, "nothing that follows a close is answered");
    });
}

/// Writes its response's head at once, and its end when it is told to.
fn streams(done: &CancellationToken) -> impl App + use<> {
    let done = done.clone();
    move |_: Scope, _: Receive, mut send: Send| {
        let done = done.clone();
        async move {
            send.start(StatusCode::OK, Some(5), NO_FIELDS)?;
            done.cancelled().await;
            send.response_body("Hello").await
        }
    }
}

#[test]
fn client_whose_response_has_said_nothing_of_the_end_is_given_another_one_that_does() {
    let done = CancellationToken::new();
    run(as_it_is, streams(&done), async |running| {
        let (mut asks, mut silent) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
        for client in [&mut asks, &mut silent] {
            client.send(GET).await;
            assert!(!client.until("\r\n\r\n").await.contains("connection"));
        }
        running.stop.drain(IDLE);
        sleep(ms(5_000)).await;
        let over = now();
        done.cancel();
        assert_eq!((asks.until("Hello").await, silent.until("Hello").await), ("Hello".into(), "Hello".into()));
        sleep(ms(500)).await;
        asks.send(GET).await;
        assert!(without_dates(&asks.rest().await).contains("connection: close\r\n"));
        let (_, took) = rest(&mut silent, over).await;
        assert!(is_about(took, IDLE), "the grace begins when the response is over: {took:?}");
    });
}

#[test]
fn body_that_nobody_wants_is_read_for_the_sake_of_another_request() {
    run(as_it_is, demo(), async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345").await;
        client.until("ignored").await;
        quiet().await;
        running.stop.drain(IDLE);
        quiet().await;
        client.send(format!("67890{GET}")).await;
        assert_eq!(without_dates(&client.rest().await), LAST);
    });
}

#[test]
fn end_cuts_what_a_drain_waits_for() {
    let app = Router::new().get("/", |_: Request| pending::<&str>());
    run(as_it_is, app, async |running| {
        let (mut busy, mut idle) = (running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES));
        busy.send(GET).await;
        quiet().await;
        let began = now();
        running.stop.drain(IDLE);
        sleep(ms(200)).await;
        running.stop.end();
        assert_eq!(running.end(began).await, (1, ms(200)));
        assert_eq!((busy.rest().await, idle.rest().await), (vec![], vec![]));
    });
}

#[test]
fn client_that_is_too_slow_for_a_drain_is_told_as_cut() {
    let timeouts = Timeouts { head: Some(ms(500)), body: Some(ms(500)), write: Some(ms(500)), ..Timeouts::default() };
    let app = || {
        let large = |_: Request| async { "x".repeat(1 << 20) };
        let read = |mut request: Request| async move { request.text(1 << 10).await.map(|_| "read") };
        Router::new().get("/", large).post("/", read)
    };
    let half_a_body = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345";
    for (sent, what) in [("GET / HT", "head"), (half_a_body, "body"), (GET, "answer")] {
        run(
            |server| server.timeouts(timeouts),
            app(),
            async |running| {
                let mut slow = running.network.connect(PIPE_BYTES);
                slow.send(sent).await;
                quiet().await;
                let began = now();
                running.stop.drain(IDLE);
                let (cut, took) = running.end(began).await;
                assert_eq!(cut, 1, "{what}");
                assert!(took < LIMIT, "{what}: {took:?}");
            },
        );
    }
}

#[test]
fn end_needs_no_drain_before_it() {
    let app = Router::new().get("/", |_: Request| pending::<&str>());
    run(as_it_is, app, async |running| {
        let mut busy = running.network.connect(PIPE_BYTES);
        busy.send(GET).await;
        quiet().await;
        let began = now();
        running.stop.end();
        running.stop.drain(IDLE);
        assert_eq!(running.end(began).await, (1, ms(0)));
    });
}

/// Tells of its lifespan, which begins and ends after so long.
struct Slow {
    startup: Duration,
    told: Rc<RefCell<Vec<&'static str>>>,
}

impl App for Slow {
    type Future = std::future::Ready<Result>;

    fn call(&self, _: Scope, _: Receive, mut send: Send) -> Self::Future {
        std::future::ready(send.respond(StatusCode::OK, b"Hello", NO_FIELDS))
    }

    fn lifespan(&self, mut lifespan: Lifespan) -> LifespanFuture {
        let (startup, told) = (self.startup, Rc::clone(&self.told));
        Box::pin(async move {
            sleep(startup).await;
            told.borrow_mut().push("up");
            lifespan.receive().await;
            lifespan.startup_complete()?;
            lifespan.receive().await;
            told.borrow_mut().push("asked to end");
            sleep(LIMIT / 2).await;
            told.borrow_mut().push("down");
            Ok(())
        })
    }
}

#[test]
fn end_does_not_wait_for_the_lifespan() {
    for (startup, ends, expected, took) in [
        (ms(0), vec!["end"], vec!["up"], ms(0)),
        (ms(0), vec!["drain", "end"], vec!["up", "asked to end"], ms(200)),
        (ms(500), vec!["end"], vec![], ms(0)),
    ] {
        let told = Rc::new(RefCell::new(Vec::new()));
        run(as_it_is, Slow { startup, told: Rc::clone(&told) }, async |running| {
            let began = now();
            for how in ends {
                if how == "drain" {
                    running.stop.drain(Duration::ZERO);
                    sleep(ms(200)).await;
                } else {
                    running.stop.end();
                }
            }
            assert_eq!(running.end(began).await, (0, took));
        });
        assert_eq!(*told.borrow(), expected);
    }
}

#[test]
fn server_that_has_served_enough_says_so_by_its_token_as_the_stop_begins() {
    let stopping = CancellationToken::new();
    let token = stopping.clone();
    run(
        |server| server.requests_max(2).stopping(token),
        demo(),
        async |running| {
            let mut clients = [running.network.connect(PIPE_BYTES), running.network.connect(PIPE_BYTES)];
            still_serves(&mut clients[0]).await;
            quiet().await;
            assert!(!stopping.is_cancelled());
            clients[0].send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let began = now();
            stopping.cancelled().await;
            assert_eq!(now() - began, ms(0), "while the last request is under way");
            assert!(clients[0].until("slept").await.contains("connection: close\r\n"));
            clients[1].send(GET).await;
            assert_eq!(without_dates(&clients[1].rest().await), LAST, "the others have the grace");
        },
    );
}
