//! Responses compressed on their way out.

use crate::asgi::{App, Filter, Lifespan, LifespanFuture, Receive, Scope, Send};
use crate::codec::coding::{Accepted, Coding};
use crate::codec::encode::{FieldLine, ResponseHead};
use crate::error::{Error, Kind};
use crate::message::{Headers, Method, StatusCode};
use flate2::write::GzEncoder;
use std::cell::Cell;
use std::fmt;
use std::io::Write as _;
use std::rc::Rc;

/// A body that is known to be shorter is not compressed: with its head it fits into one packet as it is, so the client
/// would not have it any sooner.
pub const BODY_BYTES_MIN: u64 = 1_024;

/// So many responses are compressed at one time by one [`Compression`] and its clones; those that come meanwhile are
/// sent as they are. Each holds some 300 KiB until it is over, and how long that takes is its client's to say: so this
/// bounds the memory that slow clients can take, to 40 MiB.
pub const STREAMS_MAX: usize = 128;

/// Of zlib's levels. Measured with generated JSON, 6, which is usual, takes twice as long and saves 3 % more.
const LEVEL: u32 = 4;

/// A response with one of these is left alone: it is coded already, or it vouches for its very bytes (RFC 9530).
const UNTOUCHED: [&str; 5] = ["content-encoding", "content-digest", "repr-digest", "digest", "content-md5"];

/// Types that gain by it, besides all `text/`, and all that end in one of [`SUFFIXES`].
const TYPES: [&str; 12] = [
    "application/javascript",
    "application/json",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
];

const SUFFIXES: [&str; 3] = ["+json", "+xml", "+text"];

/// Compresses the responses of the application inside with gzip, for clients that [take it][accept].
///
/// **What is compressed.** Bodies of a type that gains by it (text, JSON, JavaScript, XML, SVG, WebAssembly and the
/// like) that are not known to be shorter than [`BODY_BYTES_MIN`]. Not what has a `Content-Encoding` or a digest
/// already, not a part (206), and not what says `Cache-Control: no-transform`.
///
/// **What is told.** `Vary: accept-encoding` is added wherever another client might have got something else. A
/// compressed response loses its `Accept-Ranges`, and its `ETag` becomes a weak one, because its bytes are others; so
/// does that of a 304 whose client has asked by a weak one. HEAD is answered as GET would be.
///
/// **Streams.** What is given in pieces is sent in pieces: each can be decoded by the client as soon as it arrives, as
/// events that a server sends have to be. That costs five bytes a piece, and some of the gain where pieces are small. A
/// response in pieces that is compressed is sent in chunks, as its length is not known beforehand.
///
/// **What it costs.** The loop compresses, some 20 ms a MiB, a piece at a time. Give large bodies in pieces, and serve
/// large files [compressed beforehand](crate::files::Files::precompressed). At most [`STREAMS_MAX`] responses are
/// compressed at one time.
///
/// **Why gzip alone.** All clients that take anything take it. `deflate` means two formats, of which clients accept one
/// or the other (RFC 9110 section 8.4.1.2), and gains nothing over gzip. Brotli and Zstandard gain most at levels that
/// are too slow for a loop, and so beforehand.
///
/// # Secrets
/// The size of a compressed response tells something of its content. An attacker who can have a victim's browser send
/// requests, sees the sizes of the responses, and has text of his choice repeated in them beside a secret, can guess
/// the secret byte by byte: the BREACH attack. Keep pages that show both, as a session's token beside a search term,
/// outside of this, mark them as `no-transform`, or mask the secret anew in each response.
///
/// # Examples
/// ```
/// use evloop_http::middleware::Compression;
/// use evloop_http::testing;
/// use evloop_http::{Request, Router};
///
/// let app = Compression::new(Router::new().get("/", |_: Request| async { "Hello ".repeat(1_000) }));
/// testing::drive(app, async |client| {
///     let response = client.get("/").header("accept-encoding", "gzip, br").send().await;
///     assert_eq!(response.header("content-encoding"), Some("gzip"));
///     assert!(response.bytes().len() < 100);
///     assert_eq!(client.get("/").send().await.text().len(), 6_000);
/// });
/// ```
///
/// [accept]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
#[derive(Clone)]
#[must_use = "an application does nothing unless it is served"]
pub struct Compression<A> {
    app: A,
    streams: Rc<Cell<usize>>,
}

impl<A> Compression<A> {
    /// Compresses the responses of `app`.
    pub fn new(app: A) -> Compression<A> {
        Compression { app, streams: Rc::default() }
    }
}

impl<A> fmt::Debug for Compression<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression").field("streams", &self.streams.get()).finish_non_exhaustive()
    }
}

impl<A: App> App for Compression<A> {
    type Future = A::Future;

    fn call(&self, scope: Scope, receive: Receive, mut send: Send) -> A::Future {
        if scope.method() != Method::Connect {
            send.set_filter(Box::new(Gzip::new(scope.headers(), Rc::clone(&self.streams))));
        }
        self.app.call(scope, receive, send)
    }

    fn lifespan(&self, lifespan: Lifespan) -> LifespanFuture {
        self.app.lifespan(lifespan)
    }
}

