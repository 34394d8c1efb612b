//! The access log, and what else a server says: a logger belongs to a whole process, so these have one to themselves.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use evloop::http::access_log::{AccessLog, TARGET};
use evloop::http::asgi::{self, Inbound, NO_FIELDS, Receive, Scope, Send};
use evloop::http::limits::Limits;
use evloop::http::server::{HalfClose, Server};
use evloop::http::testing::{Network, TestClient, drive_with};
use evloop::http::{Request, Response, Router, StatusCode};
use evloop::time::sleep;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::cell::{Cell, RefCell};
use std::sync::Once;
use std::time::Duration;

thread_local! {
    /// A loop and its test are on one thread, and so is what they log.
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    static LEVEL: Cell<LevelFilter> = const { Cell::new(LevelFilter::Info) };
    /// How often a line was made, or anybody asked whether one would be taken.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

struct Capture;

impl Log for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        ASKED.set(ASKED.get() + usize::from(metadata.target() == TARGET));
        metadata.level() <= LEVEL.get()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let name = if record.target() == TARGET { "" } else { "server: " };
            LINES.with_borrow_mut(|lines| lines.push((record.level(), format!("{name}{}", record.args()))));
        }
    }

    fn flush(&self) {}
}

/// What was logged since the last time, as bad as that or worse. The date of a line is not the test's: it is `DATE`.
fn logged(level: Level) -> Vec<String> {
    let lines = LINES.take().into_iter().filter(|(of, _)| *of <= level);
    lines.map(|(_, line)| without_date(&line)).collect()
}

fn without_date(line: &str) -> String {
    for (begin, end) in [("[", "] \""), ("\"time\":\"", "\"")] {
        if let Some((before, rest)) = line.split_once(begin)
            && let Some((date, after)) = rest.split_once(end)
        {
            assert!(date.contains(':') && date.contains("20"), "{date} is no date");
            return format!("{before}{begin}DATE{end}{after}");
        }
    }
    line.to_owned()
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn app() -> Router {
    Router::new()
        .get("/", |_: Request| async { "Hello" })
        .get("/sleep", |_: Request| async {
            sleep(ms(1_500)).await;
            "slept"
        })
        .get("/panic", |_: Request| async { panics() })
        .get("/empty", |_: Request| async { StatusCode::NO_CONTENT })
        .post("/echo", |request: Request| async { Response::stream(request.into_body()) })
        .post("/count", |mut request: Request| async move {
            request.bytes(8).await.map(|bytes| format!("{} bytes", bytes.len()))
        })
}

fn panics() -> Response {
    panic!("this handler panics whenever it is called")
}

/// Runs a test of a server that logs.
fn log_of(log: AccessLog, level: LevelFilter, test: impl AsyncFnOnce(TestClient)) -> Vec<String> {
    log_with(|server| server.access_log(log), level, app(), test);
    logged(Level::Info)
}

fn log_with(
    configure: impl FnOnce(Server<Network>) -> Server<Network>,
    level: LevelFilter,
    app: impl asgi::App,
    test: impl AsyncFnOnce(TestClient),
) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Capture).expect("nobody else logs here");
        log::set_max_level(LevelFilter::Trace);
    });
    LEVEL.set(level);
    LINES.take();
    ASKED.take();
    drive_with(configure, app, test);
}

/// The lines in the common format.
fn common(test: impl AsyncFnOnce(TestClient)) -> Vec<String> {
    log_of(AccessLog::Common, LevelFilter::Info, test)
}

/// Sends all of it and then nothing more, and waits for the end.
async fn talk(client: &TestClient, bytes: impl AsRef<[u8]>) -> String {
    let mut connection = client.connection();
    connection.send(bytes).await;
    connection.finish();
    String::from_utf8(connection.rest().await).unwrap()
}

// --- One line for each answer ----------------------------------------------------------------------------------------

