//! How a master and its workers talk, and an old master with a new one: one connection for each child, messages as lines of
//! JSON, and the sockets that they are about beside them (`SCM_RIGHTS`, unix(7)).
//!
//! Both ends are the same program, or another version of it. All the same, what comes is believed only as far as it can be
//! read: a line has a bound, and a message that means nothing, or that comes with fewer sockets than it says, is an error
//! that ends the connection.

use super::status::LoopBeat;
use evloop_runtime::io::AsyncWrite;
use evloop_runtime::net::UnixStream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;

/// The longest line. None of ours comes near it: a message names 128 sockets at most, and its text is cut.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The longest text in a message. JSON writes six bytes for one at worst.
const TEXT_BYTES_MAX: usize = 8 << 10;

/// So many sockets go with one message; the kernel takes 253 (`SCM_MAX_FD`).
pub(super) const SOCKETS_PER_MESSAGE: usize = 128;

/// A message, with or without sockets.
pub(super) trait Message: Serialize + DeserializeOwned {
    /// How many sockets come with it.
    fn sockets(&self) -> usize {
        0
    }
}

/// What a master tells a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToWorker {
    /// Sockets, and for each the loop that is to accept from it. Before [`Serve`](ToWorker::Serve) they are kept, after it they
    /// are served as well.
    Sockets(Vec<usize>),
    /// Those were all: begin.
    Serve,
    /// Accept no more, answer what has begun, and end. Connections that idle are kept for so many milliseconds.
    Drain { idle_ms: u64 },
    /// End at once.
    Quit,
}

impl Message for ToWorker {
    fn sockets(&self) -> usize {
        match self {
            ToWorker::Sockets(loops) => loops.len(),
            _ => 0,
        }
    }
}

/// What a worker tells its master.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromWorker {
    /// All its loops accept.
    Ready,
    /// That loop turns.
    Beat { thread: usize, beat: LoopBeat },
    /// What the watchdog says of that loop: who holds it, or held it.
    Slow {
        thread: usize,
        #[serde(serialize_with = "cut")]
        text: String,
        over: bool,
    },
    /// It accepts no more, for a reason of its own: another is to take its place.
    Retiring(Why),
    /// All its loops have ended, and so many connections were cut.
    Ended { cut: usize },
    /// It cannot go on, and ends with that status.
    Failed {
        #[serde(serialize_with = "cut")]
        text: String,
        status: u8,
    },
}

impl Message for FromWorker {}

/// Why a worker retires, though its master has not told it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// One of its loops has served so many requests, which is its share.
    Requests(u64),
    /// Somebody has sent it `SIGTERM`.
    Terminated,
}

/// What is said of it: `worker 1 has served 1000 requests, ...`.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Requests(1) => f.write_str("has served 1 request, its share by --limit-max-requests"),
            Why::Requests(share) => write!(f, "has served {share} requests, its share by --limit-max-requests"),
            Why::Terminated => f.write_str("was sent SIGTERM"),
        }
    }
}

/// What an old master tells a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToSuccessor {
    /// Sockets; for each the number of the place where it listens, whether each loop has its own there, and whether the file
    /// is to be removed in the end.
    Sockets(Vec<(usize, bool, bool)>),
    /// Those were all: start so many workers. Where each loop has a socket of its own, there are some for so many.
    TakeOver { workers: usize, opened: usize },
    /// The old one is about to end: all that can be had only once is the new one's.
    Yours,
    /// Both are to end: finish what has begun.
    Finish,
}

impl Message for ToSuccessor {
    fn sockets(&self) -> usize {
        match self {
            ToSuccessor::Sockets(tags) => tags.len(),
            _ => 0,
        }
    }
}

/// What a new master tells the old one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromSuccessor {
    /// All its workers serve.
    Ready,
    /// It cannot go on, and ends.
    Failed {
        #[serde(serialize_with = "cut")]
        text: String,
    },
}

impl Message for FromSuccessor {}

