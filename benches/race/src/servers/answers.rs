//! What every server is asked, and exactly what it answers.
//!
//! | asked | answered, all with status 200 and a `Content-Length` |
//! |---|---|
//! | `GET /plaintext` | `Hello, World!` |
//! | `GET /route/100` to `GET /route/199` | `route 100` to `route 199`: a hundred routes, each registered by itself |
//! | `POST /echo-length` | the length of the body that was read, as `1024` |
//! | `GET /100k` | 102,400 bytes, from memory |
//!
//! Heads are the server's own matter, as long as they have the same length every time: who loads them counts bytes.

use std::fmt::Write as _;

/// The answer to `GET /plaintext`.
pub(crate) const PLAINTEXT: &str = "Hello, World!";

/// How many routes there are.
pub(crate) const ROUTES: usize = 100;

/// How long the body is that is sent to `/echo-length`, in bytes.
pub(crate) const POSTED_BYTES: usize = 1024;

/// How long the answer to `GET /100k` is, in bytes.
pub(crate) const LARGE_BYTES: usize = 100 * 1024;

/// The path of a route, for an index below [`ROUTES`]. All are of the same length.
pub(crate) fn route_path(index: usize) -> String {
    format!("/route/{}", 100 + index)
}

/// What that route answers.
pub(crate) fn route_body(index: usize) -> String {
    format!("route {}", 100 + index)
}

/// What `GET /100k` answers: text, whose pieces differ, so that a piece that is lost or doubled shows.
pub(crate) fn large_body() -> Vec<u8> {
    (0_usize..).flat_map(|line| format!("{line:07}\n").into_bytes()).take(LARGE_BYTES).collect()
}

/// A request and the body of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The whole request, as it is sent.
    pub(crate) request: Vec<u8>,
    /// The whole body of the answer.
    pub(crate) body: Vec<u8>,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1, by the servers of [`super::SERVERS`].
    Http,
    /// None: what is sent comes back, from the servers of [`crate::echo::SERVERS`].
    Echo,
}

impl Protocol {
    /// The chapter of the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Echo => "echo",
        }
    }

    /// How each good answer begins, as far as all do.
    pub(crate) fn good(self) -> &'static [u8] {
        match self {
            Self::Http => b"HTTP/1.1 200",
            Self::Echo => b"",
        }
    }
}

/// A way of asking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// Who is asked.
    pub(crate) protocol: Protocol,
    /// As on the command line.
    pub(crate) name: &'static str,
    /// What it is, in a line.
    pub(crate) what: &'static str,
    /// How many connections there are at a time.
    pub(crate) connections: usize,
    /// How many requests are on the way on each.
    pub(crate) depth: usize,
    /// Whether each request has a connection of its own, which the client closes.
    pub(crate) fresh: bool,
    /// What is asked in turn. All requests have one length, and all answers of a server, too.
    pub(crate) exchanges: fn() -> Vec<Exchange>,
}

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { connections: 1, ..kept("c1", "GET /plaintext, 1 connection", plaintext) },
    kept("c64", "GET /plaintext, 64 connections", plaintext),
    Scenario { connections: 512, ..kept("c512", "GET /plaintext, 512 connections", plaintext) },
    Scenario { depth: 16, ..kept("p16", "GET /plaintext, 64 connections, 16 requests deep", plaintext) },
    kept("routes", "100 routes in turn, 64 connections", routes),
    kept("browser", "GET /plaintext with a browser's headers, 64 connections", browser),
    kept("post", "POST of 1 KiB, 64 connections", post),
    kept("large", "GET /100k, 64 connections", large),
    Scenario { fresh: true, ..kept("fresh", "GET /plaintext, 64 at a time, each on a new connection", plaintext) },
];

/// The same request on more and more connections: what the chapter of scale asks.
pub(crate) const GROWING: &[Scenario] = &[
    SCENARIOS[0],
    Scenario { connections: 100, ..kept("c100", "GET /plaintext, 100 connections", plaintext) },
    Scenario { connections: 1_000, ..kept("c1000", "GET /plaintext, 1,000 connections", plaintext) },
    Scenario { connections: 10_000, ..kept("c10000", "GET /plaintext, 10,000 connections", plaintext) },
];

/// The scenario of this name, of HTTP or of the echo.
pub(crate) fn scenario(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().chain(GROWING).chain(crate::echo::SCENARIOS).find(|scenario| scenario.name == name)
}

/// 64 connections that are kept alive, one request on each at a time.
const fn kept(name: &'static str, what: &'static str, exchanges: fn() -> Vec<Exchange>) -> Scenario {
    Scenario { protocol: Protocol::Http, name, what, connections: 64, depth: 1, fresh: false, exchanges }
}

fn plaintext() -> Vec<Exchange> {
    vec![get("/plaintext", "", PLAINTEXT.as_bytes())]
}

fn routes() -> Vec<Exchange> {
    (0..ROUTES).map(|index| get(&route_path(index), "", route_body(index).as_bytes())).collect()
}

/// What a browser of today sends with the address of a page that it has been on: a dozen fields, cookies among them.
fn browser() -> Vec<Exchange> {
    let mut fields = String::new();
    for (name, value) in BROWSER_FIELDS {
        let _ = write!(fields, "{name}: {value}\r\n");
    }
    vec![get("/plaintext", &fields, PLAINTEXT.as_bytes())]
}

/// A browser's fields, beside `Host`.
const BROWSER_FIELDS: [(&str, &str); 13] = [
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    ),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Cache-Control", "max-age=0"),
    ("Cookie", "session=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c; theme=dark; seen=1760000000; lang=en"),
    ("Referer", "http://127.0.0.1/start"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-User", "?1"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Connection", "keep-alive"),
];

fn post() -> Vec<Exchange> {
    let mut request = format!(
        "POST /echo-length HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: {POSTED_BYTES}\r\n\r\n"
    )
    .into_bytes();
    request.resize(request.len() + POSTED_BYTES, b'x');
    vec![Exchange { request, body: POSTED_BYTES.to_string().into_bytes() }]
}

fn large() -> Vec<Exchange> {
    vec![get("/100k", "", &large_body())]
}

fn get(path: &str, fields: &str, body: &[u8]) -> Exchange {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n").into_bytes();
    Exchange { request, body: body.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_a_scenario_have_one_length_and_so_have_bodies() {
        for scenario in SCENARIOS {
            let exchanges = (scenario.exchanges)();
            let first = &exchanges[0];
            for exchange in &exchanges {
                assert_eq!(exchange.request.len(), first.request.len(), "{}", scenario.name);
                assert_eq!(exchange.body.len(), first.body.len(), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn names_of_scenarios_are_their_own() {
        let all = || SCENARIOS.iter().chain(crate::echo::SCENARIOS).map(|scenario| scenario.name);
        for name in all() {
            assert_eq!(all().filter(|other| *other == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn large_body_has_no_two_pieces_alike() {
        let body = large_body();
        assert_eq!(body.len(), LARGE_BYTES);
        assert_ne!(body[..1024], body[1024..2048]);
    }
}
