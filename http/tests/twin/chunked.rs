//! A chunked body: RFC 9112 section 7.1, one byte after the other.
//!
//! A byte is refused when no byte that could follow would make the body good. So the twin also says how early.

use super::{Broken, is_tchar, is_text};
use evloop_http::Limits;

/// What was found in some input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The data, up to where the reading ended.
    pub(crate) data: Vec<u8>,
    /// How many bytes the whole body has, or why there is no whole body.
    pub(crate) consumed: Result<usize, Stop>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// All bytes are good so far, and more must come.
    Unfinished,
    Refused(Broken),
}

/// `chunked-body = *chunk last-chunk trailer-section CRLF`
pub(crate) fn read(input: &[u8], limits: &Limits) -> Reading {
    let mut reader = Reader { input, at: 0, data: Vec::new() };
    let read = reader.body(limits);
    Reading { consumed: read.map(|()| reader.at), data: reader.data }
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    data: Vec<u8>,
}

impl Reader<'_> {
    fn body(&mut self, limits: &Limits) -> Result<(), Stop> {
        let mut allowed = limits.body_bytes_max;
        loop {
            // chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
            let size = self.size()?;
            self.extensions(limits.chunk_extension_bytes_max)?;
            self.line_end("7.1: a chunk's size is followed by extensions or CR LF")?;
            if size == 0 {
                return self.trailers(limits.trailer_bytes_max);
            }
            if size > allowed {
                return refuse(413, "9110 15.5.14: the body has its limit");
            }
            allowed -= size;
            for _ in 0..size {
                let byte = self.next()?;
                self.data.push(byte);
                self.at += 1;
            }
            self.line_end("7.1: a chunk's data is followed by CR LF")?;
        }
    }

    /// `chunk-size = 1*HEXDIG`. A recipient must see to it that large numbers do not overflow: sixteen digits fit.
    fn size(&mut self) -> Result<u64, Stop> {
        let (mut size, mut digits) = (0, 0);
        while let Some(digit) = char::from(self.next()?).to_digit(16) {
            digits += 1;
            if digits > 16 {
                return refuse(400, "7.1: a chunk's size has sixteen digits at most");
            }
            size = size * 16 + u64::from(digit);
            self.at += 1;
        }
        if digits == 0 {
            return refuse(400, "7.1: a chunk begins with its size");
        }
        Ok(size)
    }

    /// `chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )` (7.1.1). A recipient must ignore
    /// those that it does not know, and here that is all of them: after the `;` any text is taken up to the line's end,
    /// which no text has in it.
    fn extensions(&mut self, bytes_max: usize) -> Result<(), Stop> {
        let start = self.at;
        while matches!(self.next()?, b' ' | b'\t') {
            self.count(start, bytes_max, 400, "7.1.1: extensions have their limit")?;
        }
        if self.next()? != b';' {
            // White space and no extension: the line's end is looked for, and not found.
            return if self.at == start { Ok(()) } else { refuse(400, "7.1.1: white space comes before an extension") };
        }
        while self.next()? != b'\r' {
            if !is_text(&[self.next()?]) {
                return refuse(400, "7.1.1: an extension is text");
            }
            self.count(start, bytes_max, 400, "7.1.1: extensions have their limit")?;
        }
        Ok(())
    }

    /// `trailer-section = *( field-line CRLF )` (7.1.2), and the empty line.
    fn trailers(&mut self, bytes_max: usize) -> Result<(), Stop> {
        let start = self.at;
        let take = |reader: &mut Self, is_good: bool| {
            if !is_good {
                return refuse(400, "7.1.2: a trailer is a field line");
            }
            reader.count(start, bytes_max, 431, "7.1.2: trailers have their limit")
        };
        while self.next()? != b'\r' {
            let is_named = is_tchar(self.next()?);
            take(self, is_named)?;
            while self.next()? != b':' {
                let is_good = is_tchar(self.next()?);
                take(self, is_good)?;
            }
            take(self, true)?;
            while self.next()? != b'\r' {
                let is_good = is_text(&[self.next()?]);
                take(self, is_good)?;
            }
            take(self, true)?;
            let is_ended = self.next()? == b'\n';
            take(self, is_ended)?;
        }
        self.line_end("7.1: an empty line is the end")
    }

    fn line_end(&mut self, rule: &'static str) -> Result<(), Stop> {
        for byte in *b"\r\n" {
            if self.next()? != byte {
                return refuse(400, rule);
            }
            self.at += 1;
        }
        Ok(())
    }

    /// The next byte, which stays where it is.
    fn next(&self) -> Result<u8, Stop> {
        self.input.get(self.at).copied().ok_or(Stop::Unfinished)
    }

    /// Takes a byte, if there are not too many since the start.
    fn count(&mut self, start: usize, bytes_max: usize, status: u16, rule: &'static str) -> Result<(), Stop> {
        self.at += 1;
        if self.at - start > bytes_max { refuse(status, rule) } else { Ok(()) }
    }
}

fn refuse<T>(status: u16, rule: &'static str) -> Result<T, Stop> {
    Err(Stop::Refused(Broken { status, rule }))
}