#[test]
fn answers_of_every_kind_have_their_line() {
    let lines = common(async |client| {
        client.get("/?q=1").send().await;
        client.head("/").send().await;
        client.get("/empty").send().await;
        client.get("/nowhere").send().await;
        client.get("/echo").send().await;
        client.get("/").http_1_0().send().await;
        client.get("/sleep").send().await;
    });
    let expected = [
        "- - - [DATE] \"GET /?q=1 HTTP/1.1\" 200 5 0.000000",
        "- - - [DATE] \"HEAD / HTTP/1.1\" 200 0 0.000000",
        "- - - [DATE] \"GET /empty HTTP/1.1\" 204 0 0.000000",
        "- - - [DATE] \"GET /nowhere HTTP/1.1\" 404 9 0.000000",
        "- - - [DATE] \"GET /echo HTTP/1.1\" 405 18 0.000000",
        "- - - [DATE] \"GET / HTTP/1.0\" 200 5 0.000000",
        "- - - [DATE] \"GET /sleep HTTP/1.1\" 200 5 1.500000",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn bytes_are_those_of_the_body_without_what_frames_it() {
    let lines = common(async |client| {
        let pieces = client.post("/echo").pieces(["one", "two", "three"]).send().await;
        assert_eq!(pieces.text(), "onetwothree");
        client.post("/echo").body(vec![b'x'; 1_000_000]).send().await;
        client.post("/echo").http_1_0().body("abc").send().await;
    });
    let expected = [
        "- - - [DATE] \"POST /echo HTTP/1.1\" 200 11 0.000000",
        "- - - [DATE] \"POST /echo HTTP/1.1\" 200 1000000 0.000000",
        "- - - [DATE] \"POST /echo HTTP/1.0\" 200 3 0.000000",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn json_lines_say_the_same_under_names() {
    let lines = log_of(AccessLog::Json, LevelFilter::Info, async |client| {
        client.get("/sleep").send().await;
        talk(&client, "bad\r\n\r\n").await;
    });
    let parsed: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pid = std::process::id();
    let slept = serde_json::json!({
        "time": "DATE", "pid": pid, "method": "GET", "target": "/sleep", "version": "HTTP/1.1",
        "status": 200, "bytes": 5, "seconds": 1.5,
    });
    let refused = serde_json::json!({ "time": "DATE", "pid": pid, "status": 400, "bytes": 11, "seconds": 0.0 });
    assert_eq!(parsed, [slept, refused]);
}

#[test]
fn pipelined_requests_have_a_line_each_in_their_order() {
    let lines = common(async |client| {
        talk(&client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /sleep HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    });
    let expected = [
        "- - - [DATE] \"GET /1 HTTP/1.1\" 404 9 0.000000",
        "- - - [DATE] \"GET /sleep HTTP/1.1\" 200 5 1.500000",
        "- - - [DATE] \"GET /3 HTTP/1.1\" 404 9 0.000000",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn head_that_was_refused_has_a_line_without_a_request() {
    let limits = Limits { request_line_bytes_max: 40, ..Limits::default() };
    log_with(
        |server| server.access_log(AccessLog::Common).limits(limits),
        LevelFilter::Info,
        app(),
        async |client| {
            talk(&client, "GET / HTTP/1.1\r\n\r\n").await;
            talk(&client, format!("GET /{} HTTP/1.1\r\n", "x".repeat(100))).await;
            talk(&client, "GET / HTTP/1.1\r\nHost: a\r\n\r\nbad\r\n\r\n").await;
        },
    );
    let expected = [
        "- - - [DATE] \"-\" 400 11 0.000000",
        "- - - [DATE] \"-\" 414 12 0.000000",
        "- - - [DATE] \"GET / HTTP/1.1\" 200 5 0.000000",
        "- - - [DATE] \"-\" 400 11 0.000000",
    ];
    assert_eq!(logged(Level::Info), expected);
}

#[test]
fn client_that_was_too_slow_has_its_408_and_one_that_said_nothing_has_none() {
    let lines = common(async |client| {
        client.connection().rest().await;
        let mut head = client.connection();
        head.send("GET / HT").await;
        head.rest().await;
        let mut body = client.connection();
        body.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc").await;
        body.rest().await;
        let mut pause = client.connection();
        pause.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        pause.rest().await;
    });
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "- - - [DATE] \"-\" 408 15 0.000000");
    assert!(lines[1].starts_with("- - - [DATE] \"POST /count HTTP/1.1\" 408 15 20.0"), "{}", lines[1]);
    assert_eq!(lines[2], "- - - [DATE] \"GET / HTTP/1.1\" 200 5 0.000000");
}

#[test]
fn request_that_was_turned_away_has_its_503() {
    log_with(
        |server| server.access_log(AccessLog::Common).concurrency_max(1),
        LevelFilter::Info,
        app(),
        async |client| {
            let mut busy = client.connection();
            busy.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
            sleep(ms(500)).await;
            client.get("/").send().await;
            busy.until("slept").await;
        },
    );
    let expected =
        ["- - - [DATE] \"GET / HTTP/1.1\" 503 19 0.000000", "- - - [DATE] \"GET /sleep HTTP/1.1\" 200 5 1.500000"];
    assert_eq!(logged(Level::Info), expected);
}

#[test]
fn handler_that_panics_has_its_500() {
    let lines = common(async |client| {
        client.get("/panic").send().await;
    });
    let access: Vec<_> = lines.iter().filter(|line| !line.starts_with("server: ")).collect();
    assert_eq!(access, ["- - - [DATE] \"GET /panic HTTP/1.1\" 500 21 0.000000"]);
}

/// Gives one piece, and then does what its path says.
async fn begins(scope: Scope, mut receive: Receive, mut send: Send) -> asgi::Result {
    if scope.path() == "/waits" {
        sleep(ms(60_000)).await;
    }
    send.response_start(200, NO_FIELDS).await?;
    send.response_piece("begun").await?;
    match &*scope.path() {
        "/alone" => receive.finish_alone(true),
        "/fills" => loop {
            send.response_piece(vec![b'x'; 100_000]).await?;
        },
        "/reads" => while receive.piece().await?.is_some() {},
        "/fails" => return Err(evloop::http::error::Error::application("the oven is cold")),
        "/panics" => panic!("this application panics in the middle of its answer"),
        _ => {}
    }
    sleep(ms(60_000)).await;
    send.response_end()
}

/// Begins a request over a connection that is then given to the test.
async fn broken_after(client: &TestClient, path: &str, wait: Duration) {
    let mut connection = client.connection();
    connection.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")).await;
    sleep(wait).await;
    connection.reset();
    sleep(ms(1)).await;
}

fn common_of_begins(half_close: HalfClose, test: impl AsyncFnOnce(TestClient)) {
    let configure = |server: Server<Network>| server.access_log(AccessLog::Common).half_close(half_close);
    log_with(configure, LevelFilter::Debug, begins, test);
}

#[test]
fn answer_that_was_cut_has_a_line_with_what_there_was_of_it() {
    common_of_begins(HalfClose::Answer, async |client| {
        for path in ["/fails", "/panics"] {
            talk(&client, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        }
        broken_after(&client, "/breaks", ms(1_000)).await;
        broken_after(&client, "/alone", ms(2_000)).await;
        let mut reader = client.network().connect(10);
        reader.send("GET /fills HTTP/1.1\r\nHost: a\r\n\r\n").await;
        sleep(ms(30_000)).await; // and takes nothing
    });
    let lines = logged(Level::Info).into_iter().filter(|line| !line.starts_with("server: ")).collect::<Vec<_>>();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(lines[0], "- - - [DATE] \"GET /fails HTTP/1.1\" 200 5 0.000000");
    assert_eq!(lines[1], "- - - [DATE] \"GET /panics HTTP/1.1\" 200 5 0.000000");
    assert_eq!(lines[2], "- - - [DATE] \"POST /breaks HTTP/1.1\" 200 5 1.000000");
    assert_eq!(lines[3], "- - - [DATE] \"POST /alone HTTP/1.1\" 200 5 2.000000");
    assert!(lines[4].starts_with("- - - [DATE] \"GET /fills HTTP/1.1\" 200 100005 20.0"), "{}", lines[4]);
}

#[test]
fn request_whose_client_went_before_the_answer_has_no_line() {
    common_of_begins(HalfClose::Gone, async |client| {
        broken_after(&client, "/waits", ms(1_000)).await;
        talk(&client, "GET /waits HTTP/1.1\r\nHost: a\r\n\r\n").await;
    });
    let lines = logged(Level::Info);
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn answer_that_a_stop_has_cut_has_a_line() {
    log_with(
        |server| server.access_log(AccessLog::Common).graceful_timeout(ms(1_000)),
        LevelFilter::Info,
        begins,
        async |client| {
            let mut connection = client.connection();
            connection.send("GET /stops HTTP/1.1\r\nHost: a\r\n\r\n").await;
            connection.until("begun\r\n").await;
            assert_eq!(client.stop().await, 1);
        },
    );
    assert_eq!(logged(Level::Info), ["- - - [DATE] \"GET /stops HTTP/1.1\" 200 5 1.000000"]);
}

// --- No line ---------------------------------------------------------------------------------------------------------

#[test]
fn nothing_is_made_when_nobody_wants_it() {
    let requests = async |client: TestClient| {
        client.get("/").send().await;
        client.get("/sleep").send().await;
        talk(&client, "bad\r\n\r\n").await;
    };
    assert_eq!(log_of(AccessLog::Off, LevelFilter::Info, requests), [""; 0]);
    assert_eq!(ASKED.get(), 0, "not even the question, when it is off");
    for log in [AccessLog::Common, AccessLog::Json] {
        assert_eq!(log_of(log, LevelFilter::Warn, requests), [""; 0]);
        assert_eq!(log_of(log, LevelFilter::Info, requests).len(), 3);
    }
}

// --- What is no line of a request ------------------------------------------------------------------------------------

#[test]
fn clients_that_go_or_send_nonsense_do_not_fill_the_log_of_errors() {
    async fn listens(scope: Scope, mut receive: Receive, mut send: Send) -> asgi::Result {
        if scope.path() == "/echo" {
            send.response_start(200, NO_FIELDS).await?;
            while let Some(piece) = receive.piece().await? {
                send.response_piece(piece).await?;
            }
            return send.response_end();
        }
        if scope.path() == "/piece" {
            while receive.piece().await?.is_some() {}
        }
        match receive.event().await {
            Inbound::Disconnect => Ok(()),
            Inbound::Request { .. } => send.response_start(200, NO_FIELDS).await,
        }
    }
    log_with(
        |server| server.access_log(AccessLog::Off),
        LevelFilter::Debug,
        listens,
        async |client| {
            for path in ["/echo", "/piece", "/event"] {
                for body in ["Content-Length: 9\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"] {
                    let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{body}");
                    if path != "/event" || !body.contains("abc") {
                        talk(&client, &request).await; // and ends its side
                    }
                    let mut silent = client.connection();
                    silent.send(&request).await;
                    sleep(ms(30_000)).await;
                    let mut breaks = client.connection();
                    breaks.send(&request).await;
                    sleep(ms(10)).await;
                    breaks.reset();
                }
            }
        },
    );
    assert_eq!(logged(Level::Warn), [""; 0]);
}

#[test]
fn applications_at_fault_are_named_in_the_log_of_errors() {
    async fn fails(scope: Scope, _: Receive, mut send: Send) -> asgi::Result {
        match &*scope.path() {
            "/nothing" => Ok(()),
            "/half" => send.start(StatusCode::OK, Some(10), NO_FIELDS),
            "/oven" => Err(evloop::http::error::Error::application("the oven is cold")),
            _ => {
                send.start(StatusCode::OK, Some(10), NO_FIELDS)?;
                send.response_end()
            }
        }
    }
    log_with(
        |server| server,
        LevelFilter::Warn,
        fails,
        async |client| {
            for path in ["/nothing", "/half", "/oven", "/short"] {
                talk(&client, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
            }
        },
    );
    let expected = [
        "server: the application gave no response on /nothing",
        "server: a response on /half was not completed, and is cut",
        "server: the application failed on /oven: the application failed: the oven is cold",
        "server: the application failed on /short: http.response.body: the body is as long as the head says",
    ];
    assert_eq!(logged(Level::Warn), expected);
}
