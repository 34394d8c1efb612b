//! What is sent of a file: whole, in part, not at all, in another coding.

use super::*;
use crate::asgi::{Exchange, Receive, Scope, Send};
use crate::files::body::PIECE_BYTES;
use crate::limits::Limits;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

const T: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

/// `a.txt`, which has ten digits in it, and the server's answer to `GET /a.txt` with these fields.
fn digits() -> (TempDir, impl Fn(&str) -> String) {
    let root = folder(&[("a.txt", "0123456789")]);
    let app = files(root.path());
    (root, move |fields: &str| answer(app.clone(), "GET /a.txt", fields))
}

fn tag(answer: &str) -> String {
    field(answer, "etag").expect("a file has a tag").to_owned()
}

#[test]
fn file_is_sent_with_all_that_is_known_of_it() {
    let (_root, get) = digits();
    let answer = get("");
    let tag = tag(&answer);
    let expected = format!(
        "HTTP/1.1 200 OK\r\netag: {tag}\r\nlast-modified: {T}\r\naccept-ranges: bytes\r\n\
         x-content-type-options: nosniff\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: 10\r\n\r\n0123456789"
    );
    assert_eq!(answer, expected);
    assert!(tag.starts_with("\"a-"), "strong: {tag}");
}

#[test]
fn head_is_answered_as_get_without_content() {
    let root = folder(&[("a.txt", "0123456789"), ("empty", ""), ("large", &"x".repeat(PIECE_BYTES + 1))]);
    let app = files(root.path());
    for target in ["/a.txt", "/empty", "/large", "/none", "/../x"] {
        let get = answer(app.clone(), &format!("GET {target}"), "");
        let head = answer(app.clone(), &format!("HEAD {target}"), "Range: bytes=0-0\r\n");
        assert_eq!(head, get[..get.len() - body(&get).len()], "{target}");
    }
}

#[test]
fn other_methods_are_not_allowed() {
    let root = folder(&[("a.txt", "a")]);
    for method in ["POST", "PUT", "DELETE", "PATCH", "X"] {
        let answer = answer(files(root.path()), &format!("{method} /a.txt"), "");
        assert_eq!((status(&answer), field(&answer, "allow")), ("405", Some("GET, HEAD, OPTIONS")), "{method}");
    }
    for target in ["/a.txt", "*"] {
        let answer = answer(files(root.path()), &format!("OPTIONS {target}"), "");
        assert_eq!((status(&answer), field(&answer, "allow")), ("204", Some("GET, HEAD, OPTIONS")), "{target}");
    }
}

#[test]
fn connection_serves_on_after_each_kind_of_answer() {
    let root = folder(&[("a.txt", "0123456789"), ("large", &"x".repeat(3 * PIECE_BYTES))]);
    let request = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let all = [
        request("/large", ""),
        request("/a.txt", "If-None-Match: *\r\n"),
        request("/a.txt", "Range: bytes=2-4\r\n"),
        request("/a.txt", "Range: bytes=10-\r\n"),
        request("/none", ""),
        request("/a.txt", ""),
    ];
    let answers = transcript(files(root.path()), &all.concat());
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "304", "206", "416", "404", "200"]);
    assert!(answers.ends_with("\r\n\r\n0123456789"));
}

#[test]
fn each_condition_is_kept() {
    let (_root, get) = digits();
    let tag = tag(&get(""));
    for (fields, expected) in [
        (format!("If-Match: {tag}"), "200"),
        ("If-Match: *".to_owned(), "200"),
        ("If-Match: \"other\"".to_owned(), "412"),
        (format!("If-Match: W/{tag}"), "412"),
        (format!("If-Unmodified-Since: {T}"), "200"),
        (format!("If-Unmodified-Since: {BEFORE}"), "412"),
        (format!("If-None-Match: {tag}"), "304"),
        (format!("If-None-Match: \"other\", W/{tag}"), "304"),
        ("If-None-Match: *".to_owned(), "304"),
        ("If-None-Match: \"other\"".to_owned(), "200"),
        (format!("If-Modified-Since: {T}"), "304"),
        (format!("If-Modified-Since: {BEFORE}"), "200"),
        ("If-Modified-Since: never".to_owned(), "200"),
        (format!("If-None-Match: \"other\"\r\nIf-Modified-Since: {T}"), "200"),
        (format!("If-Match: \"other\"\r\nIf-None-Match: {tag}"), "412"),
        (format!("If-None-Match: {tag}\r\nRange: bytes=0-0"), "304"),
        (format!("If-Range: {tag}\r\nRange: bytes=0-0"), "206"),
        (format!("If-Range: {T}\r\nRange: bytes=0-0"), "206"),
        (format!("If-Range: W/{tag}\r\nRange: bytes=0-0"), "200"),
        (format!("If-Range: {BEFORE}\r\nRange: bytes=0-0"), "200"),
        ("If-Range: \"other\"\r\nRange: bytes=10-".to_owned(), "200"),
    ] {
        assert_eq!(status(&get(&format!("{fields}\r\n"))), expected, "{fields}");
    }
}

