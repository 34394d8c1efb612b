//! Fields that the server adds to each response, and leaves out; and the path that a proxy has taken off.

use super::memory::Network;
use super::{GET, HELLO, PIPE_BYTES, Server, demo, serve_as, still_serves, transcript};
use crate::asgi::{Filter, NO_FIELDS, Receive, Result, Scope, Send};
use crate::codec::defaults::DefaultFields;
use crate::codec::encode::ResponseHead;
use crate::limits::Limits;
use crate::message::StatusCode;
use crate::router::{Request, Response, Router};
use evloop_runtime::block_on;
use std::future::{pending, ready};

fn fields(lines: &[(&str, &str)]) -> DefaultFields {
    let mut fields = DefaultFields::new();
    for (name, value) in lines {
        fields.add(name, value.as_bytes()).expect("it can be written");
    }
    fields
}

/// The answer to a request, its date left in, by an application that answers with these fields.
fn answered(
    configure: impl FnOnce(Server<Network>) -> Server<Network>,
    own: &[(&'static str, &'static str)],
) -> String {
    let own = own.to_vec();
    let app = move |_: Scope, _: Receive, mut send: Send| ready(send.respond(StatusCode::OK, b"Hello", own.clone()));
    let mut answer = Vec::new();
    serve_as(configure, app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.finish();
        answer = client.rest().await;
    });
    String::from_utf8(answer).expect("it is text")
}

/// The lines of a head but the first, without the values of dates and lengths.
fn names(answer: &str) -> Vec<&str> {
    let head = answer.split("\r\n\r\n").next().expect("there is a first");
    let lines = head.lines().skip(1);
    lines.map(|line| if line.starts_with("date: ") { "date" } else { line }).collect()
}

#[test]
fn default_is_a_date_and_no_name() {
    let answer = answered(|server| server, &[]);
    assert_eq!(names(&answer), ["content-length: 5", "date"]);
    assert!(answer.ends_with("\r\n\r\nHello"));
}

#[test]
fn date_can_be_left_out() {
    let answer = answered(|server| server.date_header(false), &[("x", "1")]);
    assert_eq!(answer, "HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 5\r\n\r\nHello");
}

#[test]
fn server_tells_its_name_when_it_shall_and_nobody_tells_another() {
    let named = |own: &[_]| names(&answered(|server| server.server_header(true), own)).join("|");
    assert_eq!(named(&[]), "server: evloop|content-length: 5|date");
    assert_eq!(named(&[("Server", "mine")]), "server: mine|content-length: 5|date");
    let both = |server: Server<Network>| server.headers(fields(&[("server", "ours")])).server_header(true);
    assert_eq!(names(&answered(both, &[])), ["server: ours", "content-length: 5", "date"]);
}

#[test]
fn response_has_the_default_fields_that_it_does_not_have_already() {
    let defaults = [("X-A", "1"), ("x-b", "2"), ("link", "</a>"), ("link", "</b>"), ("x-c", "")];
    for (own, expected) in [
        (&[][..], "x-a: 1|x-b: 2|link: </a>|link: </b>|x-c: "),
        (&[("other", "9")], "other: 9|x-a: 1|x-b: 2|link: </a>|link: </b>|x-c: "),
        (&[("x-a", "9")], "x-a: 9|x-b: 2|link: </a>|link: </b>|x-c: "),
        (&[("X-B", "9"), ("x-b", "8")], "x-b: 9|x-b: 8|x-a: 1|link: </a>|link: </b>|x-c: "),
        (&[("Link", "</own>")], "link: </own>|x-a: 1|x-b: 2|x-c: "),
        (&[("x-c", "9"), ("x-a", ""), ("link", ""), ("x-b", "")], "x-c: 9|x-a: |link: |x-b: "),
        (&[("x-ab", "x-a: 1"), ("x", "x-b")], "x-ab: x-a: 1|x: x-b|x-a: 1|x-b: 2|link: </a>|link: </b>|x-c: "),
    ] {
        let answer = answered(|server| server.headers(fields(&defaults)), own);
        let expected = format!("{expected}|content-length: 5|date");
        assert_eq!(names(&answer).join("|"), expected);
    }
}

