//! What is sent, piece by piece.
//!
//! Reading a file may take as long as its disk likes, so it is done on the pool: a [`Body`] goes there, gives one
//! piece, and comes back. No more than a piece is held for a response, however large the file is and however slow its
//! client reads.

use std::collections::VecDeque;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes that are read at once, and about what a response holds of a file. A file that is no larger is answered by one
/// trip to the pool.
///
/// It is what an exchange holds of a response before the application waits: larger pieces would only stretch that
/// bound, and smaller ones cost a trip more often.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// A body that is still to be sent.
#[derive(Debug)]
pub(super) struct Body {
    content: Content,
    parts: VecDeque<Part>,
}

/// Where parts are read from.
#[derive(Debug)]
pub(super) enum Content {
    File(File),
    Bytes(Vec<u8>),
}

#[derive(Debug)]
pub(super) enum Part {
    /// What stands between the parts of a content.
    Text(String),
    /// These bytes of the content.
    Content(Range<u64>),
}

impl Body {
    pub(super) fn new(content: Content, parts: impl Into<VecDeque<Part>>) -> Body {
        Body { content, parts: parts.into() }
    }

    /// Nothing.
    pub(super) fn empty() -> Body {
        Body::new(Content::Bytes(Vec::new()), [])
    }

    /// How many bytes are still to come.
    pub(super) fn bytes_left(&self) -> u64 {
        let bytes = |part: &Part| match part {
            Part::Text(text) => text.len() as u64,
            Part::Content(range) => range.end - range.start,
        };
        self.parts.iter().map(bytes).sum()
    }

    /// Reads the next piece, which is empty at the end. It may be longer than [`PIECE_BYTES`] by a text.
    ///
    /// # Errors
    /// What reading says; `UnexpectedEof` when a file has become shorter than it was.
    pub(super) fn next_piece(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES
            && let Some(part) = self.parts.front_mut()
        {
            match part {
                Part::Text(text) => piece.extend_from_slice(text.as_bytes()),
                Part::Content(range) => {
                    let start = piece.len();
                    let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                    piece.resize(PIECE_BYTES.min(start.saturating_add(left)), 0);
                    self.content.read(range.start, &mut piece[start..])?;
                    range.start += (piece.len() - start) as u64;
                    if range.start < range.end {
                        continue;
                    }
                }
            }
            self.parts.pop_front();
        }
        Ok(piece)
    }
}

impl Content {
    fn read(&self, start: u64, to: &mut [u8]) -> io::Result<()> {
        match self {
            Content::File(file) => file.read_exact_at(to, start),
            Content::Bytes(bytes) => {
                let from = usize::try_from(start).ok().and_then(|start| bytes.get(start..)?.get(..to.len()));
                to.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// Several ranges of a content as a `multipart/byteranges` (RFC 9110 section 14.6): the media type, and the parts.
pub(super) fn multipart(ranges: &[Range<u64>], media_type: &str, length: u64) -> (String, Vec<Part>) {
    // Nobody can have put into the content what nobody knows: the hasher has a key from the system's source of chance.
    let boundary = format!("{:016x}", RandomState::new().hash_one(length));
    let mut parts = Vec::with_capacity(2 * ranges.len() + 1);
    let mut line_end = "";
    for range in ranges {
        let content_range = content_range(range, length);
        parts.push(Part::Text(format!(
            "{line_end}--{boundary}\r\ncontent-type: {media_type}\r\ncontent-range: {content_range}\r\n\r\n"
        )));
        parts.push(Part::Content(range.clone()));
        line_end = "\r\n";
    }
    parts.push(Part::Text(format!("\r\n--{boundary}--\r\n")));
    (format!("multipart/byteranges; boundary={boundary}"), parts)
}

/// The value of `Content-Range` for a range that is not empty.
pub(super) fn content_range(range: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const MEGABYTE: u64 = 1024 * 1024;

    fn pieces(mut body: Body) -> Vec<Vec<u8>> {
        let next = || Some(body.next_piece().expect("it can be read")).filter(|piece| !piece.is_empty());
        std::iter::from_fn(next).collect()
    }

    fn file(length: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        file.set_len(length).unwrap();
        file
    }

    #[test]
    fn sparse_file_of_100_megabytes_is_never_held_but_for_a_piece() {
        let length = 100 * MEGABYTE + 1;
        let mut body = Body::new(Content::File(file(length)), [Part::Content(0..length)]);
        let mut left = length;
        while left > 0 {
            assert_eq!(body.bytes_left(), left);
            let piece = body.next_piece().unwrap();
            assert!(piece.len() == PIECE_BYTES || piece.len() as u64 == left);
            assert!(piece.capacity() <= PIECE_BYTES);
            left -= piece.len() as u64;
        }
        assert_eq!(body.next_piece().unwrap(), b"");
    }

    #[test]
    fn parts_and_texts_are_gathered_into_one_piece() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let text = |text: &str| Part::Text(text.to_owned());
        let parts = [text("<"), Part::Content(2..4), text(">"), text("<"), Part::Content(9..10), text(">")];
        let body = Body::new(Content::File(file), parts);
        assert_eq!(body.bytes_left(), 7);
        assert_eq!(pieces(body), [b"<23><9>".to_vec()]);
    }

    #[test]
    fn piece_ends_in_the_midst_of_a_part() {
        let bytes: Vec<u8> = (0..251).cycle().take(PIECE_BYTES + 10).collect();
        let end = bytes.len() as u64;
        let parts = [Part::Content(5..6), Part::Content(10..end)];
        let pieces = pieces(Body::new(Content::Bytes(bytes.clone()), parts));
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [PIECE_BYTES, 1]);
        assert_eq!(pieces.concat(), [&bytes[5..6], &bytes[10..]].concat());
    }

    #[test]
    fn file_that_became_shorter_is_an_error() {
        let length = 2 * PIECE_BYTES as u64;
        let file = file(length);
        let truncated = file.try_clone().unwrap();
        let mut body = Body::new(Content::File(file), [Part::Content(0..length)]);
        assert_eq!(body.next_piece().unwrap().len(), PIECE_BYTES);
        truncated.set_len(length - 1).unwrap();
        assert_eq!(body.next_piece().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
