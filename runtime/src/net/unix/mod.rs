//! Unix domain sockets: connections and datagrams within one machine, by a path or an abstract name in place of an address
//! and a port; descriptors travel over them.

mod address;
mod bind;
mod datagram;
mod file;
mod listener;
mod pauses;
mod rights;
mod stream;

pub use address::ToUnixAddr;
pub use datagram::UnixDatagram;
pub use file::SocketFile;
pub use listener::UnixListener;
pub use rights::{PeerCredentials, RecvDatagramFds, RecvFds, SendFds};
pub use stream::UnixStream;

#[cfg(test)]
mod tests;
