//! Connections: bytes there and back, ends, halves, errors, and what is left behind.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, manual, ms};
use evloop::engine::trace::{Side, Wait};
use evloop::future::{Either, join, race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite, copy};
use evloop::net::{KeepAlive, ListenOptions, TcpListener, TcpStream, lookup_host};
use evloop::{spawn, time};
use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!((client.local_addr().unwrap(), client.peer_addr().unwrap()), (peer, server.local_addr().unwrap()));
    (client, server)
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Bytes in which no stretch is like another.
fn pattern(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(len)
    .collect()
}

// --- Bytes -----------------------------------------------------------------------------------------------------------

#[test]
fn echo_gives_back_what_it_is_sent() {
    manual().block_on(async {
        let (mut client, server) = pair().await;
        let echo = spawn(async move { copy(&mut &server, &mut &server).await });
        for word in ["one", "two", "three"] {
            client.write_all(word.as_bytes()).await.unwrap();
            let mut back = vec![0; word.len()];
            client.read_exact(&mut back).await.unwrap();
            assert_eq!(back, word.as_bytes());
        }
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(echo.await.unwrap().unwrap(), 11);
    });
}

#[test]
fn pieces_of_a_vectored_write_arrive_as_one() {
    manual().block_on(async {
        let (mut client, mut server) = pair().await;
        let pieces = [IoSlice::new(b"head, "), IoSlice::new(b""), IoSlice::new(b"body")];
        assert_eq!(client.write_vectored(&pieces).await.unwrap(), 10);
        drop(client);
        let mut all = Vec::new();
        assert_eq!(server.read_to_end(&mut all).await.unwrap(), 10);
        assert_eq!(all, b"head, body");
    });
}

#[test]
fn peek_leaves_the_bytes_where_they_are() {
    manual().block_on(async {
        let (mut client, mut server) = pair().await;
        let peeked = spawn(async move {
            let mut seen = [0; 8];
            let count = server.peek(&mut seen).await.unwrap();
            assert_eq!(&seen[..count], b"word");
            let again = server.peek(&mut seen).await.unwrap();
            let mut read = [0; 8];
            assert_eq!(server.read(&mut read).await.unwrap(), again);
            read[..again].to_vec()
        });
        yield_now().await;
        client.write_all(b"word").await.unwrap();
        assert_eq!(peeked.await.unwrap(), b"word");
    });
}

#[test]
fn large_transfer_waits_for_the_reader_and_arrives_whole() {
    let runtime = manual();
    runtime.block_on(async {
        let sent = Rc::new(pattern(16 << 20));
        let (mut client, mut server) = pair().await;
        let theirs = Rc::clone(&sent);
        let writer = spawn(async move {
            client.write_all(&theirs).await.unwrap();
            client.shutdown().await.unwrap();
        });
        let waits_to_write = || {
            let info = runtime.tasks().info(writer.key()).unwrap();
            matches!(info.waits_for, Some(Wait::Source(_, Side::Write)))
        };
        while !waits_to_write() {
            yield_now().await;
        }
        assert!(!writer.is_finished(), "the kernel does not hold 16 MiB");
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        writer.await.unwrap();
        assert!(received == *sent, "what arrived is not what was sent");
    });
}

#[test]
fn both_directions_flow_at_once() {
    manual().block_on(async {
        let data = Rc::new(pattern(4 << 20));
        let (client, server) = pair().await;
        let side = |stream: TcpStream| {
            let data = Rc::clone(&data);
            spawn(async move {
                let (mut reading, mut writing) = (&stream, &stream);
                let mut received = vec![0; data.len()];
                let (read, written) = join(reading.read_exact(&mut received), writing.write_all(&data)).await;
                written.and(read.map(drop)).unwrap();
                assert!(received == *data);
            })
        };
        let (client, server) = join(side(client), side(server)).await;
        client.and(server).unwrap();
    });
}

// --- Ends ------------------------------------------------------------------------------------------------------------

