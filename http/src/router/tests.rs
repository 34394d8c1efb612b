//! Routes and handlers, with an exchange and no connection around it.

use super::{Body, BodyStream, IntoResponse, Request, Response, Router};
use crate::asgi::{self, App, Exchange, Receive, Scope, Send};
use crate::codec::date::Date;
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{Method, StatusCode};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// An exchange that has received this request, of whose body all has come.
fn exchange(request: &str) -> Rc<Exchange> {
    let mut exchange = Exchange::new(Rc::default());
    let used = exchange.receive_head(request.as_bytes(), &Limits::default(), &Date::at(0));
    let used = used.expect("the request is well formed").expect("the head is whole");
    let body = exchange.receive_body(&request.as_bytes()[used..], true);
    assert_eq!(body, Ok(request.len() - used));
    Rc::new(exchange)
}

fn handles(exchange: &Rc<Exchange>) -> (Scope, Receive, Send) {
    (Scope::new(Rc::clone(exchange)), Receive::new(Rc::clone(exchange)), Send::new(Rc::clone(exchange)))
}

/// Polls once.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn call(app: &impl App, exchange: &Rc<Exchange>) -> Poll<asgi::Result> {
    let (scope, receive, send) = handles(exchange);
    poll(app.call(scope, receive, send))
}

fn written(exchange: &Exchange) -> String {
    let text = exchange.with(|_, out| String::from_utf8_lossy(out).into_owned());
    text.replace("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n", "")
}

/// What an application answers to a request that has come whole.
fn answer(app: &impl App, request: &str) -> String {
    let exchange = exchange(request);
    assert_eq!(call(app, &exchange), Poll::Ready(Ok(())));
    written(&exchange)
}

