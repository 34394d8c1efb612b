//! Sockets: listen, connect, read, write.
//!
//! A socket is registered with the loop of its thread once, for both sides, and stays on that thread. Its operations are
//! tried first and waited for after, so what can be done at once costs one system call.
//!
//! TCP and Unix domain sockets are used alike: a listener, and streams that can be split into halves. A socket that already
//! listens when the program starts is taken over by its number, [`Inherited`].

mod accept;
mod connect;
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
mod unix;

pub use accept::Accept;
pub use connect::ConnectOptions;
pub use inherited::Inherited;
pub use listener::{ListenOptions, TcpListener};
pub use lookup::{Family, Found, LookupError, LookupHints, Service, lookup};
pub use options::KeepAlive;
pub use resolve::{ToSocketAddrs, lookup_host};
pub use reverse::{HostAndService, NameHints, lookup_addr};
pub use split::{OwnedReadHalf, OwnedWriteHalf};
pub use stream::{Peek, TcpStream};
pub use transfer::{Forward, SendFile, forward};
pub use unix::{UnixListener, UnixStream};

use crate::failed::failed;