#[test]
fn fields_that_cannot_be_written_or_are_not_everybodys_are_refused() {
    let mut fields = DefaultFields::new();
    for (name, value) in [
        ("", "1"),
        ("a b", "1"),
        ("a:", "1"),
        ("a", "1\r\nb: 2"),
        ("a", "\0"),
        ("Date", "1"),
        ("connection", "close"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Upgrade", "h2c"),
    ] {
        let error = fields.add(name, value.as_bytes()).expect_err("it is refused");
        assert!(error.status().is_none(), "{name}: {error}");
    }
    assert!(fields.is_empty() && !fields.contains("a"));
    fields.add("A", b"1").expect("it can be written");
    assert!(fields.contains("a") && fields.contains("A") && !fields.contains("b"));
}

/// Everything at once.
fn dressed(server: Server<Network>) -> Server<Network> {
    server.headers(fields(&[("x-a", "1")])).server_header(true).date_header(false)
}

const DRESSED: &str = "x-a: 1\r\nserver: evloop\r\n";

#[test]
fn every_response_has_them_whoever_gives_it() {
    let limits = Limits { requests_per_connection_max: Some(3), ..Limits::default() };
    serve_as(
        |server| dressed(server).limits(limits),
        demo(),
        async |network| {
            let text = "content-type: text/plain; charset=utf-8\r\n";
            let hello = HELLO.replace("content-length", &format!("{DRESSED}content-length"));
            assert_eq!(transcript(&network, GET.repeat(2)).await, hello.repeat(2));
            let malformed = format!(
                "HTTP/1.1 400 Bad Request\r\n{text}{DRESSED}content-length: 11\r\nconnection: close\r\n\r\nBad Request"
            );
            assert_eq!(transcript(&network, "GET /\r\n\r\n").await, malformed);
            for (path, expected) in [
                ("/missing", "HTTP/1.1 404 Not Found\r\n"),
                ("/panic", "HTTP/1.1 500 Internal Server Error\r\n"),
                ("/lines", "HTTP/1.1 200 OK\r\n"),
            ] {
                for method in ["GET", "HEAD"] {
                    let answer = transcript(&network, format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
                    assert!(answer.starts_with(expected) && answer.contains(DRESSED), "{answer}");
                    assert!(!answer.contains("date: "), "{answer}");
                }
            }
        },
    );
}

#[test]
fn client_that_is_turned_away_gets_them_too() {
    let app = Router::new().get("/", |_: Request| pending::<&str>());
    serve_as(
        |server| dressed(server).concurrency_max(1),
        app,
        async |network| {
            let mut first = network.connect(PIPE_BYTES);
            first.send(GET).await;
            super::quiet().await;
            let answer = transcript(&network, GET).await;
            assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains(DRESSED), "{answer}");
            first.reset();
        },
    );
}

#[test]
fn interim_responses_and_trailers_have_none() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.early_hint(["</a>"])?;
        send.response_start(200, [("trailer", "x-t")]).await?;
        send.response_piece("Hello").await?;
        send.response_trailers([("x-t", "1")])
    }
    serve_as(dressed, app, async |network| {
        let answer = transcript(&network, "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n").await;
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        let head = format!("HTTP/1.1 200 OK\r\ntrailer: x-t\r\n{DRESSED}transfer-encoding: chunked\r\n\r\n");
        assert_eq!(answer, format!("{interim}{head}5\r\nHello\r\n0\r\nx-t: 1\r\n\r\n"));
    });
}

#[test]
fn upgrade_and_tunnel_have_them() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        if scope.header("upgrade").is_some() {
            send.switch_protocols("echo", NO_FIELDS)?;
            return send.response_end();
        }
        send.respond(StatusCode::OK, b"", [("upgrade", "echo")])
    }
    serve_as(dressed, app, async |network| {
        let asks = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        let switched =
            format!("HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\n{DRESSED}connection: upgrade\r\n\r\n");
        assert_eq!(transcript(&network, asks).await, switched);
        let offered =
            format!("HTTP/1.1 200 OK\r\nupgrade: echo\r\n{DRESSED}content-length: 0\r\nconnection: upgrade\r\n\r\n");
        assert_eq!(transcript(&network, GET).await, offered);
        let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let last = offered.replace("connection: upgrade", "connection: close, upgrade");
        assert_eq!(transcript(&network, close).await, last);
        let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        let kept = offered.replace("connection: upgrade", "connection: keep-alive, upgrade");
        assert_eq!(transcript(&network, old).await, kept);
    });
}

#[test]
fn head_without_a_date_says_of_its_connection_what_others_say() {
    serve_as(dressed, demo(), async |network| {
        for (request, says) in [
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "connection: keep-alive\r\n\r\n"),
            ("GET / HTTP/1.0\r\n\r\n", "connection: close\r\n\r\n"),
            (GET, "content-length: 5\r\n\r\n"),
        ] {
            let answer = transcript(&network, request).await;
            assert!(answer.ends_with(&format!("{says}Hello")), "{answer}");
        }
    });
}

