//! The sockets on which a server listens, before and apart from the loops that accept from them.
//!
//! They are opened once, by the process that governs: a server without workers itself, else the master, which keeps them open
//! whatever becomes of its workers. Loops are given duplicates. So a queue of clients that wait to be accepted outlives who
//! has accepted from it so far, and a socket listens until the last duplicate is closed, [`Sockets`] included.
//!
//! | bind | shared | a socket for each loop (`SO_REUSEPORT`) |
//! |---|---|---|
//! | an address, or each address of a name | one | as many as there are loops |
//! | a path | one, and its file | the same: the kernel deals only TCP and UDP out |
//! | what is there already | one | the same: who opened it has decided |
//!
//! # Who removes the file of a Unix socket
//! Who made it, when its [`Sockets`] are dropped: when a stop begins, so that a successor finds the path free. Between two
//! masters the duty is [handed over](Sockets::hand_over) with the socket.

mod refusal;

use super::config::{Accept, Bind, Config};
use super::{Error, notify};
use evloop_runtime::block_on;
use evloop_runtime::net::{Inherited, ListenOptions, SocketFile, lookup_host};
use refusal::advised;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use std::error::Error as _;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

/// More loops that share a socket take seconds to start.
const SHARING_MAX: usize = 512;

/// A socket that listens, in no loop.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl Socket {
    /// Another descriptor of the same socket.
    pub(super) fn try_clone(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(listener) => Socket::Tcp(listener.try_clone()?),
            Socket::Unix(listener) => Socket::Unix(listener.try_clone()?),
        })
    }

    /// Where it listens, as it is told: `http://127.0.0.1:8000/`, `unix:/run/app.sock`.
    fn place(&self) -> io::Result<String> {
        match self {
            Socket::Tcp(listener) => Ok(format!("http://{}/", listener.local_addr()?)),
            Socket::Unix(listener) => {
                let address = listener.local_addr()?;
                Ok(address.as_pathname().map_or_else(|| "unix:".to_owned(), unix_place))
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        match socket {
            Socket::Tcp(listener) => listener.into(),
            Socket::Unix(listener) => listener.into(),
        }
    }
}

impl TryFrom<OwnedFd> for Socket {
    type Error = io::Error;

    /// What another process has handed over.
    fn try_from(fd: OwnedFd) -> io::Result<Socket> {
        let refused = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        if sockopt::socket_type(&fd)? != SocketType::STREAM || !sockopt::socket_acceptconn(&fd)? {
            return refused("not a stream socket that listens");
        }
        match sockopt::socket_domain(&fd)? {
            AddressFamily::INET | AddressFamily::INET6 => Ok(Socket::Tcp(fd.into())),
            AddressFamily::UNIX => Ok(Socket::Unix(fd.into())),
            _ => refused("it listens neither on IP nor at a path"),
        }
    }
}

/// All sockets of a server.
#[derive(Debug)]
pub(super) struct Sockets {
    places: Vec<Place>,
    options: ListenOptions,
}

/// One of the places where it listens.
#[derive(Debug)]
struct Place {
    text: String,
    /// Before the sockets, because it is dropped before them: [`SocketFile`] wants one of them open.
    file: Option<SocketFile>,
    /// One for all loops, or one for each of those that have asked until now.
    sockets: Vec<Socket>,
    /// Where to open the sockets of further loops, if each has its own.
    own: Option<SocketAddr>,
}

/// A socket on its way to the process that is to govern next.
#[derive(Debug)]
pub(super) struct Handed {
    /// Those with the same number are sockets for the same place.
    pub(super) place: usize,
    /// Each loop has a socket of its own there.
    pub(super) own: bool,
    /// The duty to remove the file goes with it.
    pub(super) file: bool,
    pub(super) socket: Socket,
}

impl Sockets {
    /// Opens all that is to be bound; without any bind, what systemd has handed over, else the default.
    ///
    /// It may block while a name is looked up, and wants a thread without a loop.
    ///
    /// # Errors
    /// With status 1: each tells the address and the reason.
    pub(super) fn open(config: &Config) -> Result<Sockets, Error> {
        let options = ListenOptions::new().backlog(config.backlog);
        let mut sockets = Sockets { places: Vec::new(), options };
        let activated = notify::listen_fds()?;
        let binds = match (&*config.binds, activated.len()) {
            ([], 0) => vec![Bind::default()],
            ([], _) => activated.map(Bind::Inherited).collect(),
            (binds, 0) => binds.to_vec(),
            (binds, _) if binds.iter().any(|bind| matches!(bind, Bind::Inherited(_))) => binds.to_vec(),
            (binds, handed) => {
                log::warn!("what systemd has handed over ({handed}) is not served: other places are named");
                binds.to_vec()
            }
        };
        if config.uds_mode.is_some() && !binds.iter().any(|bind| matches!(bind, Bind::Unix(_))) {
            log::warn!("--uds-mode changes nothing: no Unix socket is opened");
        }
        if let Some(text) = crowded(config) {
            log::warn!("{text}");
        }
        let own = config.accept == Accept::ReusePort;
        block_on(async {
            for bind in &binds {
                sockets.open_bind(bind, own, config.uds_mode).await?;
            }
            io::Result::Ok(())
        })?;
        Ok(sockets)
    }

    async fn open_bind(&mut self, bind: &Bind, own: bool, mode: Option<u32>) -> io::Result<()> {
        match bind {
            Bind::Inet(host, port) => self.open_inet(host, *port, own).await,
            Bind::Unix(path) => {
                let options = match mode {
                    Some(mode) => self.options.permissions(mode),
                    None => self.options,
                };
                let (listener, file) = options.listen_unix(path)?.into_std_and_file()?;
                self.add(unix_place(path), file, Socket::Unix(listener), None);
                Ok(())
            }
            Bind::Inherited(number) => {
                let socket = inherited(*number)?;
                self.add(format!("{} (descriptor {number})", socket.place()?), None, socket, None);
                Ok(())
            }
        }
    }

    /// A name may have several addresses, as `localhost` has: it listens on each that the machine has.
    async fn open_inet(&mut self, host: &str, port: u16, own: bool) -> io::Result<()> {
        let mut refused = None;
        let mut opened = 0;
        for address in lookup_host((host, port)).await? {
            match self.open_address(address, own) {
                Ok(()) => opened += 1,
                Err(error) if is_of_another_machine(&error) => refused = refused.or(Some(advised(error, address))),
                Err(error) => return Err(advised(error, address)),
            }
        }
        refused.filter(|_| opened == 0).map_or(Ok(()), Err)
    }

    fn open_address(&mut self, address: SocketAddr, own: bool) -> io::Result<()> {
        if own && address.port() != 0 {
            look_for_others(address)?;
        }
        let listener = self.options.reuse_port(own).listen(address)?.into_std()?;
        let address = listener.local_addr()?;
        let socket = Socket::Tcp(listener);
        self.add(socket.place()?, None, socket, own.then_some(address));
        Ok(())
    }

    fn add(&mut self, text: String, file: Option<SocketFile>, socket: Socket, own: Option<SocketAddr>) {
        self.places.push(Place { text, file, sockets: vec![socket], own });
    }

    /// Where it listens, as it is told: `http://127.0.0.1:8000/`, `unix:/run/app.sock`.
    pub(super) fn places(&self) -> Vec<String> {
        self.places.iter().map(|place| place.text.clone()).collect()
    }

    /// Duplicates for these loops, by their numbers among all the loops of the server: for each loop, those that it is to
    /// accept from. Where each has a socket of its own, those that there are not yet are opened.
    ///
    /// # Errors
    /// What the system says, as that there are no descriptors left.
    ///
    /// # Panics
    /// When this thread is in a loop and sockets are to be opened.
    pub(super) fn for_loops(&mut self, loops: Range<usize>) -> io::Result<Vec<Vec<Socket>>> {
        for place in &mut self.places {
            let Some(address) = place.own else { continue };
            let options = self.options.reuse_port(true);
            while place.sockets.len() < loops.end {
                let listener = block_on(async { options.listen(address)?.into_std() })?;
                place.sockets.push(Socket::Tcp(listener));
            }
        }
        let of_loop = |number: usize| {
            let sockets = self.places.iter().map(|place| place.socket(number).try_clone());
            sockets.collect()
        };
        loops.map(of_loop).collect()
    }

    /// Duplicates of all, for another process that is to govern. When it does, [`leave_files`](Sockets::leave_files) ends the
    /// duty to remove files here.
    ///
    /// # Errors
    /// What the system says, as that there are no descriptors left.
    pub(super) fn hand_over(&self) -> io::Result<Vec<Handed>> {
        let places = self.places.iter().enumerate();
        let sockets =
            places.flat_map(|(number, place)| place.sockets.iter().map(move |socket| (number, place, socket)));
        let handed = sockets.map(|(number, place, socket)| {
            let (own, file) = (place.own.is_some(), place.file.is_some());
            Ok(Handed { place: number, own, file, socket: socket.try_clone()? })
        });
        handed.collect()
    }

    /// Takes over what another process has handed over, in its order.
    ///
    /// # Errors
    /// What the system says of one of them.
    pub(super) fn take_over(config: &Config, handed: Vec<Handed>) -> io::Result<Sockets> {
        let options = ListenOptions::new().backlog(config.backlog);
        let mut places: Vec<(usize, Place)> = Vec::new();
        for Handed { place: number, own, file, socket } in handed {
            if let Some((_, place)) = places.iter_mut().find(|(known, _)| *known == number) {
                place.sockets.push(socket);
                continue;
            }
            let file = if file { file_of(&socket)? } else { None };
            let own = match &socket {
                Socket::Tcp(listener) if own => Some(listener.local_addr()?),
                _ => None,
            };
            places.push((number, Place { text: socket.place()?, file, sockets: vec![socket], own }));
        }
        Ok(Sockets { places: places.into_iter().map(|(_, place)| place).collect(), options })
    }

    /// Leaves the files of Unix sockets where they are: another process has taken them over.
    pub(super) fn leave_files(&mut self) {
        self.places.iter_mut().filter_map(|place| place.file.take()).for_each(SocketFile::leave);
    }
}

impl Place {
    /// The one for the loop of this number.
    fn socket(&self, number: usize) -> &Socket {
        if self.own.is_some() { &self.sockets[number] } else { &self.sockets[0] }
    }
}

/// What is to be said of too many loops that share their sockets. To add one more to those that wait for a socket takes the
/// longer the more there are, and one at a time on the whole machine (epoll(7) is checked for chains that way).
fn crowded(config: &Config) -> Option<String> {
    let loops = config.workers.max(1).saturating_mul(config.threads.max(1));
    (config.accept == Accept::Shared && loops > SHARING_MAX).then(|| {
        format!("{loops} loops that share a socket start slowly: --accept reuse-port gives each its own, and one for each processor is enough")
    })
}

/// Control characters are shown as what they are.
fn unix_place(path: &Path) -> String {
    let mut text = String::from("unix:");
    for shown in path.to_string_lossy().chars() {
        let written =
            if shown.is_control() { write!(text, "{}", shown.escape_default()) } else { text.write_char(shown) };
        written.expect("a string takes all");
    }
    text
}

/// The listening socket that is open under that number, and no longer there: it would listen until this process ends.
fn inherited(number: RawFd) -> io::Result<Socket> {
    Ok(match Inherited::take_fd(number)? {
        Inherited::Tcp(listener) => Socket::Tcp(listener.into_std()?),
        Inherited::Unix(listener) => Socket::Unix(listener.into_std()?),
    })
}

fn file_of(socket: &Socket) -> io::Result<Option<SocketFile>> {
    let Socket::Unix(listener) = socket else { return Ok(None) };
    listener.local_addr()?.as_pathname().map(SocketFile::made_at).transpose()
}

/// One of the addresses of a name need not be there, as `::1` where IPv6 is off.
fn is_of_another_machine(error: &io::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref()).unwrap_or(error);
    let errno = Errno::from_io_error(cause);
    matches!(errno, Some(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT))
}

/// Two servers of one user that are started for the same port by mistake would share it unnoticed, both with `SO_REUSEPORT`:
/// so the address is bound once without, and given back.
fn look_for_others(address: SocketAddr) -> io::Result<()> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let bound = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).and_then(|socket| {
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        bind(&socket, &address)
    });
    bound.map_err(|errno| {
        let error = io::Error::from(errno);
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

#[cfg(test)]
mod tests;
