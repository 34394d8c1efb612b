//! Handlers on the pool, with a loop of their own.

use super::{exchange, handles, plain, written};
use crate::asgi::{self, App, Exchange};
use crate::message::{Method, StatusCode};
use crate::router::{BlockingRequest, IntoResponse, Request, Response, Router};
use evloop_runtime::future::yield_now;
use evloop_runtime::{JoinHandle, Runtime, spawn};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

fn on_a_loop(test: impl AsyncFnOnce()) {
    let runtime = Runtime::builder().manual_clock().build().expect("there are descriptors for a loop");
    runtime.block_on(test());
}

/// Calls an application in a task, as a connection does: dropping the handle's task is the client's going away.
fn begin(app: &Router, request: &str) -> (Rc<Exchange>, JoinHandle<asgi::Result>) {
    let exchange = exchange(request);
    let (scope, receive, send) = handles(&exchange);
    let task = spawn(app.call(scope, receive, send));
    (exchange, task)
}

async fn answer(app: &Router, request: &str) -> String {
    let (exchange, task) = begin(app, request);
    assert_eq!(task.await.expect("the router does not panic"), Ok(()));
    written(&exchange)
}

/// A handler that notes its number, and waits for a letter to end.
fn gated() -> (Router, Receiver<String>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (open, opened) = channel::<()>();
    let (begun, opened) = (Mutex::new(begun), Arc::new(Mutex::new(opened)));
    let handler = move |request: BlockingRequest| {
        begun.lock().unwrap().send(request.param("number").to_owned()).unwrap();
        opened.lock().unwrap().recv().unwrap();
        request.param("number").to_owned()
    };
    (Router::new().get_blocking("/{number}", handler), has_begun, open)
}

