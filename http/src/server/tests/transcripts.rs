//! What is sent and what comes back, when nobody misbehaves and when the request is at fault.

use super::{
    GET, HELLO, PIPE_BYTES, demo, is_seeded, ms, quiet, serve, serve_limited, still_serves, transcript, without_dates,
};
use crate::limits::Limits;
use evloop_runtime::time::{now, sleep};

#[test]
fn one_connection_serves_request_after_request() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        for _ in 0..100 {
            still_serves(&mut client).await;
        }
        assert_eq!(network.accepted(), 1);
    });
}

#[test]
fn pipelined_requests_are_answered_in_order_and_in_one_write() {
    if is_seeded() {
        return; // it counts writes
    }
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        let lines = "GET /lines HTTP/1.1\r\nHost: a\r\n\r\n";
        client.send([GET, lines, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", GET].concat()).await;
        client.finish();
        let answers = without_dates(&client.rest().await);
        let bodies: Vec<&str> =
            answers.split("HTTP/1.1 ").skip(1).map(|answer| answer.split("\r\n\r\n").nth(1).unwrap()).collect();
        assert_eq!(bodies, ["Hello", "5\r\nline\n\r\n5\r\nline\n\r\n5\r\nline\n\r\n0", "Not Found", "Hello"]);
        assert_eq!(client.seen().writes(), 1);
    });
}

#[test]
fn requests_are_answered_alike_wherever_they_are_split() {
    let chunked =
        "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: v\r\n\r\n";
    let pipeline = [GET, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", chunked, GET].concat();
    serve(demo(), async |network| {
        let whole = transcript(&network, &pipeline).await;
        assert!(whole.contains("2 bytes") && whole.contains("3 bytes") && whole.ends_with(HELLO), "{whole}");
        for cut in 1..pipeline.len() {
            let mut client = network.connect(PIPE_BYTES);
            client.send(&pipeline[..cut]).await;
            quiet().await;
            client.send(&pipeline[cut..]).await;
            client.finish();
            assert_eq!(without_dates(&client.rest().await), whole, "cut at {cut}");
        }
        let mut client = network.connect(1); // and byte by byte
        let mut answers = Vec::new();
        for byte in pipeline.bytes() {
            client.send([byte]).await;
            quiet().await;
            while client.unread_bytes() > 0 {
                answers.extend(client.take(1).await);
                quiet().await;
            }
        }
        client.finish();
        answers.extend(client.rest().await);
        assert_eq!(without_dates(&answers), whole);
    });
}

#[test]
fn malformed_requests_get_their_status_and_an_end() {
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9_000));
    let long_head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
    let large_head = format!("GET / HTTP/1.1\r\nHost: a\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    serve(demo(), async |network| {
        for (request, status) in [
            ("GET /\r\n\r\n", "400 Bad Request"),
            ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
            ("\0\0\0\0", "400 Bad Request"),
            ("GET / HTTP/1.1\nHost: a\n\n", "400 Bad Request"),
            ("GET / HTTP/2.0\r\n\r\n", "505 HTTP Version Not Supported"),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: it\r\n\r\n", "417 Expectation Failed"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501 Not Implemented"),
            (&long_line, "414 URI Too Long"),
            (&long_head, "431 Request Header Fields Too Large"),
            (&large_head, "431 Request Header Fields Too Large"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", "413 Content Too Large"),
        ] {
            let mut client = network.connect(2 * PIPE_BYTES);
            client.send(request).await;
            // What the client had under way when it was refused does no harm to the answer.
            client.send([b'x'; 1_000]).await;
            let text = &status[4..];
            let expected = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            assert_eq!(without_dates(&client.rest().await), expected);
            assert!(client.seen().is_shut_down() && !client.seen().is_gone(), "it lingers, {status}");
        }
    });
}

#[test]
fn requests_before_a_malformed_one_are_answered() {
    serve(demo(), async |network| {
        let answers = transcript(&network, [GET, GET, "bad\r\n\r\n"].concat()).await;
        let rest = answers.strip_prefix(&[HELLO, HELLO].concat()).expect("two answers come first");
        assert!(rest.starts_with("HTTP/1.1 400 "), "{rest}");
    });
}

#[test]
fn head_left_unfinished_by_one_client_is_forgotten_before_the_next() {
    serve(demo(), async |network| {
        let mut first = network.connect(PIPE_BYTES);
        first.send(format!("GET / HTTP/1.1\r\nHost: b\r\nx: {}", "y".repeat(500))).await;
        quiet().await;
        drop(first);
        quiet().await;
        let mut second = network.connect(PIPE_BYTES);
        still_serves(&mut second).await;
        second.send("GET / HTTP/1.1\r\nHost: a").await;
        second.finish();
        assert_eq!(without_dates(&second.rest().await), "", "half a request is no request");
    });
}

#[test]
fn body_is_taken_at_its_limit_and_refused_past_it() {
    let limits = Limits { body_bytes_max: 8, ..Limits::default() };
    serve_limited(limits, demo(), async |network| {
        let post = |body: &str| format!("POST /count HTTP/1.1\r\nHost: a\r\n{body}");
        let at = transcript(&network, post("Content-Length: 8\r\n\r\n12345678")).await;
        assert!(at.ends_with("8 bytes"), "{at}");
        let over = transcript(&network, post("Content-Length: 9\r\n\r\n123456789")).await;
        assert!(over.starts_with("HTTP/1.1 413 "), "{over}");
        let at =
            transcript(&network, post("Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n3\r\n678\r\n0\r\n\r\n")).await;
        assert!(at.ends_with("8 bytes"), "{at}");
        let over =
            transcript(&network, post("Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n")).await;
        assert!(over.starts_with("HTTP/1.1 413 ") && over.contains("connection: close"), "{over}");
    });
}