/// A text of any length, as that of a panic may be, as much of it as goes into a message, and what became of the rest.
fn cut<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.len() <= TEXT_BYTES_MAX {
        return serializer.serialize_str(text);
    }
    let end = (0..=TEXT_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).expect("a text begins at a boundary");
    serializer.collect_str(&format_args!("{}... (cut here, after {end} of {} bytes)", &text[..end], text.len()))
}

/// Sends a message and the sockets that belong to it.
///
/// # Errors
/// What the system says, as that nobody is at the other end.
///
/// # Cancel safety
/// None: a part of the message may have been sent.
pub(super) async fn send<M: Message>(stream: &UnixStream, message: &M, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    debug_assert_eq!(message.sockets(), sockets.len());
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let sent = stream.send_fds(&line, sockets).await?;
    let mut stream = stream;
    stream.write_all(&line[sent..]).await
}

/// The receiving half of one end.
#[derive(Debug)]
pub(super) struct Inbox {
    stream: Rc<UnixStream>,
    come: Come,
}

impl Inbox {
    pub(super) fn new(stream: Rc<UnixStream>) -> Inbox {
        Inbox { stream, come: Come::default() }
    }

    /// The next message and its sockets; `None` at the end.
    ///
    /// # Errors
    /// What the system says, or that what came is no message.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn recv<M: Message>(&mut self) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
        let mut buf = [0; 4096];
        loop {
            if let Some(message) = self.come.next()? {
                return Ok(Some(message));
            }
            let (count, sockets) = match self.stream.recv_fds(&mut buf, SOCKETS_PER_MESSAGE).await {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => (0, Vec::new()), // it ended with mail unread
                received => received?,
            };
            if count == 0 {
                return if self.come.bytes.is_empty() { Ok(None) } else { Err(garbage("it ends within a message")) };
            }
            self.come.push(&buf[..count], sockets);
        }
    }
}

/// What has come and was not yet taken.
#[derive(Debug, Default)]
struct Come {
    bytes: Vec<u8>,
    /// Sockets come with the first byte of their message, so they are here when its last byte is.
    sockets: VecDeque<OwnedFd>,
}

impl Come {
    fn push(&mut self, bytes: &[u8], sockets: Vec<OwnedFd>) {
        self.bytes.extend_from_slice(bytes);
        self.sockets.extend(sockets);
    }

    fn next<M: Message>(&mut self) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
            if self.bytes.len() > LINE_BYTES_MAX {
                return Err(garbage("a line is too long"));
            }
            if self.sockets.len() > SOCKETS_PER_MESSAGE {
                return Err(garbage("sockets come that no message names"));
            }
            return Ok(None);
        };
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        let message: M = serde_json::from_slice(&line).map_err(|error| {
            let shown: String = String::from_utf8_lossy(&line).chars().take(80).collect();
            garbage(&format!("{:?} means nothing ({error})", shown.trim_end()))
        })?;
        let (count, come) = (message.sockets(), self.sockets.len());
        if count > come {
            return Err(garbage(&format!("a message came with {come} of {count} sockets")));
        }
        Ok(Some((message, self.sockets.drain(..count).collect())))
    }
}

