//! The client against the real server, and against servers that play a script and break the rules.

use super::{HELD_BYTES_MAX, Network, TEST_TIME_MAX, TestClient, TestHead, drive, drive_with};
use crate::asgi::{Lifespan, NO_FIELDS, Receive, Result, Scope, Send, with_lifespan};
use crate::message::StatusCode;
use crate::router::{BodyStream, Request, Response, Router};
use bytes::Bytes;
use evloop_runtime::future::join;
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::time::{now, sleep, timeout};
use evloop_runtime::{Runtime, spawn};
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

const DATE: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

fn hello() -> Router {
    Router::new().get("/", |_: Request| async { "Hello" })
}

/// Takes the body and answers with the method, the target, the fields and the body, a line each.
async fn show(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
    let mut shown =
        format!("{} {}?{}\n", scope.head().method_str(), scope.raw_path(), scope.head().query().unwrap_or("-"));
    for (name, value) in scope.headers() {
        writeln!(shown, "{name}: {}", value.escape_ascii()).unwrap();
    }
    while let Some(piece) = receive.piece().await? {
        write!(shown, "{}|", piece.escape_ascii()).unwrap();
    }
    send.response_start(200, [("content-type", "text/plain")]).await?;
    send.response_body(shown).await
}

async fn echo(_: Scope, mut receive: Receive, mut send: Send) -> Result {
    send.response_start(200, [("content-type", "application/octet-stream")]).await?;
    while let Some(piece) = receive.piece().await? {
        send.response_piece(piece).await?;
    }
    send.response_end()
}

/// Answers at once, whatever is still to come.
async fn hasty(_: Scope, _: Receive, mut send: Send) -> Result {
    send.respond(StatusCode::OK, b"no matter", NO_FIELDS)
}

/// Endless, or as many bytes as are left, in pieces.
struct Zeros(usize);

impl BodyStream for Zeros {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let size = self.0.min(16 * 1024);
        self.0 -= size;
        Poll::Ready(Ok((size > 0).then(|| Bytes::from(vec![0; size]))))
    }
}

/// A client of a server that gives the same bytes on each connection, whatever it is asked, and then closes it if it is
/// told to.
fn scripted(script: impl AsRef<[u8]> + Clone + 'static, closes: bool) -> TestClient {
    let network = Network::default();
    let listener = network.clone();
    TestClient::start(network, async move |mut stop| {
        let mut kept = Vec::new();
        loop {
            let accepted = poll_fn(|cx| match Pin::new(&mut stop).poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => listener.poll_accept(cx).map(Some),
            });
            let Some(accepted) = accepted.await else { return Ok(kept.len()) };
            let mut end = accepted?;
            end.read(&mut [0; 1_000]).await?;
            end.write_all(script.as_ref()).await?;
            if !closes {
                kept.push(end);
            }
        }
    })
}

/// Runs a test on a loop whose clock moves by hand.
fn run(test: impl Future<Output = ()>) {
    let runtime = Runtime::builder().manual_clock().build().unwrap();
    runtime.block_on(async { timeout(TEST_TIME_MAX, test).await.expect("the test waits in vain") });
}

/// What a test's panic says.
fn panic_of(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("the test is to fail");
    let said = panic.downcast_ref::<String>().cloned();
    said.unwrap_or_else(|| panic.downcast_ref::<&str>().expect("a panic has a text").to_string())
}

#[test]
fn requests_share_a_connection_and_those_under_way_at_once_have_their_own() {
    drive(hello(), async |client| {
        for _ in 0..3 {
            assert_eq!(client.get("/").send().await.text(), "Hello");
        }
        assert_eq!(client.network().accepted(), 1);
        join(client.get("/").send(), client.get("/").send()).await;
        assert_eq!(client.network().accepted(), 2);
        join(client.get("/").send(), client.get("/").send()).await;
        assert_eq!(client.network().accepted(), 2, "both are kept");
    });
}