fn get(app: &impl App, target: &str) -> String {
    answer(app, &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

fn plain(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\r\n{body}")
}

// --- Which handler ---------------------------------------------------------------------------------------------------

fn methods() -> Router {
    Router::new()
        .get("/a", |request: Request| async move { format!("{:?}", request.method()) })
        .put("/a", |_: Request| async { "put" })
        .delete("/b", |_: Request| async { "delete" })
        .post("/b", |_: Request| async { "post" })
        .get("/own", |_: Request| async { "get" })
        .route(Method::Head, "/own", |_: Request| async { "of head's own" })
        .route(Method::Options, "/own", |_: Request| async { StatusCode::NO_CONTENT })
}

#[test]
fn unknown_path_is_not_found() {
    for target in ["/", "/c", "/a/", "/a/b", "//a", "/A", "/%61"] {
        assert_eq!(get(&methods(), target), plain("404 Not Found", "Not Found"), "{target}");
    }
    assert_eq!(get(&Router::new(), "/"), plain("404 Not Found", "Not Found"));
    let asterisk = answer(&methods(), "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(asterisk, plain("404 Not Found", "Not Found"));
}

#[test]
fn other_method_is_not_allowed_and_told_which_are() {
    for (request, allow) in [
        ("POST /a", "GET, PUT, HEAD"),
        ("GET /b", "DELETE, POST"),
        ("HEAD /b", "DELETE, POST"),
        ("X /own", "GET, HEAD, OPTIONS"),
    ] {
        let answer = answer(&methods(), &format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{answer}");
        assert!(answer.contains(&format!("\r\nallow: {allow}\r\n")), "{answer}");
    }
}

#[test]
fn every_method_can_have_a_route() {
    assert!(get(&methods(), "/a?x").ends_with("\r\n\r\nGet"));
    assert!(answer(&methods(), "PUT /a HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("put"));
    assert!(answer(&methods(), "DELETE /b HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("delete"));
    assert!(answer(&methods(), "POST /b HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("post"));
    assert!(answer(&methods(), "OPTIONS /own HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 204 "));
}

#[test]
fn head_goes_to_get_unless_it_has_a_route_of_its_own() {
    let head = answer(&methods(), "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.contains("content-length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let head = answer(&methods(), "HEAD /own HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.contains("content-length: 13\r\n"), "{head}");
}

#[test]
#[should_panic(expected = "GET /{b} has a handler already")]
fn path_that_differs_in_the_name_of_a_parameter_is_the_same() {
    drop(Router::new().get("/{a}", |_: Request| async { "" }).get("/{b}", |_: Request| async { "" }));
}

// --- What a handler sees ---------------------------------------------------------------------------------------------

#[test]
fn parameters_are_named_by_their_own_route() {
    let show = |request: Request| async move {
        format!("{:?} {:?} {:?}", request.param("id"), request.param("post"), request.param("none"))
    };
    let app = Router::new().get("/users/{id}", show).get("/users/{id}/posts/{post}", show).put("/users/{post}", show);
    assert!(get(&app, "/users/7?id=8").ends_with("Some(\"7\") None None"));
    assert!(get(&app, "/users/a%2Fb/posts/x").ends_with("Some(\"a%2Fb\") Some(\"x\") None"));
    let put = answer(&app, "PUT /users/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(put.ends_with("None Some(\"7\") None"), "{put}");
    let absolute = answer(&app, "GET http://a/users/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(absolute.ends_with("Some(\"7\") None None"), "{absolute}");
}

#[test]
fn query_parameters_are_found_by_their_whole_name() {
    let app = Router::new().get("/", |request: Request| async move { format!("{:?}", request.query_param("ms")) });
    for (target, found) in [
        ("/", "None"),
        ("/?", "None"),
        ("/?ms=5", "Some(\"5\")"),
        ("/?x=1&ms=5&ms=6", "Some(\"5\")"),
        ("/?ms", "Some(\"\")"),
        ("/?ms=", "Some(\"\")"),
        ("/?ms=a=b", "Some(\"a=b\")"),
        ("/?xms=5&msx=6", "None"),
        ("/?x=ms=5", "None"),
    ] {
        assert!(get(&app, target).ends_with(&format!("\r\n\r\n{found}")), "{target}");
    }
}

#[test]
fn body_is_given_whole_up_to_the_limit_and_refused_past_it() {
    let app = Router::new().post("/", |mut request: Request| async move { request.bytes(5).await });
    let post = |head: &str| answer(&app, &format!("POST / HTTP/1.1\r\nHost: a\r\n{head}"));
    for (request, body) in [
        ("\r\n", ""),
        ("Content-Length: 0\r\n\r\n", ""),
        ("Content-Length: 5\r\n\r\nabcde", "abcde"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", "abcde"),
    ] {
        let answer = post(request);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    }
    for request in [
        "Content-Length: 6\r\n\r\nabcdef",
        "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n",
    ] {
        assert!(post(request).starts_with("HTTP/1.1 413 "), "{request}");
    }
}

// --- What a handler may give -----------------------------------------------------------------------------------------

fn given(response: impl IntoResponse + 'static) -> String {
    let response = RefCell::new(Some(response));
    let app = Router::new().get("/", move |_: Request| ready(response.take().expect("called once")));
    get(&app, "/")
}

#[test]
fn many_kinds_can_be_a_response() {
    let octets = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(given("text"), plain("200 OK", "text"));
    assert_eq!(given("text".to_owned()), plain("200 OK", "text"));
    assert_eq!(given(Bytes::from_static(b"x")), octets);
    assert_eq!(given(b"x".to_vec()), octets);
    assert_eq!(given(StatusCode::IM_A_TEAPOT), plain("418 I'm a Teapot", "I'm a Teapot"));
    assert_eq!(given(StatusCode::NO_CONTENT), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(given(StatusCode::from_u16(299).unwrap()), plain("299 ", ""));
    assert_eq!(given((StatusCode::CREATED, "text")), plain("201 Created", "text"));
    assert_eq!(given(Ok::<_, StatusCode>("text")), plain("200 OK", "text"));
    assert_eq!(given(Err::<&str, _>(StatusCode::CONFLICT)), plain("409 Conflict", "Conflict"));
    assert_eq!(given(Error::new(Kind::BodyTooLong)), plain("413 Content Too Large", "Content Too Large"));
    assert_eq!(given(Error::new(Kind::Gone)), plain("500 Internal Server Error", "Internal Server Error"));
    assert_eq!(given(Response::default()), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let response =
        Response::html("<p>").with_status(StatusCode::ACCEPTED).with_header("X-A", "b").with_header("x-a", "c");
    let html = "HTTP/1.1 202 Accepted\r\ncontent-type: text/html; charset=utf-8\r\nx-a: b\r\nx-a: c\r\ncontent-length: 3\r\n\r\n<p>";
    assert_eq!(given(response), html);
}

#[test]
fn status_that_forbids_content_has_none() {
    // RFC 9110 section 15.3.6: no content in a 205, though its framing would allow it.
    assert_eq!(given(StatusCode::RESET_CONTENT), "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n");
}

#[test]
fn field_that_cannot_be_written_fails_the_call_and_writes_nothing() {
    for (name, value) in [("x", "a\r\nb: c"), ("x y", "z"), ("", "z"), ("Content-Length", "5"), ("date", "now")] {
        let app = Router::new().get("/", move |_: Request| async move { "".into_response().with_header(name, value) });
        let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let Poll::Ready(Err(error)) = call(&app, &exchange) else { panic!("{name} is written") };
        assert!(error.is_response_field());
        assert_eq!(written(&exchange), "");
    }
}

/// Pieces that are there, and whether their length is told.
struct Pieces(Vec<&'static str>, bool);

impl BodyStream for Pieces {
    fn poll_piece(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<asgi::Result<Option<Bytes>>> {
        let next = (!self.0.is_empty()).then(|| self.0.remove(0));
        Poll::Ready(match next {
            Some("fails") => Err(Error::new(Kind::Gone)),
            next => Ok(next.map(Bytes::from)),
        })
    }

    fn bytes_left(&self) -> Option<u64> {
        self.1.then(|| self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}

#[test]
fn stream_is_framed_by_its_length_if_it_tells_one_and_else_in_chunks() {
    let known = Response::stream(Pieces(vec!["ab", "", "c"], true));
    assert!(matches!(known.body(), Body::Stream { length: Some(3), .. }));
    assert_eq!(given(known), "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc");
    let unknown = Response::stream(Pieces(vec!["ab", "", "c"], false));
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert_eq!(given(unknown), chunks);
    assert_eq!(
        given(Response::stream(Pieces(vec![], false)).with_status(StatusCode::NO_CONTENT)),
        "HTTP/1.1 204 No Content\r\n\r\n"
    );
}

#[test]
fn stream_that_fails_or_lies_about_its_length_fails_the_call() {
    struct Liar(Pieces);
    impl BodyStream for Liar {
        fn poll_piece(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<asgi::Result<Option<Bytes>>> {
            Pin::new(&mut self.0).poll_piece(cx)
        }
        fn bytes_left(&self) -> Option<u64> {
            Some(5)
        }
    }
    for pieces in [vec!["abc"], vec!["abc", "def"], vec!["ab", "fails"]] {
        let app =
            Router::new().get("/", move |_: Request| ready(Response::stream(Liar(Pieces(pieces.clone(), false)))));
        let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(matches!(call(&app, &exchange), Poll::Ready(Err(_))));
        assert!(written(&exchange).len() <= "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde".len());
    }
}

// --- The memory of futures -------------------------------------------------------------------------------------------

/// Notes where its future lies, and waits as often as it is told to.
fn noting(places: &Rc<RefCell<Vec<usize>>>) -> Router {
    let places = Rc::clone(places);
    Router::new().get("/{what}", move |request: Request| {
        let places = Rc::clone(&places);
        async move {
            let here = 0_u8;
            places.borrow_mut().push((&raw const here).addr());
            match request.param("what") {
                Some("waits") => pending().await,
                Some("panics") => panic!("this handler panics in its future"),
                _ => ready(()).await,
            }
            drop(here.to_string()); // so that it lives in the future, across the await
            "done"
        }
    })
}

#[test]
fn memory_of_a_future_serves_the_next_call() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    for _ in 0..5 {
        get(&app, "/done");
    }
    let places = places.take();
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
}

#[test]
fn memory_of_calls_that_were_dropped_serves_again_and_that_of_calls_under_way_does_not() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    let exchanges = [(); 3].map(|()| exchange("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n"));
    for _ in 0..2 {
        let mut calls: Vec<_> = exchanges
            .iter()
            .map(|exchange| {
                let (scope, receive, send) = handles(exchange);
                Box::pin(app.call(scope, receive, send))
            })
            .collect();
        for call in &mut calls {
            assert!(poll(call.as_mut()).is_pending());
        }
    }
    let (first, second) = { (places.borrow()[..3].to_vec(), places.borrow()[3..].to_vec()) };
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    assert!(second.iter().all(|place| first.contains(place)), "{first:?} {second:?}");
}

#[test]
fn handler_that_panics_leaves_its_route_whole() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    for _ in 0..3 {
        let exchange = exchange("GET /panics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(catch_unwind(AssertUnwindSafe(|| call(&app, &exchange))).is_err());
        assert_eq!(written(&exchange), "");
        assert_eq!(Rc::strong_count(&exchange), 1, "the handles are dropped");
        assert!(get(&app, "/done").ends_with("done"));
    }
}

#[test]
fn future_that_panics_when_it_is_dropped_leaves_its_route_whole() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("this value panics when it is dropped");
        }
    }
    let armed = Rc::new(Cell::new(true));
    let arm = Rc::clone(&armed);
    let app = Router::new().get("/", move |_: Request| {
        let bomb = arm.get().then(|| Bomb);
        async move {
            if bomb.is_some() {
                pending::<()>().await;
            }
            "done"
        }
    });
    let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(catch_unwind(AssertUnwindSafe(|| call(&app, &exchange))).is_err());
    assert_eq!(Rc::strong_count(&exchange), 1, "the handles are dropped");
    armed.set(false);
    assert!(get(&app, "/").ends_with("done"));
}

#[test]
fn router_that_is_gone_leaves_calls_under_way_alone() {
    let places = Rc::new(RefCell::new(Vec::new()));
    let app = noting(&places);
    let exchange = exchange("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
    let (scope, receive, send) = handles(&exchange);
    let mut call = Box::pin(app.call(scope, receive, send));
    drop(app);
    assert!(poll(call.as_mut()).is_pending());
    drop(call);
    assert_eq!(Rc::strong_count(&places), 1, "the handler is dropped with its last call");
}
