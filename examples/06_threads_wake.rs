//! Threads around a loop: calls into it, values out of it, and work that would hold it.
//!
//! Run it with `cargo run --release --example 06_threads_wake`. It ends by itself. To be seen:
//!
//! - A [`Handle`] is the loop's door for other threads. A closure goes through it, and the future that it makes is born
//!   on the loop's thread: it holds an `Rc`, which no thread could have sent.
//! - A oneshot crosses threads: the sleeping loop is woken by its bell, an eventfd, and a task of it goes on.
//! - Work that blocks goes to the loop's pool, and the loop ticks on meanwhile. The same work on the loop itself stops
//!   the ticks: that is what "do not block the loop" means.
//! - A task that panics is an error for who waits for it, and the loop goes on. (Rust's message about the panic is on
//!   stderr, as always.)

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::sync::oneshot;
use evloop::time::{MissedTicks, interval};
use evloop::{Handle, Runtime};
use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn who() -> String {
    thread::current().name().unwrap_or("a thread without a name").to_owned()
}

/// Counts ticks of 5 ms for ever: the pulse of the loop.
async fn pulse(ticks: Rc<Cell<u32>>) {
    let mut beat = interval(ms(5));
    beat.set_missed_ticks(MissedTicks::Skip); // what was missed is not made up for, so the count shows it
    loop {
        beat.tick().await;
        ticks.set(ticks.get() + 1);
    }
}

/// Both ways to do 50 ms of blocking work, and how often the loop ticked meanwhile.
async fn blocking_work() -> (u32, u32) {
    let ticks = Rc::new(Cell::new(0));
    let pulse = evloop::spawn(pulse(Rc::clone(&ticks)));
    let work = || {
        thread::sleep(ms(50)); // a file, a database, a long calculation
        who()
    };

    let before = ticks.get();
    let worker = evloop::spawn_blocking(work).await.expect("the work does not panic");
    let during_pool = ticks.get() - before;
    println!("  the work was done on {worker}: {during_pool} ticks meanwhile");

    let before = ticks.get();
    let worker = work();
    let during_block = ticks.get() - before;
    println!("  the work was done on {worker}: {during_block} ticks meanwhile");

    pulse.abort(); // it has no other end
    (during_pool, during_block)
}

/// What the other thread does. All that it has of the loop is its handle.
fn other_thread(handle: &Handle, greeting: oneshot::Sender<Instant>) {
    println!("on {}: a value for a task of the loop", who());
    thread::sleep(ms(20)); // long enough that the loop sleeps in the kernel
    greeting.send(Instant::now()).expect("the task waits for it");

    println!("on {}: a task for the loop, and its result", who());
    // `move ||` is sent. What it makes, the `async` block, is not, and need not be `Send`.
    let sums = handle.spawn(|| async { blocking_work().await });
    match sums.wait() {
        Ok((pool, block)) => println!("on {}: {pool} ticks against {block}", who()),
        Err(error) => println!("on {}: {error}", who()),
    }

    println!("on {}: a task that panics", who());
    let lost = handle.spawn(|| async { panic!("on purpose") }).wait();
    println!("on {}: {}", who(), lost.map(|()| "no error").expect_err("it panicked"));

    handle.stop();
}

fn main() -> evloop::Result<()> {
    let runtime = Runtime::new()?;
    let handle = runtime.enter(Handle::current);
    let (greeting, greeted) = oneshot::channel::<Instant>();
    let waiting = runtime.enter(|| {
        // A task that waits for ever keeps the loop alive until it is told to stop.
        drop(evloop::spawn(std::future::pending::<()>()));
        evloop::spawn(async move {
            let sent = greeted.await.expect("the other thread sends it");
            println!("  on {}: it came after {} us", who(), sent.elapsed().as_micros());
        })
    });
    let other = thread::Builder::new().name("other".to_owned()).spawn({
        let handle = handle.clone();
        move || other_thread(&handle, greeting)
    })?;

    runtime.run(evloop::Mode::UntilDone)?; // until `stop`
    assert!(waiting.is_finished());
    println!("on {}: stopped; the loop is still alive: {}", who(), runtime.is_alive());
    drop(runtime);
    println!("on {}: dropped; the door is open: {}", who(), handle.is_open());
    other.join().expect("the other thread does not panic");
    Ok(())
}
