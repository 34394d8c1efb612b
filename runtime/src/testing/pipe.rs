//! One direction of a connection in memory.

use super::faults::Weather;
use crate::time;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// What both its ends share. Wakers leave it before they are woken or dropped, which may be anybody's code.
pub(super) struct Pipe {
    /// What was written and not read. Invariant: at most `bytes_max`.
    bytes: VecDeque<u8>,
    bytes_max: usize,
    /// So many of them have arrived.
    arrived: usize,
    /// When the others will: in order, and so many at a time. The end of it all is one of no bytes.
    under_way: VecDeque<(Instant, usize)>,
    /// Nothing more will be written.
    ended: bool,
    /// Nobody will read.
    unread: bool,
    /// Both ends see this error.
    broken: Option<ErrorKind>,
    /// After so many bytes more it breaks.
    cut_in: Option<usize>,
    weather: Option<Weather>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Why nothing could be read yet.
pub(super) enum NotYet {
    /// Nothing is under way.
    Nothing,
    /// Something arrives then.
    Until(Instant),
}

/// What came of a write.
pub(super) enum Written {
    Bytes(usize),
    /// So many, and then the connection broke.
    AndCut(usize),
}

impl Pipe {
    pub(super) fn new(bytes_max: usize, weather: Option<Weather>) -> Pipe {
        Pipe {
            bytes: VecDeque::new(),
            bytes_max,
            arrived: 0,
            under_way: VecDeque::new(),
            ended: false,
            unread: false,
            broken: None,
            cut_in: None,
            weather,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn cut_in(&mut self, bytes: usize) {
        self.cut_in = Some(bytes);
    }

    pub(super) fn shared(self) -> Rc<RefCell<Pipe>> {
        Rc::new(RefCell::new(self))
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether all that was written has been read, or never will be.
    pub(super) fn is_taken(&self) -> bool {
        self.bytes.is_empty() || self.unread || self.broken.is_some()
    }

    /// Notes when what was written just now arrives: not before what was written earlier.
    fn send_off(&mut self, bytes: usize) {
        match self.weather.as_ref().and_then(Weather::delay) {
            Some(delay) => {
                let due = time::now() + delay;
                let due = self.under_way.back().map_or(due, |&(before, _)| due.max(before));
                self.under_way.push_back((due, bytes));
            }
            None => self.arrived += bytes,
        }
    }

    /// Takes in what has arrived by now.
    fn arrive(&mut self) {
        if self.under_way.is_empty() {
            return; // and no clock is asked, so that it needs no loop
        }
        let now = time::now();
        while let Some(&(due, bytes)) = self.under_way.front()
            && due <= now
        {
            self.arrived += bytes;
            self.under_way.pop_front();
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, NotYet> {
        self.arrive();
        if self.arrived == 0 {
            return match self.under_way.front() {
                Some(&(due, _)) => Err(NotYet::Until(due)),
                None if self.ended => Ok(0),
                None => Err(NotYet::Nothing),
            };
        }
        let read = buf.len().min(self.arrived);
        let read = self.weather.as_ref().map_or(read, |weather| weather.read(read));
        let (front, back) = self.bytes.as_slices();
        let at_front = front.len().min(read);
        buf[..at_front].copy_from_slice(&front[..at_front]);
        buf[at_front..read].copy_from_slice(&back[..read - at_front]);
        self.bytes.drain(..read);
        self.arrived -= read;
        Ok(read)
    }

    /// Takes what there is room for, which is some.
    fn write(&mut self, buf: &[u8]) -> Written {
        let written = buf.len().min(self.bytes_max - self.bytes.len());
        let written = self.weather.as_ref().map_or(written, |weather| weather.written(written));
        let written = self.cut_in.map_or(written, |cut_in| written.min(cut_in));
        self.bytes.extend(&buf[..written]);
        self.send_off(written);
        match &mut self.cut_in {
            Some(cut_in) => *cut_in -= written,
            None => return Written::Bytes(written),
        }
        if self.cut_in == Some(0) { Written::AndCut(written) } else { Written::Bytes(written) }
    }
}

/// Makes the place wake the task that polls now; gives back what must be dropped when nothing is borrowed.
fn keep(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => place.replace(cx.waker().clone()),
    }
}

/// Changes a pipe, and wakes both its ends.
fn change(pipe: &RefCell<Pipe>, change: impl FnOnce(&mut Pipe)) {
    let mut pipe = pipe.borrow_mut();
    change(&mut pipe);
    let wakers = [pipe.reader.take(), pipe.writer.take()];
    drop(pipe);
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// Nothing more will be written.
pub(super) fn end(pipe: &RefCell<Pipe>) {
    change(pipe, |pipe| {
        if !pipe.ended {
            pipe.ended = true;
            pipe.send_off(0);
        }
    });
}

/// Nobody will read.
pub(super) fn leave(pipe: &RefCell<Pipe>) {
    change(pipe, |pipe| pipe.unread = true);
}

/// Both ends see an error from now on; the first that is told stays.
pub(super) fn break_off(pipe: &RefCell<Pipe>, kind: ErrorKind) {
    change(pipe, |pipe| {
        pipe.broken.get_or_insert(kind);
    });
}

/// Reads what has arrived; `Err` tells what to wait for.
pub(super) fn poll_read(pipe: &RefCell<Pipe>, cx: &Context<'_>, buf: &mut [u8]) -> Result<io::Result<usize>, NotYet> {
    let mut pipe = pipe.borrow_mut();
    if let Some(kind) = pipe.broken {
        return Ok(Err(kind.into()));
    }
    match pipe.read(buf) {
        Ok(read) => {
            let writer = pipe.writer.take();
            drop(pipe);
            writer.into_iter().for_each(Waker::wake);
            Ok(Ok(read))
        }
        Err(not_yet) => {
            let former = keep(&mut pipe.reader, cx);
            drop(pipe);
            drop(former);
            Err(not_yet)
        }
    }
}

/// Writes what there is room for.
pub(super) fn poll_write(pipe: &RefCell<Pipe>, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<Written>> {
    let mut pipe = pipe.borrow_mut();
    if let Some(kind) = pipe.broken {
        return Poll::Ready(Err(kind.into()));
    }
    if pipe.unread || pipe.ended {
        return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
    }
    if pipe.bytes.len() == pipe.bytes_max {
        let former = keep(&mut pipe.writer, cx);
        drop(pipe);
        drop(former);
        return Poll::Pending;
    }
    let written = pipe.write(buf);
    let reader = pipe.reader.take();
    drop(pipe);
    reader.into_iter().for_each(Waker::wake);
    Poll::Ready(Ok(written))
}

/// Waits until [`Pipe::is_taken`].
pub(super) fn poll_taken(pipe: &RefCell<Pipe>, cx: &Context<'_>) -> Poll<()> {
    let mut pipe = pipe.borrow_mut();
    if pipe.is_taken() {
        return Poll::Ready(());
    }
    let former = keep(&mut pipe.writer, cx);
    drop(pipe);
    drop(former);
    Poll::Pending
}
