//! Two small machines, one for each side, and when the connection may go on.
//!
//! ```text
//!   client   Idle ──head──► Body ──last byte──► Done        a head without a body leads to Done at once
//!                                                └──► Tunnel ──end of the stream──► Done
//!   server   Idle ──head──► Due ───start──────► Body ──end──► Done
//! ```
//!
//! A connection becomes a tunnel when the server takes an upgrade or a CONNECT: then all that comes belongs to the
//! application, and it is never used for HTTP again.
//!
//! Both in `Done`: the next request may begin, or the connection ends. The two sides are independent in between: a
//! response may be over before the request's body has come, and the other way round.

/// What the client has sent of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Client {
    /// Nothing yet, or a part of the head.
    #[default]
    Idle,
    /// The head; the body is under way.
    Body,
    /// All of it, and something that is not HTTP is under way.
    Tunnel,
    /// All of it.
    Done,
}

/// What the server has sent of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Server {
    /// Nothing, and nothing is due.
    #[default]
    Idle,
    /// Nothing, and a response is due.
    Due,
    /// The head; the body is under way.
    Body,
    /// All of it.
    Done,
}

/// What becomes of a connection when its response is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next request may begin; its bytes may be here already.
    Request,
    /// The rest of the request's body comes first, for nobody.
    Drain,
    /// What has been written is sent, and then it ends.
    Close,
}

/// The table: what both sides have done, and whether the connection is meant to last.
pub(super) fn next(client: Client, server: Server, keep_alive: bool) -> Option<Next> {
    match (client, server) {
        (_, Server::Idle | Server::Due | Server::Body) => None,
        (_, Server::Done) if !keep_alive => Some(Next::Close),
        (Client::Idle | Client::Done, Server::Done) => Some(Next::Request),
        (Client::Body, Server::Done) => Some(Next::Drain),
        (Client::Tunnel, Server::Done) => Some(Next::Close),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_response_that_is_not_over() {
        for client in [Client::Idle, Client::Body, Client::Tunnel, Client::Done] {
            for server in [Server::Idle, Server::Due, Server::Body] {
                assert_eq!(next(client, server, true), None);
                assert_eq!(next(client, server, false), None);
            }
        }
    }

    #[test]
    fn what_follows_a_response_depends_on_the_request_and_on_keep_alive() {
        assert_eq!(next(Client::Done, Server::Done, true), Some(Next::Request));
        assert_eq!(next(Client::Body, Server::Done, true), Some(Next::Drain));
        assert_eq!(next(Client::Done, Server::Done, false), Some(Next::Close));
        assert_eq!(next(Client::Tunnel, Server::Done, true), Some(Next::Close));
        assert_eq!(next(Client::Body, Server::Done, false), Some(Next::Close));
    }
}
