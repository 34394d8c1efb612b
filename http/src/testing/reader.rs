//! Bytes become responses, and everything that is wrong with them an error.
//!
//! This parser shares no code with the server's codec: it is there to check it. Nor is it lenient, as clients must be that
//! meet many servers. It is shown what has come and gives the parts of one response, in this order:
//!
//! ```text
//!   Interim*  Head  Piece*  End
//! ```
//!
//! What it insists on, with the sections of RFC 9110 and RFC 9112 that say so:
//!
//! | | |
//! |---|---|
//! | a status line of HTTP/1.1 with a space behind the code; lines that end in CR LF | 9112: 2.2, 4 |
//! | no interim response to HTTP/1.0; none with fields that frame a body | 9110: 8.6, 15.2; 9112: 6.1 |
//! | one `content-length` of digits, or one `transfer-encoding: chunked`, never both | 9112: 6.2, 6.3 |
//! | neither of them with 204 or a tunnel; nothing chunked to HTTP/1.0 | 9110: 8.6, 9.3.6; 9112: 6.1 |
//! | a body to HTTP/1.1 whose end can be told from a cut | 9112: 8 |
//! | one `date` in its one format, but for 5xx, which may do without | 9110: 6.6.1 |
//! | chunks with a plain size, that end where they say; trailers that frame nothing | 9110: 6.5.1; 9112: 7.1 |

use super::error::ClientError;
use super::response::{Fields, TestHead};
use crate::message::StatusCode;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of a response's head, and of its trailer section, that are taken.
pub(super) const HEAD_BYTES_MAX: usize = 256 * 1024;

/// Fields of a head that are taken.
const FIELDS_MAX: usize = 1_000;

/// Interim responses that are taken before the response itself.
const INTERIM_MAX: usize = 100;

/// A chunk's size has at most so many digits: those of the largest `u64`.
const SIZE_DIGITS_MAX: usize = 16;

type Result<T> = std::result::Result<T, ClientError>;

/// What of a request decides how its response is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked {
    /// By HEAD: the response ends with its head.
    pub(super) head: bool,
    /// By CONNECT: a successful response ends with its head, and HTTP with it.
    pub(super) connect: bool,
    pub(super) http_1_0: bool,
}

/// A part of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Interim(TestHead),
    Head(TestHead),
    /// Some of the body, never empty.
    Piece(Bytes),
    /// The end, with the trailers.
    End(Fields),
}

/// Reads one response.
#[derive(Debug)]
pub(super) struct ResponseReader {
    asked: Asked,
    state: State,
    interim: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    /// So many bytes are left, of so many.
    Length(u64, u64),
    /// The body ends with the connection.
    ToEnd,
    ChunkSize,
    /// So many bytes are left of the chunk.
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Over,
}

impl ResponseReader {
    pub(super) fn new(asked: Asked) -> ResponseReader {
        ResponseReader { asked, state: State::Head, interim: 0 }
    }

    /// The next part, taken from the front of the input; `None` when more input is needed, or after the end. `ended` says
    /// that there will be no more.
    pub(super) fn next(&mut self, input: &mut BytesMut, ended: bool) -> Result<Option<Part>> {
        loop {
            let part = match self.state {
                State::Head => self.head(input)?,
                State::Length(0, _) => Some(self.end(Fields::default())),
                State::Length(left, of) => take(input, left).map(|piece| {
                    self.state = State::Length(left - piece.len() as u64, of);
                    Part::Piece(piece)
                }),
                State::ToEnd if ended && input.is_empty() => Some(self.end(Fields::default())),
                State::ToEnd => take(input, u64::MAX).map(Part::Piece),
                State::Chunk(0) => {
                    self.state = State::ChunkEnd;
                    continue;
                }
                State::Chunk(left) => take(input, left).map(|piece| {
                    self.state = State::Chunk(left - piece.len() as u64);
                    Part::Piece(piece)
                }),
                State::ChunkEnd if input.len() >= 2 => {
                    if !input.starts_with(b"\r\n") {
                        return Err(malformed("a chunk is longer than its size says: behind it stands", input));
                    }
                    input.advance(2);
                    self.state = State::ChunkSize;
                    continue;
                }
                State::ChunkEnd => None,
                State::ChunkSize => match chunk_size(input)? {
                    Some(size) => {
                        self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
                        continue;
                    }
                    None => None,
                },
                State::Trailers => trailers(input)?.map(|trailers| self.end(trailers)),
                State::Over => return Ok(None),
            };
            return if part.is_none() && ended { Err(self.cut(input)) } else { Ok(part) };
        }
    }

