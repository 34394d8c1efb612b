//! Unix domain sockets: their files, the connections over them, and listening sockets that come by number.

#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use common::{in_child, manual, ms, until};
use evloop::engine::trace::{Side, Wait};
use evloop::future::{Either, join, race, yield_now};
use evloop::io::{AsyncRead, AsyncWrite, copy};
use evloop::net::{Inherited, ListenOptions, TcpListener, UnixListener, UnixStream};
use evloop::{spawn, time};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net as std_unix;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::{env, process, thread};

/// A folder for one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = env::temp_dir().join(format!("evloop-{}-{test}", process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What is in it, in order.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A socket file of which the server has died.
fn leave_stale(path: &Path) {
    drop(std_unix::UnixListener::bind(path).unwrap());
    // A child that another test just starts has it, too, for a moment.
    until(|| std_unix::UnixStream::connect(path).is_err());
    assert!(is_socket(path));
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

/// Fails unless the error is of that kind, and tells that path and that reason.
#[track_caller]
fn assert_refused(error: &io::Error, kind: ErrorKind, path: &Path, reason: &str) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.starts_with(&format!("cannot listen on {}: ", path.display())) && text.contains(reason), "{text}");
}

/// Listener and client are of one path, and can talk.
async fn assert_reaches(path: &Path, listener: &UnixListener) {
    let mut client = UnixStream::connect(path).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"x").await.unwrap();
    server.read_exact(&mut [0]).await.unwrap();
}

// --- The file --------------------------------------------------------------------------------------------------------

#[test]
fn file_is_made_where_it_was_asked_for_and_goes_with_the_listener() {
    let folder = Folder::new("goes");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(folder.names(), ["a.sock"], "the lock is gone");
        assert!(is_socket(&path));
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        assert_reaches(&path, &listener).await;
    });
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn stale_file_is_replaced() {
    let folder = Folder::new("stale");
    let path = folder.path("a.sock");
    leave_stale(&path);
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        assert_reaches(&path, &listener).await;
    });
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn path_where_somebody_listens_is_in_use_and_he_goes_on_listening() {
    let folder = Folder::new("live");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_refused(&error, ErrorKind::AddrInUse, &path, "somebody listens there");
        let (_the_question, _) = listener.accept().await.unwrap();
        assert_reaches(&path, &listener).await;
        assert_eq!(folder.names(), ["a.sock"]);
    });
}

#[test]
fn path_of_a_listener_with_a_full_queue_is_in_use() {
    let folder = Folder::new("full");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = ListenOptions::new().backlog(0).listen_unix(&path).unwrap();
        let _waits = UnixStream::connect(&path).await.unwrap(); // the kernel allows one more than the backlog
        let error = UnixListener::bind(&path).unwrap_err();
        assert_refused(&error, ErrorKind::AddrInUse, &path, "is busy");
        drop(listener);
    });
}

#[test]
fn path_of_an_open_datagram_socket_is_in_use_and_of_a_closed_one_is_stale() {
    let folder = Folder::new("datagram");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let datagrams = std_unix::UnixDatagram::bind(&path).unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_refused(&error, ErrorKind::AddrInUse, &path, "another type");
        drop(datagrams);
        until(|| std_unix::UnixDatagram::unbound().unwrap().connect(&path).is_err());
        let listener = UnixListener::bind(&path).unwrap();
        assert_reaches(&path, &listener).await;
    });
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new("other");
    leave_stale(&folder.path("stale"));
    fs::write(folder.path("file"), b"precious").unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    symlink(folder.path("stale"), folder.path("link")).unwrap();
    symlink(folder.path("nothing"), folder.path("dangling")).unwrap();
    let before = folder.names();
    manual().block_on(async {
        for name in ["file", "folder", "link", "dangling"] {
            let path = folder.path(name);
            let error = UnixListener::bind(&path).unwrap_err();
            assert_refused(&error, ErrorKind::AlreadyExists, &path, "it is a file, and no socket");
        }
    });
    assert_eq!(folder.names(), before);
    assert_eq!(fs::read(folder.path("file")).unwrap(), b"precious");
}

