//! Time-outs beside each other: where there are none, for many clients at once, while the server stops, and what they cost.

use super::memory::{End, Network};
use super::{GET, PIPE_BYTES, Server, demo, is_about, ms, quiet, refusal, serve, serve_as, still_serves, transcript};
use super::{HELLO, serve_and_cut, without_dates};
use crate::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
use crate::limits::Timeouts;
use crate::router::{Request, Router};
use evloop_runtime::engine::Key;
use evloop_runtime::engine::trace::{Observer, Wait};
use evloop_runtime::time::{now, sleep, timeout};
use evloop_runtime::{Runtime, spawn};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const HEAD: Duration = ms(10_000);
const BODY: Duration = ms(20_000);
const KEEP_ALIVE: Duration = ms(5_000);

/// Longer than any time-out, and shorter than a test may take.
const LONG: Duration = ms(3_000_000);

/// A request whose body does not come.
const POST: &str = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

// --- Without limits --------------------------------------------------------------------------------------------------

#[test]
fn without_time_outs_every_client_has_all_the_time() {
    let none = Timeouts { head: None, body: None, write: None, keep_alive: None };
    serve_as(
        |server| server.timeouts(none),
        demo(),
        async |network| {
            let [mut silent, mut head, mut pause, mut body] = [(); 4].map(|()| network.connect(PIPE_BYTES));
            let mut reader = network.connect(10);
            head.send(&GET[..5]).await;
            still_serves(&mut pause).await;
            body.send(POST).await;
            reader.send(GET).await;
            sleep(LONG).await;
            still_serves(&mut silent).await;
            head.send(&GET[5..]).await;
            head.until("Hello").await;
            still_serves(&mut pause).await;
            body.send("0123456789").await;
            body.until("10 bytes").await;
            reader.until("Hello").await;
        },
    );
}

#[test]
fn longest_time_outs_that_can_be_written_are_no_time_at_all_to_reckon_with() {
    let longest = Some(Duration::MAX);
    let timeouts = Timeouts { head: longest, body: longest, write: longest, keep_alive: longest };
    serve_as(
        |server| server.timeouts(timeouts),
        demo(),
        async |network| {
            let mut client = network.connect(PIPE_BYTES);
            for _ in 0..3 {
                client.send(&GET[..5]).await;
                sleep(ms(1_000_000)).await;
                client.send(&GET[5..]).await;
                client.until("Hello").await;
            }
        },
    );
}

#[test]
fn shortest_time_out_that_can_be_written_is_one_still() {
    let timeouts = Timeouts { head: Some(Duration::from_nanos(1)), ..Timeouts::default() };
    serve_as(
        |server| server.timeouts(timeouts),
        demo(),
        async |network| {
            assert_eq!(transcript(&network, GET).await, HELLO);
            let before = now();
            assert_eq!(network.connect(PIPE_BYTES).rest().await, b"");
            assert!(is_about(now() - before, Duration::ZERO), "{:?}", now() - before);
        },
    );
}

#[test]
fn handler_may_take_as_long_as_it_likes() {
    let app = Router::new().get("/", |_: Request| async {
        sleep(LONG).await;
        "at last"
    });
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        assert!(client.until("at last").await.starts_with("HTTP/1.1 200 OK"));
        let before = now();
        client.rest().await;
        assert!(is_about(now() - before, KEEP_ALIVE), "{:?}", now() - before);
    });
}

#[test]
fn answer_may_pause_for_as_long_as_it_likes() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.response_start(200, NO_FIELDS).await?;
        send.response_piece("one").await?;
        sleep(LONG).await;
        send.response_body("two").await
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("one\r\n").await;
        assert_eq!(client.until("0\r\n\r\n").await, "3\r\ntwo\r\n0\r\n\r\n");
    });
}

#[test]
fn tunnel_may_be_silent_for_as_long_as_it_likes() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        send.switch_protocols("echo", NO_FIELDS)?;
        while let Some(piece) = receive.piece().await? {
            send.response_piece(piece).await?;
        }
        send.response_end()
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await;
        client.until("\r\n\r\n").await;
        sleep(LONG).await;
        client.send("abc").await;
        assert_eq!(client.until("abc").await, "abc");
        client.finish();
        assert_eq!(client.rest().await, b"");
    });
}

