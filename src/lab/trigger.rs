//! Which byte is forgotten by a reader that is told by edges?
//!
//! Two bytes come over a socket, and the reader takes one. A *level* says that there is something to read for as long as
//! there is: the reader is told again. An *edge* says that something has come, once: the second byte lies there and
//! nobody says so. Look at the first row: it waits beside a byte, and when a third one comes, it takes the second. So who
//! is told by edges reads until the kernel says `WouldBlock`, as the last row does; evloop's own streams do it for you. Why
//! edges at all? A level that is not wanted now must be taken out of the epoll and put in again; an edge just passes.
//!
//! The middle row has levels on a loop of edges: its socket is in an epoll of its own, and that epoll is in the loop. Change
//! [`Way::Edge`] to take two bytes at a time; or let it forget to [`spend`](AsyncFd::spend): whom does it ask then?

use super::{Experiment, Recorder};
use crate::picture::{Kind, Picture};
use evloop::fd::{AsyncFd, Side};
use evloop::time::{sleep, timeout};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io::{self, ErrorKind, Read, Write};
use std::os::{fd::OwnedFd, unix::net::UnixStream};
use std::time::Duration;

/// How long a byte is worked on.
const WORK: Duration = Duration::from_millis(4);
/// After that time without news, nobody believes in news any more.
const QUIET: Duration = Duration::from_millis(12);

pub(crate) const EXPERIMENT: Experiment =
    Experiment { name: "trigger", about: "edge against level: the byte that is forgotten", run };

/// Who tells the reader, and how much it takes then.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Edge,
    Level,
    ToTheEnd,
}

fn run() -> io::Result<Picture> {
    let recorder = Recorder::new("two bytes at once, a third when all is quiet; a dot: the reader is told");
    let [edge, level, to_the_end] = ["edge, one byte", "level, one byte", "edge, to the end"];
    recorder.rows(&[edge, level, to_the_end]);
    let (edge, level, to_the_end) = evloop::run(async {
        evloop::try_join!(
            reader(Way::Edge, edge, &recorder),
            reader(Way::Level, level, &recorder),
            reader(Way::ToTheEnd, to_the_end, &recorder),
        )
    })?;
    let about = format!(
        "How often the reader was told of the first two bytes: {} by edges, {} by levels.\n\
         What of all three lay unread in the end: {} where each edge was worth a byte, {} where each level was, {} where \
         each edge was read to its end.",
        edge.told_of_two, level.told_of_two, edge.left, level.left, to_the_end.left,
    );
    let picture = Picture::new("Edge and level: the byte that is forgotten").about(about).lanes(recorder.finish());
    Ok(picture.meaning(Kind::Run, "works on a byte").meaning(Kind::Block, "waits, though a byte lies there"))
}

struct Found {
    told_of_two: u32,
    left: usize,
}

async fn reader(way: Way, row: &str, recorder: &Recorder) -> io::Result<Found> {
    let (near, mut far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let levels = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&levels, &near, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    let (socket, levels) = (AsyncFd::new(near)?, AsyncFd::new(levels)?);
    socket.spend(Side::Read); // a new source counts as ready, but here it is the kernel's word that counts
    far.write_all(b"ab")?;
    let (mut told, mut told_of_two, mut left) = (0, None, 2);
    loop {
        let from = recorder.elapsed();
        let news = timeout(QUIET, news(way, &socket, &levels)).await.ok();
        let kind = if news.is_none() && left > 0 { Kind::Block } else { Kind::Wait };
        recorder.span(row, kind, format!("{left} unread"), from, recorder.elapsed());
        match (news, told_of_two) {
            (Some(news), _) => news?,
            (None, Some(told_of_two)) => return Ok(Found { told_of_two, left }),
            (None, None) => {
                told_of_two = Some(told);
                far.write_all(b"c")?;
                left += 1;
                continue;
            }
        }
        told += 1;
        recorder.mark(row, "told");
        loop {
            let mut byte = [0];
            match socket.get_ref().read(&mut byte) {
                Ok(_) => left -= 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            let _works = recorder.begin(row, Kind::Run, char::from(byte[0]));
            sleep(WORK).await;
            if way != Way::ToTheEnd {
                break;
            }
        }
    }
}

/// Waits until the kernel says that there is something to read.
async fn news(way: Way, socket: &AsyncFd<UnixStream>, levels: &AsyncFd<OwnedFd>) -> io::Result<()> {
    if way != Way::Level {
        socket.ready(Side::Read).await?;
        socket.spend(Side::Read); // the next wait is for the next edge
        return Ok(());
    }
    let ask = |levels: &OwnedFd| {
        let mut events = Vec::with_capacity(1);
        epoll::wait(levels, spare_capacity(&mut events), Some(&Timespec::default()))?;
        if events.is_empty() { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
    };
    levels.with(Side::Read, ask).await
}