#[test]
fn not_modified_says_what_a_cache_needs_and_no_more() {
    let root = folder(&[("a.txt", "0123456789")]);
    let app = files(root.path()).cache_control("max-age=60").precompressed(true);
    let tag = tag(&answer(app.clone(), "GET /a.txt", ""));
    let expected = format!(
        "HTTP/1.1 304 Not Modified\r\ncache-control: max-age=60\r\nvary: accept-encoding\r\netag: {tag}\r\n\r\n"
    );
    assert_eq!(answer(app.clone(), "GET /a.txt", &format!("If-None-Match: {tag}\r\n")), expected);
    assert_eq!(answer(app, "HEAD /a.txt", &format!("If-None-Match: {tag}\r\n")), expected);
}

#[test]
fn file_that_was_just_written_has_a_weak_tag_and_no_part_of_it_is_vouched_for() {
    let root = folder(&[("a.txt", "0123456789")]);
    let mut app = files(root.path());
    Arc::make_mut(&mut app.site).now = || 0; // before it was written, by a clock that was set back
    let tag = tag(&answer(app.clone(), "GET /a.txt", ""));
    assert!(tag.starts_with("W/\""));
    let get = |fields: String| answer(app.clone(), "GET /a.txt", &fields);
    assert_eq!(status(&get(format!("If-None-Match: {tag}\r\n"))), "304");
    assert_eq!(status(&get(format!("If-Range: {tag}\r\nRange: bytes=0-0\r\n"))), "200");
    assert_eq!(status(&get(format!("If-Match: {tag}\r\n"))), "412");
}

#[test]
fn range_is_sent_and_named() {
    let (_root, get) = digits();
    for (range, content_range, content) in [
        ("bytes=0-4", "bytes 0-4/10", "01234"),
        ("bytes=5-9", "bytes 5-9/10", "56789"),
        ("bytes=5-99", "bytes 5-9/10", "56789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-30", "bytes 0-9/10", "0123456789"),
        ("bytes=9-", "bytes 9-9/10", "9"),
        ("bytes=20-, 3-4", "bytes 3-4/10", "34"),
    ] {
        let answer = get(&format!("Range: {range}\r\n"));
        assert_eq!(status(&answer), "206", "{range}");
        assert_eq!(field(&answer, "content-range"), Some(content_range), "{range}");
        assert_eq!(field(&answer, "content-type"), Some("text/plain; charset=utf-8"), "{range}");
        assert_eq!(field(&answer, "content-length"), Some(content.len().to_string().as_str()), "{range}");
        assert_eq!(body(&answer), content, "{range}");
    }
    for range in ["bytes=10-", "bytes=-0", "bytes=10-11,99-"] {
        let answer = get(&format!("Range: {range}\r\n"));
        assert_eq!((status(&answer), field(&answer, "content-range")), ("416", Some("bytes */10")), "{range}");
    }
    for range in ["bytes=5-4", "bytes=", "lines=1-2", "bytes=0-5,5-6", "bytes=0-0\r\nRange: bytes=1-1"] {
        let answer = get(&format!("Range: {range}\r\n"));
        assert_eq!((status(&answer), body(&answer)), ("200", "0123456789"), "{range}");
    }
}

