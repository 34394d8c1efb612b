//! The log and the time-out, and all three around each other, by the real server and a clock that moves by hand.

use super::{CLIENT_GONE, RequestLog, Timeout};
use crate::access_log::{AccessLog, TARGET};
use crate::asgi::{App, Lifespan, LifespanEvent, NO_FIELDS, Receive, Result, Scope, Send, with_lifespan};
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use crate::router::{Request, Router};
use crate::testing::{TestClient, drive, logs};
use evloop_runtime::spawn;
use evloop_runtime::time::{now, sleep};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Serves an application, and gives the lines that were logged.
fn lines_of<A: App>(app: A, test: impl AsyncFnOnce(TestClient)) -> Vec<String> {
    let lines = logs::logged(|| drive(app, test)).into_iter();
    lines.filter(|line| line.target == TARGET).map(|line| line.text).collect()
}

/// Serves an application under the log, and gives its lines without what goes before the request line.
fn logged<A: App>(app: A, test: impl AsyncFnOnce(TestClient)) -> Vec<String> {
    let lines = lines_of(RequestLog::new(app, AccessLog::Common), test);
    lines.iter().map(|line| line.split_once("] ").expect("there is a date").1.to_owned()).collect()
}

/// As the path says.
async fn various(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
    match &*scope.path() {
        "/whole" => {
            sleep(Duration::from_millis(1_500)).await;
            send.respond(StatusCode::NOT_FOUND, b"nothing", NO_FIELDS)
        }
        "/fails" => Err(Error::application("the oven is cold")),
        "/too-large" => Err(Error::new(Kind::BodyTooLong)),
        "/gone" => Err(Error::new(Kind::Gone)),
        "/nothing" => Ok(()),
        "/panics" => panic!("this application panics"),
        "/waits" => pending().await,
        path => {
            send.response_start(200, NO_FIELDS).await?;
            send.response_piece("half").await?;
            match path {
                "/half-fails" => Err(Error::application("the oven is cold")),
                "/half-panics" => {
                    sleep(seconds(1)).await;
                    panic!("this application panics")
                }
                "/half-waits" => pending().await,
                _ => {
                    receive.disconnect().await;
                    pending().await
                }
            }
        }
    }
}

/// Sends a request, and goes away without having read an answer.
async fn goes_away(client: &TestClient, path: &str) {
    let mut connection = client.connection();
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    sleep(seconds(1)).await;
    connection.reset();
    sleep(seconds(1)).await;
}

#[test]
fn line_has_what_was_answered_and_how_long_it_took() {
    let lines = logged(various, async |client| {
        client.get("/whole?a").send().await;
        client.head("/whole").send().await;
    });
    assert_eq!(lines, ["\"GET /whole?a HTTP/1.1\" 404 7 1.500000", "\"HEAD /whole HTTP/1.1\" 404 0 1.500000"]);
}

#[test]
fn line_is_in_the_form_that_was_asked_for() {
    async fn test(client: TestClient) {
        client.get("/whole").send().await;
    }
    let lines = lines_of(RequestLog::new(various, AccessLog::Json), test);
    assert!(lines[0].ends_with("\"status\":404,\"bytes\":7,\"seconds\":1.500000}"), "{lines:?}");
    assert_eq!(lines_of(RequestLog::new(various, AccessLog::Off), test), [""; 0]);
}

#[test]
fn call_without_a_response_is_logged_with_the_status_that_the_server_answers() {
    let lines = logged(various, async |client| {
        for (path, status) in [("/fails", 500), ("/too-large", 413), ("/nothing", 500), ("/panics", 500)] {
            assert_eq!(client.get(path).send().await.status().as_u16(), status, "{path}");
        }
        client.get("/gone").send().await;
    });
    let expected = [("/fails", 500), ("/too-large", 413), ("/nothing", 500), ("/panics", 500), ("/gone", 499)];
    assert_eq!(lines, expected.map(|(path, status)| format!("\"GET {path} HTTP/1.1\" {status} 0 0.000000")));
}

#[test]
fn call_that_panics_before_it_gives_a_future_is_logged() {
    let app = |scope: Scope, _: Receive, _: Send| {
        assert!(scope.path() != "/", "this application panics in its call");
        std::future::ready(Ok(()))
    };
    let lines = logged(app, async |client| {
        client.get("/").send().await;
    });
    assert_eq!(lines, ["\"GET / HTTP/1.1\" 500 0 0.000000"]);
}

