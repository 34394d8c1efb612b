//! A bug of order in a small server, found by seeds.
//!
//! Run it with `cargo run --release --example 12_seeds`. It ends by itself. To be seen:
//!
//! - The server loads its greeting once, which takes five milliseconds; who connects meanwhile waits for it. There is a
//!   mistake in how it waits. In the order in which tasks are woken it never shows, however often the test is run.
//! - Under seeds the tasks that are ready run in an order that is drawn. Each run takes another, and one of the first
//!   strands a client: the test names the seed, and that seed does it again.
//! - The mended server passes under all of them, also over a network that delays and splits what it carries.
//!
//! The mistake is known as the lost wake: to look, to give way, and only then to begin to wait. Whoever changes it in
//! between tells nobody.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use evloop::future::yield_now;
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::spawn;
use evloop::sync::Notify;
use evloop::testing::{self, Faults, Network, ServerEnd};
use evloop::time::sleep;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What the server says to everyone.
#[derive(Default)]
struct Greeting {
    text: RefCell<Option<String>>,
    loaded: Notify,
}

impl Greeting {
    async fn load(&self) {
        sleep(Duration::from_millis(5)).await;
        *self.text.borrow_mut() = Some("Hello".to_owned());
        self.loaded.notify_waiters();
    }

    /// The mistake: between the look and the wait there is an await.
    async fn wait_hastily(&self) -> String {
        if self.text.borrow().is_none() {
            note("a client waits for the greeting").await;
            self.loaded.notified().await;
        }
        self.text.borrow().clone().expect("it is loaded before anybody is notified")
    }

    /// Mended: a waiter hears of all that comes after `notified()`, so that is called before the look.
    async fn wait(&self) -> String {
        loop {
            let loaded = self.loaded.notified();
            if let Some(text) = self.text.borrow().clone() {
                return text;
            }
            note("a client waits for the greeting").await;
            loaded.await;
        }
    }
}

/// A log that is written elsewhere: it takes no time, but the others have their turn.
async fn note(_line: &str) {
    yield_now().await;
}

async fn serve(network: Network, mended: bool) -> io::Result<()> {
    let greeting = Rc::new(Greeting::default());
    let loading = Rc::clone(&greeting);
    drop(spawn(async move { loading.load().await }));
    loop {
        let client = network.accept().await?;
        drop(spawn(answer(client, Rc::clone(&greeting), mended)));
    }
}

async fn answer(mut client: ServerEnd, greeting: Rc<Greeting>, mended: bool) -> io::Result<()> {
    client.read_exact(&mut [0; 3]).await?; // "hi\n"
    let text = if mended { greeting.wait().await } else { greeting.wait_hastily().await };
    client.write_all(text.as_bytes()).await
}

/// The test: ten clients, one each millisecond, are greeted.
async fn all_are_greeted(network: Network, mended: bool) {
    drop(spawn(serve(network.clone(), mended)));
    let clients: Vec<_> = (0..10)
        .map(|number| {
            let network = network.clone();
            spawn(async move {
                sleep(Duration::from_millis(number)).await;
                let mut client = network.connect(100);
                client.send("hi\n").await;
                assert_eq!(client.rest().await, b"Hello");
            })
        })
        .collect();
    for client in clients {
        client.await.expect("each is greeted");
    }
}

pub(crate) fn main() -> io::Result<()> {
    let hasty = async || all_are_greeted(Network::default(), false).await;
    evloop::Runtime::builder().manual_clock().build()?.block_on(hasty());
    println!("in the order of wakes, the hasty server greets everybody");

    let failure = testing::first_failure(0..100, hasty).expect("a hundred orders, and none strands a client");
    println!("the hasty server {failure}");
    let again = testing::first_failure(failure.seed()..100, hasty).map(|again| again.seed());
    assert_eq!(again, Some(failure.seed()), "what was found is found again");

    testing::seeds(0..1_000, async || all_are_greeted(Network::default(), true).await);
    testing::seeds(0..1_000, async || all_are_greeted(Network::with_faults(Faults::rough()), true).await);
    println!("the mended server greets everybody, in a thousand orders and over a thousand bad networks");
    Ok(())
}