#[test]
fn half_closed_connection_is_read_to_its_end_and_still_written_to() {
    manual().block_on(async {
        let (mut client, mut server) = pair().await;
        let answer = spawn(async move {
            let mut question = Vec::new();
            server.read_to_end(&mut question).await.unwrap();
            assert_eq!(question, b"question");
            yield_now().await;
            server.write_all(b"answer").await.unwrap();
        });
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).await.unwrap();
        assert_eq!(answered, b"answer");
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0, "the end stays the end");
        answer.await.unwrap();
    });
}

#[test]
fn reader_that_waits_is_woken_by_the_end() {
    manual().block_on(async {
        let (client, mut server) = pair().await;
        let read = spawn(async move { server.read(&mut [0; 8]).await });
        yield_now().await;
        drop(client);
        assert_eq!(read.await.unwrap().unwrap(), 0);
    });
}

#[test]
fn short_read_just_before_the_end_does_not_hide_it() {
    manual().block_on(async {
        for _ in 0..50 {
            let (mut client, mut server) = pair().await;
            let read = spawn(async move {
                let mut all = Vec::new();
                let mut buf = [0; 64];
                loop {
                    match server.read(&mut buf).await.unwrap() {
                        0 => return all,
                        count => all.extend_from_slice(&buf[..count]),
                    }
                }
            });
            yield_now().await;
            client.write_all(b"last words").await.unwrap();
            drop(client);
            assert_eq!(read.await.unwrap(), b"last words");
        }
    });
}

#[test]
fn connection_that_was_reset_is_an_error_for_the_reader() {
    manual().block_on(async {
        let (mut client, server) = pair().await;
        client.write_all(b"never read").await.unwrap();
        while server.peek(&mut [0; 16]).await.unwrap() < 10 {}
        drop(server); // with bytes unread
        let error = client.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn halves_go_to_two_tasks_and_the_end_of_writing_is_heard() {
    manual().block_on(async {
        let (client, mut server) = pair().await;
        let (mut reading, mut writing) = client.into_split();
        assert_eq!(reading.stream().local_addr().unwrap(), writing.stream().local_addr().unwrap());
        let reads = spawn(async move {
            let mut all = Vec::new();
            reading.read_to_end(&mut all).await.unwrap();
            all
        });
        let writes = spawn(async move {
            writing.write_all(b"from the half").await.unwrap();
            drop(writing);
        });
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"from the half");
        server.write_all(b"to the other").await.unwrap();
        drop(server);
        assert_eq!(reads.await.unwrap(), b"to the other");
        writes.await.unwrap();
    });
}

#[test]
fn halves_rejoin_and_only_their_own() {
    manual().block_on(async {
        let (client, mut server) = pair().await;
        let (other, _peer) = pair().await;
        let (reading, writing) = client.into_split();
        let (other_reading, other_writing) = other.into_split();
        let (other_reading, writing) = writing.rejoin(other_reading).unwrap_err();
        let mut client = writing.rejoin(reading).unwrap();
        other_writing.rejoin(other_reading).unwrap();
        client.write_all(b"whole").await.unwrap();
        let mut word = [0; 5];
        server.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"whole", "rejoining ended nothing");
    });
}

// --- Listening and connecting ------------------------------------------------------------------------------------------

#[test]
fn refused_connection_names_the_address() {
    manual().block_on(async {
        let address = nobody();
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot connect to {address}: ")), "{text}");
        let error = TcpStream::connect(address.to_string()).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot connect to {address}: ")), "{error}");
    });
}

#[test]
fn name_is_tried_at_each_of_its_addresses() {
    manual().block_on(async {
        let port = nobody().port();
        let addresses = lookup_host(("localhost", port)).await.unwrap();
        let error = TcpStream::connect(("localhost", port)).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot connect to localhost:{port}: ")), "{error}");
        for address in &addresses {
            assert!(error.contains(&format!("{address}: ")), "{address} is not in: {error}");
        }
        // The last address is the one that answers.
        let last = *addresses.last().unwrap();
        let listener = TcpListener::bind(last).unwrap();
        let stream = TcpStream::connect(("localhost", port)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), last);
        drop(listener);
    });
}

#[test]
fn name_that_cannot_be_resolved_is_named() {
    manual().block_on(async {
        let error = TcpStream::connect("no port at all").await.unwrap_err();
        assert!(error.to_string().starts_with("cannot resolve no port at all: "), "{error}");
    });
}

