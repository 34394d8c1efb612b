//! A chat room: who writes a line is read by all others.
//!
//! Run it with `cargo run --release --example 05_chat [PORT]`, the port being 7001 unless given, and join it from two
//! or more other terminals with `nc 127.0.0.1 7001`. The first line you write is your name. Ctrl-C ends the room.
//!
//! To be seen: each client has a queue of its own, with a bound. Whoever says something puts it into all queues and
//! waits for none, so a client that does not read holds nobody up: its queue runs full, it misses lines and is told how
//! many, and when it has taken nothing for ten seconds it is shown out. Try it with a client that you suspend (Ctrl-Z).
//! That is one policy of many; the point is that it is chosen here, and that memory has a bound.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::future::{race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::sync::mpsc;
use evloop::time::timeout;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use std::{env, io};

/// How many lines wait for one client; past it, the client misses lines.
const QUEUED_LINES_MAX: usize = 64;
/// The longest line, so that nobody can make the server hold an endless one.
const LINE_BYTES_MAX: usize = 1024;
/// How long one line may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// All who are here. Everything runs on one thread, so it is shared by `Rc` and changed in a cell.
#[derive(Default)]
struct Room {
    members: RefCell<Vec<Rc<Member>>>,
}

struct Member {
    name: String,
    queue: mpsc::Sender<Rc<str>>,
    missed: Cell<usize>,
}

impl Room {
    /// Puts a line into the queue of everyone but its author. A line is one allocation, however many read it.
    fn say(&self, author: &Rc<Member>, line: &str) {
        let line: Rc<str> = format!("{line}\n").into();
        for member in self.members.borrow().iter().filter(|member| !Rc::ptr_eq(member, author)) {
            if member.queue.try_send(Rc::clone(&line)).is_err() {
                member.missed.set(member.missed.get() + 1);
            }
        }
    }

    fn enter(&self, member: &Rc<Member>) {
        println!("{} is here", member.name);
        self.members.borrow_mut().push(Rc::clone(member));
        self.say(member, &format!("* {} is here", member.name));
    }

    fn leave(&self, member: &Rc<Member>) {
        println!("{} has left", member.name);
        self.members.borrow_mut().retain(|other| !Rc::ptr_eq(other, member));
        self.say(member, &format!("* {} has left", member.name));
    }
}

/// Cuts what comes into lines.
struct Lines<'a> {
    stream: &'a TcpStream,
    bytes: Vec<u8>,
}

impl Lines<'_> {
    /// The next line without its end; `None` at the end of the stream.
    async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            if self.bytes.len() >= LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
            }
            let mut piece = [0; 512];
            match self.stream.read(&mut piece).await? {
                0 => return Ok(None),
                read => self.bytes.extend_from_slice(&piece[..read]),
            }
        }
    }
}

/// What a client says, to the room, until it ends.
async fn listen_to(mut lines: Lines<'_>, member: &Rc<Member>, room: &Room) -> io::Result<()> {
    while let Some(line) = lines.next().await? {
        room.say(member, &format!("{}: {line}", member.name));
        yield_now().await; // those who were just told something run first: a burst of lines fills no queue
    }
    Ok(())
}

/// What the room says, to a client. It alone waits for this client's socket.
async fn tell(mut stream: &TcpStream, mut queue: mpsc::Receiver<Rc<str>>, member: &Rc<Member>) -> io::Result<()> {
    while let Some(line) = queue.recv().await {
        timeout(WRITE_LIMIT, stream.write_all(line.as_bytes())).await??;
        let missed = member.missed.take();
        if missed > 0 {
            let excuse = format!("* you have missed {missed} lines\n");
            timeout(WRITE_LIMIT, stream.write_all(excuse.as_bytes())).await??;
        }
    }
    Ok(())
}

/// One client, from its name to its end.
async fn client(stream: TcpStream, room: Rc<Room>) -> io::Result<()> {
    (&stream).write_all(b"* your name?\n").await?;
    let mut lines = Lines { stream: &stream, bytes: Vec::new() };
    let Some(name) = lines.next().await? else { return Ok(()) };
    let (queue, receiver) = mpsc::channel(QUEUED_LINES_MAX);
    let member = Rc::new(Member { name, queue, missed: Cell::new(0) });
    room.enter(&member);
    // Both directions within one task. When either ends the other is dropped, wherever it waits.
    let end = race(listen_to(lines, &member, &room), tell(&stream, receiver, &member)).await;
    room.leave(&member);
    end.into_inner()
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let room = Rc::<Room>::default();
    loop {
        let (stream, peer) = listener.accept().await?;
        let client = client(stream, Rc::clone(&room));
        drop(evloop::spawn(async move {
            if let Err(error) = client.await {
                println!("{peer}: {error}");
            }
        }));
    }
}

fn main() -> io::Result<()> {
    let port = env::args().nth(1).map_or(Ok(7001), |port| port.parse::<u16>()).map_err(io::Error::other)?;
    evloop::run(async {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        println!("a chat room on {}; Ctrl-C ends it", listener.local_addr()?);
        race(serve(listener), evloop::signal::ctrl_c()).await.into_inner()
    })
}
