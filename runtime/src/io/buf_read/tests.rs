use super::*;
use crate::io::BufReader;
use crate::io::testing::{Script, finish, poll};
use proptest::prelude::*;

fn reader(bytes: &[u8], sizes: &[usize]) -> BufReader<Script> {
    BufReader::with_capacity(4, Script::new(bytes, sizes))
}

#[test]
fn dropped_line_is_read_by_the_next_call() {
    let (mut stream, mut line) = (reader(b"one line\nmore", &[3, 0, 3, 0]), "-".to_owned());
    for _ in 0..2 {
        assert!(poll(&mut stream.read_line(&mut line, 80)).is_pending()); // and dropped
        assert_eq!(line, "-");
    }
    assert!(matches!(poll(&mut stream.read_line(&mut line, 80)), Poll::Ready(Ok(9))));
    assert_eq!(line, "-one line\n");
}

#[test]
fn line_at_the_maximum_is_read_and_one_past_it_stays_in_the_buffer() {
    let (mut stream, mut line) = (reader(b"four\nfive5\nsix\n", &[1; 9]), String::new());
    assert!(matches!(finish(stream.read_line(&mut line, 4)), Ok(5)));
    for _ in 0..2 {
        let error = finish(stream.read_line(&mut line, 4)).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::InvalidData, "longer than the maximum of 4 bytes".to_owned())
        );
    }
    assert!(line == "four\n" && stream.buffer().starts_with(b"five5"));
    assert!(matches!(finish(stream.skip_until(b'\n')), Ok(6)));
    assert!(matches!(finish(stream.read_line(&mut line, 4)), Ok(4)));
    assert_eq!(line, "four\nsix\n");
}

#[test]
fn peer_that_never_ends_its_line_takes_no_more_than_twice_the_maximum() {
    let mut stream = BufReader::with_capacity(64, crate::io::repeat(b'x'));
    for bytes_max in [0, 1, 63, 64, 1_000] {
        assert!(finish(stream.read_until(b'\n', &mut Vec::new(), bytes_max)).is_err());
        assert!(stream.buffer().len() <= 64.max(2 * bytes_max));
    }
}

#[test]
fn unlimited_maximum_is_no_overflow() {
    let mut bytes = Vec::new();
    assert!(matches!(finish(reader(b"ab\n", &[]).read_until(b'\n', &mut bytes, usize::MAX)), Ok(3)));
}

#[test]
fn line_that_is_no_text_is_told_and_can_be_read_as_bytes() {
    let (mut stream, mut line, mut bytes) = (reader(b"a\xff\nb\n", &[]), String::new(), Vec::new());
    let error = finish(stream.read_line(&mut line, 80)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.get_ref().unwrap().is::<std::str::Utf8Error>());
    assert!(matches!(finish(stream.read_until(b'\n', &mut bytes, 80)), Ok(3)));
    assert!(matches!(finish(stream.read_line(&mut line, 80)), Ok(2)));
    assert_eq!((&bytes[..], &line[..]), (&b"a\xff\n"[..], "b\n"));
}

#[test]
fn lines_go_on_after_one_was_skipped() {
    let mut lines = reader(b"much too long\nok\n", &[]).lines(5);
    assert!(finish(lines.next()).is_err());
    assert!(matches!(finish(lines.get_mut().skip_until(b'\n')), Ok(14)));
    assert!(matches!(finish(lines.next()), Ok(Some(line)) if line == "ok"));
}

#[test]
fn skip_that_is_dropped_goes_on_and_keeps_the_buffer_small() {
    let mut stream = reader(b"abcdefghijkl\nm", &[4, 0]);
    assert!(poll(&mut stream.skip_until(b'\n')).is_pending()); // and dropped
    assert!(matches!(finish(stream.skip_until(b'\n')), Ok(9)));
    assert!(matches!(finish(stream.read_u8()), Ok(b'm')));
    assert!(matches!(finish(stream.skip_until(b'\n')), Ok(0)));
}

#[test]
fn read_that_is_as_large_as_the_buffer_goes_past_it() {
    let mut stream = reader(b"abcdefgh", &[]);
    let mut buf = [0; 6];
    assert!(matches!(finish(stream.read(&mut buf)), Ok(6)));
    assert!(matches!(finish(stream.read(&mut buf[..1])), Ok(1)));
    assert_eq!(stream.buffer(), b"h");
    assert!(matches!(finish(stream.read(&mut buf)), Ok(1)));
}

#[test]
fn read_of_nothing_asks_for_nothing() {
    assert!(matches!(poll(&mut reader(b"a", &[0]).read(&mut [])), Poll::Ready(Ok(0))));
}

#[test]
fn chunks_are_what_the_buffer_holds() {
    let mut chunks = reader(b"abcdefg", &[2, 0, 9]).chunks();
    for chunk in ["ab", "cdef", "g"] {
        assert!(matches!(finish(chunks.next()), Ok(Some(bytes)) if bytes == chunk));
    }
    assert!(matches!(finish(chunks.next()), Ok(None)));
}

#[test]
#[should_panic(expected = "2 bytes consumed of 1 in the buffer")]
fn more_than_the_buffer_cannot_be_consumed() {
    let mut stream = reader(b"abc", &[1]);
    assert!(matches!(finish(stream.fill_buf()), Ok(b"a")));
    stream.consume(2);
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("a"), Just("ä€𝄞"), Just("long words")];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// The slow twin: the lines of the whole text, wherever it is cut and whoever gives up waiting.
    #[test]
    fn lines_agree_with_those_of_the_text(
        text in text(),
        sizes in prop::collection::vec(0..5_usize, 0..48),
        capacity in 1..9_usize,
    ) {
        let mut lines = BufReader::with_capacity(capacity, Script::new(text.as_bytes(), &sizes)).lines(1_000);
        let mut read = Vec::new();
        loop {
            match poll(&mut lines.next()) { // dropped each time
                Poll::Pending => {}
                Poll::Ready(line) => match line.unwrap() {
                    Some(line) => read.push(line),
                    None => break,
                },
            }
        }
        prop_assert_eq!(read, text.lines().collect::<Vec<_>>());
    }

    /// The slow twin: the pieces of the whole, those that are too long skipped.
    #[test]
    fn split_agrees_with_that_of_the_bytes(
        bytes in prop::collection::vec(0..4_u8, 0..48),
        sizes in prop::collection::vec(0..5_usize, 0..48),
        bytes_max in 0..6_usize,
    ) {
        let mut pieces = BufReader::with_capacity(3, Script::new(&bytes, &sizes)).split(0, bytes_max);
        let mut read = Vec::new();
        loop {
            match finish(pieces.next()) {
                Ok(None) => break,
                Ok(Some(piece)) => read.push(piece),
                Err(_) => drop(finish(pieces.get_mut().skip_until(0)).unwrap()),
            }
        }
        let mut twin: Vec<Vec<u8>> = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        twin.pop_if(|last| last.is_empty());
        twin.retain(|piece| piece.len() <= bytes_max);
        prop_assert_eq!(read, twin);
    }
}