#[test]
fn path_of_107_bytes_is_listened_on_and_one_byte_more_is_an_error() {
    let folder = Folder::new("long");
    let of_length = |bytes: usize| folder.path(&"x".repeat(bytes - 1 - folder.0.as_os_str().len()));
    let (fits, too_long) = (of_length(107), of_length(108));
    manual().block_on(async {
        let listener = UnixListener::bind(&fits).unwrap();
        assert_reaches(&fits, &listener).await;
        let error = UnixListener::bind(&too_long).unwrap_err();
        assert_refused(
            &error,
            ErrorKind::InvalidInput,
            &too_long,
            "has 108 bytes, and that of a socket has at most 107",
        );
        let error = UnixStream::connect(&too_long).await.unwrap_err();
        assert!(error.to_string().contains("has 108 bytes"), "{error}");
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    });
}

#[test]
fn path_that_names_no_file_is_an_error() {
    let folder = Folder::new("unnamed");
    manual().block_on(async {
        let error = UnixListener::bind("").unwrap_err();
        assert_refused(&error, ErrorKind::InvalidInput, Path::new(""), "the path is empty");
        let error = UnixStream::connect("").await.unwrap_err();
        assert!(error.to_string().contains("the path is empty"), "{error}");
        let error = UnixListener::bind("/").unwrap_err();
        assert_refused(&error, ErrorKind::InvalidInput, Path::new("/"), "does not end in a name");
        let error = UnixListener::bind("a\0b").unwrap_err();
        assert_refused(&error, ErrorKind::InvalidInput, Path::new("a\0b"), "");
        let nowhere = folder.path("nowhere/a.sock");
        let error = UnixListener::bind(&nowhere).unwrap_err();
        assert_refused(&error, ErrorKind::NotFound, &nowhere, "there is no folder");
    });
}

#[test]
fn file_that_took_the_place_of_ours_is_left_alone() {
    let folder = Folder::new("replaced");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let theirs = std_unix::UnixListener::bind(&path).unwrap();
        drop(listener);
        assert!(is_socket(&path));
        std_unix::UnixStream::connect(&path).unwrap();
        drop(theirs);
    });
}

#[test]
fn socket_of_std_keeps_its_file_and_so_does_one_given_to_std() {
    let folder = Folder::new("std");
    let (from, to) = (folder.path("from.sock"), folder.path("to.sock"));
    let kept = manual().block_on(async {
        let listener = UnixListener::from_std(std_unix::UnixListener::bind(&from).unwrap()).unwrap();
        assert_reaches(&from, &listener).await;
        drop(listener);
        UnixListener::bind(&to).unwrap().into_std().unwrap()
    });
    assert_eq!(folder.names(), ["from.sock", "to.sock"]);
    assert_eq!(kept.local_addr().unwrap().as_pathname(), Some(&*to));
}

#[test]
fn relative_path_is_still_known_in_another_folder() {
    in_child("relative_path_is_still_known_in_another_folder", "", || {
        let folder = Folder::new("relative");
        env::set_current_dir(&folder.0).unwrap();
        manual().block_on(async {
            let listener = UnixListener::bind("a.sock").unwrap();
            assert_eq!(folder.names(), ["a.sock"]);
            env::set_current_dir("/").unwrap();
            drop(listener);
        });
        assert_eq!(folder.names(), [""; 0]);
    });
}

#[test]
fn permissions_are_what_the_umask_leaves() {
    in_child("permissions_are_what_the_umask_leaves", "umask 027;", || {
        let folder = Folder::new("umask");
        let path = folder.path("a.sock");
        manual().block_on(async {
            let _listener = UnixListener::bind(&path).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o750);
        });
    });
}

#[test]
fn permissions_are_what_was_asked_for_whatever_the_umask() {
    in_child("permissions_are_what_was_asked_for_whatever_the_umask", "umask 027;", || {
        let folder = Folder::new("permissions");
        let path = folder.path("a.sock");
        manual().block_on(async {
            for mode in [0o600, 0o777, 0o666, 0o060, 0] {
                let _listener = ListenOptions::new().permissions(mode).listen_unix(&path).unwrap();
                assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, mode);
            }
        });
    });
}

