//! Sockets: listen, connect, read, write.
//!
//! A socket is registered with the loop of its thread once, for both sides, and stays on that thread. Its operations are
//! tried first and waited for after, so what can be done at once costs one system call.
//!
//! TCP and Unix domain sockets are used alike: a listener, and streams that can be split into halves. A socket that already
//! listens when the program starts is taken over by its number, [`Inherited`]. [`UdpSocket`] and [`UnixDatagram`] are for
//! datagrams, and do all that they do by one kind of future, [`Attempt`].

mod accept;
mod attempt;
mod connect;
mod datagram;
mod inherited;
mod listener;
mod literal;
mod lookup;
mod options;
mod resolve;
mod reverse;
mod split;
mod stream;
mod transfer;
mod udp;
mod unix;

pub use accept::Accept;
pub use attempt::{Attempt, Operation};
pub use connect::ConnectOptions;
pub use datagram::{Received, Recv, RecvFrom, Send};
pub use inherited::Inherited;
pub use listener::{ListenOptions, TcpListener};
pub use lookup::{Family, Found, LookupError, LookupHints, Service, lookup};
pub use options::KeepAlive;
pub use resolve::{ToSocketAddrs, lookup_host};
pub use reverse::{HostAndService, NameHints, lookup_addr};
pub use split::{OwnedReadHalf, OwnedWriteHalf};
pub use stream::{Peek, TcpStream};
pub use transfer::{Forward, SendFile, forward};
pub use udp::{Datagram, Datagrams, Message, Outgoing, RecvMany, RecvMessage, SendMany, SendTo, UdpOptions, UdpSocket};
pub use unix::{
    PeerCredentials, RecvDatagramFds, RecvFds, SendFds, SocketFile, ToUnixAddr, UnixDatagram, UnixListener, UnixStream,
};

use crate::failed::failed;
