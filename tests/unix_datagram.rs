//! Datagrams within one machine, abstract names, who is at the other end, and descriptors that travel (libuv's
//! `test-ipc-send-recv.c`, `test-pipe-getsockname.c`).

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, manual};
use evloop::engine::trace::Side;
use evloop::future::{Either, join, race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite};
use evloop::net::{Received, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use evloop::spawn;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType};
use std::fs::{self, File};
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net as std_unix;
use std::path::PathBuf;
use std::{env, process};

/// A folder for one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = env::temp_dir().join(format!("evloop-datagram-{}-{test}", process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// An abstract name of this process's.
fn name(test: &str) -> String {
    format!("\0evloop-test-{}-{test}", process::id())
}

fn whole(len: usize) -> Received {
    Received { len, sent_len: len }
}

// --- Names -----------------------------------------------------------------------------------------------------------

#[test]
fn pipe_getsockname_abstract_tells_the_name_at_both_ends() {
    manual().block_on(async {
        let name = name("stream");
        let listener = UnixListener::bind(&name).unwrap();
        let mut client = UnixStream::connect(&name).await.unwrap();
        let (mut server, peer) = listener.accept().await.unwrap();
        let bytes = Some(&name.as_bytes()[1..]);
        assert!(peer.is_unnamed());
        for address in [listener.local_addr(), client.peer_addr(), server.local_addr()] {
            assert_eq!(address.unwrap().as_abstract_name(), bytes);
        }
        client.write_all(b"x").await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
        let error = UnixListener::bind(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("cannot listen on @{}: ", &name[1..])), "{error}");
        UnixStream::connect(&listener.local_addr().unwrap()).await.unwrap();
        drop(listener);
        assert_eq!(UnixStream::connect(&name).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn pipe_overlong_path_is_refused_as_is_an_overlong_name() {
    manual().block_on(async {
        let fits = format!("{:x<108}", name("long"));
        let too_long = format!("{fits}x");
        let socket = UnixDatagram::bind(&fits).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_abstract_name(), Some(&fits.as_bytes()[1..]));
        for error in [
            UnixDatagram::bind(&too_long).unwrap_err(),
            socket.connect(&too_long).unwrap_err(),
            socket.send_to(b"x", &too_long).await.unwrap_err(),
            UnixListener::bind(&too_long).unwrap_err(),
            UnixStream::connect(&too_long).await.unwrap_err(),
            UnixDatagram::bind("/".repeat(108)).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains("has 108 bytes, and that of a socket has at most 107"), "{error}");
        }
        for nothing in ["", "a\0b"] {
            assert_eq!(UnixDatagram::bind(nothing).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        let unnamed = UnixDatagram::unbound().unwrap().local_addr().unwrap();
        assert_eq!(socket.send_to(b"x", &unnamed).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn file_of_a_datagram_socket_goes_with_it_and_a_stale_one_is_replaced() {
    let folder = Folder::new("file");
    let path = folder.path("a.sock");
    drop(std_unix::UnixDatagram::bind(&path).unwrap());
    assert!(path.exists());
    manual().block_on(async {
        let socket = UnixDatagram::bind(&path).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse, "another type is open there");
        drop(socket);
        assert!(!path.exists());
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        fs::write(&path, b"precious").unwrap();
        assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();
        let std = UnixDatagram::bind(&path).unwrap().into_std().unwrap();
        assert!(path.exists(), "who has it now may remove it");
        drop(UnixDatagram::from_std(std).unwrap());
        assert!(path.exists());
    });
}

// --- Datagrams -------------------------------------------------------------------------------------------------------

#[test]
fn sender_is_told_by_path_by_name_or_not_at_all() {
    let folder = Folder::new("sender");
    let (path, longest) = (folder.path("a.sock"), folder.path(&"x".repeat(106 - folder.0.as_os_str().len())));
    assert_eq!(longest.as_os_str().len(), 107);
    manual().block_on(async {
        let name = name("sender");
        let server = UnixDatagram::bind(&path).unwrap();
        let (by_path, by_name) = (UnixDatagram::bind(&longest).unwrap(), UnixDatagram::bind(&name).unwrap());
        let mut buf = [0; 8];
        by_path.send_to(b"1", &path).await.unwrap();
        let (received, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!((received, from.as_pathname()), (whole(1), Some(&*longest)));
        server.send_to(b"back", &from).await.unwrap();
        assert_eq!(by_path.recv(&mut buf).await.unwrap(), whole(4));

        by_name.send_to(b"22", &path).await.unwrap();
        let (received, from) = server.peek_from(&mut buf).await.unwrap();
        assert_eq!((received, from.as_abstract_name()), (whole(2), Some(&name.as_bytes()[1..])));
        assert_eq!(server.try_recv_from(&mut buf).unwrap().0, received);

        UnixDatagram::unbound().unwrap().send_to(b"", &path).await.unwrap();
        let (received, from) = poll_fn(|cx| server.poll_recv_from(cx, &mut buf)).await.unwrap();
        assert!(received == whole(0) && from.is_unnamed());
        assert_eq!(server.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn sender_with_a_path_to_the_last_byte_of_its_address_does_no_harm() {
    let folder = Folder::new("full");
    let path = folder.path(&"x".repeat(107 - folder.0.as_os_str().len()));
    assert_eq!(path.as_os_str().len(), 108);
    manual().block_on(async {
        let server = UnixDatagram::bind(name("full")).unwrap();
        let theirs = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
        rustix::net::bind(&theirs, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        let to = SocketAddrUnix::new_abstract_name(&name("full").as_bytes()[1..]).unwrap();
        rustix::net::sendto(&theirs, b"x", SendFlags::empty(), &to).unwrap();
        let (received, from) = server.recv_from(&mut [0; 8]).await.unwrap();
        assert!(received == whole(1) && from.is_unnamed(), "std does not hold such a path");
    });
}

#[test]
fn connected_sender_waits_while_the_queue_of_the_peer_is_full() {
    manual().block_on(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let mut queued = 0_u32;
        while one.try_send(&queued.to_be_bytes()).is_ok() {
            queued += 1;
        }
        assert!(queued > 0);
        let Either::Right(()) = race(one.send(b"more"), yield_now()).await else { panic!("there is no room") };
        let sender = spawn(async move {
            for number in queued..100 + queued {
                one.send(&number.to_be_bytes()).await.unwrap();
            }
        });
        let mut buf = [0; 8];
        for number in 0..100 + queued {
            assert_eq!(other.recv(&mut buf).await.unwrap(), whole(4));
            assert_eq!(buf[..4], number.to_be_bytes());
        }
        sender.await.unwrap();
        assert_eq!(other.send(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionRefused, "it is gone");
    });
}

#[test]
fn sender_that_is_not_connected_waits_as_well() {
    manual().block_on(async {
        let name = name("queue");
        let (server, client) = (UnixDatagram::bind(&name).unwrap(), UnixDatagram::unbound().unwrap());
        let send = async {
            for number in 0..100_u8 {
                client.send_to(&[number], &name).await.unwrap();
            }
        };
        let receive = async {
            let mut buf = [0; 8];
            for number in 0..100 {
                if number % 10 == 0 {
                    evloop::time::sleep(common::ms(5)).await; // of the manual clock: the queue is full by then
                }
                assert_eq!(server.recv(&mut buf).await.unwrap(), whole(1));
                assert_eq!(buf[0], number);
            }
        };
        join(send, receive).await;
        while client.try_send_to(b"x", &name).is_ok() {}
        assert_eq!(client.try_send_to(b"x", &name).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn connected_socket_receives_from_its_peer_only_and_cuts_are_told() {
    manual().block_on(async {
        let (here, there) = (name("here"), name("there"));
        let (one, other) = (UnixDatagram::bind(&here).unwrap(), UnixDatagram::bind(&there).unwrap());
        assert_eq!(one.send(b"x").await.unwrap_err().kind(), ErrorKind::NotConnected);
        assert!(one.peer_addr().is_err());
        one.connect(&there).unwrap();
        assert_eq!(one.peer_addr().unwrap().as_abstract_name(), Some(&there.as_bytes()[1..]));
        let stranger = UnixDatagram::unbound().unwrap();
        assert_eq!(stranger.send_to(b"x", &here).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
        poll_fn(|cx| one.poll_send(cx, b"0123456789")).await.unwrap();
        let (mut buf, cut) = ([0; 4], Received { len: 4, sent_len: 10 });
        other.ready(Side::Read).await.unwrap();
        assert_eq!(other.peek(&mut buf).await.unwrap(), cut);
        assert_eq!(poll_fn(|cx| other.poll_recv(cx, &mut buf)).await.unwrap(), cut);
        assert!(one.connect(name("nobody")).unwrap_err().to_string().contains("@evloop-test-"));
    });
}

// --- Who is at the other end -----------------------------------------------------------------------------------------

#[test]
fn credentials_of_the_peer_are_those_of_this_process() {
    manual().block_on(async {
        let name = name("credentials");
        let listener = UnixListener::bind(&name).unwrap();
        let client = UnixStream::connect(&name).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let (one, other) = UnixDatagram::pair().unwrap();
        let found = [client.peer_cred(), server.peer_cred(), one.peer_cred(), other.peer_cred()].map(Result::unwrap);
        for peer in found {
            assert_eq!((peer.pid, peer), (Some(process::id()), found[0]));
        }
        let alone = UnixDatagram::unbound().unwrap();
        assert_eq!(alone.peer_cred().unwrap_err().kind(), ErrorKind::NotConnected);
    });
}

// --- Descriptors (ipc_send_recv_tcp, ipc_send_recv_pipe, ipc_send_zero) -----------------------------------------------

#[test]
fn ipc_send_recv_tcp_hands_over_a_listener_and_a_connection() {
    manual().block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(one.send_fds(b"both", &[listener.as_fd(), client.as_fd()]).await.unwrap(), 4);
        drop((listener, client));

        let mut buf = [0; 16];
        let (count, fds) = other.recv_fds(&mut buf, 8).await.unwrap();
        assert_eq!(&buf[..count], b"both");
        let [listener, client] = <[OwnedFd; 2]>::try_from(fds).unwrap();
        let listener = TcpListener::from_std(listener.into()).unwrap();
        let mut client = TcpStream::from_std(client.into()).unwrap();
        let (mut server, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        server.write_all(b"hello").await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
    });
}

#[test]
fn ipc_send_recv_pipe_is_closed_on_exec_and_comes_where_it_was_sent() {
    manual().block_on(async {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let (mut reading, writing) = pipe().unwrap();
        one.write_all(b"before, ").await.unwrap();
        one.send_fds(b"with, ", &[writing.as_fd()]).await.unwrap();
        one.write_all(b"after").await.unwrap();
        drop(writing);
        let mut buf = [0; 64];
        other.read_exact(&mut buf[..8]).await.unwrap();
        let (count, mut fds) = other.recv_fds(&mut buf, 1).await.unwrap();
        assert_eq!(&buf[..count], b"with, ", "a read ends behind what came with descriptors");
        assert!(rustix::io::fcntl_getfd(&fds[0]).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        let (count, none) = other.recv_fds(&mut buf, 1).await.unwrap();
        assert!(&buf[..count] == b"after" && none.is_empty());
        File::from(fds.pop().unwrap()).write_all(b"by way of the socket").unwrap();
        let mut all = String::new();
        reading.read_to_string(&mut all).unwrap();
        assert_eq!(all, "by way of the socket");
        drop(one);
        let (count, none) = other.recv_fds(&mut buf, 1).await.unwrap();
        assert!(count == 0 && none.is_empty(), "the end");
    });
}

#[test]
fn ipc_receiver_that_waits_is_woken() {
    manual().block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (_reading, writing) = pipe().unwrap();
        let send = async {
            yield_now().await;
            one.send_fds(b"x", &[writing.as_fd()]).await.unwrap();
        };
        let mut buf = [0; 8];
        let (received, ()) = join(other.recv_fds(&mut buf, 1), send).await;
        assert_eq!(received.unwrap().1.len(), 1);
    });
}

#[test]
fn ipc_descriptors_travel_with_datagrams() {
    manual().block_on(async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        one.send_fds(b"0123456789", &[socket.as_fd()]).await.unwrap();
        one.send_fds(b"", &[]).await.unwrap();
        let (received, fds) = other.recv_fds(&mut [0; 4], 1).await.unwrap();
        assert_eq!(received, Received { len: 4, sent_len: 10 });
        let back = UdpSocket::from_std(fds.into_iter().next().unwrap().into()).unwrap();
        assert_eq!(back.local_addr().unwrap(), address);
        let (received, none) = other.recv_fds(&mut [0; 4], 1).await.unwrap();
        assert!(received == whole(0) && none.is_empty());
    });
}

#[test]
fn ipc_send_zero_bytes_with_a_descriptor_is_refused_and_so_are_too_many() {
    manual().block_on(async {
        let (one, other) = UnixStream::pair().unwrap();
        let (_reading, writing) = pipe().unwrap();
        let error = one.send_fds(b"", &[writing.as_fd()]).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::InvalidInput, "descriptors travel with one byte at least".into())
        );
        let error = one.send_fds(b"x", &[writing.as_fd(); 254]).await.unwrap_err();
        assert!(error.to_string().contains("254 descriptors, and 253"), "{error}");
        assert_eq!(one.send_fds(b"x", &[writing.as_fd(); 253]).await.unwrap(), 1);
        let (count, fds) = other.recv_fds(&mut [0; 4], usize::MAX).await.unwrap();
        assert_eq!((count, fds.len()), (1, 253));
    });
}

#[test]
fn ipc_descriptors_that_are_too_many_are_an_error_and_none_is_left_open() {
    manual().block_on(async {
        for (sent, taken) in [(1, 0), (2, 0), (2, 1), (3, 1), (5, 1), (6, 3), (253, 252)] {
            let (one, other) = UnixStream::pair().unwrap();
            let (datagrams, to) = UnixDatagram::pair().unwrap();
            let (mut reading, writing) = pipe().unwrap();
            one.send_fds(b"x", &vec![writing.as_fd(); sent]).await.unwrap();
            datagrams.send_fds(b"x", &vec![writing.as_fd(); sent]).await.unwrap();
            drop(writing);
            let error = other.recv_fds(&mut [0; 4], taken).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{sent} for {taken}: {error}");
            let error = to.recv_fds(&mut [0; 4], taken).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{sent} for {taken}: {error}");
            assert_eq!(reading.read(&mut [0]).unwrap(), 0, "nobody holds the other end");
        }
    });
}

#[test]
fn ipc_process_without_room_for_a_descriptor_is_told_so() {
    in_child("ipc_process_without_room_for_a_descriptor_is_told_so", "ulimit -n 64;", || {
        manual().block_on(async {
            let (one, other) = UnixStream::pair().unwrap();
            let (mut reading, writing) = pipe().unwrap();
            one.send_fds(b"x", &[writing.as_fd(); 2]).await.unwrap();
            let mut held: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            held.pop();
            drop(writing);
            held.push(File::open("/dev/null").unwrap()); // there is one place, for the first of two
            let error = other.recv_fds(&mut [0; 4], 2).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
            assert_eq!(reading.read(&mut [0]).unwrap(), 0, "nobody holds the other end");
        });
    });
}