    fn end(&mut self, trailers: Fields) -> Part {
        self.state = State::Over;
        Part::End(trailers)
    }

    /// The head, if it is whole.
    fn head(&mut self, input: &mut BytesMut) -> Result<Option<Part>> {
        let Some(text) = take_section(input, "head")? else { return Ok(None) };
        let head = parse_head(&text)?;
        if head.status().is_informational() {
            self.check_interim(&head)?;
            return Ok(Some(Part::Interim(head)));
        }
        check_date(&head)?;
        self.state = self.framing(&head)?;
        Ok(Some(Part::Head(head)))
    }

    fn check_interim(&mut self, head: &TestHead) -> Result<()> {
        self.interim += 1;
        let wrong = if head.status() == StatusCode::SWITCHING_PROTOCOLS {
            "the server switches protocols, which this client did not ask for"
        } else if self.asked.http_1_0 {
            "an interim response to a client of http/1.0"
        } else if head.headers().get("content-length").or(head.headers().get("transfer-encoding")).is_some() {
            "an interim response with a field that frames a body"
        } else if self.interim > INTERIM_MAX {
            return Err(ClientError::too_long(format!("more than {INTERIM_MAX} interim responses")));
        } else {
            return Ok(());
        };
        Err(ClientError::malformed(wrong))
    }

    /// How the end of the body is found.
    fn framing(&self, head: &TestHead) -> Result<State> {
        let status = head.status();
        let tunnel = self.asked.connect && (200..300).contains(&status.as_u16());
        let length = content_length(head)?;
        let chunked = is_chunked(head)?;
        let wrong = if length.is_some() && chunked {
            "both content-length and transfer-encoding"
        } else if (tunnel || status == StatusCode::NO_CONTENT) && (length.is_some() || chunked) {
            "a field that frames a body where there can be none"
        } else if chunked && self.asked.http_1_0 {
            "transfer-encoding to a client of http/1.0"
        } else if tunnel || self.asked.head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            return Ok(State::Length(0, 0));
        } else if let Some(length) = length {
            return Ok(State::Length(length, length));
        } else if chunked {
            return Ok(State::ChunkSize);
        } else if self.asked.http_1_0 {
            return Ok(State::ToEnd);
        } else {
            "a body without a length, which a client of http/1.1 cannot tell from a cut one"
        };
        Err(ClientError::malformed(wrong))
    }

    /// What is missing when the connection has ended, or was reset.
    pub(super) fn cut(&self, input: &[u8]) -> ClientError {
        ClientError::cut(match self.state {
            State::Head if input.is_empty() => "the connection ended before the response began".to_string(),
            State::Head => format!("the connection ended in the midst of a head, after {}", excerpt(input)),
            State::Length(left, of) => {
                format!("the connection ended after {} of {of} bytes of the body", of - left)
            }
            State::Chunk(left) => format!("the connection ended {left} bytes before the end of a chunk"),
            State::ChunkSize | State::ChunkEnd => "the connection ended before the last chunk".to_string(),
            State::Trailers => "the connection ended in the midst of the trailers".to_string(),
            State::ToEnd | State::Over => "the connection was reset where it should end".to_string(),
        })
    }
}

/// Up to so many bytes, if there are any.
fn take(input: &mut BytesMut, bytes_max: u64) -> Option<Bytes> {
    let bytes = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(input.len());
    (bytes > 0).then(|| input.split_to(bytes).freeze())
}

/// All lines up to and with an empty one, if they have come.
fn take_section(input: &mut BytesMut, what: &str) -> Result<Option<Bytes>> {
    let end = input.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
    let section = &input[..end.unwrap_or(input.len())];
    if section.len() > HEAD_BYTES_MAX {
        return Err(ClientError::too_long(format!("a {what} of more than {HEAD_BYTES_MAX} bytes")));
    }
    for (at, byte) in section.iter().enumerate() {
        let alone = match byte {
            b'\n' => at == 0 || section[at - 1] != b'\r',
            b'\r' => section.get(at + 1).is_some_and(|next| *next != b'\n'),
            _ => false,
        };
        if alone {
            return Err(malformed(&format!("a cr or lf that stands alone in a {what}:"), &section[at..]));
        }
    }
    Ok(end.map(|end| input.split_to(end).freeze()))
}

