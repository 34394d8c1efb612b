//! Clauses of RFC 9110 and RFC 9112 as transcripts: what the other tests hold by the way, and what they do not.
//!
//! The table in `connection/clauses.md` says which test holds which clause.

use super::memory::Network;
use super::{GET, HELLO, PIPE_BYTES, demo, ms, quiet, serve, transcript, without_dates};
use crate::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
use crate::message::StatusCode;
use crate::router::{Request, Router};
use evloop_runtime::time::{date, sleep};

/// A refusal, whole.
fn refusal(status: &str) -> String {
    let text = &status[4..];
    let length = text.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{text}"
    )
}

/// Sees requests refused with this status and a close, also when they come in two parts, and nothing behind them taken
/// for a request.
async fn refused(network: &Network, requests: &[&str], status: &str) {
    for request in requests {
        let bytes = [request.as_bytes(), GET.as_bytes()].concat();
        for cut in 0..request.len() {
            let mut client = network.connect(PIPE_BYTES);
            client.send(&bytes[..cut]).await;
            quiet().await;
            client.send(&bytes[cut..]).await;
            let answer = without_dates(&client.rest().await);
            assert_eq!(answer, refusal(status), "{} cut at {cut}", request.escape_debug());
        }
    }
}

/// Tells what it sees of a request: method, path, query, authority, and the fields but for Host; then, the body.
async fn mirror(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
    let mut body = Vec::new();
    while let Some(piece) = receive.piece().await? {
        body.extend_from_slice(&piece);
    }
    let head = scope.head();
    let fields: Vec<String> = (head.headers().iter())
        .filter(|(name, _)| *name != "host")
        .map(|(name, value)| format!("{name}={}", value.escape_ascii()))
        .collect();
    let words = [head.method_str(), head.path(), head.query().unwrap_or("-"), head.authority(), scope.http_version()];
    let text = format!("{} [{}] {}", words.join(" "), fields.join(" "), body.escape_ascii());
    send.respond(StatusCode::OK, text.as_bytes(), NO_FIELDS)
}

