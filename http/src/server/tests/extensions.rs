//! What `send` takes beyond a plain response: trailers and early hints.

use super::send::{FAILED, GET_10, answer, last, list, piece, sent, start};
use super::{GET, PIPE_BYTES, ms, serve, transcript};
use crate::asgi::{NO_FIELDS, Outbound, Receive, Result, Scope, Send};
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use evloop_runtime::time::{sleep, timeout};

const GET_TRAILERS: &str = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n";

fn start_trailers() -> Outbound {
    Outbound::ResponseStart { status: 200, headers: Vec::new(), trailers: true }
}

fn trailers(fields: &[(&str, &str)], more_trailers: bool) -> Outbound {
    Outbound::ResponseTrailers { headers: list(fields), more_trailers }
}

pub(super) fn hint(link: &str) -> Outbound {
    Outbound::EarlyHint { links: vec![link.as_bytes().to_vec()] }
}

#[test]
fn trailers_follow_a_chunked_body_where_the_client_takes_them() {
    let events = || vec![start_trailers(), last("Hello"), trailers(&[("X-Sum", "1"), ("x-b", "2")], false)];
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n";
    assert_eq!(answer(GET_TRAILERS, events()), format!("{chunked}x-sum: 1\r\nx-b: 2\r\n\r\n"));
    assert_eq!(answer(GET, events()), format!("{chunked}\r\n"), "a client that has not said so takes none");
    let old = "GET / HTTP/1.0\r\nTE: trailers\r\n\r\n";
    assert_eq!(
        answer(old, events()),
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nHello",
        "there is no place for them"
    );
    let head = answer("HEAD / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", events());
    assert_eq!(head, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
}

#[test]
fn trailers_may_come_in_several_events_and_in_none() {
    let several = vec![
        start_trailers(),
        piece("He"),
        last("llo"),
        trailers(&[("a", "1")], true),
        trailers(&[], true),
        trailers(&[("b", "2")], false),
    ];
    assert!(answer(GET_TRAILERS, several).ends_with("2\r\nHe\r\n3\r\nllo\r\n0\r\na: 1\r\nb: 2\r\n\r\n"));
    let none = vec![start_trailers(), last("Hello"), trailers(&[], false)];
    assert!(answer(GET_TRAILERS, none).ends_with("5\r\nHello\r\n0\r\n\r\n"));
}

#[test]
fn trailers_that_were_announced_and_never_come_leave_the_response_cut() {
    let cut = answer(GET_TRAILERS, vec![start_trailers(), last("Hello")]);
    assert!(cut.ends_with("5\r\nHello\r\n"), "{cut}");
    let cut = answer(GET_TRAILERS, vec![start_trailers(), last("Hello"), trailers(&[("a", "1")], true)]);
    assert!(cut.ends_with("5\r\nHello\r\n"), "{cut}");
}

#[test]
fn trailers_that_were_not_announced_are_refused() {
    let (outcomes, answer) =
        sent(GET_TRAILERS, vec![start(200), piece("Hello"), trailers(&[("a", "1")], false), last("")]);
    assert_eq!(outcomes, [None, None, Some(Kind::ResponseTrailers), None]);
    assert!(answer.ends_with("5\r\nHello\r\n0\r\n\r\n"), "{answer}");
    let (outcomes, answer) = sent(GET_TRAILERS, vec![trailers(&[], false)]);
    assert_eq!(outcomes, [Some(Kind::ResponseTrailers)]);
    assert_eq!(answer, FAILED);
}

#[test]
fn trailers_follow_the_whole_body_and_the_body_does_not_follow_its_end() {
    let early = vec![start_trailers(), trailers(&[("a", "1")], false), last("Hello"), trailers(&[("b", "2")], false)];
    let (outcomes, answer) = sent(GET_TRAILERS, early);
    assert_eq!(outcomes, [None, Some(Kind::ResponseTrailers), None, None], "no part of the body has come");
    assert!(answer.ends_with("5\r\nHello\r\n0\r\nb: 2\r\n\r\n"), "{answer}");
    let between = vec![start_trailers(), piece("He"), trailers(&[], false), last("llo"), trailers(&[], false)];
    let (outcomes, answer) = sent(GET_TRAILERS, between);
    assert_eq!(outcomes, [None, None, Some(Kind::ResponseTrailers), None, None], "the last part has not come");
    assert!(answer.ends_with("2\r\nHe\r\n3\r\nllo\r\n0\r\n\r\n"), "{answer}");
    let after = vec![start_trailers(), last("Hello"), last("more"), piece("more"), trailers(&[], false)];
    let (outcomes, answer) = sent(GET_TRAILERS, after);
    let wrong = Some(Kind::ResponseTrailers);
    assert_eq!(outcomes, [None, None, wrong, wrong, None], "trailers are due");
    assert!(answer.ends_with("5\r\nHello\r\n0\r\n\r\n"), "{answer}");
}

#[test]
fn field_that_may_not_be_a_trailer_is_refused_and_the_response_can_still_be_ended() {
    for (name, value, kind) in [
        ("content-length", "1", Kind::ResponseReserved),
        ("Transfer-Encoding", "chunked", Kind::ResponseReserved),
        ("Content-Type", "text/plain", Kind::TrailerReserved),
        ("set-cookie", "a=b", Kind::TrailerReserved),
        ("x", "a\r\nb: c", Kind::ResponseValue),
        ("x y", "a", Kind::ResponseName),
    ] {
        let app = move |_: Scope, _: Receive, mut send: Send| async move {
            send.response_start(200, NO_FIELDS).await?;
            send.response_piece("Hello").await?;
            let refused = send.response_trailers([("x-before", "1"), (name, value)]);
            assert_eq!(refused.map_err(Error::kind), Err(kind));
            send.response_end()
        };
        serve(app, async |network| {
            let answer = transcript(&network, GET_TRAILERS).await;
            assert!(answer.ends_with("5\r\nHello\r\n0\r\n\r\n"), "{name}: {answer}");
        });
    }
}

#[test]
fn early_hints_come_before_the_response_and_not_to_old_clients() {
    let events = || vec![hint("</a>; rel=preload"), hint("</b>"), start(200), last("Hello")];
    let hints =
        "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </b>\r\n\r\n";
    let hello = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello";
    assert_eq!(answer(GET, events()), format!("{hints}{hello}"));
    let old = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nHello";
    assert_eq!(answer(GET_10, events()), old);
}

#[test]
fn early_hints_after_the_start_are_refused() {
    let (outcomes, answer) = sent(GET, vec![start(200), hint("</a>"), last("Hello")]);
    assert_eq!(outcomes, [None, Some(Kind::ResponseBegun), None]);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello");
    let (outcomes, _) = sent(GET, vec![start(200), piece("He"), hint("</a>"), last("llo")]);
    assert_eq!(outcomes, [None, None, Some(Kind::ResponseBegun), None]);
    let (outcomes, answer) = sent(GET, vec![hint("a\r\nb"), start(200), last("Hello")]);
    assert_eq!(outcomes, [Some(Kind::ResponseValue), None, None]);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHello");
}

#[test]
fn early_hint_is_sent_at_once() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.early_hint(["</a>"])?;
        sleep(ms(1_000)).await;
        send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        timeout(ms(500), client.until("link: </a>\r\n\r\n")).await.expect("it waits for the response");
        client.until("Hello").await;
    });
}
