//! A graceful stop: what has begun is finished, the rest is closed, and the limit ends what takes too long.

use super::memory::Network;
use super::{GET, PIPE_BYTES, Server, demo, ms, quiet, without_dates};
use crate::asgi::App;
use crate::router::{Request, Router};
use evloop_runtime::sync::oneshot;
use evloop_runtime::time::{now, timeout};
use evloop_runtime::{JoinHandle, Runtime, spawn};
use std::future::pending;
use std::time::Duration;

/// How long the servers here wait for requests that have begun.
const GRACE: Duration = ms(1_000);

struct Running {
    network: Network,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<usize>>,
}

impl Running {
    /// Stops the server, and tells how many connections it ended and how long that took.
    async fn stop(self) -> (usize, Duration) {
        let before = now();
        self.stop.send(()).expect("the server waits for it");
        let ended = timeout(ms(3_600_000), self.server).await.expect("the server does not stop");
        (ended.expect("the server does not panic").expect("accepting does not fail here"), now() - before)
    }
}

fn run<A: App>(app: A, test: impl AsyncFnOnce(Running)) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let network = Network::default();
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(network.clone()).graceful_timeout(GRACE);
        let server = spawn(server.serve_until(app, async { stopped.await.unwrap_or(()) }));
        test(Running { network, stop, server }).await;
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
}

#[test]
fn idle_connections_are_closed_at_once() {
    run(demo(), async |running| {
        let mut fresh = running.network.connect(PIPE_BYTES);
        let mut used = running.network.connect(PIPE_BYTES);
        super::still_serves(&mut used).await;
        quiet().await;
        assert_eq!(running.stop().await, (0, ms(0)));
        assert_eq!((fresh.rest().await, used.rest().await), (vec![], vec![]));
    });
}

#[test]
fn request_in_flight_is_finished_and_its_connection_told_to_close() {
    run(demo(), async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        client.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
        quiet().await;
        let reader = spawn(async move { client.rest().await });
        let (ended, took) = running.stop().await;
        assert_eq!(ended, 0);
        assert!(took <= ms(100), "{took:?}");
        let answer = without_dates(&reader.await.unwrap());
        assert!(answer.contains("connection: close\r\n") && answer.ends_with("slept"), "{answer}");
    });
}

#[test]
fn answer_that_is_being_read_is_written_to_its_end() {
    run(demo(), async |running| {
        let mut client = running.network.connect(10);
        client.send(GET).await;
        quiet().await;
        let reader = spawn(async move { client.rest().await });
        assert_eq!(running.stop().await.0, 0);
        assert!(reader.await.unwrap().ends_with(b"Hello"));
    });
}

#[test]
fn connections_that_come_after_the_stop_are_not_taken() {
    run(demo(), async |running| {
        let network = running.network.clone();
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
        quiet().await;
        let reader = spawn(async move { client.rest().await });
        let server = spawn(running.stop());
        quiet().await;
        let _late = network.connect(PIPE_BYTES);
        assert_eq!(server.await.unwrap().0, 0);
        assert!(reader.await.unwrap().ends_with(b"slept"));
        assert_eq!(network.accepted(), 1);
    });
}

#[test]
fn limit_ends_what_takes_too_long_and_counts_it() {
    let app = Router::new().get("/", |_: Request| pending::<&str>());
    run(app, async |running| {
        let mut clients: Vec<_> = (0..3).map(|_| running.network.connect(PIPE_BYTES)).collect();
        for client in &mut clients {
            client.send(GET).await;
        }
        quiet().await;
        assert_eq!(running.stop().await, (3, GRACE));
        for client in &mut clients {
            assert_eq!(client.rest().await, b"");
        }
    });
}

/// A value whose end panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("this value panics when it is dropped");
    }
}

#[test]
fn call_that_panics_when_it_is_dropped_does_not_keep_the_server_from_stopping() {
    let app = Router::new().get("/", |_: Request| async {
        let _bomb = Bomb;
        pending::<&str>().await
    });
    run(app, async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(GET).await;
        quiet().await;
        assert_eq!(running.stop().await, (1, GRACE));
    });
}

#[test]
fn connection_taken_in_the_turn_of_the_stop_is_not_left_behind() {
    run(demo(), async |running| {
        quiet().await;
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(GET).await;
        let (ended, _) = running.stop().await;
        assert_eq!(ended, 0);
        quiet().await;
        client.rest().await;
    });
}

#[test]
fn pipelined_requests_that_have_come_are_answered_or_left_but_none_is_cut() {
    run(demo(), async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(["GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n", GET, GET].concat()).await;
        quiet().await;
        assert_eq!(running.stop().await.0, 0, "a connection whose requests were answered counts as ended");
        let answers = without_dates(&client.rest().await);
        let close = answers.find("connection: close\r\n").expect("the last answer says that it is the last");
        assert_eq!(answers[close..].matches("HTTP/1.1").count(), 0, "{answers}");
        assert!(answers.ends_with("slept") || answers.ends_with("Hello"), "{answers}");
    });
}