#[test]
fn connection_that_either_side_ends_is_not_used_again() {
    drive(hello(), async |client| {
        let response = client.get("/").header("connection", "keep-alive, Close").send().await;
        assert_eq!((response.text(), response.header("connection")), ("Hello", Some("close")));
        client.get("/").send().await;
        assert_eq!(client.network().accepted(), 2);
    });
    run(async {
        let client =
            scripted(format!("HTTP/1.1 200 OK\r\n{DATE}connection: close\r\ncontent-length: 0\r\n\r\n"), false);
        client.get("/").send().await;
        client.get("/").send().await;
        assert_eq!(client.network().accepted(), 2, "the server said close");
        let client = scripted(format!("HTTP/1.1 200 OK\r\n{DATE}content-length: 0\r\n\r\n"), true);
        client.get("/").send().await;
        sleep(Duration::from_millis(1)).await;
        client.get("/").send().await;
        assert_eq!(client.network().accepted(), 2, "the server closed it");
    });
}

#[test]
fn request_goes_out_as_it_was_written() {
    drive(show, async |client| {
        let shown = client.get("/").send().await;
        assert_eq!(shown.text(), "GET /?-\nhost: localhost\n");
        let request =
            client.put("/a%20b?x").query("q", "ä/ +&=").query("", "").header("X-B", "1").header("x-b", b"\xff");
        let shown = request.header("Host", "b").body("a\0b").send().await;
        let expected =
            "PUT /a%20b?x&q=%C3%A4%2F%20%2B%26%3D&=\nx-b: 1\nx-b: \\xff\nhost: b\ncontent-length: 3\na\\x00b|";
        assert_eq!(shown.text(), expected);
        let shown = client.request("BREW", "/pot").text("now").send().await;
        assert!(shown.text().starts_with("BREW /pot?-\n") && shown.text().contains("text/plain"), "{}", shown.text());
        assert!(client.patch("/").send().await.text().ends_with("content-length: 0\n"));
        assert!(client.delete("/").send().await.text().ends_with("host: localhost\n"));
    });
}

#[test]
fn request_that_cannot_be_sent_is_refused_before_it_is() {
    drive(show, async |client| {
        let requests = [
            (client.request("GE T", "/"), "not a method: \"GE T\""),
            (client.request("", "/"), "not a method: \"\""),
            (client.get("/a b"), "not a target: \"/a b\""),
            (client.get(""), "not a target: \"\""),
            (client.get("/\r\n"), "not a target: \"/\\r\\n\""),
            (client.get("/").header("a b", ""), "not a field: \"a b\": \"\""),
            (client.get("/").header("a", "b\r\nc: d"), "not a field: \"a\": \"b\\r\\nc: d\""),
            (client.get("/").header("Content-Length", "1"), "Content-Length is the client's to write"),
            (client.post("/").http_1_0().pieces(["a"]), "http/1.0 has neither chunks nor expectations"),
            (client.post("/").http_1_0().body("a").expect_continue(), "http/1.0 has neither chunks nor expectations"),
            (client.get("/").expect_continue(), "without a body there is nothing to be told to go on with"),
        ];
        for (request, told) in requests {
            let error = request.try_send().await.unwrap_err();
            assert_eq!(error.to_string(), told);
            assert!(error.is_request());
        }
        assert_eq!(client.network().accepted(), 0);
    });
}

#[test]
fn body_is_sent_and_its_echo_read_at_once() {
    const BODY_BYTES: usize = 1_000_000;
    drive(echo, async |client| {
        let response = client.post("/").body(vec![0; BODY_BYTES]).send().await;
        assert_eq!(response.bytes().len(), BODY_BYTES);
        let response = client.post("/").stream(Zeros(BODY_BYTES)).send().await;
        assert_eq!(response.bytes().len(), BODY_BYTES);
        assert_eq!(client.network().accepted(), 1);
    });
}

