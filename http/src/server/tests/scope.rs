//! The connection scope, key by key.

use super::{GET, PIPE_BYTES, serve};
use crate::asgi::{Address, NO_FIELDS, Receive, Result, Scope, Send};
use crate::message::{Method, StatusCode};
use crate::server::Server;
use evloop_runtime::io::{AsyncRead, AsyncWrite};
use evloop_runtime::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use evloop_runtime::{block_on, spawn};
use std::cell::RefCell;
use std::rc::Rc;

/// The scope that the application sees of a request.
fn scope_of(request: &str) -> Scope {
    let kept = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&kept);
    let app = move |scope: Scope, _: Receive, mut send: Send| {
        *seen.borrow_mut() = Some(scope);
        std::future::ready(send.respond(StatusCode::OK, b"Hello", NO_FIELDS))
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(request).await;
        client.finish();
        client.rest().await;
    });
    let scope = kept.take();
    scope.expect("the application was called")
}

#[test]
fn scope_has_every_key_of_the_specification() {
    let scope = scope_of("PUT /a%20b/%C3%A9?q=%20&x HTTP/1.1\r\nHost: example.org\r\n\r\n");
    assert_eq!(scope.r#type(), "http");
    assert_eq!((scope.asgi().version, scope.asgi().spec_version), ("3.0", "2.5"));
    assert_eq!(scope.http_version(), "1.1");
    assert_eq!(scope.method(), Method::Put);
    assert_eq!(scope.scheme(), "http");
    assert_eq!(scope.path(), "/a b/é");
    assert_eq!(scope.raw_path(), "/a%20b/%C3%A9");
    assert_eq!(scope.query_string(), "q=%20&x");
    assert_eq!(scope.root_path(), "");
    assert_eq!(scope.headers().iter().collect::<Vec<_>>(), [("host", &b"example.org"[..])]);
    assert_eq!((scope.client(), scope.server()), (None, None), "a network in memory has no addresses");
    assert!(scope.state().is_empty());
    assert_eq!((scope.extensions().trailers, scope.extensions().early_hint), (false, true));
    assert_eq!(scope_of("GET / HTTP/1.0\r\n\r\n").http_version(), "1.0");
}

#[test]
fn path_is_decoded_once_and_keeps_what_is_no_text_apart() {
    for (target, path) in [
        ("/", "/"),
        ("//", "//"),
        ("/%2F", "//"),
        ("/%2525", "/%25"),
        ("/a+b", "/a+b"),
        ("/%ff", "/\u{fffd}"),
        ("/%e2%82", "/\u{fffd}"),
        ("/%", "/%"),
        ("/%zz", "/%zz"),
        ("/a%00b", "/a\0b"),
        ("/..%2f..", "/../.."),
        ("/%3Fa?b", "/?a"),
    ] {
        let scope = scope_of(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(scope.path(), path, "{target}");
        assert_eq!(scope.raw_path(), target.split('?').next().expect("there is a first"), "{target}");
    }
}

#[test]
fn query_is_what_follows_the_first_question_mark() {
    for (target, query) in [("/", ""), ("/?", ""), ("/?a", "a"), ("/?a?b", "a?b"), ("/??", "?"), ("/?%41", "%41")] {
        let scope = scope_of(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(scope.query_string(), query, "{target}");
    }
}

#[test]
fn target_of_another_form_has_its_path_and_query() {
    for (line, path, query) in [
        ("GET http://other.example/p%20q?r HTTP/1.1", "/p%20q", "r"),
        ("GET http://other.example HTTP/1.1", "/", ""),
        ("GET http://other.example?r HTTP/1.1", "/", "r"),
        ("OPTIONS * HTTP/1.1", "*", ""),
        ("OPTIONS http://other.example HTTP/1.1", "*", ""),
        ("CONNECT other.example:80 HTTP/1.1", "", ""),
    ] {
        let scope = scope_of(&format!("{line}\r\nHost: a\r\n\r\n"));
        assert_eq!((scope.raw_path(), scope.query_string()), (path, query), "{line}");
        assert_eq!(scope.root_path(), "", "{line}");
        assert_eq!(scope.route_path(), path, "{line}");
    }
    assert_eq!(scope_of("GET http://other.example/ HTTP/1.1\r\nHost: a\r\n\r\n").head().authority(), "other.example");
}

#[test]
fn mounted_application_has_its_root_in_the_path() {
    let scope = scope_of("GET /a%20b/c/d HTTP/1.1\r\nHost: a\r\n\r\n");
    let mounted = scope.clone().mounted("/a%20b".len());
    assert_eq!((&*mounted.root_path(), mounted.route_path()), ("/a b", "/c/d"));
    assert_eq!((&*mounted.path(), mounted.raw_path()), ("/a b/c/d", "/a%20b/c/d"), "the path is the whole one");
    let twice = mounted.mounted("/c".len());
    assert_eq!((&*twice.root_path(), twice.route_path()), ("/a b/c", "/d"));
    let whole = twice.mounted("/d".len());
    assert_eq!((&*whole.root_path(), whole.route_path()), ("/a b/c/d", ""));
    assert_eq!(scope.root_path(), "", "a clone is mounted for itself");
}

#[test]
#[should_panic(expected = "an application is mounted at a part of the path")]
fn mounting_past_the_end_of_the_path_panics() {
    let _ = scope_of(GET).mounted(2);
}

#[test]
fn headers_come_in_order_in_small_letters_and_as_often_as_they_were_sent() {
    let request = "GET / HTTP/1.1\r\nX-B: 1\r\nHOST: a\r\nx-a:\r\nX-b:  2 \t\r\nCookie: \u{e9}\r\nx-B: 1\r\n\r\n";
    let scope = scope_of(request);
    let expected: [(&str, &[u8]); 6] =
        [("x-b", b"1"), ("host", b"a"), ("x-a", b""), ("x-b", b"2"), ("cookie", "\u{e9}".as_bytes()), ("x-b", b"1")];
    assert_eq!(scope.headers().iter().collect::<Vec<_>>(), expected);
    assert_eq!(scope.header("X-B"), Some("1"), "the first of several");
    assert_eq!(scope.header("missing"), None);
}

#[test]
fn value_that_is_no_text_is_there_as_bytes() {
    let kept = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&kept);
    let app = move |scope: Scope, _: Receive, mut send: Send| {
        *seen.borrow_mut() = Some((scope.headers().get("x").map(<[u8]>::to_vec), scope.header("x").is_some()));
        std::future::ready(send.respond(StatusCode::OK, b"Hello", NO_FIELDS))
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\r\n\r\n").await;
        client.until("Hello").await;
    });
    assert_eq!(kept.take(), Some((Some(b"\xff\xfe".to_vec()), false)));
}

#[test]
fn scope_that_is_kept_stays_what_it_was() {
    let kept = Rc::new(RefCell::new(Vec::<Scope>::new()));
    let seen = Rc::clone(&kept);
    let app = move |scope: Scope, _: Receive, mut send: Send| {
        seen.borrow_mut().push(scope.clone());
        let (status, body): (_, &[u8]) = match scope.raw_path() {
            "/missing" => (StatusCode::NOT_FOUND, b"Sorry"),
            _ => (StatusCode::OK, b"Hello, Hello"),
        };
        std::future::ready(send.respond(status, body, NO_FIELDS))
    };
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(format!("GET /missing HTTP/1.1\r\nHost: b\r\nX-One: 1\r\n\r\n{GET}")).await;
        client.until("Hello, Hello").await;
        client.finish();
        client.rest().await;
    });
    let scopes = kept.take();
    let told: Vec<_> =
        scopes.iter().map(|scope| (scope.raw_path(), scope.header("host"), scope.headers().len())).collect();
    assert_eq!(told, [("/missing", Some("b"), 2), ("/", Some("a"), 1)]);
    assert_eq!(scopes[0].sent(), Some((StatusCode::NOT_FOUND, 5)));
    assert_eq!(scopes[1].sent(), Some((StatusCode::OK, 12)));
}