#[test]
fn response_that_is_cut_is_logged_with_what_was_sent_of_it() {
    let lines = logged(various, async |client| {
        client.get("/half-fails").try_send().await.unwrap_err();
        client.get("/half-panics").try_send().await.unwrap_err();
    });
    assert_eq!(lines, ["\"GET /half-fails HTTP/1.1\" 200 4 0.000000", "\"GET /half-panics HTTP/1.1\" 200 4 1.000000"]);
}

#[test]
fn client_that_goes_away_is_logged() {
    let lines = logged(various, async |client| {
        goes_away(&client, "/waits").await;
        goes_away(&client, "/half-waits").await;
    });
    assert_eq!(lines, ["\"GET /waits HTTP/1.1\" 499 0 1.000000", "\"GET /half-waits HTTP/1.1\" 200 4 1.000000"]);
    assert_eq!(CLIENT_GONE.as_u16(), 499);
}

#[test]
fn response_in_time_is_left_alone() {
    let router = Router::new().get("/", |_: Request| async {
        sleep(seconds(9)).await;
        "in time"
    });
    drive(Timeout::new(router, LIMIT), async |client| {
        assert_eq!(client.get("/").send().await.text(), "in time");
        assert_eq!(client.head("/").send().await.header("content-length"), Some("7"));
        assert_eq!(client.network().accepted(), 1);
    });
}

#[test]
fn response_that_is_ready_as_the_time_is_up_wins() {
    let router = Router::new().get("/", |_: Request| async {
        sleep(LIMIT).await;
        "just so"
    });
    drive(Timeout::new(router, LIMIT), async |client| assert_eq!(client.get("/").send().await.text(), "just so"));
}

#[test]
fn call_that_is_too_slow_is_dropped_and_answered_with_503() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let seen = Rc::clone(&dropped);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let guard = Dropped(Rc::clone(&dropped));
        async move {
            let _guard = guard;
            send.response_start(200, [("content-type", "text/html")]).await?; // begun, but nothing is written
            pending().await
        }
    };
    drive(Timeout::new(app, LIMIT), async |client| {
        let before = now();
        let response = client.get("/").send().await;
        assert_eq!(now() - before, LIMIT);
        assert_eq!((response.status(), response.text()), (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"));
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
        assert!(seen.get());
        client.get("/").send().await;
        assert_eq!(client.network().accepted(), 1, "the connection is as good as before");
    });
}

#[test]
fn response_that_has_begun_is_cut_when_its_time_is_up() {
    drive(Timeout::new(various, LIMIT), async |client| {
        let before = now();
        let mut response = client.get("/half-waits").send_streaming().await;
        assert_eq!(response.piece().await.unwrap(), "half");
        response.try_piece().await.unwrap_err();
        assert_eq!(now() - before, LIMIT);
        assert_eq!(client.get("/whole").send().await.text(), "nothing");
    });
}

#[test]
fn time_counts_while_the_client_is_slow() {
    let router = Router::new().post("/", |mut request: Request| async move {
        request.bytes(100).await.map(|body| format!("{} bytes", body.len()))
    });
    drive(Timeout::new(router, seconds(2)), async |client| {
        let mut connection = client.connection();
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na").await;
        sleep(seconds(1)).await;
        connection.send("b").await;
        sleep(seconds(2)).await;
        assert!(connection.until("\r\n\r\n").await.starts_with("HTTP/1.1 503 "));
    });
}

#[test]
fn call_may_go_on_when_its_response_is_over() {
    let done = Rc::new(Cell::new(false));
    let seen = Rc::clone(&done);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let done = Rc::clone(&done);
        async move {
            send.respond(StatusCode::OK, b"first of all", NO_FIELDS)?;
            sleep(LIMIT * 3).await;
            done.set(true);
            Ok(())
        }
    };
    drive(Timeout::new(app, LIMIT), async |client| {
        assert_eq!(client.get("/").send().await.text(), "first of all");
        sleep(LIMIT * 2).await;
        assert!(!seen.get());
        sleep(LIMIT * 2).await;
        assert!(seen.get());
    });
}