#[test]
fn body_that_is_not_as_it_said_fails_the_request() {
    struct Says(u64, Zeros);
    impl BodyStream for Says {
        fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
            Pin::new(&mut self.1).poll_piece(cx)
        }
        fn bytes_left(&self) -> Option<u64> {
            Some(self.0)
        }
    }
    drive(show, async |client| {
        assert!(client.post("/").stream(Says(3, Zeros(3))).send().await.text().contains("content-length: 3\n"));
        for real in [2, 4] {
            let error = client.post("/").stream(Says(3, Zeros(real))).try_send().await.unwrap_err();
            assert_eq!(error.to_string(), "the body to be sent is not as long as it said");
        }
    });
}

#[test]
fn body_that_is_asked_for_first_is_sent_when_the_server_says_so() {
    drive(show, async |client| {
        for request in [client.post("/").body("abc"), client.post("/").pieces(["abc"])] {
            let response = request.expect_continue().send().await;
            let interim: Vec<_> = response.interim().iter().map(TestHead::status).collect();
            assert_eq!(interim, [StatusCode::CONTINUE]);
            assert!(response.text().ends_with("\nexpect: 100-continue\nabc|"), "{}", response.text());
        }
        assert_eq!(client.network().accepted(), 1);
    });
    drive(hasty, async |client| {
        let response = client.post("/").body("abc").expect_continue().send().await;
        assert_eq!((response.text(), response.interim().len()), ("no matter", 0));
        client.get("/").send().await;
        assert_eq!(client.network().accepted(), 2, "a connection on which a body was announced and not sent");
    });
}

#[test]
fn response_that_comes_before_the_request_is_sent_ends_the_sending() {
    drive(hasty, async |client| {
        let response = client.post("/").stream(Zeros(usize::MAX)).send().await;
        assert_eq!(response.text(), "no matter");
    });
}

#[test]
fn client_of_http_1_0_reads_to_the_end_and_keeps_the_connection_if_it_asks_to() {
    drive(echo, async |client| {
        let response = client.post("/").http_1_0().body("abc").send().await;
        assert_eq!((response.text(), response.header("transfer-encoding")), ("abc", None));
    });
    drive(hello(), async |client| {
        for _ in 0..3 {
            client.get("/").http_1_0().header("connection", "keep-alive").send().await;
        }
        assert_eq!(client.network().accepted(), 1);
        for _ in 0..3 {
            client.get("/").http_1_0().send().await;
        }
        assert_eq!(client.network().accepted(), 3, "the first of them found one that was kept");
    });
}

#[test]
fn response_to_head_has_fields_and_no_body() {
    drive(hello(), async |client| {
        let response = client.head("/").send().await;
        assert_eq!((response.header("content-length"), response.text()), (Some("5"), ""));
        assert_eq!(client.get("/").send().await.text(), "Hello");
        assert_eq!(client.network().accepted(), 1);
    });
}

#[test]
fn panic_of_the_application_is_a_500_and_a_new_connection() {
    let app =
        hello().get("/panic", |_: Request| async { panic!("this handler panics whenever it is called") as Response });
    drive(app, async |client| {
        assert_eq!(client.get("/panic").send().await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(client.get("/").send().await.text(), "Hello");
    });
}

#[test]
fn response_that_is_cut_gives_what_came_and_then_an_error() {
    async fn fails(_: Scope, _: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, None, NO_FIELDS)?;
        send.response_piece("abc").await?;
        panic!("this application panics in the midst of its response")
    }
    drive(fails, async |client| {
        let mut response = client.get("/").send_streaming().await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.try_piece().await.unwrap().unwrap(), "abc");
        let error = response.try_piece().await.unwrap_err();
        assert_eq!(error.to_string(), "the connection ended before the last chunk");
        assert_eq!(response.try_piece().await, Ok(None), "it was told already");
        assert!(client.get("/").try_send().await.unwrap_err().is_cut());
    });
}

