//! UDP: what libuv's tests of it show (`test/test-udp-*.c`), and what is ours: truncation told, batches, edges.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::manual;
use evloop::engine::trace::Side;
use evloop::future::{Either, join, race, yield_now};
use evloop::net::{Datagrams, Outgoing, Received, UdpOptions, UdpSocket};
use evloop::spawn;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::task::Poll;

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Of linux/errno.h, the same on the architectures that this runs on.
const EDESTADDRREQ: i32 = 89;
const EMSGSIZE: i32 = 90;
const EACCES: i32 = 13;
const ENODEV: i32 = 19;
const EADDRNOTAVAIL: i32 = 99;
const EAFNOSUPPORT: i32 = 97;

async fn local() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

/// Two sockets that are each other's peers.
async fn pair() -> (UdpSocket, UdpSocket) {
    let (one, other) = (local().await, local().await);
    one.connect(other.local_addr().unwrap()).await.unwrap();
    other.connect(one.local_addr().unwrap()).await.unwrap();
    (one, other)
}

/// A socket of IPv6, unless this machine has none, which is said.
async fn local_v6(options: UdpOptions, address: &str) -> Option<UdpSocket> {
    match options.bind(address).await {
        Err(error) if lacks(&error, &[EAFNOSUPPORT, EADDRNOTAVAIL]) => {
            eprintln!("skipped: this machine has no IPv6: {error}");
            None
        }
        bound => Some(bound.unwrap()),
    }
}

/// Whether that is what the error, or the one behind it, says.
fn lacks(error: &io::Error, numbers: &[i32]) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.source()?.downcast_ref::<io::Error>());
    numbers.iter().any(|&number| inner.unwrap_or(error).raw_os_error() == Some(number))
}

/// An address where nobody receives.
fn nobody() -> SocketAddr {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn receives(socket: &UdpSocket, expected: &[u8]) -> SocketAddr {
    let mut buf = [0; 2048];
    let (received, from) = socket.recv_from(&mut buf).await.unwrap();
    assert_eq!(&buf[..received.len], expected);
    from
}

fn whole(len: usize) -> Received {
    Received { len, sent_len: len }
}

// --- Binding (udp_bind, udp_bind_reuseaddr, udp_bind_reuseport, udp_open, _twice, _bound, _connect) --------------------

#[test]
fn udp_bind_takes_an_address_once() {
    manual().block_on(async {
        let first = local().await;
        let address = first.local_addr().unwrap();
        assert_ne!(address.port(), 0);
        let error = UdpSocket::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("cannot bind to {address}: ")), "{error}");
        drop(first);
        UdpSocket::bind(address).await.unwrap();
    });
}

#[test]
fn udp_bind_resolves_a_name_and_names_what_it_cannot() {
    manual().block_on(async {
        let socket = UdpSocket::bind("localhost:0").await.unwrap();
        assert!(socket.local_addr().unwrap().ip().is_loopback());
        let error = UdpSocket::bind("no port").await.unwrap_err();
        assert!(error.to_string().contains("no port"), "{error}");
    });
}