#[test]
fn several_ranges_are_sent_as_parts_with_a_boundary() {
    let (_root, get) = digits();
    let answer = get("Range: bytes=7-7, 0-1, -1\r\n");
    assert_eq!((status(&answer), field(&answer, "content-range")), ("206", None));
    let media_type = field(&answer, "content-type").expect("it has a type");
    let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").expect("it is multipart");
    let part = |range: &str, content: &str| {
        format!(
            "--{boundary}\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-range: bytes {range}/10\r\n\r\n{content}\r\n"
        )
    };
    let expected = [part("7-7", "7"), part("0-1", "01"), part("9-9", "9"), format!("--{boundary}--\r\n")].concat();
    assert_eq!(body(&answer), expected);
    assert_eq!(field(&answer, "content-length"), Some(expected.len().to_string().as_str()));
    assert!(!get("Range: bytes=7-7, 0-1, -1\r\n").contains(boundary), "the boundary is another each time");
}

#[test]
fn empty_file_is_sent_whole_whatever_the_range() {
    let root = folder(&[("empty", "")]);
    for range in ["bytes=0-", "bytes=-1"] {
        let answer = answer(files(root.path()), "GET /empty", &format!("Range: {range}\r\n"));
        assert_eq!((status(&answer), field(&answer, "content-length")), ("200", Some("0")), "{range}");
    }
}

#[test]
fn file_beside_the_original_is_sent_to_who_takes_it() {
    let root = folder(&[("a.js", "original"), ("a.js.gz", "gzipped"), ("a.js.br", "br"), ("b.js", "b")]);
    fs::write(root.path().join("index.html"), "index").expect("the folder is ours");
    fs::write(root.path().join("index.html.gz"), "gzipped index").expect("the folder is ours");
    let app = files(root.path()).precompressed(true);
    let get = |target: &str, accept: &str| answer(app.clone(), &format!("GET {target}"), accept);
    for (accept, coding, content) in [
        ("", None, "original"),
        ("Accept-Encoding: gzip, br\r\n", Some("br"), "br"),
        ("Accept-Encoding: gzip, br;q=0.9\r\n", Some("gzip"), "gzipped"),
        ("Accept-Encoding: zstd, gzip;q=0.1\r\n", Some("gzip"), "gzipped"),
        ("Accept-Encoding: br;q=0, *\r\n", Some("gzip"), "gzipped"),
        ("Accept-Encoding: zstd\r\n", None, "original"),
        ("Accept-Encoding: gzip;q=0\r\nAccept-Encoding: br;q=0\r\n", None, "original"),
        ("Accept-Encoding: identity, gzip;q=0.5\r\n", None, "original"),
    ] {
        let answer = get("/a.js", accept);
        assert_eq!((field(&answer, "content-encoding"), body(&answer)), (coding, content), "{accept}");
        assert_eq!(field(&answer, "content-type"), Some("text/javascript; charset=utf-8"), "{accept}");
        assert_eq!(field(&answer, "vary"), Some("accept-encoding"), "{accept}");
    }
    let other = get("/b.js", "Accept-Encoding: gzip\r\n");
    assert_eq!((body(&other), field(&other, "vary")), ("b", Some("accept-encoding")));
    let index = get("/", "Accept-Encoding: gzip\r\n");
    assert_eq!((body(&index), field(&index, "content-encoding")), ("gzipped index", Some("gzip")));
    let itself = get("/a.js.gz", "");
    assert_eq!(field(&itself, "content-type"), Some("application/gzip"));
    assert_eq!(field(&itself, "content-encoding"), None);

    let off = answer(files(root.path()), "GET /a.js", "Accept-Encoding: gzip\r\n");
    assert_eq!((body(&off), field(&off, "vary")), ("original", None));
}

#[test]
fn each_coding_has_a_tag_and_ranges_of_its_own() {
    let root = folder(&[("a.js", "original"), ("a.js.gz", "gzipped!")]);
    let app = files(root.path()).precompressed(true);
    let get = |fields: &str| answer(app.clone(), "GET /a.js", fields);
    let gzip = "Accept-Encoding: gzip\r\n";
    let (plain_tag, gzip_tag) = (tag(&get("")), tag(&get(gzip)));
    assert_ne!(plain_tag, gzip_tag);
    assert_eq!(status(&get(&format!("{gzip}If-None-Match: {gzip_tag}\r\n"))), "304");
    assert_eq!(status(&get(&format!("{gzip}If-None-Match: {plain_tag}\r\n"))), "200");
    let part = get(&format!("{gzip}Range: bytes=4-\r\nIf-Range: {gzip_tag}\r\n"));
    assert_eq!((body(&part), field(&part, "content-encoding")), ("ped!", Some("gzip")));
    let parts = get(&format!("{gzip}Range: bytes=0-0,2-2\r\n"));
    assert_eq!((status(&parts), body(&parts)), ("200", "gzipped!"), "several parts of a coded file are not sent");
    assert_eq!(status(&get("Range: bytes=0-0,2-2\r\n")), "206");
}