#[test]
fn of_servers_that_start_at_once_one_is_bound_and_reached() {
    const SERVERS: usize = 4;
    let folder = Folder::new("at_once");
    for round in 0..50 {
        let path = folder.path(&format!("{round}.sock"));
        leave_stale(&path);
        let (start, end) = (Arc::new(Barrier::new(SERVERS)), Arc::new(Barrier::new(SERVERS)));
        let servers: Vec<_> = (0..SERVERS)
            .map(|_| {
                let (path, start, end) = (path.clone(), Arc::clone(&start), Arc::clone(&end));
                thread::spawn(move || {
                    manual().block_on(async {
                        start.wait();
                        let bound = UnixListener::bind(&path);
                        end.wait();
                        match &bound {
                            Ok(listener) => {
                                let mut client = UnixStream::connect(&path).await.unwrap();
                                client.write_all(b"x").await.unwrap();
                                // Those that came before it are the questions of the others.
                                while listener.accept().await.unwrap().0.read(&mut [0]).await.unwrap() == 0 {}
                            }
                            Err(error) => assert_refused(error, ErrorKind::AddrInUse, &path, ""),
                        }
                        bound.is_ok()
                    })
                })
            })
            .collect();
        let bound = servers.into_iter().map(|server| server.join().unwrap()).filter(|&bound| bound).count();
        assert_eq!(bound, 1, "in round {round}");
        assert_eq!(folder.names(), [""; 0]);
    }
}

#[test]
fn path_that_somebody_is_about_to_listen_on_is_in_use_until_he_gives_up() {
    let folder = Folder::new("locked");
    let (path, lock) = (folder.path("a.sock"), folder.path(".a.sock.evloop-lock"));
    leave_stale(&path);
    manual().block_on(async {
        let held = File::create(&lock).unwrap();
        held.lock().unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_refused(&error, ErrorKind::AddrInUse, &path, "about to listen");
        assert_eq!(folder.names(), [".a.sock.evloop-lock", "a.sock"]);
        held.unlock().unwrap(); // and the file stays, as when he dies
        let listener = UnixListener::bind(&path).unwrap();
        assert_reaches(&path, &listener).await;
        assert_eq!(folder.names(), ["a.sock"]);
    });
}

// --- Connections -----------------------------------------------------------------------------------------------------

