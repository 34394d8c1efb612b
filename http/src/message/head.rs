//! The head of a request, kept from one request to the next.

use std::fmt;

use super::{FieldRange, Headers, Method};

/// The protocol version a request speaks. Other major versions are refused with 505.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// `HTTP/1.0`: no chunked bodies, and a connection that closes unless asked to stay.
    Http10,
    /// `HTTP/1.1`, or a higher minor version, which is read as this one (RFC 9110 section 6.2).
    #[default]
    Http11,
}

impl Version {
    /// `HTTP/1.0` or `HTTP/1.1`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// A request line, as places in its text.
///
/// Invariant: method and target are visible ASCII, and each start is at most its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// The method lies before it, and a space between them.
    pub(crate) target_start: usize,
    pub(crate) target_end: usize,
    pub(crate) path_start: usize,
    pub(crate) path_end: usize,
    /// Just after the `?`; zero when there is none. A query runs to the target's end.
    pub(crate) query_start: usize,
}

/// What the field lines of a head say about everything but themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact about the fields, and a head may state them all")]
pub(crate) struct FieldFacts {
    pub(crate) host: HostFact,
    pub(crate) content_length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) upgrade: bool,
    pub(crate) expect_continue: bool,
    pub(crate) expect_other: bool,
}

/// What Host says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum HostFact {
    /// It is not there.
    #[default]
    Missing,
    /// It is there, and empty.
    Empty,
    /// It is an authority.
    Named,
}

/// The head of a request: method, target, version and field lines.
///
/// A head is meant to be used again: [`codec::head::parse`](crate::codec::head::parse) fills it, `clear` empties it,
/// and after the first few requests neither allocates. It is empty after [`RequestHead::default`].
///
/// # Examples
///
/// ```
/// use evloop_http::codec::head;
/// use evloop_http::limits::Limits;
/// use evloop_http::message::{Method, RequestHead, Version};
///
/// let mut head = RequestHead::default();
/// let input = b"GET /search?q=loop HTTP/1.1\r\nHost: localhost:8000\r\n\r\n";
/// let parsed = head::parse(input, &Limits::default(), &mut head)?.expect("the head is whole");
///
/// assert_eq!(parsed.consumed, input.len());
/// assert_eq!(head.method(), Method::Get);
/// assert_eq!(head.target(), "/search?q=loop");
/// assert_eq!(head.path(), "/search");
/// assert_eq!(head.query(), Some("q=loop"));
/// assert_eq!(head.version(), Version::Http11);
/// assert_eq!(head.headers().get_str("host"), Some("localhost:8000"));
/// # Ok::<(), evloop_http::error::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct RequestHead {
    /// The field lines, then the request line, then the path that an empty one stands for.
    ///
    /// The field lines are first because they stay when the next request has the same: see
    /// [`codec::head`](crate::codec::head).
    text: Vec<u8>,
    /// How much of `text` are field lines, and where the request line begins; zero when there is none.
    fields_bytes: usize,
    /// The field lines in small letters: where the names are read.
    ///
    /// A copy, because `text` must stay as the client wrote it to be compared with the next head. Made small in one
    /// pass, which costs less than a look at each name.
    lower: Vec<u8>,
    /// Invariant: every range lies in the field lines, and every name is a token.
    fields: Vec<FieldRange>,
    /// What the fields say.
    facts: FieldFacts,
    /// They are [plain](FieldFacts::is_plain).
    plain: bool,
    /// Invariant: its places lie in `text` from `fields_bytes` on.
    line: RequestLine,
    /// How much of the input an earlier call of the parser has seen, when that was not a whole head.
    pub(crate) seen_bytes: usize,
    /// How many fields the last head had that was parsed into this one; `clear` leaves it.
    pub(crate) field_count_last: usize,
}

impl RequestHead {
    /// The method, as a number to match on.
    #[inline]
    pub fn method(&self) -> Method {
        self.line.method
    }

    /// The method's text, also when it has no name in [`Method`].
    #[inline]
    pub fn method_str(&self) -> &str {
        match self.line.method.as_str() {
            Some(text) => text,
            None => ascii(&self.line_text()[..self.line.target_start - 1]),
        }
    }

    /// The request target, as the client wrote it (RFC 9112 section 3.2).
    pub fn target(&self) -> &str {
        ascii(self.target_bytes())
    }

    /// The same as bytes, for those who only compare or pass them on: making them text looks at each once more.
    #[inline]
    pub fn target_bytes(&self) -> &[u8] {
        &self.line_text()[self.line.target_start..self.line.target_end]
    }

    /// The method and the target, as the client wrote them.
    #[inline]
    pub(crate) fn line_bytes(&self) -> &[u8] {
        &self.line_text()[..self.line.target_end]
    }

    /// The path of the target, not decoded: what a router looks at.
    ///
    /// It starts with `/`, also when the target is a whole URI (absolute-form), whose empty path stands for `/` (RFC
    /// 9110 section 4.2.3). It is `*` when an `OPTIONS` asks about the server itself, and empty for `CONNECT`, whose
    /// target is an authority.
    pub fn path(&self) -> &str {
        ascii(self.path_bytes())
    }