fn parse_head(text: &[u8]) -> Result<TestHead> {
    let line = text.split(|byte| *byte == b'\r').next().unwrap_or(text);
    if !line.starts_with(b"HTTP/1.1 ") || line.get(12) != Some(&b' ') {
        return Err(malformed("not a status line of http/1.1:", line));
    }
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(text) {
        Ok(httparse::Status::Complete(length)) if length == text.len() => {}
        Ok(_) => return Err(malformed("a head that does not end at its empty line:", text)),
        Err(error) => return Err(unparsed("head", error, text)),
    }
    let status = response.code.and_then(StatusCode::from_u16).ok_or_else(|| malformed("not a status:", line))?;
    Ok(TestHead::new(status, Fields::new(response.headers)))
}

fn unparsed(what: &str, error: httparse::Error, text: &[u8]) -> ClientError {
    match error {
        httparse::Error::TooManyHeaders => ClientError::too_long(format!("a {what} of more than {FIELDS_MAX} fields")),
        error => malformed(&format!("not a {what}, {error}:"), text),
    }
}

/// The trailers, if they are whole.
fn trailers(input: &mut BytesMut) -> Result<Option<Fields>> {
    if input.starts_with(b"\r\n") {
        input.advance(2);
        return Ok(Some(Fields::default()));
    }
    let Some(text) = take_section(input, "trailer section")? else { return Ok(None) };
    let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let fields = match httparse::parse_headers(&text, &mut fields) {
        Ok(httparse::Status::Complete((length, fields))) if length == text.len() => Fields::new(fields),
        Ok(_) => return Err(malformed("trailers that do not end at their empty line:", &text)),
        Err(error) => return Err(unparsed("trailer section", error, &text)),
    };
    for name in ["content-length", "transfer-encoding", "trailer", "host"] {
        if fields.headers().get(name).is_some() {
            return Err(ClientError::malformed(format!("{name} among the trailers")));
        }
    }
    Ok(Some(fields))
}

/// The size of the next chunk, if its line is whole.
fn chunk_size(input: &mut BytesMut) -> Result<Option<u64>> {
    let digits = input.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    match &input[digits..] {
        _ if digits > SIZE_DIGITS_MAX => {}
        [] => return Ok(None),
        [b'\r'] if digits > 0 => return Ok(None),
        [b'\r', b'\n', ..] if digits > 0 => {
            let text = str::from_utf8(&input[..digits]).expect("hexadecimal digits are text");
            let size = u64::from_str_radix(text, 16).expect("no more digits than the largest has");
            input.advance(digits + 2);
            return Ok(Some(size));
        }
        _ => {}
    }
    Err(malformed("not the size of a chunk:", input))
}

fn content_length(head: &TestHead) -> Result<Option<u64>> {
    let mut values = head.headers().get_all("content-length");
    let Some(value) = values.next() else { return Ok(None) };
    let digits = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|text| text.parse().ok()) {
        Some(length) if values.next().is_none() => Ok(Some(length)),
        _ => Err(malformed("content-length other than one decimal number:", value)),
    }
}

fn is_chunked(head: &TestHead) -> Result<bool> {
    let mut values = head.headers().get_all("transfer-encoding");
    let Some(value) = values.next() else { return Ok(false) };
    if value.eq_ignore_ascii_case(b"chunked") && values.next().is_none() {
        return Ok(true);
    }
    Err(malformed("transfer-encoding other than one chunked:", value))
}

fn check_date(head: &TestHead) -> Result<()> {
    let mut values = head.headers().get_all("date");
    let Some(value) = values.next() else {
        let may_miss = head.status().as_u16() >= 500;
        return if may_miss { Ok(()) } else { Err(ClientError::malformed("a response without a date")) };
    };
    let text = str::from_utf8(value).unwrap_or_default();
    // Written again, because old formats are read as well.
    let same = httpdate::parse_http_date(text).is_ok_and(|date| httpdate::fmt_http_date(date) == text);
    if same && values.next().is_none() { Ok(()) } else { Err(malformed("date other than one in its format:", value)) }
}

fn malformed(what: &str, bytes: &[u8]) -> ClientError {
    ClientError::malformed(format!("{what} {}", excerpt(bytes)))
}

/// The beginning of some bytes, fit to be read in an error.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 60;
    let dots = if bytes.len() > SHOWN_MAX { "..." } else { "" };
    format!("\"{}{dots}\"", bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii())
}

#[cfg(test)]
mod tests;