#[test]
fn interim_responses_and_trailers_are_shown() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let chunks = "transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n";
    run(async {
        let client = scripted(format!("{interim}HTTP/1.1 200 OK\r\n{DATE}{chunks}"), false);
        let response = client.get("/").header("connection", "close").send().await;
        assert_eq!(response.interim()[0].header("link"), Some("</a>"));
        assert_eq!((response.text(), response.trailers().get_str("x-sum")), ("a", Some("1")));
        let mut response = client.get("/").header("connection", "close").send_streaming().await;
        assert_eq!(response.interim().len(), 1);
        assert!(response.trailers().is_empty(), "they come with the end");
        while response.piece().await.is_some() {}
        assert_eq!(response.trailers().get_str("x-sum"), Some("1"));
    });
}

#[test]
fn bytes_that_belong_to_no_response_are_an_error() {
    let response = format!("HTTP/1.1 200 OK\r\n{DATE}content-length: 1\r\n\r\nab");
    run(async {
        let client = scripted(response, false);
        let error = client.get("/").try_send().await.unwrap_err();
        assert_eq!(error.to_string(), "1 bytes that belong to no response: \"b\"");
        assert!(error.is_malformed());
    });
}

/// A client of a server that answers one request, and later says something more.
fn chatty() -> TestClient {
    let network = Network::default();
    let listener = network.clone();
    TestClient::start(network, async move |stop| {
        let mut end = poll_fn(|cx| listener.poll_accept(cx)).await?;
        end.read(&mut [0; 1_000]).await?;
        end.write_all(format!("HTTP/1.1 200 OK\r\n{DATE}content-length: 0\r\n\r\n").as_bytes()).await?;
        sleep(Duration::from_millis(1)).await;
        end.write_all(b"more").await?;
        stop.await;
        Ok(0)
    })
}

#[test]
fn bytes_that_come_between_two_requests_fail_the_next_or_the_stop() {
    const TOLD: &str = "4 bytes that belong to no response";
    run(async {
        let client = chatty();
        client.get("/").send().await;
        sleep(Duration::from_millis(2)).await;
        assert_eq!(client.get("/").try_send().await.unwrap_err().to_string(), TOLD);

        let client = chatty();
        client.get("/").send().await;
        sleep(Duration::from_millis(2)).await;
        let stop = spawn(async move { client.stop().await });
        assert_eq!(stop.await.unwrap_err().panic_message(), Some(TOLD));
    });
}

#[test]
fn response_is_held_up_to_its_bound_and_may_be_streamed_past_it() {
    let app = Router::new().get("/{bytes}", |request: Request| {
        let bytes = request.param("bytes").parse().ok().unwrap_or(0);
        async move { Response::stream(Zeros(bytes)) }
    });
    drive(app, async |client| {
        assert_eq!(client.get(&format!("/{HELD_BYTES_MAX}")).send().await.bytes().len(), HELD_BYTES_MAX);
        let past = format!("/{}", HELD_BYTES_MAX + 1);
        assert!(client.get(&past).try_send().await.unwrap_err().is_too_long());
        let (mut response, mut read) = (client.get(&past).send_streaming().await, 0);
        while let Some(piece) = response.piece().await {
            read += piece.len();
        }
        assert_eq!(read, HELD_BYTES_MAX + 1);
    });
}

