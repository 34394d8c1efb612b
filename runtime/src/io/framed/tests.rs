use super::*;
use crate::io::testing::{Script, Tap, finish, poll};
use crate::io::{AsyncRead, TooLong, chain};
use proptest::prelude::*;
use std::string::FromUtf8Error;
use std::task::Poll;

/// All messages to the end of the stream, each polled and dropped until it is ready.
fn all<S: AsyncRead, C: Decoder<Error = io::Error>>(framed: &mut Framed<S, C>) -> io::Result<Vec<C::Item>> {
    let mut items = Vec::new();
    loop {
        match poll(&mut framed.next()) {
            Poll::Pending => {}
            Poll::Ready(item) => match item? {
                Some(item) => items.push(item),
                None => return Ok(items),
            },
        }
    }
}

fn is_too_long(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooLong>)
}

#[test]
fn message_that_the_stream_cuts_off_is_an_error() {
    for cut in [&b"\0"[..], b"\0\x05", b"\0\x05hell"] {
        let mut framed = Framed::new(cut, LengthDelimited::new(LengthPrefix::U16, 8));
        for _ in 0..2 {
            assert_eq!(finish(framed.next()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        }
        assert_eq!(framed.unread(), cut);
    }
}

#[test]
fn message_at_the_maximum_passes_and_one_past_it_is_refused_before_it_comes() {
    let codec = LengthDelimited::new(LengthPrefix::U8, 3);
    let mut framed = Framed::new(Script::new(b"\x03abc\x04", &[5, 0]), codec);
    assert!(matches!(finish(framed.next()), Ok(Some(frame)) if frame == "abc"));
    for _ in 0..2 {
        assert!(is_too_long(&finish(framed.next()).unwrap_err()));
    }

    let mut framed = Framed::new(Tap::default(), codec);
    assert!(matches!(finish(framed.send("abc")), Ok(())));
    assert!(is_too_long(&finish(framed.send("abcd")).unwrap_err()));
    assert_eq!(framed.get_ref().written, b"\x03abc");
}

#[test]
fn prefix_bounds_the_message_that_it_can_tell() {
    let mut framed = Framed::new(Tap::default(), LengthDelimited::new(LengthPrefix::U8, usize::MAX));
    assert!(matches!(finish(framed.feed(vec![0; 255])), Ok(())));
    assert!(is_too_long(&finish(framed.feed(vec![0; 256])).unwrap_err()));
}

#[test]
fn largest_prefix_takes_no_memory_before_its_bytes_come() {
    let codec = LengthDelimited::new(LengthPrefix::U64, usize::MAX);
    let mut framed = Framed::new(&[0xff; 8][..], codec);
    assert_eq!(finish(framed.next()).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn line_that_is_no_text_comes_back_with_the_error_and_the_next_follows() {
    let mut lines = Framed::new(&b"a\xff\r\nb"[..], LinesCodec::new(80));
    let error = finish(lines.next()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let inside = error.into_inner().unwrap().downcast::<FromUtf8Error>().unwrap();
    assert_eq!(inside.into_bytes(), b"a\xff");
    assert_eq!(all(&mut lines).unwrap(), ["b"]);
}

#[test]
fn line_that_is_too_long_is_told_once_and_takes_no_memory() {
    let mut lines = Framed::new(chain(Script::new(&vec![b'x'; 100_000], &[]), &b"\nok\n"[..]), LinesCodec::new(8));
    assert!(is_too_long(&finish(lines.next()).unwrap_err()));
    assert!(matches!(finish(lines.next()), Ok(Some(line)) if line == "ok"));
    assert!(lines.unread().len() <= 16 * 1024);

    let mut lines = Framed::new(&b"much too long"[..], LinesCodec::new(8));
    assert!(is_too_long(&finish(lines.next()).unwrap_err()));
    assert!(matches!(finish(lines.next()), Ok(None)));
}

#[test]
fn line_with_a_line_feed_in_it_is_not_sent() {
    let mut lines = Framed::new(Tap::default(), LinesCodec::new(4));
    for line in ["a\nb", "much too long"] {
        assert_eq!(finish(lines.send(line)).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(matches!(finish(lines.send("four")), Ok(())));
    assert_eq!(lines.get_ref().written, b"four\n");
}

/// Finds no message, ever.
struct Never;

impl Decoder for Never {
    type Item = ();
    type Error = io::Error;

    fn decode(&mut self, _: &mut BytesMut) -> io::Result<Option<()>> {
        Ok(None)
    }

    fn bytes_max(&self) -> usize {
        100_000
    }
}

#[test]
fn decoder_that_finds_nothing_takes_bounded_memory() {
    let mut framed = Framed::new(crate::io::repeat(7), Never);
    assert!(is_too_long(&finish(framed.next()).unwrap_err()));
    assert!((100_000..120_000).contains(&framed.unread().len()));
}

/// Appends a part, then fails.
struct Half;

impl Encoder<()> for Half {
    type Error = io::Error;

    fn encode(&mut self, (): (), bytes: &mut BytesMut) -> io::Result<()> {
        bytes.extend_from_slice(b"half");
        Err(ErrorKind::Other.into())
    }
}

#[test]
fn no_part_of_a_message_that_fails_is_sent() {
    let mut framed = Framed::new(Tap::default(), Half);
    assert!(finish(framed.send(())).is_err());
    assert!(matches!(finish(framed.close()), Ok(())));
    assert!(framed.get_ref().written.is_empty() && framed.get_ref().ended);
}

#[test]
fn dropped_send_leaves_the_message_whole() {
    let mut framed = Framed::new(Tap::with_room([3, 0]), LinesCodec::new(80));
    assert!(poll(&mut framed.send("first")).is_pending()); // and dropped
    assert_eq!(framed.unwritten(), b"st\n");
    assert!(matches!(finish(framed.send("second")), Ok(())));
    assert_eq!((&framed.get_ref().written[..], framed.get_ref().flushed), (&b"first\nsecond\n"[..], 13));
}

#[test]
fn feed_waits_when_enough_is_to_be_written() {
    let mut framed = Framed::new(Tap::with_room([0, 5]), BytesCodec);
    assert!(matches!(finish(framed.feed(vec![1; WRITE_BYTES_MAX])), Ok(())));
    assert!(poll(&mut framed.feed([2])).is_pending()); // and dropped: lost
    assert!(matches!(finish(framed.feed([3])), Ok(())));
    assert_eq!((framed.get_ref().written.len(), framed.unwritten()), (WRITE_BYTES_MAX, &[3][..]));
}

#[test]
fn codec_can_change_midway() {
    let mut lines = Framed::new(&b"upgrade\n\x02hi"[..], LinesCodec::new(80));
    assert!(matches!(finish(lines.next()), Ok(Some(line)) if line == "upgrade"));
    let (stream, _, read) = lines.into_parts();
    let mut framed = Framed::with_read(stream, LengthDelimited::new(LengthPrefix::U8, 80), read);
    assert_eq!(all(&mut framed).unwrap(), ["hi"]);
}

fn prefix() -> impl Strategy<Value = LengthPrefix> {
    use LengthPrefix::{U8, U16, U16Le, U32, U32Le, U64, U64Le};
    prop::sample::select(vec![U8, U16, U16Le, U32, U32Le, U64, U64Le])
}

/// A message as each width and order has it, written down by hand.
fn by_hand(prefix: LengthPrefix, frame: &[u8]) -> Vec<u8> {
    let length = (frame.len() as u64).to_be_bytes();
    let mut bytes = length[8 - prefix.width()..].to_vec();
    if matches!(prefix, LengthPrefix::U16Le | LengthPrefix::U32Le | LengthPrefix::U64Le) {
        bytes.reverse();
    }
    bytes.extend_from_slice(frame);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// The slow twin: each message written down by hand, wherever the stream is cut and whoever gives up waiting.
    #[test]
    fn length_delimited_messages_come_back(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8),
        prefix in prefix(),
        reads in prop::collection::vec(0..7_usize, 0..48),
        rooms in prop::collection::vec(0..7_usize, 0..48),
        end in any::<prop::sample::Index>(),
    ) {
        let codec = LengthDelimited::new(prefix, 20);
        let mut writer = Framed::new(Tap::with_room(rooms), codec);
        for frame in &frames {
            finish(writer.send(frame)).unwrap();
        }
        let bytes = &writer.get_ref().written;
        let twin: Vec<Vec<u8>> = frames.iter().map(|frame| by_hand(prefix, frame)).collect();
        prop_assert_eq!(bytes, &twin.concat());
        prop_assert_eq!(&all(&mut Framed::new(Script::new(bytes, &reads), codec)).unwrap(), &frames);

        // Cut off anywhere: what is whole comes, and then the error, unless the cut is between two.
        let end = end.index(bytes.len() + 1);
        let mut cut = Framed::new(Script::new(&bytes[..end], &reads), codec);
        let (mut whole, mut place) = (0, 0);
        while whole < twin.len() && place + twin[whole].len() <= end {
            place += twin[whole].len();
            whole += 1;
        }
        for frame in &frames[..whole] {
            prop_assert_eq!(&finish(cut.next()).unwrap().unwrap(), frame);
        }
        match finish(cut.next()) {
            Ok(item) => prop_assert!(item.is_none() && place == end),
            Err(error) => prop_assert!(error.kind() == ErrorKind::UnexpectedEof && place < end),
        }
    }

    /// The slow twin: the lines of the whole text.
    #[test]
    fn lines_agree_with_those_of_the_text(
        pieces in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r", "a", "ä€", "word"]), 0..24),
        reads in prop::collection::vec(0..5_usize, 0..48),
    ) {
        let text = pieces.concat();
        let mut framed = Framed::new(Script::new(text.as_bytes(), &reads), LinesCodec::new(1_000));
        prop_assert_eq!(all(&mut framed).unwrap(), text.lines().collect::<Vec<_>>());
    }
}

#[test]
fn lines_codec_that_had_looked_at_half_a_line_can_begin_with_another_stream() {
    let (mut codec, mut bytes) = (LinesCodec::new(80), BytesMut::from("half"));
    assert_eq!(codec.decode(&mut bytes).unwrap(), None);
    let mut framed = Framed::new(&b"a\n"[..], codec);
    assert_eq!(all(&mut framed).unwrap(), ["a"]);
}
