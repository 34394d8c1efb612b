//! Claims about `codec::body::BodyDecoder`, for chunks.

use super::limits;
use crate::twin::chunked::{self as twin, Reading, Stop};
use bytes::BytesMut;
use evloop_http::Limits;
use evloop_http::codec::body::BodyDecoder;
use evloop_http::codec::encode::{chunk_end, chunk_head, last_chunk};
use evloop_http::codec::framing::BodyLength;

/// For any limits and any pieces.
pub(crate) fn hold(data: &[u8]) {
    let [choice, first, second, wire @ ..] = data else { return };
    agree(wire, &limits(*choice), [usize::from(*first), usize::from(*second)]);
}

/// All claims about this input: it means what the twin reads, whatever the sizes of its pieces, and what is written in
/// chunks again is read again.
pub(crate) fn agree(input: &[u8], limits: &Limits, sizes: [usize; 2]) {
    let reading = twin::read(input, limits);
    for sizes in [[input.len(), 0], [1, 1], sizes] {
        let seen = decode(input, sizes, limits);
        let text = input.escape_ascii();
        assert_eq!(seen.consumed, reading.consumed.map_err(status), "pieces of {sizes:?}: {text}");
        // Data in the same piece as the fault is not handed out any more.
        let is_refused = matches!(seen.consumed, Err(Some(_)));
        let is_same = if is_refused { reading.data.starts_with(&seen.data) } else { reading.data == seen.data };
        assert!(is_same, "pieces of {sizes:?}: {text}");
    }
    if reading.consumed.is_ok() {
        assert!(reading.data.len() as u64 <= limits.body_bytes_max);
        again(&reading.data, sizes, limits);
    }
}

/// What a decoder has found, as the twin would say it; instead of the rule, only its status.
struct Seen {
    data: Vec<u8>,
    consumed: Result<usize, Option<u16>>,
}

fn status(stop: Stop) -> Option<u16> {
    match stop {
        Stop::Unfinished => None,
        Stop::Refused(broken) => Some(broken.status),
    }
}

/// Shows a decoder the input in pieces of these sizes, in turn.
fn decode(input: &[u8], sizes: [usize; 2], limits: &Limits) -> Seen {
    let mut decoder = BodyDecoder::new(BodyLength::Chunked, limits);
    let mut data = Vec::new();
    let (mut at, mut end) = (0, 0);
    for size in sizes.iter().cycle() {
        end = input.len().min(end + *size.max(&1));
        while at < end {
            let piece = &input[at..end];
            let found = match decoder.decode(piece) {
                Ok(found) => found,
                Err(error) => {
                    let again = decoder.decode(piece).expect_err("what was refused stays refused");
                    assert_eq!(again.status(), error.status());
                    let status = error.status().expect("a client is at fault").as_u16();
                    return Seen { data, consumed: Err(Some(status)) };
                }
            };
            assert!(found.data.end <= found.consumed && found.consumed <= piece.len());
            assert!(found.consumed > 0, "nothing is used up");
            assert_eq!(found.ended, decoder.is_ended());
            data.extend_from_slice(&piece[found.data]);
            at += found.consumed;
            if found.ended {
                assert_eq!(decoder.remaining_hint(), Some(0));
                return Seen { data, consumed: Ok(at) };
            }
            assert_eq!(decoder.remaining_hint(), None);
        }
        if end == input.len() {
            break;
        }
    }
    Seen { data, consumed: Err(None) }
}

/// Writes the data in chunks of these sizes, and reads them.
fn again(data: &[u8], sizes: [usize; 2], limits: &Limits) {
    let mut out = BytesMut::new();
    let mut rest = data;
    for size in sizes.iter().cycle() {
        let (piece, after) = rest.split_at(rest.len().min(*size.max(&1)));
        if piece.is_empty() {
            break;
        }
        chunk_head(&mut out, piece.len());
        out.extend_from_slice(piece);
        chunk_end(&mut out);
        rest = after;
    }
    last_chunk(&mut out);
    let expected = Reading { data: data.to_vec(), consumed: Ok(out.len()) };
    assert_eq!(twin::read(&out, limits), expected);
    let seen = decode(&out, [out.len(), 0], limits);
    assert_eq!((seen.data, seen.consumed), (expected.data, Ok(out.len())));
}