#[test]
fn response_that_is_dropped_ends_its_handler() {
    /// Tells that it was dropped.
    struct Told(Rc<Cell<bool>>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let told = Rc::clone(&dropped);
    let app = move |_: Scope, _: Receive, mut send: Send| {
        let told = Told(Rc::clone(&told));
        async move {
            let _told = told;
            send.start(StatusCode::OK, None, NO_FIELDS)?;
            loop {
                send.response_piece("again").await?;
                sleep(Duration::from_secs(1)).await;
            }
        }
    };
    drive(app, async |client| {
        let mut response = client.get("/").send_streaming().await;
        assert_eq!(response.piece().await.unwrap(), "again");
        assert!(!dropped.get());
        drop(response);
        sleep(Duration::from_secs(2)).await;
        assert!(dropped.get());
    });
}

#[test]
fn sleeps_pass_in_their_order_and_by_the_tests_clock_only() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let app = Router::new().get("/{hours}", |request: Request| {
        let hours: u64 = request.param("hours").parse().ok().unwrap_or(0);
        async move {
            sleep(Duration::from_secs(hours * 3_600)).await;
            "slept"
        }
    });
    drive(app, async |client| {
        let before = now();
        let tasks = [3, 1, 2].map(|hours| {
            let (client, order) = (client.clone(), Rc::clone(&order));
            spawn(async move {
                client.get(&format!("/{hours}")).send().await;
                order.borrow_mut().push(hours);
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), [1, 2, 3]);
        assert_eq!(now() - before, Duration::from_secs(3 * 3_600));
    });
}

#[test]
fn test_that_waits_for_nothing_fails_and_does_not_hang() {
    let said = panic_of(|| drive(hello(), async |_| pending().await));
    assert!(said.starts_with("the test waits for something that never comes"), "{said}");
    let app = Router::new().get("/", |_: Request| pending::<&str>());
    let said = panic_of(|| drive(app, async |client| drop(client.get("/").send().await)));
    assert!(said.starts_with("the test waits for something that never comes"), "{said}");
    drive(hello(), async |_| sleep(TEST_TIME_MAX.checked_sub(Duration::from_millis(1)).unwrap()).await);
}

#[test]
fn panic_of_a_request_says_which_and_where_it_was_sent() {
    let said = panic_of(|| drive(hello(), async |client| drop(client.get("/a b").send().await)));
    let line = line!() - 1;
    assert!(said.starts_with("GET /a b, sent at "), "{said}");
    assert!(said.contains(&format!("tests.rs:{line}:")) && said.ends_with(": not a target: \"/a b\""), "{said}");
}

#[test]
fn stop_finishes_what_has_begun_and_ends_the_client() {
    let app = Router::new().get("/", |_: Request| async {
        sleep(Duration::from_secs(1)).await;
        "slept"
    });
    drive_with(
        |server| server.graceful_timeout(Duration::from_secs(5)),
        app,
        async |client| {
            let task = spawn(client.get("/").send());
            sleep(Duration::from_millis(1)).await;
            assert_eq!(client.stop().await, 0);
            assert_eq!(task.await.unwrap().text(), "slept");
            let error = client.get("/").try_send().await.unwrap_err();
            assert_eq!(error.to_string(), "the server was stopped");
            assert_eq!(client.stop().await, 0, "again");
        },
    );
}

#[test]
fn server_that_ends_by_itself_leaves_nobody_waiting() {
    async fn fails(mut lifespan: Lifespan) -> Result {
        lifespan.receive().await;
        lifespan.startup_failed("no database")
    }
    run(async {
        let client = TestClient::new(with_lifespan(show, fails));
        for _ in 0..2 {
            let error = client.get("/").try_send().await.unwrap_err();
            assert_eq!(error.to_string(), "the connection ended before the response began");
        }
        let stop = spawn(async move { client.stop().await });
        let error = stop.await.unwrap_err();
        let said = error.panic_message().unwrap();
        assert!(said.starts_with("the server failed: ") && said.contains("no database"), "{said}");
    });
}

#[test]
fn server_of_a_client_that_is_dropped_stops() {
    let runtime = Runtime::builder().manual_clock().build().unwrap();
    runtime.block_on(async {
        let client = TestClient::new(hello());
        client.get("/").send().await;
        drop(client);
        sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(runtime.tasks().len(), 0, "tasks are left");
}

#[test]
fn what_the_test_gives_is_given() {
    assert_eq!(drive(hello(), async |client| client.get("/").send().await.status()), StatusCode::OK);
}