    /// The same as bytes.
    #[inline]
    pub fn path_bytes(&self) -> &[u8] {
        // Not out of the line, which would have to be taken out first.
        &self.text[self.fields_bytes + self.line.path_start..self.fields_bytes + self.line.path_end]
    }

    /// What follows the first `?` of the target, not decoded; `Some("")` when nothing does.
    pub fn query(&self) -> Option<&str> {
        match self.line.query_start {
            0 => None,
            start => Some(ascii(&self.line_text()[start..self.line.target_end])),
        }
    }

    /// The host, and the port if one is given, that the request is meant for (RFC 9110 section 7.2).
    ///
    /// What the target says counts, and Host only if the target says nothing (RFC 9112 section 3.2.2). Empty when
    /// neither does, which HTTP/1.0 allows.
    pub fn authority(&self) -> &str {
        let target = self.target();
        if target.is_empty() || target.starts_with('/') || target == "*" {
            return self.headers().get_str("host").unwrap_or_default();
        }
        let rest = target.split_once("://").map_or(target, |(_scheme, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or_default()
    }

    /// The version the client speaks.
    #[inline]
    pub fn version(&self) -> Version {
        self.line.version
    }

    /// The field lines.
    #[inline]
    pub fn headers(&self) -> Headers<'_> {
        Headers::new(&self.lower, &self.text, &self.fields)
    }

    /// Empties the head and keeps its memory.
    ///
    /// There is no need to between two requests. A head that a parser has begun must be cleared before it meets the
    /// bytes of another connection.
    pub fn clear(&mut self) {
        self.text.clear();
        self.lower.clear();
        self.fields_bytes = 0;
        self.fields.clear();
        self.facts = FieldFacts::default();
        self.plain = false;
        self.line = RequestLine::default();
        self.seen_bytes = 0;
    }

    /// Makes the head ready for the bytes of another connection: what was begun is given up, and an unusually large head
    /// is emptied and frees its memory, so that a pool of heads stays small.
    pub fn retire(&mut self, bytes_max: usize) {
        self.seen_bytes = 0;
        let text_bytes = self.text.capacity() + self.lower.capacity();
        if text_bytes + self.fields.capacity() * size_of::<FieldRange>() > bytes_max {
            self.clear();
            self.text = Vec::new();
            self.lower = Vec::new();
            self.fields = Vec::new();
        }
    }

    /// The request line.
    #[inline]
    fn line_text(&self) -> &[u8] {
        &self.text[self.fields_bytes..]
    }

    /// How long the field lines are that this text begins with, if they are the same as the last.
    #[inline]
    pub(crate) fn same_fields(&self, text: &[u8]) -> Option<usize> {
        let last = &self.text[..self.fields_bytes];
        (!last.is_empty() && text.starts_with(last)).then_some(last.len())
    }

    /// Forgets what it held, and copies the field lines of another head; their ranges follow, and what they say.
    #[inline]
    pub(crate) fn begin_fields(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
        self.lower.clear();
        self.fields.clear();
        // Until all fields are there, nothing in the text counts.
        self.fields_bytes = 0;
        self.line = RequestLine::default();
    }

    /// Adds a field, whose name is a token.
    #[inline]
    pub(crate) fn push_field(&mut self, field: FieldRange) {
        debug_assert!(field.value_end as usize <= self.text.len());
        self.fields.push(field);
    }

    /// Takes over what the fields say, all of which have been pushed.
    #[inline]
    pub(crate) fn finish_fields(&mut self, facts: FieldFacts) {
        self.fields_bytes = self.text.len();
        self.lower.extend_from_slice(&self.text);
        self.lower.make_ascii_lowercase();
        self.field_count_last = self.fields.len();
        self.plain = facts.is_plain();
        self.facts = facts;
    }

    /// Whether the fields are [plain](FieldFacts::is_plain).
    #[inline]
    pub(crate) fn has_plain_fields(&self) -> bool {
        self.plain
    }

    /// The request line, taken apart.
    #[inline]
    pub(crate) fn line(&self) -> &RequestLine {
        &self.line
    }

    /// What the fields say.
    #[inline]
    pub(crate) fn facts(&self) -> &FieldFacts {
        &self.facts
    }

    /// Copies the request line next to its fields.
    #[inline]
    pub(crate) fn set_line(&mut self, text: &[u8], line: RequestLine) {
        self.text.truncate(self.fields_bytes);
        self.text.extend_from_slice(text);
        self.line = line;
        self.seen_bytes = 0;
    }

    /// Lets another path stand for the empty one of the target.
    pub(crate) fn imply_path(&mut self, path: &str) {
        debug_assert_eq!(self.line.path_start, self.line.path_end);
        self.line.path_start = self.line_text().len();
        self.text.extend_from_slice(path.as_bytes());
        self.line.path_end = self.line_text().len();
    }
}

/// Text of the request line, by the invariant of [`RequestLine`].
fn ascii(text: &[u8]) -> &str {
    str::from_utf8(text).expect("a request line is visible ASCII")
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method_str())
            .field("target", &self.target())
            .field("version", &self.version().as_str())
            .field("headers", &self.headers())
            .finish_non_exhaustive()
    }
}
