//! The page at `/`: three texts inside the program, which fetch nothing from elsewhere.

use super::HELLO;
use bytes::Bytes;
use evloop::http::codec::encode::FieldLine;
use evloop::http::{Request, Response, StatusCode};

/// Two answers stand behind one address: a cache must keep them apart.
const VARY: FieldLine = FieldLine::new("vary: accept\r\n");

/// The page takes its style, its script and its events from here, and nothing else; and no other page may frame it, so that
/// nobody presses its buttons unseen (W3C Content Security Policy Level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("../page/index.html");
pub(super) const STYLE: Asset = Asset::new("text/css; charset=utf-8", include_str!("../page/page.css"));
pub(super) const SCRIPT: Asset = Asset::new("text/javascript; charset=utf-8", include_str!("../page/page.js"));

/// One line; for a browser, in its place, the page.
pub(super) fn home(request: &Request) -> Result<(FieldLine, &'static str), Response> {
    let wants_page = request.header("accept").is_some_and(|accept| accept.contains("text/html"));
    if !wants_page {
        return Ok((VARY, HELLO));
    }
    Err(Response::html(PAGE)
        .with_line(VARY)
        .with_header("content-security-policy", POLICY)
        .with_header("x-content-type-options", "nosniff")
        .with_header("cache-control", "no-cache"))
}

/// A text that belongs to the page. A cache keeps it, and asks each time whether it is the same: it changes with the
/// program, under one address.
pub(super) struct Asset {
    content_type: &'static str,
    text: &'static str,
    hash: u64,
}

impl Asset {
    const fn new(content_type: &'static str, text: &'static str) -> Asset {
        Asset { content_type, text, hash: fnv(text.as_bytes()) }
    }

    pub(super) fn answer(&self, request: &Request) -> Response {
        let etag = format!("\"{:016x}\"", self.hash);
        let known = request.header("if-none-match").is_some_and(|tags| tags.contains(&etag));
        let response = if known {
            Response::new(StatusCode::NOT_MODIFIED)
        } else {
            let body = Response::default().with_body(Bytes::from_static(self.text.as_bytes()));
            body.with_header("content-type", self.content_type).with_header("x-content-type-options", "nosniff")
        };
        response.with_header("etag", etag).with_header("cache-control", "no-cache")
    }
}

/// FNV-1a, 64 bits: it tells versions of a text apart, and is no protection against anybody.
const fn fnv(text: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < text.len() {
        hash = (hash ^ text[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}
