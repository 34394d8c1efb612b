//! The network in memory, rough and calm, and the helper that runs seeds.

use super::{End, Faults, Network, first_failure};
use crate::future::{join, yield_now};
use crate::io::{AsyncRead, AsyncWrite};
use crate::time::{now, sleep};
use crate::{Runtime, spawn};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn text() -> Vec<u8> {
    (0..1_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A network on which everything happens that can, and none of it loses anything.
fn rough() -> Network {
    Network::with_faults(Faults::rough())
}

/// Runs a body under so many seeds, whatever the environment says.
fn seeds(seeds: std::ops::Range<u64>, body: impl AsyncFn()) {
    if let Some(failure) = first_failure(seeds, body) {
        panic!("{failure}");
    }
}

fn calm() -> Runtime {
    Runtime::builder().manual_clock().build().unwrap()
}

/// Sends a text to the server and back, over pipes of that size; gives the sizes of the client's reads.
async fn echo(network: &Network, pipe_bytes: usize) -> Vec<usize> {
    let server = network.clone();
    let echo = spawn(async move {
        let mut end = server.accept().await.unwrap();
        let mut all = Vec::new();
        end.read_to_end(&mut all).await.unwrap();
        end.write_all(&all).await.unwrap();
    });
    let mut client = network.connect(pipe_bytes);
    client.send(text()).await;
    client.finish();
    let (mut all, mut sizes, mut piece) = (Vec::new(), Vec::new(), [0; 500]);
    loop {
        let size = client.read(&mut piece).await.unwrap();
        if size == 0 {
            break;
        }
        all.extend_from_slice(&piece[..size]);
        sizes.push(size);
    }
    echo.await.unwrap();
    assert_eq!(all, text());
    sizes
}

#[test]
fn rough_network_loses_nothing_and_keeps_the_order() {
    seeds(0..50, async || {
        for pipe_bytes in [1, 7, 1_000, 100_000] {
            echo(&rough(), pipe_bytes).await;
        }
    });
}

#[test]
fn calm_network_takes_what_there_is_room_for_and_brings_what_there_is() {
    calm().block_on(async {
        let before = now();
        assert_eq!(echo(&Network::default(), 100_000).await, [500; 8]);
        assert_eq!(now(), before);
    });
}

#[test]
fn what_a_connection_meets_follows_from_the_seed() {
    let run = |seed| {
        Runtime::builder().manual_clock().seed(seed).build().unwrap().block_on(async {
            let before = now();
            let sizes = echo(&rough(), 1_000).await;
            (sizes, now() - before)
        })
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    // With a seed of its own, the network is the same on each loop.
    let own = |seed| {
        let network = Network::with_faults_by(Faults { short_percent: 100, ..Faults::default() }, seed);
        Runtime::new().unwrap().block_on(echo(&network, 100_000))
    };
    assert_eq!(own(1), own(1));
    assert_ne!(own(1), own(2));
}

#[test]
fn what_is_written_arrives_within_the_delay_and_the_end_behind_it() {
    let run = async || {
        let network = Network::with_faults(Faults { delay_max: ms(100), ..Faults::default() });
        let mut client = network.connect(1_000);
        let mut server = network.accept().await.unwrap();
        let before = now();
        client.send("one").await;
        client.send("two").await;
        client.finish();
        assert_eq!(now(), before, "a writer does not wait for the way");
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"onetwo");
        assert!(now() - before <= ms(100));
        now() - before
    };
    let took = RefCell::new(Vec::new());
    seeds(0..50, async || {
        let seen = run().await;
        took.borrow_mut().push(seen);
    });
    let took = took.into_inner();
    assert!(took.iter().any(|&took| took < ms(60)) && took.iter().any(|&took| took > ms(90)), "{took:?}");
}

#[test]
fn reader_that_waits_for_what_is_under_way_is_woken_when_it_arrives() {
    seeds(0..50, async || {
        let network = Network::with_faults(Faults { delay_max: ms(100), ..Faults::default() });
        let mut client = network.connect(1_000);
        let mut server = network.accept().await.unwrap();
        let read = async {
            let mut word = [0; 6];
            server.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"onetwo");
        };
        let write = async {
            client.send("one").await;
            sleep(ms(1_000)).await;
            client.send("two").await;
        };
        join(read, write).await;
    });
}

#[test]
fn connection_that_is_cut_breaks_at_a_drawn_byte_for_both_ends() {
    let cut = Cell::new(0);
    seeds(0..100, async || {
        let network = Network::with_faults(Faults { cut_percent: 50, cut_bytes_max: 100, ..Faults::default() });
        let mut client = network.connect(1_000);
        let mut server = network.accept().await.unwrap();
        let passed = client.write(&[0; 200]).await.ok();
        if client.write(&[0; 1]).await.is_err() {
            cut.set(cut.get() + 1);
            assert!(passed.is_none_or(|passed| passed <= 100));
            assert_eq!(server.read(&mut [0; 10]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(server.write(&[0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    });
    assert!((10..40).contains(&cut.get()), "half of them, and half of those on the way up: {}", cut.get());
}

#[test]
fn connect_that_is_refused_is_an_error_of_what_is_done_first() {
    let refused = Cell::new(0);
    seeds(0..100, async || {
        let network = Network::with_faults(Faults { refused_percent: 30, ..Faults::default() });
        let mut client = network.connect(1_000);
        if let Err(error) = client.write(b"a").await {
            refused.set(refused.get() + 1);
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
            assert_eq!(network.accepted(), 0);
        } else {
            network.accept().await.unwrap();
        }
    });
    assert!((15..45).contains(&refused.get()), "{}", refused.get());
}

#[test]
fn connections_that_wait_together_are_taken_in_any_order_where_there_are_delays() {
    let first = |faults| {
        let first = RefCell::new(Vec::new());
        seeds(0..20, async || {
            let network = Network::with_faults(faults);
            let _clients: Vec<End> = [1, 2, 3].map(|room| network.connect(room)).into();
            let mut server = network.accept().await.unwrap();
            let written = server.write(b"abc").await.unwrap();
            first.borrow_mut().push(written);
        });
        first.into_inner()
    };
    assert_eq!(first(Faults::default()), [1; 20]);
    let drawn = first(Faults { delay_max: ms(1), ..Faults::default() });
    assert!([1, 2, 3].iter().all(|room| drawn.contains(room)), "{drawn:?}");
}

#[test]
fn closed_network_takes_nobody_and_says_so() {
    calm().block_on(async {
        let network = Network::default();
        let mut waiting = network.connect(1);
        network.close();
        assert_eq!(waiting.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(network.connect(1).read(&mut [0]).await.unwrap(), 0);
        assert_eq!(network.accept().await.unwrap_err().kind(), ErrorKind::NotConnected);
    });
}

/// Two tasks that each take a step before and after they give way; who is first is told.
async fn race() -> char {
    let order = Rc::new(RefCell::new(String::new()));
    let tasks = ['a', 'b'].map(|name| {
        let order = Rc::clone(&order);
        spawn(async move {
            yield_now().await;
            order.borrow_mut().push(name);
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    order.take().remove(0)
}

#[test]
fn first_failure_is_that_of_the_first_seed_that_fails() {
    let body = async || assert_eq!(race().await, 'a', "b was first");
    calm().block_on(body()); // in the order of wakes it never fails
    let failure = first_failure(0..100, body).expect("one order of two is drawn in a hundred runs");
    assert!(failure.to_string().starts_with(&format!("failed under the seed {}: ", failure.seed())), "{failure}");
    assert!(failure.text().contains("b was first"), "{failure:?}");
    assert!(first_failure(0..failure.seed(), body).is_none());
    assert_eq!(first_failure(failure.seed()..100, body).map(|again| again.seed()), Some(failure.seed()));
}

#[test]
fn body_that_waits_for_what_never_comes_fails_and_tells_what_else_there_is() {
    let failure = first_failure(3..4, async || {
        drop(crate::TaskBuilder::new().name("other").spawn(pending::<()>()));
        pending::<()>().await;
    });
    let failure = failure.unwrap().to_string();
    assert!(failure.starts_with("failed under the seed 3: the test waits for something that never comes"), "{failure}");
    assert!(failure.contains("task `other`, spawned at "), "{failure}");
}

#[test]
fn each_seed_has_a_loop_of_its_own_which_tells_it() {
    let seen = RefCell::new(Vec::new());
    assert!(first_failure(5..8, async || seen.borrow_mut().push(crate::turn::seed())).is_none());
    assert_eq!(seen.into_inner(), [Some(5), Some(6), Some(7)]);
    assert_eq!(Runtime::new().unwrap().seed(), None);
}