fn number(number: usize) -> String {
    format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn handler_that_blocks_sees_the_whole_request_on_another_thread() {
    let home = thread::current().id();
    let app = Router::new().post_blocking("/{a}/{*rest}", move |request: BlockingRequest| {
        assert_ne!(thread::current().id(), home);
        let params: Vec<_> = request.params().collect();
        let query: Vec<_> = request.query_pairs().collect();
        format!(
            "{:?} {} {params:?} {query:?} {:?} {:?} {:?} {:?} {:?}",
            request.method(),
            request.path(),
            request.query_param("q"),
            request.header("x-a"),
            request.client(),
            request.body(),
            request.text().as_deref(),
        )
    });
    on_a_loop(async || {
        let request = "POST /%78/y/z?q=1+2 HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 4\r\n\r\nbody";
        let shown = r#"Post /%78/y/z [("a", "x"), ("rest", "y/z")] [("q", "1 2")] Some("1 2") Some("b") None b"body" Ok("body")"#;
        assert_eq!(answer(&app, request).await, plain("200 OK", shown));
    });
}

#[test]
fn form_of_a_handler_that_blocks_needs_its_type() {
    let app = Router::new().post_blocking("/", |request: BlockingRequest| {
        request.form().map(|form| form.get("a").unwrap_or_default().into_owned())
    });
    on_a_loop(async || {
        let post = |field: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{field}Content-Length: 5\r\n\r\na=1+2");
        let form = post("Content-Type: application/x-www-form-urlencoded\r\n");
        assert_eq!(answer(&app, &form).await, plain("200 OK", "1 2"));
        assert!(answer(&app, &post("")).await.starts_with("HTTP/1.1 415 "));
    });
}

#[test]
fn body_for_a_handler_that_blocks_has_a_limit() {
    let length = |request: BlockingRequest| request.body().len().to_string();
    let app = Router::new().route_blocking(Method::Put, "/", length).blocking_body_bytes_max(5);
    on_a_loop(async || {
        let put = |length: usize| {
            format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
        };
        assert_eq!(answer(&app, &put(5)).await, plain("200 OK", "5"));
        assert_eq!(answer(&app, &put(6)).await, plain("413 Content Too Large", "Content Too Large"));
    });
}

#[test]
fn panic_and_stream_of_a_handler_that_blocks_are_a_500() {
    let app = Router::new()
        .get_blocking("/panic", |_: BlockingRequest| panics())
        .get_blocking("/stream", |_: BlockingRequest| Response::pieces(["a"]))
        .get_blocking("/fine", |_: BlockingRequest| (StatusCode::ACCEPTED, [("x-a", "b")], "fine"))
        .blocking_limit(1);
    on_a_loop(async || {
        let failed = plain("500 Internal Server Error", "Internal Server Error");
        for path in ["/panic", "/stream"] {
            assert_eq!(answer(&app, &format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await, failed);
        }
        let fine = answer(&app, "GET /fine HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(fine.starts_with("HTTP/1.1 202 ") && fine.contains("x-a: b\r\n") && fine.ends_with("fine"), "{fine}");
    });
}

fn panics() -> Response {
    panic!("this handler panics whenever it is called")
}

#[test]
fn loop_turns_on_while_a_handler_blocks() {
    let (app, has_begun, open) = gated();
    let app = app.get("/", |_: Request| async { "at once" });
    on_a_loop(async || {
        let (_, blocked) = begin(&app, &number(0));
        yield_now().await;
        assert_eq!(has_begun.recv().unwrap(), "0");
        assert!(answer(&app, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.ends_with("at once"));
        assert!(!blocked.is_finished());
        open.send(()).unwrap();
        assert_eq!(blocked.await.unwrap(), Ok(()));
    });
}

#[test]
fn next_wait_their_turn_in_order() {
    let (app, has_begun, open) = gated();
    let app = app.blocking_limit(2);
    on_a_loop(async || {
        let calls: Vec<_> = (0..5).map(|at| begin(&app, &number(at))).collect();
        yield_now().await;
        let mut begun: Vec<String> = has_begun.iter().take(2).collect();
        begun.sort(); // two threads
        assert_eq!(begun, ["0", "1"]);
        for next in 2..5 {
            assert!(has_begun.try_recv().is_err(), "no more than two at once");
            open.send(()).unwrap();
            // Which of the two has ended is not known, but who comes next.
            while let Err(_none_yet) = has_begun.try_recv().map(|number| assert_eq!(number, next.to_string())) {
                yield_now().await;
            }
        }
        (0..2).for_each(|_| open.send(()).unwrap());
        for (exchange, call) in calls {
            assert_eq!(call.await.unwrap(), Ok(()));
            assert!(written(&exchange).starts_with("HTTP/1.1 200 "));
        }
    });
}

#[test]
fn client_that_goes_away_leaves_the_line() {
    let (app, has_begun, open) = gated();
    let app = app.blocking_limit(1);
    on_a_loop(async || {
        let calls: Vec<_> = (0..4).map(|at| begin(&app, &number(at)).1).collect();
        yield_now().await;
        assert_eq!(has_begun.recv().unwrap(), "0");
        calls[1].abort();
        calls[2].abort();
        yield_now().await;
        open.send(()).unwrap();
        open.send(()).unwrap();
        for (at, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.is_ok(), at == 0 || at == 3);
        }
        assert_eq!(has_begun.try_iter().collect::<Vec<_>>(), ["3"]);
    });
}

#[test]
fn turn_of_a_client_that_has_gone_ends_with_its_handler() {
    let (app, has_begun, open) = gated();
    let app = app.blocking_limit(1);
    on_a_loop(async || {
        let (_, gone) = begin(&app, &number(0));
        yield_now().await;
        assert_eq!(has_begun.recv().unwrap(), "0");
        gone.abort();
        assert!(gone.await.is_err());
        let (_, next) = begin(&app, &number(1));
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(has_begun.try_recv().is_err(), "the thread is still taken");
        open.send(()).unwrap();
        open.send(()).unwrap();
        assert_eq!(next.await.unwrap(), Ok(()));
        assert_eq!(has_begun.recv().unwrap(), "1");
    });
}

#[test]
fn response_is_made_where_it_may_block() {
    struct Report(thread::ThreadId);
    impl IntoResponse for Report {
        fn into_response(self) -> Response {
            Response::text(if thread::current().id() == self.0 { "there" } else { "elsewhere" })
        }
    }
    let app = Router::new().get_blocking("/", |_: BlockingRequest| Report(thread::current().id()));
    on_a_loop(async || {
        assert!(answer(&app, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.ends_with("there"));
    });
}
