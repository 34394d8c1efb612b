use super::UnixStream;
use super::address::named;
use crate::block_on;
use crate::future::{Either, race, yield_now};
use crate::io::AsyncRead;
use socket2::{MsgHdr, SockAddr, SockRef};
use std::io::{IoSlice, PipeWriter, Read, Write, pipe};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::path::Path;

/// Sends bytes that come with a descriptor.
fn send_with(socket: &std::os::unix::net::UnixStream, bytes: &[u8], descriptor: &PipeWriter) {
    // A `cmsghdr` of a 64-bit Linux, with the descriptor behind it: length, level, type (cmsg(3)).
    let mut control = 20_usize.to_ne_bytes().to_vec();
    for word in [libc::SOL_SOCKET, libc::SCM_RIGHTS, descriptor.as_raw_fd(), 0] {
        control.extend(word.to_ne_bytes());
    }
    let bufs = [IoSlice::new(bytes)];
    let message = MsgHdr::new().with_buffers(&bufs).with_control(&control);
    assert_eq!(SockRef::from(socket).sendmsg(&message, 0).unwrap(), bytes.len());
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no sendmsg with a control message")]
fn bytes_behind_a_descriptor_that_nobody_wants_are_read_and_the_descriptor_is_closed() {
    let (mut client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    let (mut reading, writing) = pipe().unwrap();
    send_with(&client, b"with it, ", &writing);
    client.write_all(b"and behind").unwrap(); // and the connection stays open: no end will wake the reader
    drop(writing);
    block_on(async {
        let mut server = UnixStream::from_std(server).unwrap();
        yield_now().await; // now the edge of being registered is taken, and no other will come
        let mut bytes = [0; 64];
        let count = server.read(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..count], b"with it, ", "this is where the kernel ends a read");
        let Either::Left(count) = race(server.read(&mut bytes), yield_now()).await else {
            panic!("it waits for what is there");
        };
        assert_eq!(&bytes[..count.unwrap()], b"and behind");
    });
    assert_eq!(reading.read(&mut [0]).unwrap(), 0, "nobody holds the other end");
}

#[test]
fn address_of_a_client_is_a_path_a_name_or_nothing() {
    let of = |path: &str| named(&SockAddr::unix(path).unwrap()).unwrap();
    assert_eq!(of("/run/a.sock").as_pathname(), Some(Path::new("/run/a.sock")));
    assert_eq!(of("\0name").as_abstract_name(), Some(&b"name"[..]));
    assert!(of("").is_unnamed());
}
