//! What a handler may give.

use super::{call, exchange, get, handles, plain, poll, written};
use crate::asgi::{self, App};
use crate::codec::encode::FieldLine;
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use crate::router::{Body, BodyStream, IntoResponse, Request, Response, Router};
use bytes::Bytes;
use evloop_runtime::future::yield_now;
use evloop_runtime::sync::mpsc;
use std::borrow::Cow;
use std::cell::RefCell;
use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

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
    assert_eq!(given(Error::new(Kind::ChunkSize)), plain("400 Bad Request", "malformed chunk size"));
    assert_eq!(given(Error::application("a secret")), plain("500 Internal Server Error", "Internal Server Error"));
    assert_eq!(given(()), "HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(given(Some("text")), plain("200 OK", "text"));
    assert_eq!(given(None::<&str>), plain("404 Not Found", "Not Found"));
    assert_eq!(given(Cow::Borrowed("text")), plain("200 OK", "text"));
    assert_eq!(given(Cow::<str>::Owned("text".to_owned())), plain("200 OK", "text"));
    assert_eq!(given(&b"x"[..]), octets);
    assert_eq!(given(Response::default()), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let response =
        Response::html("<p>").with_status(StatusCode::ACCEPTED).with_header("X-A", "b").with_header("x-a", "c");
    let html = "HTTP/1.1 202 Accepted\r\ncontent-type: text/html; charset=utf-8\r\nx-a: b\r\nx-a: c\r\ncontent-length: 3\r\n\r\n<p>";
    assert_eq!(given(response), html);
}

#[test]
fn value_that_sends_itself_says_what_its_response_would() {
    const NO_STORE: FieldLine = FieldLine::new("cache-control: no-store\r\n");
    assert_eq!(given("text"), given("text".into_response()));
    assert_eq!(given("text".to_owned()), given("text".to_owned().into_response()));
    assert_eq!(given(Bytes::from_static(b"x")), given(Bytes::from_static(b"x").into_response()));
    assert_eq!(given((NO_STORE, "text")), given((NO_STORE, "text").into_response()));
    assert!(given((NO_STORE, "text")).contains("\r\ncache-control: no-store\r\n"));
    assert_eq!(given(Some("text")), given(Some("text").into_response()));
    assert_eq!(given(None::<&str>), given(None::<&str>.into_response()));
    assert_eq!(given(Ok::<_, StatusCode>("text")), given(Ok::<_, StatusCode>("text").into_response()));
    let pieces = || Some(Response::pieces(["a", "b"]));
    assert_eq!(given(pieces()), given(pieces().into_response()));
}

#[test]
fn fields_come_along_in_a_tuple() {
    let text = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nx-a: 1\r\nx-b: 2\r\ncontent-length: 4\r\n\r\ntext";
    assert_eq!(given(([("x-a", "1"), ("x-b", "2")], "text")), text);
    let csv = "HTTP/1.1 201 Created\r\ncontent-type: text/csv\r\ncontent-length: 3\r\n\r\na,b";
    assert_eq!(given((StatusCode::CREATED, [("Content-Type", "text/csv")], "a,b")), csv);
}

#[test]
fn header_that_is_replaced_is_there_once() {
    const VARY: FieldLine = FieldLine::new("vary: accept\r\n");
    let response =
        || Response::text("").with_line(VARY).with_header("x-a", "1").with_header("X-A", "2").with_header("x-b", "3");
    let fields = |response: Response| {
        let answer = given(response);
        let fields =
            answer.strip_prefix("HTTP/1.1 200 OK\r\n").and_then(|rest| rest.strip_suffix("content-length: 0\r\n\r\n"));
        fields.expect("a head that is well formed").to_owned()
    };
    let plain = "content-type: text/plain; charset=utf-8\r\n";
    assert_eq!(fields(response().replace_header("x-A", "4")), format!("{plain}vary: accept\r\nx-b: 3\r\nx-a: 4\r\n"));
    assert_eq!(
        fields(response().replace_header("Vary", "*")),
        format!("{plain}x-a: 1\r\nx-a: 2\r\nx-b: 3\r\nvary: *\r\n")
    );
    let html = "text/html";
    assert_eq!(fields(Response::text("").replace_header("content-type", html)), "content-type: text/html\r\n");
}

#[test]
fn redirection_says_where_to() {
    let expected = "HTTP/1.1 303 See Other\r\ncontent-type: text/plain; charset=utf-8\r\nlocation: /new\r\ncontent-length: 9\r\n\r\nSee Other";
    assert_eq!(given(Response::redirect("/new", StatusCode::SEE_OTHER)), expected);
}

#[test]
#[should_panic(expected = "304 Not Modified is no redirection")]
fn redirection_has_a_status_that_is_one() {
    drop(Response::redirect("/new", StatusCode::NOT_MODIFIED));
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

// --- Streams ---------------------------------------------------------------------------------------------------------

const CHUNKS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n";

#[test]
fn iterator_is_a_body() {
    assert_eq!(given(Response::pieces(["a", "b"])), CHUNKS);
    let app = Router::new().get("/", |_: Request| async { Response::pieces(std::iter::repeat("abcd")) });
    let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (scope, receive, send) = handles(&exchange);
    let mut endless = Box::pin(app.call(scope, receive, send));
    assert!(poll(endless.as_mut()).is_pending(), "there is no room for all of it");
    assert!(written(&exchange).len() < 128 * 1024);
}

#[test]
fn channel_is_a_body_until_no_sender_is_left() {
    let (sender, receiver) = mpsc::channel(2);
    for piece in ["a", "b"] {
        sender.try_send(Bytes::from(piece)).unwrap();
    }
    drop(sender);
    assert_eq!(given(Response::stream(receiver)), CHUNKS);
}

#[test]
fn channel_of_results_is_a_body_up_to_the_first_error() {
    for (pieces, ended) in
        [(vec![Ok("a"), Ok("b")], true), (vec![Ok("a"), Err(Error::new(Kind::Gone)), Ok("b")], false)]
    {
        let (sender, receiver) = mpsc::channel(3);
        for piece in pieces {
            sender.try_send(piece.map(Bytes::from)).unwrap();
        }
        drop(sender);
        let response = RefCell::new(Some(Response::stream(receiver)));
        let app = Router::new().get("/", move |_: Request| ready(response.take().expect("called once")));
        let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(matches!(call(&app, &exchange), Poll::Ready(Ok(()))), ended);
        assert!(CHUNKS.starts_with(&written(&exchange)));
        assert_eq!(written(&exchange) == CHUNKS, ended);
    }
}

/// A response whose pieces a future writes, and how that ends.
fn produced(end: asgi::Result) -> Response {
    Response::produce(|mut pieces| async move {
        yield_now().await;
        for piece in ["a", "b"] {
            pieces.send(piece).await?;
        }
        yield_now().await;
        end
    })
}

#[test]
fn future_writes_a_body() {
    for end in [Ok(()), Err(Error::new(Kind::Gone))] {
        let whole = end.is_ok();
        let response = RefCell::new(Some(produced(end)));
        let app = Router::new().get("/", move |_: Request| ready(response.take().expect("called once")));
        let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let (scope, receive, send) = handles(&exchange);
        let ended = evloop_runtime::block_on(app.call(scope, receive, send));
        assert_eq!(ended.is_ok(), whole);
        assert_eq!(written(&exchange), if whole { CHUNKS } else { CHUNKS.strip_suffix("0\r\n\r\n").unwrap() });
    }
}

#[test]
fn future_that_has_given_its_pieces_away_is_not_the_end() {
    let (keep, kept) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
    let given_away = Rc::clone(&keep);
    let response = Response::produce(|pieces| async move {
        *given_away.borrow_mut() = Some(pieces);
        Ok(())
    });
    *kept.borrow_mut() = Some(response);
    let app = Router::new().get("/", move |_: Request| ready(kept.take().expect("called once")));
    let exchange = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (scope, receive, send) = handles(&exchange);
    let mut call = Box::pin(app.call(scope, receive, send));
    assert!(poll(call.as_mut()).is_pending());
    for piece in ["a", "b"] {
        let pieces = &mut *keep.borrow_mut();
        assert_eq!(poll(pieces.as_mut().expect("given away").send(piece)), Poll::Ready(Ok(())));
        assert!(poll(call.as_mut()).is_pending());
    }
    keep.take();
    assert_eq!(poll(call.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(written(&exchange), CHUNKS);
}
