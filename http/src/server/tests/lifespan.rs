//! The lifespan protocol: what the application is told, when, and what its answers lead to.

use super::logs::errors_logged;
use super::memory::Network;
use super::{GET, PIPE_BYTES, ms, quiet};
use crate::asgi::{App, Lifespan, LifespanEvent, NO_FIELDS, Receive, Result, Scope, Send, with_lifespan};
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use crate::server::Server;
use evloop_runtime::sync::{CancellationToken, Notify, oneshot};
use evloop_runtime::time::{now, sleep, timeout};
use evloop_runtime::{JoinHandle, Runtime, spawn};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::rc::Rc;

/// What has happened, in order.
#[derive(Clone, Default)]
struct Story(Rc<RefCell<Vec<&'static str>>>);

impl Story {
    fn tell(&self, what: &'static str) {
        self.0.borrow_mut().push(what);
    }

    fn told(&self) -> Vec<&'static str> {
        self.0.borrow().clone()
    }
}

struct Running {
    network: Network,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<usize>>,
}

impl Running {
    async fn stop(self) -> io::Result<usize> {
        let _ = self.stop.send(()); // a server that has ended by itself hears nothing
        timeout(ms(3_600_000), self.server).await.expect("the server does not stop").expect("it does not panic")
    }
}

/// Runs a server that waits a second for its requests, and sees to it that nothing is left.
fn run<A: App>(app: A, test: impl AsyncFnOnce(Running)) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        let network = Network::default();
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(network.clone()).graceful_timeout(ms(1_000));
        let server = spawn(server.serve_until(app, async { stopped.await.unwrap_or(()) }));
        test(Running { network, stop, server }).await;
        quiet().await;
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
}

async fn hello(_: Scope, _: Receive, mut send: Send) -> Result {
    send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
}

#[test]
fn startup_comes_before_the_first_connection_and_shutdown_after_the_last() {
    let story = Story::default();
    let (in_call, in_lifespan) = (story.clone(), story.clone());
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let story = in_call.clone();
        async move {
            story.tell("request");
            sleep(ms(500)).await;
            story.tell("response");
            send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
        }
    };
    let app = with_lifespan(app, move |mut lifespan: Lifespan| {
        let story = in_lifespan.clone();
        async move {
            assert_eq!(lifespan.receive().await, LifespanEvent::Startup);
            story.tell("startup");
            sleep(ms(100)).await;
            story.tell("started");
            lifespan.startup_complete()?;
            assert_eq!(lifespan.receive().await, LifespanEvent::Shutdown);
            story.tell("shutdown");
            sleep(ms(100)).await;
            story.tell("stopped");
            lifespan.shutdown_complete()
        }
    });
    run(app, async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(GET).await;
        sleep(ms(50)).await;
        assert_eq!(running.network.accepted(), 0, "a connection is taken before the application is ready");
        sleep(ms(100)).await;
        assert_eq!(running.network.accepted(), 1);
        let reader = spawn(async move { client.rest().await });
        assert_eq!(running.stop().await.unwrap(), 0);
        assert!(reader.await.unwrap().ends_with(b"Hello"));
    });
    assert_eq!(story.told(), ["startup", "started", "request", "response", "shutdown", "stopped"]);
}

#[test]
fn state_of_the_startup_is_found_by_every_request_and_shared_by_all() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        let count = scope.state().get::<Cell<u32>>().expect("it was kept");
        count.set(count.get() + 1);
        assert!(scope.state().get::<u64>().is_none());
        send.respond(StatusCode::OK, format!("[{}]", count.get()).as_bytes(), NO_FIELDS)
    }
    async fn lifespan(mut lifespan: Lifespan) -> Result {
        lifespan.receive().await;
        assert_eq!(lifespan.insert(Cell::new(1_u32)), None);
        assert_eq!(lifespan.insert(Cell::new(40_u32)), Some(Cell::new(1)));
        lifespan.startup_complete()
    }
    run(with_lifespan(app, lifespan), async |running| {
        for expected in ["[41]", "[42]"] {
            let mut client = running.network.connect(PIPE_BYTES);
            client.send(GET).await;
            client.until(expected).await;
        }
        running.stop().await.unwrap();
    });
}