#[test]
fn link_beside_the_original_does_not_lead_out() {
    let top = folder(&[("secret", "secret"), ("www/a.js", "original")]);
    std::os::unix::fs::symlink("../secret", top.path().join("www/a.js.gz")).expect("the folder is ours");
    let app = files(&top.path().join("www")).precompressed(true);
    assert_eq!(body(&answer(app, "GET /a.js", "Accept-Encoding: gzip\r\n")), "original");
}

/// Calls the application for one request, and takes what it writes whenever it waits, up to `bytes` at most. Tells how
/// much that was, and how much of it lay there at most at a time.
async fn drain(app: &Files, request: &str) -> (crate::asgi::Result, u64, usize) {
    let mut exchange = Exchange::new(Rc::default());
    exchange.receive_head(request.as_bytes(), &Limits::default()).expect("the request is well formed");
    let exchange = Rc::new(exchange);
    let (scope, receive, send) =
        (Scope::new(Rc::clone(&exchange)), Receive::new(Rc::clone(&exchange)), Send::new(Rc::clone(&exchange)));
    let mut call = app.call(scope, receive, send);
    let (mut taken, mut held_max) = (0, 0);
    let result = poll_fn(|cx| {
        let polled = Pin::new(&mut call).poll(cx);
        let held = exchange.with(|_, out| std::mem::take(out).len());
        (taken, held_max) = (taken + held as u64, held_max.max(held));
        if polled.is_pending() && held > 0 {
            exchange.wake_sender();
        }
        polled
    })
    .await;
    (result, taken, held_max)
}

#[test]
fn file_of_100_megabytes_goes_through_bounded_memory() {
    const LENGTH: u64 = 100 * 1024 * 1024;
    let root = folder(&[]);
    File::create(root.path().join("large")).and_then(|file| file.set_len(LENGTH)).expect("the folder is ours");
    let app = files(root.path());
    block_on(async {
        let (result, taken, held_max) = drain(&app, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(result, Ok(()));
        assert!(taken > LENGTH && taken < LENGTH + 1_000, "{taken}");
        assert!(held_max <= 2 * PIECE_BYTES, "{held_max}");
    });
}

#[test]
fn file_that_becomes_shorter_while_it_is_sent_cuts_the_answer() {
    const LENGTH: u64 = 64 * 1024 * 1024;
    let root = folder(&[]);
    let file = File::create(root.path().join("large")).expect("the folder is ours");
    file.set_len(LENGTH).expect("the file is ours");
    serve(files(root.path()), async |address| {
        let mut client = TcpStream::connect(address).await.expect("the server listens");
        client.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("the server reads");
        let mut begun = [0; 1_000];
        client.read_exact(&mut begun).await.expect("the answer begins");
        // More than sockets and buffers hold: the server cannot have read so far.
        file.set_len(LENGTH / 2).expect("the file is ours");
        let mut rest = Vec::new();
        let ended = client.read_to_end(&mut rest).await;
        let head = String::from_utf8_lossy(&begun).into_owned();
        assert_eq!(field(&head, "content-length"), Some(LENGTH.to_string().as_str()));
        assert!(ended.is_err() || rest.len() as u64 <= LENGTH / 2, "{} bytes", rest.len());
        assert!(rest.iter().all(|byte| *byte == 0), "nothing but the file's bytes follows");
    });
}

#[test]
fn client_that_leaves_a_large_file_half_way_leaves_nothing_behind() {
    let root = folder(&[]);
    File::create(root.path().join("large")).and_then(|file| file.set_len(1 << 30)).expect("the folder is ours");
    // `serve` waits for the connection to end.
    serve(files(root.path()), async |address| {
        let mut client = TcpStream::connect(address).await.expect("the server listens");
        client.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("the server reads");
        let mut begun = [0; 1_000];
        client.read_exact(&mut begun).await.expect("the answer begins");
    });
}
