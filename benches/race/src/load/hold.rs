//! Connections on which nothing happens, to see what a server keeps for each.

use super::wrong;
use crate::servers::answers::SCENARIOS;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long all is left alone before it is looked at whether the connections are still there.
const QUIET: Duration = Duration::from_millis(500);

/// Opens so many, has one request answered on each, says `held` and keeps them until this process is killed.
pub(super) fn run(port: u16, connections: usize, answer_bytes: usize) -> io::Result<()> {
    let exchange = (SCENARIOS[0].exchanges)().swap_remove(0);
    let mut answer = vec![0; answer_bytes];
    let mut held = Vec::with_capacity(connections);
    for index in 0..connections {
        let mut connection = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let asked = connection.write_all(&exchange.request).and_then(|()| connection.read_exact(&mut answer));
        asked.map_err(|error| wrong(format!("connection {index}: {error}")))?;
        held.push(connection);
    }
    std::thread::sleep(QUIET);
    let gone = held.iter().filter(|connection| is_gone(connection)).count();
    if gone > 0 {
        return Err(wrong(format!("{gone} of {connections} connections were closed while they idled")));
    }
    println!("held");
    io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}

/// Whether the server has closed it.
fn is_gone(connection: &TcpStream) -> bool {
    let peeked = connection.set_nonblocking(true).and_then(|()| connection.peek(&mut [0]));
    !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
