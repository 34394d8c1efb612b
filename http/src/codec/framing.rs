//! How long a request's body is, and whether the connection outlives it.
//!
//! RFC 9112 section 6.3 is an algorithm for messages that may contradict themselves; we refuse those instead. What
//! remains is short: chunked, or one Content-Length, or no body at all. The fields are collected while
//! [`head::parse`](super::head::parse) walks the head, and weighed once all have been seen.

use super::is;
use crate::error::{Error, Kind};
use crate::limits::Limits;
use crate::message::{FieldFacts, HostFact, Method, Version};

/// The body a head announces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyLength {
    /// No body (RFC 9112 section 6.3, rule 7).
    #[default]
    None,
    /// So many bytes (rule 6); zero is possible.
    Length(u64),
    /// Chunks, until an empty one (rule 4).
    Chunked,
}

impl BodyLength {
    /// Whether no byte of a body will come.
    #[inline]
    pub const fn is_empty(self) -> bool {
        matches!(self, BodyLength::None | BodyLength::Length(0))
    }
}

/// What the head says about everything after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// How long the body is.
    pub body: BodyLength,
    /// Whether the client lets the connection live on after the answer (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 section 10.1.1). Never set when
    /// there is no body to wait for.
    pub expect_continue: bool,
    /// Whether the client would go on in another protocol (RFC 9110 section 7.8). Which, is in the field `Upgrade`.
    pub upgrade: bool,
}

impl Framing {
    /// What [plain](FieldFacts::is_plain) fields lead to.
    pub(super) const PLAIN: Framing =
        Framing { body: BodyLength::None, keep_alive: true, expect_continue: false, upgrade: false };
}

impl FieldFacts {
    /// Whether the fields name a host, and say nothing else that would matter to a client of HTTP/1.1, as those of nearly
    /// every GET: what they lead to is then known, whatever the request line.
    pub(crate) fn is_plain(&self) -> bool {
        *self == FieldFacts { host: HostFact::Named, keep_alive: self.keep_alive, ..FieldFacts::default() }
    }

    /// Takes a Content-Length: digits, nothing else, and only once, even if the second says the same.
    pub(super) fn content_length(&mut self, value: &[u8]) -> Result<(), Error> {
        let length = decimal(value).ok_or(Error::new(Kind::ContentLength))?;
        match self.content_length.replace(length) {
            None => Ok(()),
            Some(_) => Err(Error::new(Kind::ContentLength)),
        }
    }

    /// Takes a Transfer-Encoding: `chunked`, and only once.
    ///
    /// Other codings in front of it are the sender's right, and not supported. What does not end in it leaves the length
    /// of the body open: that is no framing at all (RFC 9112 section 6.3, rule 4).
    #[cold]
    pub(super) fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Error> {
        let mut codings = 0;
        let mut chunked = self.chunked;
        for coding in list(value) {
            if chunked || coding.is_empty() {
                return Err(Error::new(Kind::TransferEncoding));
            }
            chunked = is(coding, b"chunked");
            codings += 1;
        }
        if !chunked {
            return Err(Error::new(Kind::TransferEncoding));
        }
        if codings > 1 {
            return Err(Error::new(Kind::CodingUnsupported));
        }
        self.chunked = true;
        Ok(())
    }

    /// Takes a Connection: a list, in which three options concern us.
    pub(super) fn connection(&mut self, value: &[u8]) {
        // Alone first, as nearly always.
        if is(value, b"keep-alive") {
            self.keep_alive = true;
            return;
        }
        for option in list(value) {
            self.close |= is(option, b"close");
            self.keep_alive |= is(option, b"keep-alive");
            self.upgrade |= is(option, b"upgrade");
        }
    }

    /// Takes an Expect: a list, whose empty members are none (RFC 9110 section 5.6.1.2).
    #[cold]
    pub(super) fn expect(&mut self, value: &[u8]) {
        for expectation in list(value).filter(|expectation| !expectation.is_empty()) {
            if is(expectation, b"100-continue") {
                self.expect_continue = true;
            } else {
                self.expect_other = true;
            }
        }
    }

    /// Weighs the fields of a whole head.
    #[inline]
    pub(super) fn decide(&self, method: Method, version: Version, limits: &Limits) -> Result<Framing, Error> {
        let body = match (self.chunked, self.content_length) {
            (false, None) => BodyLength::None,
            (false, Some(length)) => BodyLength::Length(length),
            (true, None) => BodyLength::Chunked,
            (true, Some(_)) => return Err(Error::new(Kind::TwoLengths)),
        };
        let http11 = version == Version::Http11;
        if body != BodyLength::None {
            check_body(body, method, http11, limits)?;
        }
        // An HTTP/1.0 client cannot mean what a proxy passed on for it (RFC 9110 section 10.1.1).
        if self.expect_other && http11 {
            return Err(Error::new(Kind::Expectation));
        }
        Ok(Framing {
            body,
            keep_alive: !self.close && (http11 || self.keep_alive),
            expect_continue: self.expect_continue && http11 && !body.is_empty(),
            upgrade: self.upgrade && http11,
        })
    }
}

fn check_body(body: BodyLength, method: Method, http11: bool, limits: &Limits) -> Result<(), Error> {
    // What follows a CONNECT is a tunnel's (RFC 9110 section 9.3.6): a body there is read in two ways. A client must not
    // send one with TRACE (section 9.3.8).
    if matches!(method, Method::Connect | Method::Trace) {
        return Err(Error::new(Kind::UnwantedBody));
    }
    match body {
        // HTTP/1.0 knows no chunks, so whoever forwarded this did not understand it (RFC 9112 section 6.1).
        BodyLength::Chunked if !http11 => Err(Error::new(Kind::TransferEncoding)),
        BodyLength::Length(length) if length > limits.body_bytes_max => Err(Error::new(Kind::BodyTooLong)),
        _ => Ok(()),
    }
}

/// The number these digits write, if they are all digits, at least one, and fit.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The members of a comma-separated list, without the white space around them (RFC 9110 section 5.6.1).
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim)
}

/// Without spaces and tabs at either end; unlike `trim_ascii` it spares form feeds, which are not white space here.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests;