#[test]
fn tcp_bind6_only_takes_both_families_or_one() {
    manual().block_on(async {
        for only in [false, true] {
            let Ok(listener) = ListenOptions::new().only_v6(only).listen("[::]:0") else {
                eprintln!("this machine has no IPv6: left out");
                return;
            };
            let port = listener.local_addr().unwrap().port();
            let by_v4 = TcpStream::connect(("127.0.0.1", port)).await;
            assert_eq!(by_v4.is_ok(), !only);
            TcpStream::connect(("::1", port)).await.unwrap();
        }
    });
}

#[test]
fn keep_alive_with_numbers_that_are_refused_stays_off() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let refused = [
            KeepAlive { idle: Duration::ZERO, ..KeepAlive::default() },
            KeepAlive { interval: Duration::ZERO, ..KeepAlive::default() },
            KeepAlive { idle: Duration::from_secs(1_000_000), ..KeepAlive::default() },
            KeepAlive { count: 0, ..KeepAlive::default() },
        ];
        for numbers in refused {
            assert_eq!(
                stream.set_keep_alive(Some(numbers)).unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{numbers:?}"
            );
            assert_eq!(stream.keep_alive().unwrap(), None, "{numbers:?}");
        }
    });
}

#[test]
fn taken_port_is_named() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let error = TcpListener::bind(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
        let error = TcpListener::bind(("localhost", 0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("localhost:0"), "{error}");
    });
}

#[test]
fn port_can_be_taken_again_at_once_and_shared_if_all_agree() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        drop((server, listener)); // the server's end lingers
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        drop(client);
        let options = ListenOptions::new().reuse_port(true);
        let first = options.listen(address).unwrap();
        let second = options.listen(address).unwrap();
        assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
    });
}

#[test]
fn backlog_bounds_the_connections_that_wait_to_be_accepted() {
    manual().block_on(async {
        let listener = ListenOptions::new().backlog(1).listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..2 {
            waiting.push(TcpStream::connect(address).await.unwrap()); // the kernel allows one more than the backlog
        }
        let one_too_many = TcpStream::connect(address);
        let turns = async {
            for _ in 0..1_000 {
                yield_now().await;
            }
        };
        assert!(matches!(race(one_too_many, turns).await, Either::Right(())));
        for _ in waiting {
            listener.accept().await.unwrap();
        }
    });
}

#[test]
fn connection_is_not_lost_with_an_accept_that_was_dropped() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(matches!(race(listener.accept(), yield_now()).await, Either::Right(())));
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn connections_are_accepted_in_the_order_in_which_they_came() {
    manual().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        for client in &clients {
            assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
        }
    });
}

#[test]
fn accepting_pauses_when_there_are_no_descriptors_and_goes_on_when_there_are() {
    in_child("accepting_pauses_when_there_are_no_descriptors_and_goes_on_when_there_are", "ulimit -n 64;", || {
        manual().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut files = Vec::new();
            let full = loop {
                match File::open("/dev/null") {
                    Ok(file) => files.push(file),
                    Err(error) => break error,
                }
            };
            assert_eq!(full.raw_os_error(), Some(24));
            let start = time::now();
            drop(spawn(async move {
                time::sleep(ms(250)).await;
                drop(files);
            }));
            let (_server, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            assert_eq!(time::now() - start, ms(300), "it tried at 0, 100, 200 and 300");
        });
    });
}

#[test]
fn dropped_connections_and_loops_leave_no_descriptor_behind() {
    in_child("dropped_connections_and_loops_leave_no_descriptor_behind", "", || {
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before_all = open();
        let runtime = manual();
        runtime.block_on(async {
            let before = open();
            for _ in 0..20 {
                let (mut client, server) = pair().await;
                let (reading, writing) = server.into_split();
                client.write_all(b"x").await.unwrap();
                let waits = spawn(async move {
                    let mut reading = reading;
                    let mut all = Vec::new();
                    reading.read_to_end(&mut all).await
                });
                yield_now().await;
                waits.abort();
                assert!(waits.await.is_err());
                drop((client, writing));
                assert!(TcpStream::connect(nobody()).await.is_err());
            }
            assert_eq!(open(), before);
        });
        let kept = runtime.block_on(pair());
        drop(runtime);
        drop(kept);
        assert_eq!(open(), before_all);
    });
}