#[test]
fn call_may_answer_while_it_is_dropped() {
    struct LastWords(Send);
    impl Drop for LastWords {
        fn drop(&mut self) {
            self.0.respond(StatusCode::OK, b"adieu", NO_FIELDS).unwrap();
        }
    }
    async fn app(_: Scope, _: Receive, send: Send) -> Result {
        let _last_words = LastWords(send);
        pending().await
    }
    let outcome = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&outcome);
    let app = Timeout::new(app, LIMIT);
    let watched = move |scope: Scope, receive: Receive, send: Send| {
        let (call, outcome) = (app.call(scope, receive, send), Rc::clone(&outcome));
        async move {
            outcome.replace(Some(call.await));
            Ok(())
        }
    };
    drive(watched, async |client| assert_eq!(client.get("/").send().await.text(), "adieu"));
    assert_eq!(seen.take(), Some(Ok(())), "nothing is wrong with it");
}

#[test]
fn task_that_the_call_awaits_runs_on() {
    let done = Rc::new(Cell::new(false));
    let seen = Rc::clone(&done);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let done = Rc::clone(&done);
        let task = spawn(async move {
            sleep(LIMIT * 2).await;
            done.set(true);
            send.respond(StatusCode::OK, b"too late", NO_FIELDS)
        });
        async move {
            let told = task.await.expect("the task does not panic");
            assert!(told.is_err(), "there is a response already");
            told
        }
    };
    drive(Timeout::new(app, LIMIT), async |client| {
        assert_eq!(client.get("/").send().await.status(), StatusCode::SERVICE_UNAVAILABLE);
        sleep(LIMIT * 2).await;
        assert!(seen.get());
    });
}

#[test]
fn panic_inside_is_what_it_is_without() {
    drive(Timeout::new(various, LIMIT), async |client| {
        assert_eq!(client.get("/panics").send().await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        client.get("/half-panics").try_send().await.unwrap_err();
    });
}

#[test]
fn lifespan_reaches_the_application_inside() {
    async fn lifespan(mut lifespan: Lifespan) -> Result {
        assert_eq!(lifespan.receive().await, LifespanEvent::Startup);
        lifespan.insert("from the lifespan");
        lifespan.startup_complete()
    }
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        let kept = scope.state().get::<&str>().copied().unwrap_or("nothing");
        send.respond(StatusCode::OK, kept.as_bytes(), NO_FIELDS)
    }
    let app = Timeout::new(with_lifespan(app, lifespan), LIMIT);
    #[cfg(feature = "compression")]
    let app = super::Compression::new(app);
    let app = RequestLog::new(app, AccessLog::Off);
    drive(app, async |client| assert_eq!(client.get("/").send().await.text(), "from the lifespan"));
}

#[cfg(feature = "compression")]
#[test]
fn all_three_work_around_each_other_in_any_order() {
    use super::Compression;

    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        send.response_start(200, [("content-type", "text/plain")]).await?;
        if scope.path() == "/slow" {
            sleep(LIMIT * 2).await;
        }
        send.response_piece("Hello ".repeat(1_000)).await?;
        assert!(scope.path() != "/panics", "this application panics");
        if scope.path() == "/stalls" {
            sleep(LIMIT * 2).await;
        }
        send.response_end()
    }
    async fn test(client: TestClient) {
        let get = |path| client.get(path).header("accept-encoding", "gzip");
        let response = get("/").send().await;
        assert_eq!(response.header("content-encoding"), Some("gzip"));
        assert!(response.bytes().len() < 100);
        let response = get("/slow").send().await;
        assert_eq!((response.status(), response.text()), (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"));
        get("/stalls").try_send().await.unwrap_err();
        get("/panics").try_send().await.unwrap_err();
    }
    let one = logged(Timeout::new(Compression::new(app), LIMIT), test);
    let other = logged(Compression::new(Timeout::new(app, LIMIT)), test);
    assert_eq!(one, other);
    let words: Vec<&str> = one.iter().flat_map(|line| line.split(' ').skip(3)).collect();
    assert_eq!([words[0], words[3], words[4], words[5], words[6]], ["200", "503", "19", "10.000000", "200"], "{one:?}");
    assert_eq!(one.len(), 4);
}