#[test]
fn echo_gives_back_what_it_is_sent_and_both_ends_know_the_path() {
    let folder = Folder::new("echo");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        let mut client = UnixStream::connect(&path).await.unwrap();
        let (server, peer) = listener.accept().await.unwrap();
        assert!(peer.is_unnamed() && client.local_addr().unwrap().is_unnamed());
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(server.local_addr().unwrap().as_pathname(), Some(&*path));
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
fn half_closed_connection_is_read_to_its_end_and_still_written_to() {
    manual().block_on(async {
        let (mut client, mut server) = UnixStream::pair().unwrap();
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
fn large_transfer_waits_for_the_reader_and_arrives_whole() {
    let runtime = manual();
    runtime.block_on(async {
        let sent: Rc<Vec<u8>> =
            Rc::new((0..16_u32 << 18).flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_be_bytes()).collect());
        let (mut client, mut server) = UnixStream::pair().unwrap();
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
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        writer.await.unwrap();
        assert!(received == *sent, "what arrived is not what was sent");
    });
}

#[test]
fn halves_go_to_two_tasks_and_rejoin() {
    manual().block_on(async {
        let (client, mut server) = UnixStream::pair().unwrap();
        let (mut reading, mut writing) = client.into_split();
        let reads = spawn(async move {
            let mut word = [0; 4];
            reading.read_exact(&mut word).await.unwrap();
            (reading, word)
        });
        writing.write_all(b"ping").await.unwrap();
        server.read_exact(&mut [0; 4]).await.unwrap();
        server.write_all(b"pong").await.unwrap();
        let (reading, word) = reads.await.unwrap();
        assert_eq!(&word, b"pong");
        let (reading, writing) = writing.rejoin(reading).unwrap().into_split();
        drop(writing);
        assert_eq!(server.read(&mut [0; 4]).await.unwrap(), 0, "the end of writing is heard");
        drop(reading);
    });
}

#[test]
fn reader_that_waits_is_woken_by_the_end() {
    manual().block_on(async {
        let (client, mut server) = UnixStream::pair().unwrap();
        let read = spawn(async move { server.read(&mut [0; 8]).await });
        yield_now().await;
        drop(client);
        assert_eq!(read.await.unwrap().unwrap(), 0);
    });
}

#[test]
fn connections_come_from_std_and_go_back() {
    let (client, mut theirs) = std_unix::UnixStream::pair().unwrap();
    let mut client = manual().block_on(async {
        let mut client = UnixStream::from_std(client).unwrap();
        client.write_all(b"from the loop, ").await.unwrap();
        client.into_std().unwrap()
    });
    client.write_all(b"and by std").unwrap();
    drop(client);
    let mut all = String::new();
    theirs.read_to_string(&mut all).unwrap();
    assert_eq!(all, "from the loop, and by std");
}

// --- Listening and connecting ------------------------------------------------------------------------------------------

#[test]
fn connection_to_where_nobody_listens_names_the_path() {
    let folder = Folder::new("nobody");
    let (nothing, stale) = (folder.path("nothing"), folder.path("stale"));
    leave_stale(&stale);
    manual().block_on(async {
        for (path, kind) in [(nothing, ErrorKind::NotFound), (stale, ErrorKind::ConnectionRefused)] {
            let error = UnixStream::connect(&path).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().starts_with(&format!("cannot connect to {}: ", path.display())), "{error}");
        }
    });
}

#[test]
fn connection_waits_for_room_in_the_queue() {
    let folder = Folder::new("queue");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = ListenOptions::new().backlog(0).listen_unix(&path).unwrap();
        let _first = UnixStream::connect(&path).await.unwrap();
        let makes_room = async {
            time::sleep(ms(500)).await;
            listener.accept().await.unwrap()
        };
        let start = time::now();
        let (second, _) = join(UnixStream::connect(&path), makes_room).await;
        assert_eq!(time::now() - start, ms(511), "it tried after 1, 2, 4, 8, 16, 32, and then 7 times 64");
        second.unwrap().write_all(b"x").await.unwrap();
        listener.accept().await.unwrap().0.read_exact(&mut [0]).await.unwrap();
    });
}

#[test]
fn many_connections_are_accepted_in_the_order_in_which_they_came() {
    const CLIENTS: u32 = 300;
    let folder = Folder::new("many");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let mut client = UnixStream::connect(&path).await.unwrap();
            client.write_all(&number.to_be_bytes()).await.unwrap();
            clients.push(client);
        }
        for number in 0..CLIENTS {
            let (server, _) = listener.accept().await.unwrap();
            drop(spawn(async move {
                let mut bytes = [0; 4];
                (&server).read_exact(&mut bytes).await.unwrap();
                assert_eq!(u32::from_be_bytes(bytes), number);
                (&server).write_all(&bytes).await.unwrap();
            }));
        }
        for (number, mut client) in (0..).zip(clients) {
            let mut bytes = Vec::new();
            client.read_to_end(&mut bytes).await.unwrap();
            assert_eq!(bytes, u32::to_be_bytes(number));
        }
    });
}

#[test]
fn connection_is_not_lost_with_an_accept_that_was_dropped() {
    let folder = Folder::new("dropped");
    let path = folder.path("a.sock");
    manual().block_on(async {
        let listener = UnixListener::bind(&path).unwrap();
        assert!(matches!(race(listener.accept(), yield_now()).await, Either::Right(())));
        assert_reaches(&path, &listener).await;
    });
}

#[test]
fn accepting_pauses_when_there_are_no_descriptors_and_goes_on_when_there_are() {
    in_child("accepting_pauses_when_there_are_no_descriptors_and_goes_on_when_there_are", "ulimit -n 64;", || {
        let folder = Folder::new("pause");
        let path = folder.path("a.sock");
        manual().block_on(async {
            let listener = UnixListener::bind(&path).unwrap();
            let _client = std_unix::UnixStream::connect(&path).unwrap();
            let mut files = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                files.push(file);
            }
            let start = time::now();
            drop(spawn(async move {
                time::sleep(ms(250)).await;
                drop(files);
            }));
            listener.accept().await.unwrap();
            assert_eq!(time::now() - start, ms(300), "it tried at 0, 100, 200 and 300");
        });
    });
}