// --- std, and other loops ------------------------------------------------------------------------------------------------

#[test]
fn connections_come_from_std_and_go_back() {
    let runtime = manual();
    let std_listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = std_listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let (listener, mut stream) = runtime.block_on(async {
        let listener = TcpListener::from_std(std_listener).unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let mut stream = TcpStream::from_std(accepted.into_std().unwrap()).unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        (listener.into_std().unwrap(), stream.into_std().unwrap())
    });
    stream.set_nonblocking(false).unwrap();
    stream.write_all(b"by std").unwrap();
    drop(stream);
    assert_eq!(thread.join().unwrap(), "by std");
    assert_eq!(listener.local_addr().unwrap(), address);
}

#[test]
fn socket_goes_on_in_another_loop() {
    let (first, second) = (manual(), manual());
    let (client, mut server) = first.block_on(pair());
    let client = client.into_std().unwrap();
    second.block_on(async {
        let mut client = TcpStream::from_std(client).unwrap();
        client.write_all(b"moved").await.unwrap();
    });
    let mut word = [0; 5];
    first.block_on(server.read_exact(&mut word)).unwrap();
    assert_eq!(&word, b"moved");
}

#[test]
fn socket_of_a_loop_that_has_ended_says_so() {
    let runtime = manual();
    let (mut client, _server) = runtime.block_on(pair());
    drop(runtime);
    let error: io::Error = manual().block_on(client.read(&mut [0; 8])).unwrap_err();
    assert!(error.to_string().contains("the event loop of this socket has ended"), "{error}");
    assert!(client.into_std().is_ok());
}

#[test]
fn options_are_the_sockets() {
    manual().block_on(async {
        let (client, _server) = pair().await;
        assert!(!client.nodelay().unwrap());
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
    });
}

#[test]
fn byte_out_of_band_does_not_hide_what_is_behind_it() {
    manual().block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut far = listener.accept().unwrap().0;
        let mut buf = [0; 16];
        assert!(matches!(race(near.read(&mut buf), yield_now()).await, Either::Right(())), "nothing is there yet");
        far.write_all(b"before").unwrap();
        rustix::net::send(&far, b"!", rustix::net::SendFlags::OOB).unwrap();
        far.write_all(b"behind").unwrap();
        for expected in [b"before", b"behind"] {
            for _ in 0..2 {
                yield_now().await; // the edges of all three are in
            }
            let Either::Left(count) = race(near.read(&mut buf), yield_now()).await else { panic!("it is there") };
            assert_eq!(&buf[..count.unwrap()], expected);
        }
    });
}

#[test]
fn more_slices_than_one_call_takes_do_not_mean_that_there_is_no_room() {
    manual().block_on(async {
        let (mut near, _far) = pair().await;
        for _ in 0..2 {
            yield_now().await; // the edge of the new socket is in
        }
        let slices = vec![IoSlice::new(b"x"); 2_000];
        let count = std::future::poll_fn(|cx| near.poll_write_vectored(cx, &slices)).await.unwrap();
        assert_eq!(count, 1_024);
        assert!(matches!(race(near.write(b"y"), yield_now()).await, Either::Left(Ok(1))));
    });
}

#[test]
fn lingering_that_would_hold_the_loop_is_refused() {
    manual().block_on(async {
        let (near, _far) = pair().await;
        for time in [ms(1), ms(500), ms(1_000), Duration::MAX] {
            assert_eq!(near.set_linger(Some(time)).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        near.set_linger(Some(ms(0))).unwrap();
        near.set_linger(None).unwrap();
    });
}

#[test]
fn limit_of_less_than_a_millisecond_is_not_taken_for_none() {
    manual().block_on(async {
        let (near, _far) = pair().await;
        near.set_user_timeout(Some(Duration::from_micros(1))).unwrap();
        assert_eq!(near.user_timeout().unwrap(), Some(ms(1)));
    });
}
