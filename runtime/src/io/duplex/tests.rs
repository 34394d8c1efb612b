use super::*;
use crate::io::testing::finish;
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Wake;

/// Stands for a task: counts how often it was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[derive(Default)]
struct Task(Arc<Wakes>);

impl Task {
    fn poll<F: Future + Unpin>(&self, mut future: F) -> Poll<F::Output> {
        trace::begin_poll(crate::arena::Key::NONE);
        let waker = Waker::from(Arc::clone(&self.0));
        let polled = std::pin::pin!(&mut future).poll(&mut Context::from_waker(&waker));
        trace::end_poll();
        polled
    }

    fn wakes(&self) -> usize {
        self.0.0.load(Relaxed)
    }

    fn wakers_kept(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

#[test]
fn reader_is_woken_by_the_first_write_and_not_by_the_next() {
    let ((mut reader, mut writer), task) = (simplex(8), Task::default());
    let mut buf = [0; 8];
    assert!(task.poll(reader.read(&mut buf)).is_pending());
    for _ in 0..3 {
        assert!(matches!(finish(writer.write(b"ab")), Ok(2)));
    }
    assert_eq!((task.wakes(), task.wakers_kept()), (1, 0));
    assert!(matches!(task.poll(reader.read(&mut buf)), Poll::Ready(Ok(6))));
    assert_eq!(task.wakes(), 1);
}

#[test]
fn writer_without_room_is_woken_by_the_first_read() {
    let ((mut reader, mut writer), task) = (simplex(4), Task::default());
    assert!(matches!(task.poll(writer.write(b"abcdef")), Poll::Ready(Ok(4))));
    assert!(task.poll(writer.write(b"ef")).is_pending());
    let mut buf = [0; 1];
    for _ in 0..2 {
        assert!(matches!(finish(reader.read(&mut buf)), Ok(1)));
    }
    assert_eq!(task.wakes(), 1);
    assert!(matches!(task.poll(writer.write(b"ef")), Poll::Ready(Ok(2))));
}

#[test]
fn half_close_leaves_the_other_way() {
    let (mut a, mut b) = duplex(8);
    let task = Task::default();
    let mut buf = [0; 8];
    assert!(task.poll(b.read(&mut buf)).is_pending());
    assert!(matches!(finish(a.shutdown()), Ok(())));
    assert_eq!(task.wakes(), 1);
    assert!(matches!(task.poll(b.read(&mut buf)), Poll::Ready(Ok(0))));
    assert!(matches!(finish(b.write_all(b"still")), Ok(())));
    assert!(matches!(finish(a.read(&mut buf)), Ok(5)));
}

#[test]
fn what_was_written_before_the_end_is_read() {
    let (mut reader, mut writer) = simplex(8);
    assert!(matches!(finish(writer.write_all(b"last")), Ok(())));
    drop(writer);
    let mut bytes = Vec::new();
    assert!(matches!(finish(reader.read_to_end(&mut bytes)), Ok(4)));
    assert_eq!(bytes, b"last");
}

#[test]
fn write_to_a_peer_that_is_gone_is_a_broken_pipe() {
    let (mut a, b) = duplex(1);
    let task = Task::default();
    assert!(matches!(task.poll(a.write(b"x")), Poll::Ready(Ok(1))));
    assert!(task.poll(a.write(b"y")).is_pending());
    drop(b);
    assert_eq!(task.wakes(), 1);
    assert_eq!(finish(a.write(b"y")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert!(matches!(finish(a.read(&mut [0; 1])), Ok(0)));
}

#[test]
fn write_after_the_end_is_a_broken_pipe() {
    let (_reader, mut writer) = simplex(8);
    assert!(matches!(finish(writer.shutdown()), Ok(())));
    assert_eq!(finish(writer.write(b"y")).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn read_and_write_of_nothing_wait_for_nothing() {
    let (mut a, mut b) = duplex(1);
    assert!(matches!(finish(a.read(&mut [])), Ok(0)));
    assert!(matches!(finish(b.write_all(b"x")), Ok(())));
    assert!(matches!(finish(b.write(b"")), Ok(0)));
}

/// As send(2) has it on a stream socket, and unlike write(2) on a pipe.
#[test]
fn write_of_nothing_tells_that_the_peer_is_gone() {
    let (mut a, b) = duplex(1);
    drop(b);
    assert_eq!(finish(a.write(b"")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    let nothing = [IoSlice::new(b""), IoSlice::new(b"")];
    assert_eq!(finish(a.write_vectored(&nothing)).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn end_that_is_dropped_keeps_no_waker() {
    let ((mut reader, mut writer), task) = (simplex(1), Task::default());
    assert!(task.poll(reader.read(&mut [0; 1])).is_pending());
    assert!(matches!(finish(writer.write(b"x")), Ok(1)));
    assert!(task.poll(writer.write(b"y")).is_pending());
    drop(writer);
    assert_eq!((task.wakers_kept(), task.wakes()), (0, 1));
    drop(reader);
}

#[test]
fn writer_that_never_waits_lets_others_run() {
    let (mut reader, mut writer) = simplex(1);
    trace::begin_poll(crate::arena::Key::NONE);
    let mut cx = Context::from_waker(Waker::noop());
    let mut moves = 0;
    while writer.poll_write(&mut cx, b"x").is_ready() && reader.poll_read(&mut cx, &mut [0; 1]).is_ready() {
        moves += 1;
    }
    trace::end_poll();
    assert_eq!(moves, trace::OPERATIONS_PER_POLL / 2);
}

#[derive(Debug, Clone)]
enum Op {
    Write(Vec<u8>),
    Read(usize),
    End,
    DropReader,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        12 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Op::Write),
        12 => (0..12_usize).prop_map(Op::Read),
        1 => Just(Op::End),
        1 => Just(Op::DropReader),
    ];
    prop::collection::vec(op, 0..64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    /// The slow twin: a queue of bytes, and what its two ends would do. Whoever waits is woken exactly when it can go
    /// on.
    #[test]
    fn pipe_agrees_with_a_queue(ops in ops(), bytes_max in 1..10_usize) {
        let (reader, mut writer) = simplex(bytes_max);
        let (mut reader, mut twin, mut ended) = (Some(reader), VecDeque::<u8>::new(), false);
        // Each wait has a task of its own, which must have been woken exactly if the other end has moved since.
        let (mut read_wait, mut write_wait): (Option<Task>, Option<Task>) = (None, None);
        for op in ops {
            let task = Task::default();
            match op {
                Op::Write(bytes) => {
                    let count = bytes.len().min(bytes_max - twin.len());
                    match task.poll(writer.write(&bytes)) {
                        Poll::Ready(Ok(written)) => {
                            prop_assert_eq!(written, count);
                            prop_assert!(!ended && reader.is_some() && (bytes.is_empty() || count > 0));
                            twin.extend(&bytes[..count]);
                            if count > 0 && let Some(woken) = read_wait.take() {
                                prop_assert_eq!(woken.wakes(), 1);
                            }
                        }
                        Poll::Ready(Err(error)) => {
                            prop_assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                            prop_assert!(ended || reader.is_none());
                        }
                        Poll::Pending => {
                            prop_assert!(count == 0 && !ended && reader.is_some());
                            write_wait = Some(task);
                        }
                    }
                }
                Op::Read(len) => {
                    let Some(reader) = &mut reader else { continue };
                    let mut buf = vec![0; len];
                    match task.poll(reader.read(&mut buf)) {
                        Poll::Ready(read) => {
                            let read = read.unwrap();
                            prop_assert!(read == len.min(twin.len()) && (read > 0 || len == 0 || ended));
                            prop_assert!(twin.drain(..read).eq(buf[..read].iter().copied()));
                            if read > 0 && let Some(woken) = write_wait.take() {
                                prop_assert_eq!(woken.wakes(), 1);
                            }
                        }
                        Poll::Pending => {
                            prop_assert!(twin.is_empty() && !ended);
                            read_wait = Some(task);
                        }
                    }
                }
                Op::End => {
                    prop_assert!(matches!(finish(writer.shutdown()), Ok(())));
                    ended = true;
                    write_wait = None;
                    if let Some(woken) = read_wait.take() {
                        prop_assert_eq!(woken.wakes(), 1);
                    }
                }
                Op::DropReader => {
                    reader = None;
                    twin.clear();
                    read_wait = None;
                    if let Some(woken) = write_wait.take() {
                        prop_assert_eq!(woken.wakes(), 1);
                    }
                }
            }
            for waits in [&read_wait, &write_wait].into_iter().flatten() {
                prop_assert_eq!(waits.wakes(), 0);
            }
        }
    }
}

#[test]
fn where_it_is_shown_may_come_back_to_it() {
    struct Meddler(SimplexWriter);
    impl fmt::Write for Meddler {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            assert!(Task::default().poll(self.0.shutdown()).is_ready());
            Ok(())
        }
    }
    let (reader, writer) = simplex(1);
    fmt::write(&mut Meddler(writer), format_args!("{reader:?}")).unwrap();
}
