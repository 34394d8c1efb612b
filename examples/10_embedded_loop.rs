//! The loop inside of another program's loop: a raw epoll waits for a socket of its own and for evloop, in one call.
//!
//! Run it with `cargo run --release --example 10_embedded_loop`. It ends by itself. To be seen:
//!
//! - [`Runtime::backend_fd`] is readable when evloop has something to take, and [`Runtime::backend_timeout`] is how long
//!   the foreign loop may wait for it. Then one turn that waits for nothing, [`Mode::NoWait`], and back.
//! - evloop's timers, its pool and wakes from other threads arrive while the foreign loop does the blocking.
//! - The foreign loop turns only when there is news: it counts how often.
//!
//! libuv's way to do this is `uv_backend_fd` and `uv_backend_timeout`.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::time::sleep;
use evloop::{Mode, Runtime, spawn_blocking};
use rustix::event::epoll;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Which of the foreign loop's descriptors an event is for.
const EVLOOP: u64 = 1;
const SOCKET: u64 = 2;

fn main() -> io::Result<()> {
    let runtime = Runtime::new()?;
    let (mut near, far) = UnixStream::pair()?;

    let foreign = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&foreign, runtime.backend_fd()?, epoll::EventData::new_u64(EVLOOP), epoll::EventFlags::IN)?;
    epoll::add(&foreign, &far, epoll::EventData::new_u64(SOCKET), epoll::EventFlags::IN)?;

    let task = runtime.enter(|| {
        evloop::spawn(async move {
            for n in 1..=3 {
                sleep(Duration::from_millis(20)).await;
                println!("evloop:  tick {n}");
            }
            let sum = spawn_blocking(|| (1..=1_000_000_u64).sum::<u64>()).await?;
            println!("evloop:  the pool says {sum}");
            near.write_all(b"done")?;
            Ok::<_, io::Error>(near) // kept open: its end would be news for the foreign loop, again and again
        })
    });

    let mut waits = 0;
    let mut heard = false;
    loop {
        let alive = runtime.run(Mode::NoWait)?;
        if heard && !alive {
            break;
        }
        let wait = if alive { runtime.backend_timeout() } else { None };
        let wait = wait.map(|wait| wait.try_into().expect("a wait of seconds fits"));
        let mut events = Vec::with_capacity(8);
        epoll::wait(&foreign, rustix::buffer::spare_capacity(&mut events), wait.as_ref())?;
        waits += 1;
        for event in events {
            if event.data.u64() == EVLOOP {
                println!("foreign: evloop has news");
                continue;
            }
            let mut word = [0; 4];
            rustix::io::read(&far, &mut word)?;
            println!("foreign: its own socket says `{}`", String::from_utf8_lossy(&word));
            heard = true;
        }
    }
    assert!(task.is_finished());
    println!("foreign: {waits} waits in all");
    Ok(())
}