#[test]
fn startup_that_fails_ends_the_server_with_its_message_and_no_connection() {
    for how in 0..4 {
        let app = with_lifespan(hello, move |mut lifespan: Lifespan| async move {
            lifespan.receive().await;
            sleep(ms(10)).await;
            match how {
                0 => {
                    lifespan.startup_failed("no database")?;
                    pending().await
                }
                1 => lifespan.startup_failed("no database"),
                2 => Err(Error::application("no database")),
                _ => panic!("no database"),
            }
        });
        run(app, async |running| {
            let _client = running.network.connect(PIPE_BYTES);
            let network = running.network.clone();
            sleep(ms(100)).await;
            let error = running.stop().await.unwrap_err().to_string();
            assert!(error.starts_with("the application failed to start: "), "{error}");
            assert!(error.contains("no database") || how == 3, "{how}: {error}");
            assert_eq!(network.accepted(), 0);
        });
    }
}

#[test]
fn token_tells_that_the_server_has_started_once_connections_are_taken() {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(async {
        for fails in [false, true] {
            let (started, ready) = (CancellationToken::new(), Rc::new(Notify::new()));
            let waits = Rc::clone(&ready);
            let app = with_lifespan(hello, move |mut lifespan: Lifespan| {
                let waits = Rc::clone(&waits);
                async move {
                    lifespan.receive().await;
                    waits.notified().await;
                    if fails { lifespan.startup_failed("no") } else { lifespan.startup_complete() }
                }
            });
            let server = spawn(Server::new(Network::default()).started(started.clone()).serve(app));
            quiet().await;
            assert!(!started.is_cancelled(), "the application is not ready");
            ready.notify_one();
            quiet().await;
            assert_eq!(started.is_cancelled(), !fails);
            server.abort();
        }
    });
}

#[test]
fn application_without_a_lifespan_is_served() {
    run(hello, async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("Hello").await;
        assert_eq!(running.stop().await.unwrap(), 0);
    });
}

#[test]
fn lifespan_that_ends_without_a_word_has_nothing_to_say() {
    let app = with_lifespan(hello, |mut lifespan: Lifespan| async move {
        lifespan.receive().await;
        Ok(())
    });
    run(app, async |running| {
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("Hello").await;
        assert_eq!(running.stop().await.unwrap(), 0);
    });
}

#[test]
fn answer_out_of_its_order_is_a_violation() {
    let done = Rc::new(Cell::new(false));
    let told = Rc::clone(&done);
    let app = with_lifespan(hello, move |mut lifespan: Lifespan| {
        let told = Rc::clone(&told);
        async move {
            let wrong = |result: Result| {
                let error = result.expect_err("it is out of order");
                error.is_violation() && error.to_string().starts_with("lifespan: ")
            };
            assert!(wrong(lifespan.shutdown_complete()) && wrong(lifespan.shutdown_failed("early")));
            lifespan.receive().await;
            assert!(wrong(lifespan.shutdown_complete()));
            lifespan.startup_complete()?;
            assert!(wrong(lifespan.startup_complete()) && wrong(lifespan.startup_failed("late")));
            assert!(wrong(lifespan.shutdown_complete()), "the server has not asked for it");
            lifespan.receive().await;
            assert!(wrong(lifespan.startup_complete()));
            lifespan.shutdown_complete()?;
            assert!(wrong(lifespan.shutdown_complete()) && wrong(lifespan.shutdown_failed("twice")));
            assert_eq!(lifespan.shutdown_complete().map_err(Error::kind), Err(Kind::LifespanOrder));
            told.set(true);
            Ok(())
        }
    });
    run(app, async |running| {
        quiet().await;
        assert_eq!(running.stop().await.unwrap(), 0);
    });
    assert!(done.get());
}

#[test]
fn shutdown_that_hangs_is_bounded() {
    let app = with_lifespan(hello, |mut lifespan: Lifespan| async move {
        lifespan.receive().await;
        lifespan.startup_complete()?;
        lifespan.receive().await;
        pending().await
    });
    run(app, async |running| {
        quiet().await;
        let before = now();
        assert_eq!(running.stop().await.unwrap(), 0);
        assert_eq!(now() - before, ms(1_000));
    });
}

#[test]
fn events_come_once_each_and_then_no_more() {
    let shutdowns = Rc::new(Cell::new(0));
    let counted = Rc::clone(&shutdowns);
    let app = with_lifespan(hello, move |mut lifespan: Lifespan| {
        let counted = Rc::clone(&counted);
        async move {
            loop {
                match timeout(ms(100), lifespan.receive()).await {
                    Ok(LifespanEvent::Startup) => lifespan.startup_complete()?,
                    Ok(LifespanEvent::Shutdown) => counted.set(counted.get() + 1),
                    Err(_) if counted.get() > 0 => return lifespan.shutdown_complete(),
                    Err(_) => {}
                }
                assert!(counted.get() <= 1, "the shutdown is told twice");
            }
        }
    });
    run(app, async |running| {
        quiet().await;
        assert_eq!(running.stop().await.unwrap(), 0);
    });
    assert_eq!(shutdowns.get(), 1);
}

