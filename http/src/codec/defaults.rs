//! Fields that are the same in all responses.

use super::encode::{ResponseHead, field_line};
use crate::error::{Error, Kind};
use bytes::BytesMut;
use std::ops::Range;

/// Fields for each response that does not have them already: checked once, written once, and then copied.
///
/// A response that has a field of one of these names keeps its own, and gets the others. Of a name that is here several
/// times it gets all lines, or none.
///
/// # Examples
/// ```
/// use evloop_http::codec::defaults::DefaultFields;
/// use evloop_http::{Request, Response, Router};
/// use evloop_http::testing;
///
/// let mut fields = DefaultFields::new();
/// fields.add("X-Frame-Options", b"DENY")?;
/// fields.add("cache-control", b"no-store")?;
/// let app = Router::new().get("/", |_: Request| async { Response::text("").with_header("cache-control", "max-age=60") });
/// testing::drive_with(|server| server.headers(fields), app, async |client| {
///     let response = client.get("/").send().await;
///     assert_eq!(response.header("x-frame-options"), Some("DENY"));
///     assert_eq!(response.header("cache-control"), Some("max-age=60"));
///     assert_eq!(client.get("/missing").send().await.header("cache-control"), Some("no-store"));
/// });
/// # Ok::<(), evloop_http::error::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultFields {
    /// All lines, as they are sent.
    text: BytesMut,
    lines: Vec<Line>,
}

/// Where a line is in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    all: Range<usize>,
    name: Range<usize>,
}

impl DefaultFields {
    /// None.
    #[must_use]
    pub fn new() -> DefaultFields {
        DefaultFields::default()
    }

    /// One more; the name is written in small letters.
    ///
    /// # Errors
    /// As [`ResponseHead::header`]; and for `upgrade`, which is for a response that has something to offer.
    pub fn add(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        if name.eq_ignore_ascii_case("upgrade") {
            return Err(Error::new(Kind::ResponseReserved));
        }
        let start = self.text.len();
        field_line(&mut self.text, name, value)?;
        self.lines.push(Line { all: start..self.text.len(), name: start..start + name.len() });
        Ok(())
    }

    /// Whether there is a field of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.lines.iter().any(|line| self.text[line.name.clone()].eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds those that a head does not have.
    pub(crate) fn complete(&self, head: &mut ResponseHead<'_>) {
        let own = head.mark();
        let has = |head: &ResponseHead<'_>, line: &Line| head.has_before(own, &self.text[line.name.clone()]);
        if self.lines.iter().any(|line| has(head, line)) {
            for line in &self.lines {
                if !has(head, line) {
                    head.append(&self.text[line.all.clone()]);
                }
            }
        } else {
            head.append(&self.text);
        }
    }
}