#[test]
fn dropped_and_refused_sockets_leave_no_descriptor_behind() {
    in_child("dropped_and_refused_sockets_leave_no_descriptor_behind", "", || {
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        let folder = Folder::new("descriptors");
        let path = folder.path("a.sock");
        let before_all = open();
        let file = File::open("/dev/null").unwrap();
        manual().block_on(async {
            let before = open();
            for _ in 0..20 {
                let listener = UnixListener::bind(&path).unwrap();
                assert_reaches(&path, &listener).await;
                assert!(UnixListener::bind(&path).is_err());
                assert!(UnixStream::connect(folder.path("nothing")).await.is_err());
                assert!(Inherited::from_fd(file.as_raw_fd()).is_err());
            }
            assert_eq!(open(), before);
        });
        drop(file);
        assert_eq!(open(), before_all);
    });
}

// --- By number -------------------------------------------------------------------------------------------------------

#[test]
fn listening_socket_of_each_family_is_taken_by_its_number() {
    let folder = Folder::new("number");
    let path = folder.path("a.sock");
    let theirs = std_unix::UnixListener::bind(&path).unwrap();
    manual().block_on(async {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let theirs = std::net::TcpListener::bind(address).unwrap();
            let Inherited::Tcp(listener) = Inherited::from_fd(theirs.as_raw_fd()).unwrap() else {
                panic!("{address} is an address of TCP");
            };
            assert_eq!(listener.local_addr().unwrap(), theirs.local_addr().unwrap());
            let client = std::net::TcpStream::connect(theirs.local_addr().unwrap()).unwrap();
            assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
        }
        let Inherited::Unix(listener) = Inherited::from_fd(theirs.as_raw_fd()).unwrap() else {
            panic!("a path is no address of TCP");
        };
        assert_reaches(&path, &listener).await;
        drop(listener);
        assert!(is_socket(&path), "who made the file may want it");
        std_unix::UnixStream::connect(&path).unwrap(); // and the number is open as before
    });
}

#[test]
fn what_is_no_listening_socket_is_refused_by_its_number_and_stays_open() {
    manual().block_on(async {
        let file = File::open("/dev/null").unwrap();
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (end, _other) = std_unix::UnixStream::pair().unwrap();
        for (number, reason) in [
            (-1, "it is not open"),
            (i32::MAX, "it is not open"),
            (file.as_raw_fd(), "it is no socket"),
            (datagrams.as_raw_fd(), "it is a socket, but not for streams"),
            (connected.as_raw_fd(), "it is a socket, but does not listen"),
            (end.as_raw_fd(), "it is a socket, but does not listen"),
        ] {
            let error = Inherited::from_fd(number).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("cannot listen on descriptor {number}: {reason}"));
        }
        file.metadata().unwrap();
        connected.peer_addr().unwrap();
        assert!(datagrams.local_addr().is_ok() && end.peer_addr().is_ok());
    });
}

#[test]
fn process_serves_on_the_socket_that_it_was_started_with() {
    const TEST: &str = "process_serves_on_the_socket_that_it_was_started_with";
    const MARK: &str = "EVLOOP_TEST_SERVER";
    if env::var_os(MARK).is_some() {
        return manual().block_on(async {
            let Inherited::Unix(listener) = Inherited::from_fd(0).unwrap() else { panic!("it is at a path") };
            let (server, _) = listener.accept().await.unwrap();
            copy(&mut &server, &mut &server).await.unwrap();
        });
    }
    let folder = Folder::new("started_with");
    let path = folder.path("a.sock");
    let listener = std_unix::UnixListener::bind(&path).unwrap();
    let mut client = std_unix::UnixStream::connect(&path).unwrap(); // it waits for the server to be started
    client.write_all(b"before it was there").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let server = Command::new(env::current_exe().unwrap())
        .args([TEST, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut echoed = String::new();
    client.read_to_string(&mut echoed).unwrap();
    assert_eq!(echoed, "before it was there");
    assert!(server.wait_with_output().unwrap().status.success());
    assert!(is_socket(&path));
}