/// What compresses one response, or leaves it as it is.
struct Gzip {
    /// The client takes it, and does not like the original better.
    accepted: bool,
    /// The client asks whether what it holds is still good, and that has a weak validator.
    holds_weak: bool,
    streams: Rc<Cell<usize>>,
    /// `None` unless the body is being compressed.
    stream: Option<Stream>,
}

struct Stream {
    encoder: GzEncoder<Vec<u8>>,
    /// Bytes that are still to come of the original, if its length was told.
    left: Option<u64>,
    _place: Place,
}

impl Gzip {
    fn new(request: Headers<'_>, streams: Rc<Cell<usize>>) -> Gzip {
        let accepted = Accepted::parse(request.get_all("accept-encoding"));
        let mut held = request.get_all("if-none-match").flat_map(members);
        Gzip {
            accepted: accepted.by_preference().any(|coding| coding == Coding::Gzip),
            holds_weak: held.any(|tag| tag.starts_with(b"W/")),
            streams,
            stream: None,
        }
    }
}

impl Filter for Gzip {
    fn head(&mut self, status: StatusCode, head: &mut ResponseHead<'_>, length: Option<u64>) -> Result<bool, Error> {
        if status == StatusCode::NOT_MODIFIED || status == StatusCode::PARTIAL_CONTENT {
            // They have the fields that their 200 would have had (RFC 9110 sections 15.3.7 and 15.4.5), whose type and
            // length are not told here. What the client holds with a weak validator was compressed, and is to be found
            // by that.
            if status == StatusCode::NOT_MODIFIED && self.accepted && self.holds_weak {
                weaken_etag(head)?;
            }
            vary(head)?;
            return Ok(false);
        }
        if length.is_some_and(|length| length < BODY_BYTES_MIN) || !is_compressible(head) {
            return Ok(false);
        }
        vary(head)?;
        if !self.accepted {
            return Ok(false);
        }
        let Some(place) = Place::take(&self.streams) else { return Ok(false) };
        weaken_etag(head)?;
        head.remove("accept-ranges");
        head.line(FieldLine::new("content-encoding: gzip\r\n"));
        let encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(LEVEL));
        self.stream = Some(Stream { encoder, left: length, _place: place });
        Ok(true)
    }

    fn piece(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        let Some(Stream { encoder, left, .. }) = &mut self.stream else {
            return Err(Error::new(Kind::ResponseEnded));
        };
        // The connection, which would see it, only knows what comes out here.
        if let Some(left) = left {
            *left = left.checked_sub(piece.len() as u64).ok_or(Error::new(Kind::ResponseLength))?;
            if last && *left > 0 {
                return Err(Error::new(Kind::ResponseLength));
            }
        }
        encoder.write_all(piece).map_err(Error::application)?;
        if last {
            encoder.try_finish().map_err(Error::application)?;
        } else if !piece.is_empty() {
            encoder.flush().map_err(Error::application)?;
        }
        out.append(encoder.get_mut());
        if last {
            self.stream = None;
        }
        Ok(())
    }
}

/// A place among the responses that are compressed at one time.
struct Place(Rc<Cell<usize>>);

impl Place {
    fn take(streams: &Rc<Cell<usize>>) -> Option<Place> {
        let taken = streams.get();
        (taken < STREAMS_MAX).then(|| {
            streams.set(taken + 1);
            Place(Rc::clone(streams))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Whether this response, if it is long enough, is of a type that gains by it and may be changed.
fn is_compressible(head: &ResponseHead<'_>) -> bool {
    let forbids = |directive: &[u8]| directive.eq_ignore_ascii_case(b"no-transform");
    head.get("content-type").is_some_and(is_compressible_type)
        && !head.get_all("cache-control").flat_map(members).any(forbids)
        && UNTOUCHED.iter().all(|name| head.get(name).is_none())
}

/// Without its parameters, and whatever its case.
fn is_compressible_type(media_type: &[u8]) -> bool {
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence.starts_with(b"text/")
        || TYPES.iter().any(|known| essence == known.as_bytes())
        || SUFFIXES.iter().any(|suffix| essence.ends_with(suffix.as_bytes()))
}

/// Says that the response hangs on `Accept-Encoding`, beside what else it is said to hang on.
fn vary(head: &mut ResponseHead<'_>) -> Result<(), Error> {
    let says_so = |name: &[u8]| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding");
    if head.get_all("vary").flat_map(members).any(says_so) {
        return Ok(());
    }
    let values: Vec<&[u8]> = head.get_all("vary").chain([&b"accept-encoding"[..]]).collect();
    let merged = values.join(&b", "[..]);
    head.replace("vary", &merged)
}

/// The compressed bytes are not those of which the validator speaks; what they mean is the same (RFC 9110 section
/// 8.8.1).
fn weaken_etag(head: &mut ResponseHead<'_>) -> Result<(), Error> {
    match head.get("etag") {
        Some(etag) if etag.starts_with(b"\"") => {
            let weak = [b"W/", etag].concat();
            head.replace("etag", &weak)
        }
        _ => Ok(()),
    }
}

/// The members of a field's value that is a list.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests;