#[test]
fn shutdown_that_fails_is_logged_and_the_server_ends() {
    for how in 0..3 {
        let app = with_lifespan(hello, move |mut lifespan: Lifespan| async move {
            lifespan.receive().await;
            lifespan.startup_complete()?;
            lifespan.receive().await;
            match how {
                0 => lifespan.shutdown_failed("the disk is full"),
                1 => Err(Error::application("the disk is full")),
                _ => panic!("the disk is full"),
            }
        });
        let errors = errors_logged(|| {
            run(app, async |running| {
                quiet().await;
                assert_eq!(running.stop().await.unwrap(), 0);
            });
        });
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("the application failed to shut down: "), "{errors:?}");
    }
}

#[test]
fn lifespan_that_fails_while_the_server_runs_is_logged_and_the_server_goes_on() {
    for how in 0..2 {
        let app = with_lifespan(hello, move |mut lifespan: Lifespan| async move {
            lifespan.receive().await;
            lifespan.startup_complete()?;
            sleep(ms(10)).await;
            if how == 0 { Err(Error::application("the clock has stopped")) } else { panic!("the clock has stopped") }
        });
        let errors = errors_logged(|| {
            run(app, async |running| {
                sleep(ms(100)).await;
                let mut client = running.network.connect(PIPE_BYTES);
                client.send(GET).await;
                client.until("Hello").await;
                assert_eq!(running.stop().await.unwrap(), 0);
            });
        });
        assert_eq!(errors.len(), 1, "{how}: {errors:?}");
    }
}

#[test]
fn work_between_the_two_events_runs_beside_the_requests() {
    let ticks = Rc::new(Cell::new(0));
    let counted = Rc::clone(&ticks);
    let app = with_lifespan(hello, move |mut lifespan: Lifespan| {
        let counted = Rc::clone(&counted);
        async move {
            lifespan.receive().await;
            lifespan.startup_complete()?;
            loop {
                match timeout(ms(10), lifespan.receive()).await {
                    Err(_) => counted.set(counted.get() + 1),
                    Ok(_shutdown) => return lifespan.shutdown_complete(),
                }
            }
        }
    });
    run(app, async |running| {
        sleep(ms(105)).await;
        let mut client = running.network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("Hello").await;
        running.stop().await.unwrap();
    });
    assert_eq!(ticks.get(), 10);
}

/// Tells that it was dropped.
struct Told(Rc<Cell<bool>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

#[test]
fn server_that_is_dropped_ends_the_lifespan() {
    let dropped = Rc::new(Cell::new(false));
    let kept = Rc::clone(&dropped);
    let app = with_lifespan(hello, move |mut lifespan: Lifespan| {
        let told = Told(Rc::clone(&kept));
        async move {
            let _told = told;
            lifespan.receive().await;
            lifespan.startup_complete()?;
            pending().await
        }
    });
    run(app, async |running| {
        quiet().await;
        assert!(!dropped.get());
        running.server.abort();
        quiet().await;
        assert!(dropped.get());
    });
}

#[test]
fn server_that_is_told_to_stop_while_the_application_starts_stops() {
    let app = with_lifespan(hello, |mut lifespan: Lifespan| async move {
        lifespan.receive().await;
        pending().await
    });
    run(app, async |running| {
        quiet().await;
        assert_eq!(running.stop().await.unwrap(), 0);
    });
}

#[test]
fn lifespan_that_panics_in_its_call_is_a_startup_that_failed() {
    fn lifespan(lifespan: Lifespan) -> std::future::Ready<Result> {
        drop(lifespan);
        panic!("this lifespan panics in its call")
    }
    run(with_lifespan(hello, lifespan), async |running| {
        quiet().await;
        let error = running.stop().await.unwrap_err().to_string();
        assert!(error.starts_with("the application failed to start: "), "{error}");
    });
}

#[test]
fn lifespan_stands_in_for_the_one_that_the_application_has() {
    let story = Story::default();
    let (inner, outer) = (story.clone(), story.clone());
    let app = with_lifespan(hello, move |_| {
        inner.tell("inner");
        std::future::ready(Ok(()))
    });
    let app = with_lifespan(app, move |_| {
        outer.tell("outer");
        std::future::ready(Ok(()))
    });
    run(app, async |running| assert_eq!(running.stop().await.unwrap(), 0));
    assert_eq!(story.told(), ["outer"]);
}