#[test]
fn handler_that_takes_less_than_the_body_refuses_it_and_the_connection_goes_on() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        let body = "x".repeat(1_001);
        client.send(format!("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n{body}")).await;
        let answer = client.until("\r\n\r\nContent Too Large").await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && !answer.contains("close"), "{answer}");
        still_serves(&mut client).await;
    });
}

#[test]
fn chunks_are_echoed_as_they_come() {
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for piece in ["one", "two", "three"] {
            client.send(format!("{:x}\r\n{piece}\r\n", piece.len())).await;
            let echoed = client.until(&format!("{piece}\r\n")).await;
            assert!(echoed.ends_with(&format!("{}\r\n{piece}\r\n", piece.len())), "{echoed}");
        }
        client.send("0\r\n\r\n").await;
        assert_eq!(client.until("0\r\n\r\n").await, "0\r\n\r\n");
        still_serves(&mut client).await;
    });
}

#[test]
fn malformed_chunk_in_an_echo_cuts_the_answer() {
    if is_seeded() {
        return; // it looks at how the body was cut
    }
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
        client.until("abc\r\n").await;
        client.send("zz\r\n").await;
        assert_eq!(client.rest().await, b"", "an answer without its last chunk");
    });
}

#[test]
fn client_is_told_to_go_on_when_the_body_is_asked_for_and_only_then() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
        assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("abc").await;
        assert!(client.until("3 bytes").await.starts_with("HTTP/1.1 200 OK"));
        still_serves(&mut client).await;

        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
        let answer = without_dates(&client.rest().await);
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("connection: close"), "{answer}");
    });
}

#[test]
fn client_of_an_echo_is_told_to_go_on() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
        quiet().await;
        assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("abc").await;
        assert!(client.until("abc").await.starts_with("HTTP/1.1 200 OK"));
        still_serves(&mut client).await;
    });
}

#[test]
fn head_is_answered_as_get_without_the_body() {
    serve(demo(), async |network| {
        let answer = transcript(&network, ["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", GET].concat()).await;
        let head = HELLO.strip_suffix("Hello").unwrap();
        assert_eq!(answer, [head, HELLO].concat());
    });
}

#[test]
fn refusal_after_a_head_request_has_its_body() {
    serve(demo(), async |network| {
        let answer = transcript(&network, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nbad\r\n\r\n").await;
        assert!(answer.ends_with("connection: close\r\n\r\nBad Request"), "{answer}");
    });
}

#[test]
fn http_1_0_closes_unless_it_asks_to_stay() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert!(client.until("Hello").await.contains("connection: keep-alive\r\n"));
        client.send("GET / HTTP/1.0\r\n\r\n").await;
        let answer = without_dates(&client.rest().await);
        assert!(answer.contains("connection: close\r\n") && answer.ends_with("Hello"), "{answer}");
    });
}

#[test]
fn http_1_0_gets_a_body_of_unknown_length_to_the_end_of_the_connection() {
    serve(demo(), async |network| {
        let answer = transcript(&network, "GET /lines HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let line = "5\r\nline\n\r\n";
        let expected = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{line}{line}{line}0\r\n\r\n");
        assert_eq!(answer, expected);
        let mut client = network.connect(PIPE_BYTES);
        client.send("GET /lines HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        let answer = without_dates(&client.rest().await);
        assert_eq!(answer, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nline\nline\nline\n");
    });
}

#[test]
fn body_that_nobody_reads_is_drained_and_the_connection_goes_on() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        for body in ["Content-Length: 5\r\n\r\nabcde", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"] {
            client.send(format!("POST /ignore HTTP/1.1\r\nHost: a\r\n{body}")).await;
            client.until("ignored").await;
            still_serves(&mut client).await;
        }
        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
        client.until("ignored").await;
        client.send(vec![b'x'; 100_000]).await;
        still_serves(&mut client).await;
    });
}

#[test]
fn body_that_nobody_reads_and_that_is_malformed_ends_the_connection() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        let request = "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
        client.send([request, GET].concat()).await;
        let answers = without_dates(&client.rest().await);
        assert!(answers.ends_with("ignored"), "nothing behind a malformed body is a request: {answers}");
    });
}

#[test]
fn huge_body_that_nobody_reads_ends_the_connection() {
    serve(demo(), async |network| {
        let mut client = network.connect(PIPE_BYTES);
        client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").await;
        let head = client.until("ignored").await;
        assert!(head.contains("connection: close\r\n"), "the client is not told that it may stop: {head}");
        let piece = vec![b'x'; 10_000];
        let before = now();
        while evloop_runtime::io::AsyncWrite::write_all(&mut client, &piece).await.is_ok() {
            assert!(now() - before < ms(2_100), "the server reads on and on");
            sleep(ms(10)).await;
        }
        assert!(client.seen().is_gone());
    });
}