#[test]
fn trailers_are_offered_to_clients_that_take_them() {
    for (request, trailers) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nTE: gzip;q=0.5, Trailers\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nTE: gzip\r\nTE: trailers\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nTE: trailersx\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nTE:\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nTE: trailers\r\n\r\n", false),
    ] {
        assert_eq!(scope_of(request).extensions().trailers, trailers, "{request}");
    }
    assert!(!scope_of("GET / HTTP/1.0\r\n\r\n").extensions().early_hint);
}

#[test]
fn sent_tells_what_of_the_response_is_written() {
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        let mut seen = vec![scope.sent()];
        send.response_start(201, NO_FIELDS).await?;
        seen.push(scope.sent());
        send.response_piece("abc").await?;
        seen.push(scope.sent());
        send.response_body("de").await?;
        seen.push(scope.sent());
        let created = |bytes| Some((StatusCode::CREATED, bytes));
        assert_eq!(seen, [None, None, created(3), created(5)]);
        Ok(())
    }
    serve(app, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        client.until("0\r\n\r\n").await;
    });
}

/// Answers with what the scope says of the two ends.
async fn ends(scope: Scope, _: Receive, mut send: Send) -> Result {
    let server = match scope.server() {
        Some(Address::Inet(address)) => address.to_string(),
        Some(Address::Unix(path)) => path.display().to_string(),
        None => "none".to_owned(),
    };
    let client = scope.client().map_or("none".to_owned(), |address| address.to_string());
    send.respond(StatusCode::OK, format!("{client} {server}").as_bytes(), NO_FIELDS)
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    answer.split("\r\n\r\n").nth(1).expect("there is a body").to_owned()
}