// --- Beside each other -----------------------------------------------------------------------------------------------

#[test]
fn slow_clients_by_the_thousand_are_late_by_themselves_alone() {
    serve(demo(), async |network| {
        let before = now();
        let mut slow: Vec<End> = Vec::new();
        for at in 0..1_000 {
            let mut client = network.connect(100);
            client.send(&GET[..at % GET.len()]).await;
            slow.push(client);
        }
        let mut good = network.connect(PIPE_BYTES);
        while now() - before < ms(9_000) {
            still_serves(&mut good).await;
            sleep(ms(500)).await;
        }
        assert!(slow.iter().all(|client| client.unread_bytes() == 0 && !client.is_ended()));
        for (at, client) in slow.iter_mut().enumerate() {
            let expected = if at % GET.len() == 0 { String::new() } else { refusal("408 Request Timeout") };
            assert_eq!(without_dates(&client.rest().await), expected);
        }
        assert!(is_about(now() - before, HEAD), "{:?}", now() - before);
        still_serves(&mut good).await;
    });
}

/// Counts how often tasks are polled.
#[derive(Default)]
struct Polls(Cell<u32>);

impl Observer for Polls {
    fn poll_end(&self, _: Key, _: Option<Wait>) {
        self.0.set(self.0.get() + 1);
    }
}

/// How often tasks are polled while a client sends a request each 10 ms.
fn polls(timeouts: Timeouts, requests: u32) -> u32 {
    let polls = Rc::new(Polls::default());
    let observer: Rc<dyn Observer> = Rc::clone(&polls) as _;
    let runtime =
        Runtime::builder().manual_clock().observer(observer).build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let network = Network::default();
        drop(spawn(Server::new(network.clone()).timeouts(timeouts).serve(demo())));
        let mut client = network.connect(PIPE_BYTES);
        for _ in 0..requests {
            still_serves(&mut client).await;
            sleep(ms(10)).await;
        }
        polls.0.get()
    })
}

#[test]
fn request_costs_no_work_of_a_timer() {
    const REQUESTS: u32 = 2_000; // in 20 seconds
    let none = Timeouts { head: None, body: None, write: None, keep_alive: None };
    let (with, without) = (polls(Timeouts::default(), REQUESTS), polls(none, REQUESTS));
    assert!(without <= 3 * REQUESTS + 10, "{without} polls");
    // The timer fires once in the length of a time-out, and is set anew.
    assert!(with <= without + 10, "{with} polls with time-outs, {without} without");
}

// --- While the server stops ------------------------------------------------------------------------------------------

/// Lets the server stop while `client` is under way, for an hour at most; gives what the client gets, how long it took, and
/// how many were cut.
fn stopped(app: Router, request: &'static str) -> (String, Duration, usize) {
    let seen = Rc::new(RefCell::new(None));
    let noted = Rc::clone(&seen);
    let cut = serve_and_cut(
        |server| server.graceful_timeout(LONG),
        app,
        async |network| {
            let mut client = network.connect(PIPE_BYTES);
            client.send(request).await;
            quiet().await;
            drop(spawn(async move {
                let before = now();
                let text = timeout(LONG, client.rest()).await.expect("the connection ends");
                *noted.borrow_mut() = Some((without_dates(&text), now() - before));
            }));
            quiet().await;
        },
    );
    let (text, took) = seen.take().expect("the server waits for it");
    (text, took, cut)
}

#[test]
fn deadlines_go_on_while_the_server_stops() {
    let (text, took, cut) = stopped(demo(), &GET[..5]);
    assert_eq!((text, cut), (refusal("408 Request Timeout"), 1));
    assert!(is_about(took + ms(2), HEAD), "{took:?}");
    let (text, took, cut) = stopped(demo(), POST);
    assert_eq!((text, cut), (refusal("408 Request Timeout"), 1));
    assert!(is_about(took + ms(2), BODY), "{took:?}");
}

#[test]
fn body_that_nobody_reads_does_not_hold_up_a_server_that_stops() {
    let (text, took, cut) = stopped(demo(), "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert!(text.ends_with("ignored") && cut == 0, "{text}");
    assert!(took <= ms(5), "its request was answered: {took:?}");
}