#[test]
fn udp_bind_reuseaddr_lets_two_have_an_address_if_both_say_so() {
    manual().block_on(async {
        let shared = UdpOptions::new().reuse_address(true);
        let first = shared.bind("127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap();
        let second = shared.bind(address).await.unwrap();
        assert_eq!(UdpSocket::bind(address).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        local().await.send_to(b"x", address).await.unwrap();
        receives(&second, b"x").await; // the one that was bound last
        assert_eq!(first.try_recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn udp_bind_reuseport_spreads_senders_over_sockets() {
    manual().block_on(async {
        let shared = UdpOptions::new().reuse_port(true);
        let first = shared.bind("127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap();
        let second = shared.bind(address).await.unwrap();
        assert_eq!(UdpSocket::bind(address).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        for _ in 0..64 {
            local().await.send_to(b"x", address).await.unwrap();
        }
        let count = |socket: &UdpSocket| std::iter::from_fn(|| socket.try_recv(&mut [0; 8]).ok()).count();
        let (some, others) = (count(&first), count(&second));
        assert_eq!(some + others, 64);
        assert!(some > 0 && others > 0, "{some} and {others}: no hash puts 64 ports to one side");
    });
}

#[test]
fn udp_options_of_buffers_are_set_before_it_is_bound() {
    manual().block_on(async {
        let options = UdpOptions::new().receive_buffer_bytes(16 << 10).send_buffer_bytes(8 << 10);
        let socket = options.bind("127.0.0.1:0").await.unwrap();
        assert_eq!(socket.receive_buffer_bytes().unwrap(), 32 << 10, "the kernel doubles it");
        assert_eq!(socket.send_buffer_bytes().unwrap(), 16 << 10);
    });
}

#[test]
fn udp_open_takes_a_bound_or_connected_socket_of_std_and_gives_it_back() {
    let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = std.local_addr().unwrap();
    let std = manual().block_on(async {
        let other = local().await;
        std.connect(other.local_addr().unwrap()).unwrap();
        let socket = UdpSocket::from_std(std).unwrap();
        assert_eq!(socket.local_addr().unwrap(), address);
        assert_eq!(socket.peer_addr().unwrap(), other.local_addr().unwrap());
        socket.send(b"open").await.unwrap();
        assert_eq!(receives(&other, b"open").await, address);
        socket.into_std().unwrap()
    });
    assert_eq!(std.local_addr().unwrap(), address);
    assert_eq!(std.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock, "it stays non-blocking");
}

#[test]
fn udp_open_twice_is_two_sockets_that_share_what_comes() {
    let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    manual().block_on(async {
        let address = std.local_addr().unwrap();
        let twin = UdpSocket::from_std(std.try_clone().unwrap()).unwrap();
        let socket = UdpSocket::from_std(std).unwrap();
        let sender = local().await;
        sender.send_to(b"one", address).await.unwrap();
        receives(&socket, b"one").await;
        drop(socket);
        sender.send_to(b"two", address).await.unwrap();
        receives(&twin, b"two").await;
    });
}

// --- Connecting (udp_connect, udp_connect6) ---------------------------------------------------------------------------

#[test]
fn udp_connect_sends_without_an_address_until_it_is_disconnected() {
    manual().block_on(async {
        let (server, client) = (local().await, local().await);
        let target = server.local_addr().unwrap();
        assert_eq!(client.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(client.send(b"x").await.unwrap_err().raw_os_error(), Some(EDESTADDRREQ));
        client.connect(target).await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), target);
        client.send(b"connected").await.unwrap();
        receives(&server, b"connected").await;
        // To another address it may send as well, but receives from its peer only.
        let other = local().await;
        client.send_to(b"by the way", other.local_addr().unwrap()).await.unwrap();
        let home = receives(&other, b"by the way").await;
        other.send_to(b"from a stranger", home).await.unwrap();
        server.send_to(b"from the peer", home).await.unwrap();
        receives(&client, b"from the peer").await;

        client.disconnect().unwrap();
        assert_eq!(client.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(client.send(b"x").await.unwrap_err().raw_os_error(), Some(EDESTADDRREQ));
        assert_eq!(client.local_addr().unwrap(), home, "the port stays, though the system had chosen it");
        other.send_to(b"from a stranger", home).await.unwrap();
        receives(&client, b"from a stranger").await;
        client.connect("localhost:9").await.unwrap();
        assert_eq!(client.peer_addr().unwrap().port(), 9, "a name, and connected anew");
    });
}

#[test]
fn udp_connect6_sends_without_an_address() {
    manual().block_on(async {
        let Some(server) = local_v6(UdpOptions::new(), "[::1]:0").await else { return };
        let client = UdpSocket::bind("[::1]:0").await.unwrap();
        client.connect(server.local_addr().unwrap()).await.unwrap();
        client.send(b"six").await.unwrap();
        assert_eq!(receives(&server, b"six").await, client.local_addr().unwrap());
        client.disconnect().unwrap();
        assert!(client.peer_addr().is_err());
    });
}

// --- Sending and receiving --------------------------------------------------------------------------------------------

#[test]
fn udp_send_and_recv_is_a_question_and_an_answer() {
    manual().block_on(async {
        let (server, client) = (local().await, local().await);
        client.send_to(b"PING", server.local_addr().unwrap()).await.unwrap();
        let from = receives(&server, b"PING").await;
        assert_eq!(from, client.local_addr().unwrap());
        server.send_to(b"PONG", from).await.unwrap();
        assert_eq!(receives(&client, b"PONG").await, server.local_addr().unwrap());
    });
}

#[test]
fn receiver_that_waits_is_woken_by_each_datagram() {
    manual().block_on(async {
        let (one, other) = pair().await;
        let receiver = spawn(async move {
            let mut sizes = Vec::new();
            while sizes.last() != Some(&0) {
                sizes.push(other.recv(&mut [0; 16]).await.unwrap().len);
            }
            sizes
        });
        for len in [3, 2, 1, 0] {
            for _ in 0..3 {
                yield_now().await; // the receiver has found nothing, and waits for the next edge
            }
            assert_eq!(one.send(&b"abc"[..len]).await.unwrap(), len);
        }
        assert_eq!(receiver.await.unwrap(), [3, 2, 1, 0]);
    });
}

#[test]
fn udp_recv_in_a_row_takes_them_one_by_one_then_waits() {
    manual().block_on(async {
        let (one, other) = pair().await;
        for byte in 0..10 {
            one.send(&[byte]).await.unwrap();
        }
        let mut buf = [0; 8];
        for byte in 0..10 {
            assert_eq!(other.recv(&mut buf).await.unwrap(), whole(1));
            assert_eq!(buf[0], byte);
        }
        assert_eq!(other.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        let Either::Right(()) = race(other.recv(&mut buf), yield_now()).await else { panic!("nothing is there") };
    });
}

#[test]
fn datagram_without_bytes_is_a_datagram() {
    manual().block_on(async {
        let (one, other) = pair().await;
        assert_eq!(one.send(b"").await.unwrap(), 0);
        assert_eq!(other.recv(&mut [0; 8]).await.unwrap(), whole(0));
        assert_eq!(one.send_many(&[Outgoing { bytes: b"", to: None }]).await.unwrap(), 1);
        let mut datagrams = Datagrams::new(2, 8);
        assert_eq!(other.recv_many(&mut datagrams).await.unwrap(), 1);
        assert_eq!(datagrams.iter().next().unwrap().bytes, b"");
    });
}

#[test]
fn truncated_datagram_is_told_and_the_next_is_whole() {
    manual().block_on(async {
        let (one, other) = pair().await;
        for _ in 0..5 {
            one.send(b"0123456789").await.unwrap();
        }
        one.send(b"next").await.unwrap();
        let cut = Received { len: 4, sent_len: 10 };
        let mut buf = [0; 4];
        assert_eq!(other.peek(&mut buf).await.unwrap(), cut);
        assert_eq!(other.peek_from(&mut buf).await.unwrap(), (cut, one.local_addr().unwrap()));
        assert_eq!(other.recv(&mut buf).await.unwrap(), cut);
        assert_eq!(&buf, b"0123");
        assert!(cut.is_truncated());
        assert_eq!(other.recv_from(&mut buf).await.unwrap(), (cut, one.local_addr().unwrap()));
        assert_eq!(other.recv_message(&mut buf).await.unwrap().received, cut);
        let mut datagrams = Datagrams::new(1, 4);
        assert_eq!(other.recv_many(&mut datagrams).await.unwrap(), 1);
        let first = datagrams.iter().next().unwrap();
        assert_eq!((first.bytes, first.sent_len), (&b"0123"[..], 10));
        assert_eq!(other.recv(&mut []).await.unwrap(), Received { len: 0, sent_len: 10 });
        assert_eq!(other.recv(&mut buf).await.unwrap(), whole(4));
        assert!(!whole(4).is_truncated());
    });
}

#[test]
fn udp_dgram_too_big_is_refused_and_the_largest_arrives() {
    manual().block_on(async {
        let (one, other) = pair().await;
        let (largest, too_big) = (vec![7; 65_507], vec![7; 65_508]);
        assert_eq!(one.send(&too_big).await.unwrap_err().raw_os_error(), Some(EMSGSIZE));
        let to = other.local_addr().unwrap();
        assert_eq!(one.send_to(&too_big, to).await.unwrap_err().raw_os_error(), Some(EMSGSIZE));
        assert_eq!(one.send(&largest).await.unwrap(), 65_507);
        let mut buf = vec![0; 1 << 16];
        assert_eq!(other.recv(&mut buf).await.unwrap(), whole(65_507));
        assert_eq!(&buf[..65_507], largest);
    });
}

#[test]
fn udp_send_unreachable_is_told_to_the_next_operation_of_a_connected_socket() {
    manual().block_on(async {
        let client = local().await;
        client.send_to(b"x", nobody()).await.unwrap();
        client.send_to(b"x", nobody()).await.unwrap(); // who is not connected is not told
        client.connect(nobody()).await.unwrap();
        client.send(b"x").await.unwrap();
        assert_eq!(client.send(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        client.send(b"x").await.unwrap(); // it was told once
        assert_eq!(client.take_error().unwrap().unwrap().kind(), ErrorKind::ConnectionRefused);
        assert!(client.take_error().unwrap().is_none());
    });
}

#[test]
fn udp_recvmsg_unreachable_error_wakes_who_waits() {
    manual().block_on(async {
        let client = local().await;
        client.connect(nobody()).await.unwrap();
        let mut datagrams = Datagrams::new(4, 8);
        for round in 0..4 {
            let receive = async {
                match round {
                    0 => client.recv(&mut [0; 8]).await.map(drop),
                    1 => client.recv_from(&mut [0; 8]).await.map(drop),
                    2 => client.recv_message(&mut [0; 8]).await.map(drop),
                    _ => client.recv_many(&mut datagrams).await.map(drop),
                }
            };
            let send = async {
                for _ in 0..3 {
                    yield_now().await; // it has found nothing, and waits
                }
                client.send(b"x").await.unwrap();
            };
            let (received, ()) = join(receive, send).await;
            assert_eq!(received.unwrap_err().kind(), ErrorKind::ConnectionRefused, "in round {round}");
        }
    });
}

#[test]
fn udp_send_hang_loop_ends_for_all_that_was_given_to_nobody() {
    manual().block_on(async {
        let socket = local().await;
        let to = nobody();
        for _ in 0..1_000 {
            assert_eq!(socket.send_to(&[0; 1_000], to).await.unwrap(), 1_000);
        }
    });
}

#[test]
fn udp_send_immediate_needs_no_turn_of_the_loop() {
    manual().block_on(async {
        let (one, other) = pair().await;
        assert_eq!(one.try_send(b"PING").unwrap(), 4);
        assert_eq!(one.try_send_to(b"PONG", other.local_addr().unwrap()).unwrap(), 4);
        let mut buf = [0; 8];
        assert_eq!(other.try_recv(&mut buf).unwrap(), whole(4));
        assert_eq!(&buf[..4], b"PING");
        assert_eq!(other.try_recv_from(&mut buf).unwrap(), (whole(4), one.local_addr().unwrap()));
        assert_eq!(other.try_recv_from(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn udp_try_send_tells_what_is_wrong_at_once() {
    manual().block_on(async {
        let socket = local().await;
        assert_eq!(socket.try_send(b"x").unwrap_err().raw_os_error(), Some(EDESTADDRREQ));
        assert_eq!(
            socket.try_send_to(&vec![0; 65_508], socket.local_addr().unwrap()).unwrap_err().raw_os_error(),
            Some(EMSGSIZE)
        );
        assert_eq!(
            socket.try_send_to(b"x", "127.0.0.1:0".parse().unwrap()).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(socket.try_send_to(b"", socket.local_addr().unwrap()).unwrap(), 0);
    });
}

#[test]
fn ready_and_try_are_enough_to_receive() {
    manual().block_on(async {
        let (one, other) = pair().await;
        let mut buf = [0; 8];
        assert_eq!(other.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        let (ready, sent) = join(other.ready(Side::Read), one.send(b"now")).await;
        ready.unwrap();
        sent.unwrap();
        assert_eq!(other.try_recv(&mut buf).unwrap(), whole(3));
        one.ready(Side::Write).await.unwrap();
    });
}

#[test]
fn poll_forms_do_what_the_futures_do() {
    use std::future::poll_fn;
    manual().block_on(async {
        let (one, other) = pair().await;
        let to = other.local_addr().unwrap();
        let mut buf = [0; 8];
        poll_fn(|cx| one.poll_send(cx, b"1")).await.unwrap();
        poll_fn(|cx| one.poll_send_to(cx, b"22", to)).await.unwrap();
        poll_fn(|cx| one.poll_send_many(cx, &[Outgoing { bytes: b"333", to: None }])).await.unwrap();
        assert_eq!(poll_fn(|cx| other.poll_recv(cx, &mut buf)).await.unwrap(), whole(1));
        let (received, from) = poll_fn(|cx| other.poll_recv_from(cx, &mut buf)).await.unwrap();
        assert_eq!((received, from), (whole(2), one.local_addr().unwrap()));
        let mut datagrams = Datagrams::new(4, 8);
        assert_eq!(poll_fn(|cx| other.poll_recv_many(cx, &mut datagrams)).await.unwrap(), 1);
    });
}

#[test]
fn dropped_receive_loses_no_datagram() {
    manual().block_on(async {
        let (one, other) = pair().await;
        let Either::Right(()) = race(other.recv(&mut [0; 8]), yield_now()).await else { panic!("nothing was sent") };
        one.send(b"kept").await.unwrap();
        receives(&other, b"kept").await;
    });
}

#[test]
fn endless_datagrams_leave_room_for_others() {
    manual().block_on(async {
        let socket = local().await;
        let to = socket.local_addr().unwrap();
        let endless = async {
            loop {
                socket.send_to(b"x", to).await.unwrap();
                socket.recv(&mut [0; 1]).await.unwrap();
            }
        };
        let others = async {
            for _ in 0..10 {
                yield_now().await;
            }
        };
        race(endless, others).await; // which ends only if the others have their turns
    });
}

// --- IPv6 (udp_ipv6, udp_ipv6_only) -----------------------------------------------------------------------------------

#[test]
fn udp_ipv6_receives_ipv4_too_unless_it_is_ipv6_only() {
    manual().block_on(async {
        let Some(both) = local_v6(UdpOptions::new().only_v6(false), "[::]:0").await else { return };
        let port = both.local_addr().unwrap().port();
        let client = local().await;
        client.send_to(b"four", (LOOPBACK, port).into()).await.unwrap();
        let from = receives(&both, b"four").await;
        assert_eq!(from.ip().to_canonical(), IpAddr::V4(LOOPBACK));
        assert_ne!(from.ip(), IpAddr::V4(LOOPBACK), "it is a mapped address");

        let only = UdpOptions::new().only_v6(true).bind("[::]:0").await.unwrap();
        let port = only.local_addr().unwrap().port();
        client.connect((LOOPBACK.to_string().as_str(), port)).await.unwrap();
        client.send(b"four").await.unwrap();
        assert_eq!(client.recv(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let six = UdpSocket::bind("[::1]:0").await.unwrap();
        six.send_to(b"six", (Ipv6Addr::LOCALHOST, port).into()).await.unwrap();
        receives(&only, b"six").await;
    });
}

#[test]
fn address_of_the_other_family_is_an_error() {
    manual().block_on(async {
        let socket = local().await;
        assert_eq!(
            socket.send_to(b"x", "[::1]:9".parse().unwrap()).await.unwrap_err().raw_os_error(),
            Some(EAFNOSUPPORT)
        );
        assert!(UdpOptions::new().only_v6(true).bind("127.0.0.1:0").await.is_err());
    });
}

// --- Batches (udp_mmsg, udp_sendmmsg_error, udp_try_send2) ------------------------------------------------------------

#[test]
fn udp_mmsg_carries_many_in_order_each_to_its_address() {
    manual().block_on(async {
        let (one, other, third) = (local().await, local().await, local().await);
        let texts: Vec<String> = (0..100).map(|number| format!("number {number}")).collect();
        let to = [other.local_addr().unwrap(), third.local_addr().unwrap()];
        let outgoing: Vec<_> = texts
            .iter()
            .zip(to.iter().cycle())
            .map(|(text, &to)| Outgoing { bytes: text.as_bytes(), to: Some(to) })
            .collect();
        assert_eq!(one.send_many(&outgoing).await.unwrap(), 100, "more than one call takes");
        let mut datagrams = Datagrams::new(20, 32);
        assert!(datagrams.is_empty());
        for (socket, first) in [(&other, 0), (&third, 1)] {
            let mut all = Vec::new();
            for expected in [20, 20, 10] {
                assert_eq!(socket.recv_many(&mut datagrams).await.unwrap(), expected);
                assert_eq!(datagrams.len(), expected);
                assert!(datagrams.iter().all(|one_of| one_of.from == one.local_addr().unwrap()));
                all.extend(datagrams.iter().map(|one_of| String::from_utf8(one_of.bytes.to_vec()).unwrap()));
            }
            assert_eq!(all, texts.iter().skip(first).step_by(2).cloned().collect::<Vec<_>>());
            assert_eq!(socket.try_recv_many(&mut datagrams).unwrap_err().kind(), ErrorKind::WouldBlock);
            assert!(datagrams.is_empty(), "those before are not told again");
        }
    });
}

#[test]
fn receiver_of_many_is_woken_again_after_it_had_room_left() {
    manual().block_on(async {
        let (one, other) = pair().await;
        let receiver = spawn(async move {
            let mut datagrams = Datagrams::new(8, 8);
            let mut counts = Vec::new();
            while counts.iter().sum::<usize>() < 9 {
                counts.push(other.recv_many(&mut datagrams).await.unwrap());
            }
            counts
        });
        for count in [2, 3, 4] {
            one.send_many(&vec![Outgoing { bytes: b"x", to: None }; count]).await.unwrap();
            for _ in 0..4 {
                yield_now().await;
            }
        }
        assert_eq!(receiver.await.unwrap(), [2, 3, 4]);
    });
}

#[test]
fn memory_for_many_serves_sockets_of_both_families() {
    manual().block_on(async {
        let Some(six) = local_v6(UdpOptions::new(), "[::1]:0").await else { return };
        let four = local().await;
        let mut datagrams = Datagrams::new(3, 16);
        for socket in [&four, &six, &four, &six] {
            let here = socket.local_addr().unwrap();
            socket.send_to(b"to itself", here).await.unwrap();
            assert_eq!(socket.recv_many(&mut datagrams).await.unwrap(), 1);
            assert_eq!(datagrams.iter().next().unwrap().from, here);
        }
    });
}

#[test]
fn udp_sendmmsg_error_stops_at_the_datagram_that_it_is_about() {
    manual().block_on(async {
        let (one, other) = (local().await, local().await);
        let (to, too_big) = (Some(other.local_addr().unwrap()), vec![0; 65_508]);
        let good = Outgoing { bytes: b"good", to };
        let bad = Outgoing { bytes: &too_big, to };
        for before in [1, 31, 32, 33] {
            let mut outgoing = vec![good; before];
            outgoing.push(bad);
            outgoing.push(good);
            let sent = one.send_many(&outgoing).await.unwrap();
            assert_eq!(sent, before);
            let error = one.send_many(&outgoing[sent..]).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(EMSGSIZE));
            assert_eq!(one.try_send_many(&outgoing[sent + 1..]).unwrap(), 1);
            for _ in 0..=before {
                receives(&other, b"good").await;
            }
            assert!(other.try_recv(&mut [0; 8]).is_err());
        }
        assert_eq!(one.send_many(&[]).await.unwrap(), 0);
        let error = one.send_many(&[Outgoing { bytes: b"x", to: None }]).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EDESTADDRREQ));
    });
}

#[test]
fn room_for_no_datagram_is_refused_loudly() {
    for (datagrams, bytes) in [(0, 1), (65, 1), (1, 0)] {
        assert!(std::panic::catch_unwind(|| Datagrams::new(datagrams, bytes)).is_err());
    }
}

// --- Options (udp_options, udp_options6) ------------------------------------------------------------------------------

fn check_options(socket: &UdpSocket) {
    assert!(!socket.broadcast().unwrap());
    for on in [true, false, true] {
        socket.set_broadcast(on).unwrap();
        assert_eq!(socket.broadcast().unwrap(), on);
        socket.set_multicast_loop(on).unwrap();
        assert_eq!(socket.multicast_loop().unwrap(), on);
        socket.set_receive_destination(on).unwrap();
        assert_eq!(socket.receive_destination().unwrap(), on);
    }
    for ttl in [1, 64, 255] {
        socket.set_ttl(ttl).unwrap();
        assert_eq!(socket.ttl().unwrap(), ttl);
    }
    for ttl in [0, 256, u32::MAX] {
        assert_eq!(socket.set_ttl(ttl).unwrap_err().kind(), ErrorKind::InvalidInput, "{ttl}");
    }
    for ttl in [0, 1, 255] {
        socket.set_multicast_ttl(ttl).unwrap();
        assert_eq!(socket.multicast_ttl().unwrap(), ttl);
    }
    assert_eq!(socket.set_multicast_ttl(256).unwrap_err().kind(), ErrorKind::InvalidInput);
    for class in [0, 0x28, 0xb8] {
        socket.set_tos(class).unwrap();
        assert_eq!(socket.tos().unwrap(), class);
    }
}

#[test]
fn udp_options_are_what_they_were_set_to() {
    manual().block_on(async { check_options(&local().await) });
}

#[test]
fn udp_options6_are_what_they_were_set_to() {
    manual().block_on(async {
        let Some(socket) = local_v6(UdpOptions::new(), "[::1]:0").await else { return };
        check_options(&socket);
    });
}

#[test]
fn broadcast_must_be_allowed() {
    manual().block_on(async {
        let (socket, to) = (local().await, "127.255.255.255:9".parse().unwrap());
        assert_eq!(socket.send_to(b"x", to).await.unwrap_err().raw_os_error(), Some(EACCES));
        socket.set_broadcast(true).unwrap();
        socket.send_to(b"x", to).await.unwrap();
    });
}

#[test]
fn destination_of_a_datagram_is_told_when_it_was_asked_for() {
    manual().block_on(async {
        let server = UdpSocket::bind((IpAddr::V4(ANY), 0)).await.unwrap();
        let port = server.local_addr().unwrap().port();
        let client = local().await;
        let mut buf = [0; 8];
        client.send_to(b"x", (LOOPBACK, port).into()).await.unwrap();
        let message = server.recv_message(&mut buf).await.unwrap();
        assert_eq!((message.to, message.interface), (None, None));
        server.set_receive_destination(true).unwrap();
        for to in [LOOPBACK, Ipv4Addr::new(127, 1, 2, 3)] {
            client.send_to(b"xy", (to, port).into()).await.unwrap();
            let message = server.recv_message(&mut buf).await.unwrap();
            assert_eq!((message.received, message.to), (whole(2), Some(to.into())));
            assert_eq!(message.from, client.local_addr().unwrap());
            assert!(message.interface.unwrap() > 0);
        }
        let Some(six) = local_v6(UdpOptions::new(), "[::]:0").await else { return };
        six.set_receive_destination(true).unwrap();
        let to = SocketAddr::from((Ipv6Addr::LOCALHOST, six.local_addr().unwrap().port()));
        UdpSocket::bind("[::1]:0").await.unwrap().send_to(b"x", to).await.unwrap();
        assert_eq!(six.recv_message(&mut buf).await.unwrap().to, Some(to.ip()));
    });
}

// --- Multicast (udp_multicast_join, _join6, _ttl, _interface) ---------------------------------------------------------

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 0, 1);

/// Joined by way of loopback, and a sender that sends there; `None` where the machine lacks it, which is said.
async fn group() -> Option<(UdpSocket, UdpSocket, SocketAddr)> {
    let member = UdpSocket::bind((IpAddr::V4(ANY), 0)).await.unwrap();
    let sender = local().await;
    let to = (GROUP, member.local_addr().unwrap().port()).into();
    sender.set_multicast_interface_v4(LOOPBACK).unwrap();
    match member.join_multicast_v4(GROUP, LOOPBACK) {
        Err(error) if lacks(&error, &[ENODEV]) => {
            eprintln!("skipped: this machine has no multicast on loopback: {error}");
            None
        }
        joined => {
            joined.unwrap();
            Some((member, sender, to))
        }
    }
}

#[test]
fn udp_multicast_join_receives_until_it_leaves() {
    manual().block_on(async {
        let Some((member, sender, to)) = group().await else { return };
        sender.send_to(b"to all", to).await.unwrap();
        assert_eq!(receives(&member, b"to all").await, sender.local_addr().unwrap());
        assert_eq!(
            member.join_multicast_v4(GROUP, LOOPBACK).unwrap_err().kind(),
            ErrorKind::AddrInUse,
            "joined already"
        );
        member.leave_multicast_v4(GROUP, LOOPBACK).unwrap();
        sender.send_to(b"to nobody", to).await.unwrap();
        assert_eq!(member.try_recv(&mut [0; 16]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(member.leave_multicast_v4(GROUP, LOOPBACK).unwrap_err().raw_os_error(), Some(EADDRNOTAVAIL));
        assert!(member.join_multicast_v4(LOOPBACK, ANY).is_err(), "that is no group");
    });
}

#[test]
fn udp_multicast_ttl_of_nought_stays_on_this_machine() {
    manual().block_on(async {
        let Some((member, sender, to)) = group().await else { return };
        sender.set_multicast_ttl(0).unwrap();
        sender.send_to(b"here", to).await.unwrap();
        receives(&member, b"here").await;
    });
}

#[test]
fn udp_multicast_join_source_receives_from_that_sender_only() {
    manual().block_on(async {
        let Some((member, sender, to)) = group().await else { return };
        member.leave_multicast_v4(GROUP, LOOPBACK).unwrap();
        member.join_source_v4(LOOPBACK, GROUP, LOOPBACK).unwrap();
        let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
        stranger.set_multicast_interface_v4(LOOPBACK).unwrap();
        stranger.send_to(b"of a stranger", to).await.unwrap();
        sender.send_to(b"of the source", to).await.unwrap();
        receives(&member, b"of the source").await;
        member.leave_source_v4(LOOPBACK, GROUP, LOOPBACK).unwrap();
        assert!(member.leave_source_v4(LOOPBACK, GROUP, LOOPBACK).is_err());
    });
}

#[test]
fn udp_multicast_interface_that_is_not_there_is_an_error() {
    manual().block_on(async {
        let socket = local().await;
        socket.set_multicast_interface_v4(ANY).unwrap();
        assert!(socket.set_multicast_interface_v4(Ipv4Addr::new(192, 0, 2, 1)).is_err());
        let Some(six) = local_v6(UdpOptions::new(), "[::1]:0").await else { return };
        six.set_multicast_interface_v6(0).unwrap();
        assert!(six.set_multicast_interface_v6(u32::MAX >> 1).is_err());
    });
}

#[test]
fn udp_multicast_join6_receives_until_it_leaves() {
    manual().block_on(async {
        let group: Ipv6Addr = "ff01::1234".parse().unwrap();
        let Some(member) = local_v6(UdpOptions::new(), "[::]:0").await else { return };
        // Which number the loopback interface has, a datagram through it tells.
        member.set_receive_destination(true).unwrap();
        let port = member.local_addr().unwrap().port();
        let sender = UdpSocket::bind("[::1]:0").await.unwrap();
        sender.send_to(b"x", (Ipv6Addr::LOCALHOST, port).into()).await.unwrap();
        let interface = member.recv_message(&mut [0; 8]).await.unwrap().interface.unwrap();

        match member.join_multicast_v6(group, interface) {
            Err(error) if lacks(&error, &[ENODEV]) => {
                return eprintln!("skipped: this machine has no multicast of IPv6 on loopback: {error}");
            }
            joined => joined.unwrap(),
        }
        sender.set_multicast_interface_v6(interface).unwrap();
        match sender.send_to(b"to all", (group, port).into()).await {
            Err(error) if lacks(&error, &[EADDRNOTAVAIL, 101]) => {
                return eprintln!("skipped: this machine has no route for multicast of IPv6: {error}");
            }
            sent => sent.unwrap(),
        };
        let message = member.recv_message(&mut [0; 8]).await.unwrap();
        assert_eq!((message.to, message.received), (Some(group.into()), whole(6)));
        member.leave_multicast_v6(group, interface).unwrap();
        assert_eq!(member.leave_multicast_v6(group, interface).unwrap_err().raw_os_error(), Some(EADDRNOTAVAIL));
    });
}

/// A wait that is given up does not take the place of the one that has taken its own.
#[test]
fn dropped_wait_leaves_the_waiter_that_took_its_place() {
    manual().block_on(async {
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let theirs = Rc::clone(&socket);
        let mut buf = [0; 8];
        let mut first = Box::pin(socket.recv(&mut buf));
        assert!(poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await);
        let second = spawn(async move { theirs.recv(&mut [0; 8]).await.unwrap().len });
        yield_now().await;
        yield_now().await;
        drop(first);
        socket.try_send_to(b"x", socket.local_addr().unwrap()).unwrap();
        assert_eq!(second.await.unwrap(), 1);
    });
}
