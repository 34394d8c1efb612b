//! The programs that can be stepped through: plain code on the public interface, made to be read and changed.

use evloop::future::yield_now;
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{TcpListener, TcpStream};
use evloop::sync::mpsc;
use evloop::time::{interval, sleep};
use evloop::{spawn_blocking, task};
use std::io;
use std::thread;
use std::time::Duration;

/// One of them.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// What to look at.
    pub(crate) look: &'static str,
    /// Spawns its tasks on the loop of this thread.
    pub(crate) begin: fn() -> io::Result<()>,
}

/// All of them, in the order in which they are best met.
pub(crate) const ALL: &[Program] = &[
    Program {
        name: "timers",
        about: "three sleepers and an interval, in the timer wheel",
        look: "A deadline 64 ticks away or more waits on a higher level; its slot is taken apart when the hand comes to it.",
        begin: timers,
    },
    Program {
        name: "channels",
        about: "a producer that is faster than its consumer, and room for two messages",
        look: "Who finds no room waits; each message that is taken wakes the producer, behind whoever is ready already.",
        begin: channels,
    },
    Program {
        name: "fairness",
        about: "a task that always wakes itself, and two that do little",
        look: "The greedy task goes to the end of the queue each time, so the others are polled in between.",
        begin: fairness,
    },
    Program {
        name: "echo",
        about: "a client and a server over TCP, on one thread",
        look: "A source that is not ready is waited for; the kernel tells its edge in the poll, and that wakes the task.",
        begin: echo,
    },
    Program {
        name: "pool",
        about: "three jobs that block, and fewer threads for them",
        look: "The loop sleeps while the threads work; a job waits for one that is free, and each result comes by mail.",
        begin: pool,
    },
];

/// Lists the programs, a line each.
pub(crate) fn list() -> String {
    let lines = ALL.iter().map(|program| format!("  {:9}  {}\n", program.name, program.about));
    format!("Programs; evloop step NAME runs one, a turn at a key:\n\n{}", lines.collect::<String>())
}

/// The program of that name, or one line that says where they are listed.
pub(crate) fn find(name: &str) -> Result<&'static Program, String> {
    let found = ALL.iter().find(|program| program.name == name);
    found.ok_or_else(|| format!("there is no program {name:?}; see `evloop step`"))
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn named(name: &str, future: impl Future<Output = ()> + 'static) {
    drop(task::Builder::new().name(name).spawn(future));
}

/// What a task has to say to an error: that it is over. The loop is what is looked at here.
fn fallible(name: &str, future: impl Future<Output = io::Result<()>> + 'static) {
    named(name, async {
        if let Err(error) = future.await {
            log::warn!("a task has ended early: {error}");
        }
    });
}

#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn timers() -> io::Result<()> {
    named("soon", sleep(ms(5)));
    named("later", sleep(ms(70)));
    named("much-later", sleep(ms(5_000)));
    named("ticker", async {
        let mut ticks = interval(ms(40));
        for _ in 0..3 {
            ticks.tick().await;
        }
    });
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn channels() -> io::Result<()> {
    let (sender, mut receiver) = mpsc::channel(2);
    named("producer", async move {
        for number in 1..=5 {
            if sender.send(number).await.is_err() {
                return; // nobody listens
            }
        }
    });
    named("consumer", async move {
        while receiver.recv().await.is_some() {
            yield_now().await; // as if it took a while
        }
    });
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn fairness() -> io::Result<()> {
    let yields = |times: u32| async move {
        for _ in 0..times {
            yield_now().await;
        }
    };
    named("greedy", yields(6));
    named("modest", yields(1));
    named("humble", yields(2));
    Ok(())
}

fn echo() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    fallible("server", async move {
        let (mut stream, _) = listener.accept().await?;
        let mut buf = [0; 64];
        loop {
            match stream.read(&mut buf).await? {
                0 => return Ok(()),
                read => stream.write_all(&buf[..read]).await?,
            }
        }
    });
    fallible("client", async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut [0; 5]).await
    });
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn pool() -> io::Result<()> {
    for name in ["first", "second", "third"] {
        named(name, async {
            let blocks = spawn_blocking(|| thread::sleep(ms(50)));
            if let Err(error) = blocks.await {
                log::warn!("a job has ended early: {error}");
            }
        });
    }
    Ok(())
}