/// Sets a field in place of the application's.
struct Replaces;

impl Filter for Replaces {
    fn head(&mut self, _: StatusCode, head: &mut ResponseHead<'_>, _: Option<u64>) -> Result<bool> {
        assert!(head.get("x-a").is_none(), "what the server adds comes last");
        head.header("x-a", b"filtered")?;
        Ok(false)
    }
}

#[test]
fn filters_come_before_them_and_only_for_their_own_request() {
    let app = |scope: Scope, _: Receive, mut send: Send| async move {
        if scope.path() == "/filtered" {
            send.set_filter(Box::new(Replaces));
        }
        if scope.query_string().is_empty() {
            return send.respond(StatusCode::OK, b"", NO_FIELDS);
        }
        send.response_start(200, NO_FIELDS).await?;
        send.response_piece("").await?;
        send.response_end()
    };
    serve_as(dressed, app, async |network| {
        for mark in ["", "?"] {
            let mut client = network.connect(PIPE_BYTES);
            for (path, value) in [("/", "1"), ("/filtered", "filtered"), ("/", "1")] {
                client.send(format!("GET {path}{mark} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
                let answer = client.until("\r\n\r\n").await;
                assert_eq!(answer.matches("x-a: ").count(), 1, "{answer}");
                assert!(answer.contains(&format!("x-a: {value}\r\n")), "{answer}");
            }
        }
    });
}

#[test]
fn connection_that_is_new_has_what_the_one_before_had() {
    serve_as(
        |server| server.headers(fields(&[("content-type", "text/other"), ("x-a", "1")])),
        demo(),
        async |network| {
            let hello = HELLO.replace("content-length", "x-a: 1\r\ncontent-length");
            for _ in 0..3 {
                assert_eq!(transcript(&network, GET).await, hello);
            }
        },
    );
    serve_as(|server| server, demo(), async |network| still_serves(&mut network.connect(PIPE_BYTES)).await);
}

/// What the scope says of a path, with a server below this one, and an application that is mounted by so many bytes.
fn paths(root: &str, target: &str, mounted: usize) -> String {
    let app = move |scope: Scope, _: Receive, mut send: Send| {
        let scope = scope.mounted(mounted);
        let words = [&*scope.root_path(), &*scope.path(), scope.raw_path(), scope.route_path()].join(" ");
        ready(send.respond(StatusCode::OK, words.as_bytes(), NO_FIELDS))
    };
    let mut text = String::new();
    serve_as(
        |server| server.root_path(root),
        app,
        async |network| {
            let method = if target == "*" { "OPTIONS" } else { "GET" };
            text = transcript(&network, format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        },
    );
    text.split("\r\n\r\n").nth(1).expect("there is a body").to_owned()
}

#[test]
fn root_path_is_what_the_proxy_has_taken_off() {
    assert_eq!(paths("/api", "/a%20b?c", 0), "/api /api/a b /a%20b /a%20b");
    assert_eq!(paths("/api/", "/", 0), "/api /api/ / /");
    assert_eq!(paths("/a%20b", "/c%20d/e", 6), "/a b/c d /a b/c d/e /c%20d/e /e");
    assert_eq!(paths("/", "/x", 0), " /x /x /x");
    assert_eq!(paths("", "/x/y", 2), "/x /x/y /x/y /y");
    assert_eq!(paths("/api", "/api/x", 0), "/api /api/api/x /api/x /api/x", "it is taken off already");
    assert_eq!(paths("/api", "*", 0), "/api * * *");
}

#[test]
fn router_is_asked_for_what_comes_behind_the_root_path() {
    let app = Router::new().get("/api/x", |_: Request| async { Response::text("not this") });
    let app = app.get("/x", |_: Request| async { Response::text("this") });
    serve_as(
        |server| server.root_path("/api"),
        app,
        async |network| {
            assert!(transcript(&network, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await.ends_with("this"));
        },
    );
}

#[test]
fn what_is_no_root_path_is_refused_before_anything_is_served() {
    for path in ["api", "/a b", "/a?b", "/a#b", "/\u{e9}", "/a\r\n", " /api"] {
        let server = Server::new(Network::default()).root_path(path);
        let error = block_on(server.serve(demo())).expect_err(path);
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("/api"), "{error}");
    }
}