fn garbage(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("what came over the channel cannot be understood: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evloop_runtime::future::join;
    use proptest::prelude::*;
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    fn to_worker() -> impl Strategy<Value = ToWorker> {
        prop_oneof![
            Just(ToWorker::Sockets(Vec::new())),
            Just(ToWorker::Serve),
            any::<u64>().prop_map(|idle_ms| ToWorker::Drain { idle_ms }),
            Just(ToWorker::Quit),
        ]
    }

    proptest! {
        #[test]
        fn messages_come_as_they_were_sent_however_they_are_cut(
            sent in prop::collection::vec(to_worker(), 0..8),
            sizes in prop::collection::vec(1_usize..40, 1..8),
        ) {
            let mut bytes = Vec::new();
            for message in &sent {
                bytes.extend(serde_json::to_vec(message).unwrap());
                bytes.push(b'\n');
            }
            let (mut come, mut received) = (Come::default(), Vec::new());
            let (mut rest, mut sizes) = (&bytes[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (some, others) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                come.push(some, Vec::new());
                rest = others;
                while let Some((message, _)) = come.next::<ToWorker>().unwrap() {
                    received.push(message);
                }
            }
            prop_assert_eq!(received, sent);
            prop_assert!(come.bytes.is_empty());
        }

        #[test]
        fn what_is_no_message_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut come = Come::default();
            come.push(&bytes, Vec::new());
            loop {
                match come.next::<FromWorker>() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        prop_assert_eq!(error.kind(), ErrorKind::InvalidData);
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn sockets_come_with_their_message() {
        evloop_runtime::block_on(async {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            send(&ours, &ToWorker::Drain { idle_ms: 7 }, &[]).await.unwrap();
            send(&ours, &ToWorker::Sockets(vec![0, 1]), &[listener.as_fd(), listener.as_fd()]).await.unwrap();
            send(&ours, &ToWorker::Serve, &[]).await.unwrap();
            drop(ours);
            let mut inbox = Inbox::new(Rc::new(theirs));
            assert_eq!(inbox.recv::<ToWorker>().await.unwrap().unwrap().0, ToWorker::Drain { idle_ms: 7 });
            let (message, sockets) = inbox.recv::<ToWorker>().await.unwrap().unwrap();
            assert_eq!(message, ToWorker::Sockets(vec![0, 1]));
            for socket in sockets {
                let same = TcpListener::from(socket).local_addr().unwrap();
                assert_eq!(same, listener.local_addr().unwrap());
            }
            let (message, sockets) = inbox.recv::<ToWorker>().await.unwrap().unwrap();
            assert_eq!((message, sockets.len()), (ToWorker::Serve, 0));
            assert!(inbox.recv::<ToWorker>().await.unwrap().is_none());
        });
    }

    #[test]
    fn message_without_its_sockets_is_an_error() {
        let mut come = Come::default();
        come.push(b"{\"sockets\":[0,0]}\n", Vec::new());
        let error = come.next::<ToWorker>().unwrap_err();
        assert!(error.to_string().ends_with("a message came with 0 of 2 sockets"), "{error}");
    }

    #[test]
    fn line_without_an_end_is_an_error() {
        let mut come = Come::default();
        come.push(&vec![b' '; LINE_BYTES_MAX], Vec::new());
        assert!(come.next::<ToWorker>().unwrap().is_none());
        come.push(b"  ", Vec::new());
        assert!(come.next::<ToWorker>().unwrap_err().to_string().ends_with("a line is too long"));
    }

    #[test]
    fn text_of_any_length_is_cut_and_comes_through() {
        evloop_runtime::block_on(async {
            for (text, kept) in
                [("\0".repeat(1 << 20), 8_192), ("\u{1f300}".repeat(1 << 18), 8_192), ("xä".repeat(1 << 18), 8_191)]
            {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let message = FromWorker::Failed { text: text.clone(), status: 3 };
                let sends = async { send(&ours, &message, &[]).await.unwrap() };
                let mut inbox = Inbox::new(Rc::new(theirs));
                let ((), come) = join(sends, inbox.recv::<FromWorker>()).await;
                let expected = format!("{}... (cut here, after {kept} of {} bytes)", &text[..kept], text.len());
                assert_eq!(come.unwrap().unwrap().0, FromWorker::Failed { text: expected, status: 3 });
            }
        });
    }

    #[test]
    fn connection_that_ends_within_a_message_is_an_error() {
        evloop_runtime::block_on(async {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            ours.write_all(b"\"rea").await.unwrap();
            drop(ours);
            let error = Inbox::new(Rc::new(theirs)).recv::<FromWorker>().await.unwrap_err();
            assert!(error.to_string().ends_with("it ends within a message"), "{error}");
        });
    }
}