/// What [`mirror`] tells of this request, over a connection that serves on.
async fn seen(network: &Network, request: impl AsRef<[u8]>) -> String {
    let mut client = network.connect(PIPE_BYTES);
    client.send([request.as_ref(), b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).await;
    client.finish();
    let answers = without_dates(&client.rest().await);
    let next = "GET /next - a 1.1 [] ";
    let next = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{next}", next.len());
    let first = answers.strip_suffix(&next).unwrap_or_else(|| panic!("the next request is answered, too: {answers}"));
    let (head, body) = first.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    body.to_owned()
}

/// Answers as the path says: `/status`, or `/status/length` without a length told beforehand.
async fn answers_as_asked(scope: Scope, _: Receive, mut send: Send) -> Result {
    let path = scope.raw_path().to_owned();
    let mut parts = path.split('/').skip(1);
    let status = parts.next().and_then(|number| number.parse().ok()).and_then(StatusCode::from_u16);
    let status = status.expect("the test asks for a status");
    if parts.next().is_none() {
        return send.respond(status, b"content", NO_FIELDS);
    }
    send.start(status, None, NO_FIELDS)?;
    send.response_piece("content").await?;
    send.response_end()
}

// --- RFC 9112: the message -------------------------------------------------------------------------------------------

#[test]
fn message_that_could_be_read_in_two_ways_is_refused_wherever_it_is_split() {
    serve(demo(), async |network| {
        let lines = [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\rX\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\rHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\nHost: a\r\n\r\n",
        ];
        let fields = [
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n(X): a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a, b\r\nHost: a b\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\r\n\r\n",
        ];
        let framing = [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        ];
        for requests in [&lines[..], &fields, &framing] {
            refused(&network, requests, "400 Bad Request").await;
        }
    });
}

#[test]
fn transfer_encoding_that_does_not_end_in_chunked_is_400_and_one_before_chunked_501() {
    serve(demo(), async |network| {
        let post = |coding| format!("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n");
        for coding in
            ["gzip", "identity", "chunked, gzip", "chunked, identity", "xchunked", "chunked;q=1", "\"chunked\""]
        {
            refused(&network, &[&post(coding)], "400 Bad Request").await;
        }
        refused(&network, &[&post("gzip, chunked")], "501 Not Implemented").await;
        refused(&network, &[&post("gzip\r\nTransfer-Encoding: chunked")], "400 Bad Request").await;
    });
}

#[test]
fn request_line_of_8000_bytes_is_taken() {
    serve(mirror, async |network| {
        let target = format!("/{}", "a".repeat(8_000 - "GET / HTTP/1.1".len()));
        let seen = seen(&network, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(seen, format!("GET {target} - a 1.1 [] "));
    });
}

#[test]
fn one_empty_line_before_a_request_is_passed_over() {
    serve(demo(), async |network| {
        assert_eq!(transcript(&network, ["\r\n", GET, "\r\n", GET].concat()).await, HELLO.repeat(2));
    });
}

#[test]
fn minor_version_above_ours_is_read_as_ours_and_another_major_version_refused() {
    serve(mirror, async |network| {
        for version in ["1.2", "1.9"] {
            let request =
                format!("POST / HTTP/{version}\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
            assert_eq!(seen(&network, request).await, "POST / - a 1.1 [transfer-encoding=chunked] x");
            refused(&network, &[&format!("GET / HTTP/{version}\r\n\r\n")], "400 Bad Request").await; // no Host
        }
        let get = |version| format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n");
        for version in ["0.9", "2.0", "3.0", "9.9"] {
            refused(&network, &[&get(version)], "505 HTTP Version Not Supported").await;
        }
        for version in ["1.10", "1.", "1", "01.1", "1.1.1", "1.x", "+1.1"] {
            refused(&network, &[&get(version)], "400 Bad Request").await;
        }
        refused(&network, &["GET / http/1.1\r\nHost: a\r\n\r\n"], "400 Bad Request").await;
    });
}

#[test]
fn preface_of_http_2_is_refused() {
    serve(demo(), async |network| {
        refused(&network, &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], "505 HTTP Version Not Supported").await;
    });
}

// --- RFC 9112 section 3: the target, and the host --------------------------------------------------------------------

#[test]
fn host_of_the_target_goes_before_the_field() {
    serve(mirror, async |network| {
        for (line, seen_line) in [
            ("GET http://b:81/c?d HTTP/1.1\r\nHost: a", "GET /c d b:81 1.1"),
            ("GET HTTP://b HTTP/1.1\r\nHost: a", "GET / - b 1.1"),
            ("GET http://b?d HTTP/1.1\r\nHost: a", "GET / d b 1.1"),
            ("GET /http://b/ HTTP/1.1\r\nHost: a", "GET /http://b/ - a 1.1"),
            ("GET //b/c HTTP/1.1\r\nHost: a", "GET //b/c - a 1.1"),
            ("OPTIONS * HTTP/1.1\r\nHost: a", "OPTIONS * - a 1.1"),
            ("OPTIONS http://b HTTP/1.1\r\nHost: a", "OPTIONS * - b 1.1"),
        ] {
            assert_eq!(seen(&network, format!("{line}\r\n\r\n")).await, format!("{seen_line} [] "), "{line}");
        }
    });
}

#[test]
fn target_that_belongs_elsewhere_is_refused() {
    serve(demo(), async |network| {
        let refused_targets = [
            "GET https://a/", // only over a connection that is secured
            "GET ftp://a/",
            "GET http://u@a/",
            "GET http://u:p@a/",
            "GET http:///",
            "GET http://",
            "GET http:/",
            "GET *",
            "GET a",
            "GET a:80",
            "GET ?",
            "POST *",
            "OPTIONS *?",
            "GET /#",
            "GET http://a/#b",
        ];
        for target in refused_targets {
            refused(&network, &[&format!("{target} HTTP/1.1\r\nHost: a\r\n\r\n")], "400 Bad Request").await;
        }
    });
}

#[test]
fn target_keeps_every_character_that_browsers_do_not_encode() {
    serve(mirror, async |network| {
        let target = "/%7b%zz[]|\\^`{}\"<>'!$&()*+,;=:@-._~";
        let line = format!("GET {target}?{target}? HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(seen(&network, line).await, format!("GET {target} {target}? a 1.1 [] "));
        for target in ["/\u{e9}", "/?\u{e9}", "/\x7f", "/\x01", "/\t", "/\0"] {
            refused(&network, &[&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")], "400 Bad Request").await;
        }
    });
}

#[test]
fn connect_names_a_host_and_a_port_that_exist() {
    serve(answers_as_asked, async |network| {
        for target in
            ["a", "a:", ":1", "a:0", "a:65536", "a:00000000000000000001000000", "u@a:1", "/", "*", "http://a:1"]
        {
            refused(&network, &[&format!("CONNECT {target} HTTP/1.1\r\nHost: a\r\n\r\n")], "400 Bad Request").await;
        }
    });
}

// --- RFC 9112 sections 6 and 7: the body -----------------------------------------------------------------------------

#[test]
fn body_is_framed_the_same_whatever_the_method() {
    serve(mirror, async |network| {
        for method in ["GET", "HEAD", "OPTIONS", "DELETE", "X"] {
            let line = format!("{method} / HTTP/1.1\r\nHost: a\r\n");
            for (framing, field) in [
                ("Content-Length: 3\r\n\r\na\r\n", "content-length=3"),
                ("Transfer-Encoding: chunked\r\n\r\n3\r\na\r\n\r\n0\r\n\r\n", "transfer-encoding=chunked"),
            ] {
                let expected = match method {
                    "HEAD" => String::new(),
                    _ => format!("{method} / - a 1.1 [{field}] a\\r\\n"),
                };
                assert_eq!(seen(&network, format!("{line}{framing}")).await, expected, "{method} {field}");
            }
        }
        for framing in ["Content-Length: 0", "Content-Length: 1", "Transfer-Encoding: chunked"] {
            for line in ["TRACE /", "CONNECT a:1"] {
                let request = format!("{line} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
                refused(&network, &[&request], "400 Bad Request").await;
            }
        }
    });
}

#[test]
fn trailers_of_a_request_are_checked_and_dropped() {
    serve(mirror, async |network| {
        let trailers = "Host: b\r\nContent-Length: 9\r\nX: y\r\nConnection: close\r\n";
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n\r\n\
             1;a=b;c=\"d;\";e\r\nx\r\n0\r\n{trailers}\r\n"
        );
        assert_eq!(seen(&network, request).await, "POST / - a 1.1 [trailer=x transfer-encoding=chunked] x");
    });
}

#[test]
fn chunked_body_that_is_malformed_or_too_long_to_count_is_refused() {
    serve(mirror, async |network| {
        for (body, status) in [
            ("x\r\n", "400 Bad Request"),
            ("1\nx\r\n0\r\n\r\n", "400 Bad Request"),
            ("1\r\nxy\r\n0\r\n\r\n", "400 Bad Request"),
            ("1;a\nb\r\nx\r\n0\r\n\r\n", "400 Bad Request"),
            ("1 \r\nx\r\n0\r\n\r\n", "400 Bad Request"),
            ("0x1\r\nx\r\n0\r\n\r\n", "400 Bad Request"),
            ("-1\r\nx\r\n0\r\n\r\n", "400 Bad Request"),
            ("10000000000000001\r\nx\r\n0\r\n\r\n", "400 Bad Request"),
            ("ffffffffffffffff\r\nx\r\n0\r\n\r\n", "413 Content Too Large"),
            ("0\r\nX : y\r\n\r\n", "400 Bad Request"),
            ("0\r\nX: y\r\n z\r\n\r\n", "400 Bad Request"),
            ("0\r\n\n", "400 Bad Request"),
        ] {
            let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            refused(&network, &[&request], status).await;
        }
    });
}

// --- RFC 9112 section 9: the connection ------------------------------------------------------------------------------

#[test]
fn nothing_is_taken_for_a_request_after_the_last() {
    serve(demo(), async |network| {
        for request in [
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: , x,,CLOSE ,\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        ] {
            let last = HELLO.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
            assert_eq!(transcript(&network, [GET, request, GET].concat()).await, [HELLO, &last].concat(), "{request}");
        }
    });
}

// --- RFC 9110 sections 5 and 6: fields, and what every answer has ----------------------------------------------------

#[test]
fn fields_come_with_any_token_for_a_name_and_any_visible_byte_in_their_values() {
    serve(mirror, async |network| {
        let request = b"GET / HTTP/1.1\r\nHoST: a\r\n!#$%&'*+-.^_`|~09aZ:1\r\nX:\t \r\nX: \x80\xff \t,  \x21\t\r\n\r\n";
        let expected = "GET / - a 1.1 [!#$%&\\'*+-.^_`|~09az=1 x= x=\\x80\\xff \\t,  !] ".replace("\\'", "'");
        assert_eq!(seen(&network, request).await, expected);
    });
}

#[test]
fn date_of_an_answer_is_that_of_its_making_and_not_of_its_request() {
    let slow = Router::new().get("/", |_: Request| async {
        sleep(ms(10_000)).await;
        "slow"
    });
    serve(slow, async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send(GET).await;
        let answer = client.until("slow").await;
        let made = answer.lines().find_map(|line| line.strip_prefix("date: ")).expect("each answer has a date");
        let told = httpdate::parse_http_date(made).unwrap();
        assert!(date().duration_since(told).unwrap() < ms(2_000), "{made}");
    });
}

#[test]
fn every_final_answer_has_one_date() {
    let dates = |answer: &[u8]| {
        let text = String::from_utf8_lossy(answer).into_owned();
        let values = text.split("\r\n").filter_map(|line| line.strip_prefix("date: ").map(str::to_owned));
        values.map(|value| httpdate::fmt_http_date(httpdate::parse_http_date(&value).unwrap()) == value).collect()
    };
    serve(answers_as_asked, async |network| {
        for request in ["/200", "/204", "/205", "/299", "/304", "/404/0", "/500"] {
            let mut client = network.connect(PIPE_BYTES);
            client.send(format!("GET {request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
            let dates: Vec<bool> = dates(&client.rest().await);
            assert_eq!(dates, [true], "{request}");
        }
        let mut client = network.connect(PIPE_BYTES);
        client.send("bad\r\n\r\n").await;
        let dates: Vec<bool> = dates(&client.rest().await);
        assert_eq!(dates, [true]);
    });
}

#[test]
fn status_without_a_phrase_keeps_the_space_before_it() {
    serve(answers_as_asked, async |network| {
        let answer = transcript(&network, "GET /299 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(answer, "HTTP/1.1 299 \r\ncontent-length: 7\r\n\r\ncontent");
    });
}

// --- RFC 9110 sections 9 and 15: methods and statuses ----------------------------------------------------------------

#[test]
fn refusal_of_a_head_request_has_no_content() {
    let large = format!("HEAD / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    serve(demo(), async |network| {
        for (request, status) in [
            ("HEAD / HTTP/1.1\r\n\r\n", "400 Bad Request"),
            ("\r\nHEAD / HTTP/1.1\r\n\r\n", "400 Bad Request"),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "400 Bad Request"),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nExpect: it\r\n\r\n", "417 Expectation Failed"),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 Not Implemented"),
            ("HEAD / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported"),
            (&large, "431 Request Header Fields Too Large"),
        ] {
            let expected = refusal(status);
            let expected = &expected[..expected.len() - (status.len() - 4)];
            for cut in 0..request.len().min(60) {
                let mut client = network.connect(2 * PIPE_BYTES);
                client.send(&GET[..GET.len()]).await;
                client.send(&request[..cut]).await;
                quiet().await;
                client.send(&request[cut..]).await;
                let answers = without_dates(&client.rest().await);
                assert_eq!(answers, [HELLO, expected].concat(), "{request:.60} cut at {cut}");
            }
        }
        let answers = transcript(&network, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
        assert!(answers.ends_with("Bad Request"), "the refused one was no HEAD: {answers}");
    });
}

#[test]
fn answers_without_content_have_none_and_the_connection_serves_on() {
    serve(answers_as_asked, async |network| {
        for (request, head) in [
            ("GET /204", "HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET /204/0", "HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET /304", "HTTP/1.1 304 Not Modified\r\n\r\n"),
            ("GET /304/0", "HTTP/1.1 304 Not Modified\r\n\r\n"),
            ("GET /205", "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"),
            ("GET /205/0", "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"),
            ("HEAD /200", "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n"),
            ("HEAD /200/0", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
            ("HEAD /404", "HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\n"),
            ("HEAD /205", "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"),
        ] {
            let request = format!("{request} HTTP/1.1\r\nHost: a\r\n\r\nGET /200 HTTP/1.1\r\nHost: a\r\n\r\n");
            let expected = [head, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ncontent"].concat();
            assert_eq!(transcript(&network, request).await, expected);
        }
    });
}

#[test]
fn interim_answers_are_for_clients_of_1_1_and_have_neither_date_nor_framing() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.early_hint(["</a>; rel=preload"])?;
        send.respond(StatusCode::OK, b"", NO_FIELDS)
    }
    serve(app, async |network| {
        let last = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n";
        for (version, hint) in [("1.1", "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"), ("1.0", "")] {
            let mut client = network.connect(PIPE_BYTES);
            client.send(format!("GET / HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
            let answer = String::from_utf8(client.rest().await).unwrap();
            assert!(answer.starts_with(&[hint, last].concat()), "{answer}");
            assert_eq!(answer.matches("date: ").count(), 1);
        }
    });
}

#[test]
fn connect_opens_a_tunnel_without_framing_or_ends_the_connection() {
    async fn app(scope: Scope, mut receive: Receive, mut send: Send) -> Result {
        if scope.head().authority() != "a:1" {
            return send.respond(StatusCode::FORBIDDEN, b"no", NO_FIELDS);
        }
        send.start(StatusCode::OK, Some(5), NO_FIELDS)?;
        while let Some(piece) = receive.piece().await? {
            send.response_piece(piece).await?;
        }
        send.response_end()
    }
    serve(app, async |network| {
        let answer = transcript(&network, format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n{GET}")).await;
        assert_eq!(answer, format!("HTTP/1.1 200 OK\r\n\r\n{GET}"));
        let answer = transcript(&network, format!("CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n{GET}")).await;
        assert_eq!(answer, "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    });
}

// --- RFC 9110 sections 7.8 and 10.1: Upgrade, Expect, TE -------------------------------------------------------------

#[test]
fn upgrade_that_nobody_takes_is_ignored() {
    serve(mirror, async |network| {
        let fields = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
        let seen = seen(&network, format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
        let fields = "connection=Upgrade, HTTP2-Settings upgrade=h2c http2-settings=AAMAAABk";
        assert_eq!(seen, format!("GET / - a 1.1 [{fields}] "));
    });
}

#[test]
fn connection_switches_only_to_a_protocol_that_was_offered_by_a_client_of_1_1() {
    async fn app(_: Scope, mut receive: Receive, mut send: Send) -> Result {
        if send.switch_protocols("Echo/2", NO_FIELDS).is_err() {
            return send.respond(StatusCode::UPGRADE_REQUIRED, b"", [("Upgrade", "echo/2")]);
        }
        while let Some(piece) = receive.piece().await? {
            send.response_piece(piece).await?;
        }
        send.response_end()
    }
    serve(app, async |network| {
        let get = |version: &str, fields: &str| format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        for offer in ["Upgrade: echo/2\r\n", "Upgrade: x,\tECHO/2 ,\r\n", "Upgrade: x\r\nUpgrade: echo/2\r\n"] {
            let offer = get("1.1", &format!("Connection: upgrade\r\n{offer}"));
            let answer = transcript(&network, [&offer, "bytes"].concat()).await;
            let switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: Echo/2\r\nconnection: upgrade\r\n\r\n";
            assert_eq!(answer, [switched, "bytes"].concat(), "{offer}");
        }
        for (version, offer, option) in [
            ("1.1", "", "upgrade"),
            ("1.1", "Upgrade: echo/2\r\n", "upgrade"),
            ("1.1", "Connection: upgrade\r\n", "upgrade"),
            ("1.1", "Connection: upgrade\r\nUpgrade: echo/1, echo\r\n", "upgrade"),
            ("1.1", "Connection: upgrade, close\r\nUpgrade: x\r\n", "close, upgrade"),
            ("1.0", "Connection: upgrade\r\nUpgrade: echo/2\r\n", "close, upgrade"),
            ("1.0", "Connection: upgrade, keep-alive\r\nUpgrade: echo/2\r\n", "keep-alive, upgrade"),
        ] {
            let expected = format!(
                "HTTP/1.1 426 Upgrade Required\r\nupgrade: echo/2\r\ncontent-length: 0\r\nconnection: {option}\r\n\r\n"
            );
            assert_eq!(transcript(&network, get(version, offer)).await, expected, "{version} {offer}");
        }
        let offer = get("1.1", "Connection: upgrade\r\nUpgrade: echo/2\r\nContent-Length: 1\r\n");
        let answer = transcript(&network, [&offer, "x"].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 426 "), "a body would come first: {answer}");
    });
}

#[test]
fn expectation_is_met_once_where_a_body_comes_and_ignored_where_none_does() {
    serve(mirror, async |network| {
        let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        for (version, expect, framing, interim) in [
            ("1.1", "100-continue", "Content-Length: 1\r\n\r\nx", go_on),
            ("1.1", "100-Continue", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", go_on),
            ("1.1", ", 100-continue,,100-continue,", "Content-Length: 1\r\n\r\nx", go_on),
            ("1.1", "", "Content-Length: 1\r\n\r\nx", ""),
            ("1.1", "100-continue", "X: y\r\n\r\n", ""),
            ("1.1", "100-continue", "Content-Length: 0\r\n\r\n", ""),
            ("1.0", "100-continue", "Connection: keep-alive\r\nContent-Length: 1\r\n\r\nx", ""),
            ("1.0", "it", "Connection: keep-alive\r\nContent-Length: 1\r\n\r\nx", ""),
        ] {
            let mut client = network.connect(PIPE_BYTES);
            client.send(format!("POST / HTTP/{version}\r\nHost: a\r\nExpect: {expect}\r\n{framing}")).await;
            client.finish();
            let answer = without_dates(&client.rest().await);
            assert!(answer.starts_with(&[interim, "HTTP/1.1 200 OK\r\n"].concat()), "{expect}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 100").count(), usize::from(!interim.is_empty()), "{answer}");
        }
        for expect in ["it", "100-continue, it", "100-continue;a=b", "200-ok\r\nExpect: 100-continue"] {
            let request = format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: {expect}\r\nContent-Length: 1\r\n\r\n");
            refused(&network, &[&request], "417 Expectation Failed").await;
        }
    });
}

#[test]
fn trailers_of_an_answer_are_for_those_who_take_them() {
    async fn app(_: Scope, _: Receive, mut send: Send) -> Result {
        send.start(StatusCode::OK, None, NO_FIELDS)?;
        assert!(send.clone().response_trailers([("Content-Length", "1")]).is_err(), "it frames");
        send.response_trailers([("X-Sum", "1")])
    }
    serve(app, async |network| {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
        for (fields, trailers) in [("", ""), ("TE: gzip, Trailers\r\nConnection: TE\r\n", "x-sum: 1\r\n")] {
            let answer = transcript(&network, format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).await;
            assert_eq!(answer, format!("{chunked}{trailers}\r\n"));
        }
        let answer = transcript(&network, "GET / HTTP/1.0\r\nTE: trailers\r\n\r\n").await;
        assert_eq!(answer, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
    });
}