#[test]
fn ends_of_a_tcp_connection_are_told_also_when_the_server_listens_on_every_address() {
    block_on(async {
        for listens in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(listens).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = spawn(Server::new(listener).serve(ends));
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let client = stream.local_addr().unwrap();
            assert_eq!(answer(stream).await, format!("{client} 127.0.0.1:{port}"), "{listens}");
            server.abort();
        }
    });
}

#[test]
fn ends_of_a_unix_connection_are_the_path_and_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    block_on(async {
        let server = spawn(Server::new(UnixListener::bind(&path).unwrap()).serve(ends));
        let stream = UnixStream::connect(&path).await.unwrap();
        assert_eq!(answer(stream).await, format!("none {}", path.display()));
        server.abort();
    });
}

#[test]
fn client_that_was_told_for_one_request_is_forgotten_with_it() {
    let kept: Rc<RefCell<Vec<Scope>>> = Rc::default();
    let keeps = Rc::clone(&kept);
    let app = move |mut scope: Scope, _: Receive, mut send: Send| {
        let told = scope.header("told").map(|address| address.parse().expect("an address"));
        if told.is_some() {
            scope.set_client(told);
        }
        let text = scope.client().map_or("none".to_owned(), |address| address.to_string());
        if scope.path() == "/kept" {
            keeps.borrow_mut().push(scope);
        }
        std::future::ready(send.respond(StatusCode::OK, text.as_bytes(), NO_FIELDS))
    };
    serve(app, async |network| {
        for path in ["/", "/kept"] {
            let told = format!("GET {path} HTTP/1.1\r\nHost: a\r\nTold: 203.0.113.7:1\r\n\r\n");
            let mut client = network.connect(PIPE_BYTES);
            client.send([&told, GET].concat()).await;
            client.finish();
            let answers = String::from_utf8(client.rest().await).expect("ASCII");
            let bodies: Vec<&str> = answers.split("\r\n\r\n").skip(1).collect();
            assert!(bodies[0].starts_with("203.0.113.7:1HTTP/1.1 "), "{path}: {answers}");
            assert_eq!(bodies[1], "none", "{path}");
        }
    });
    assert_eq!(kept.borrow()[0].client(), Some("203.0.113.7:1".parse().expect("an address")));
}
