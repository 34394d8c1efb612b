//! A request and its response, as they should be.

use crate::twin::chunked;
use crate::twin::head::Body;
use crate::twin::responses::Asked;
use evloop_http::Limits;

/// A request and its response, as they should be.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) asked: Asked,
    /// What the request says about the connection, and what has happened to it since.
    pub(super) keep_alive: bool,
    /// The client waits for `100 Continue`.
    pub(super) waits: bool,
    /// The interim responses that were written.
    pub(super) interim: Vec<u16>,
    pub(super) upgrade: Upgrade,
    /// Where its body begins on the wire.
    pub(super) body_at: usize,
    pub(super) body: Body,
    pub(super) received: Vec<u8>,
    pub(super) is_received: bool,
    pub(super) answer: Answer,
    /// The status of the response, and what its head says about the connection.
    pub(super) head: Option<(u16, &'static str)>,
    /// The body that the client must see.
    pub(super) written: Vec<u8>,
}

/// Whether HTTP may end on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    None,
    Offered,
    Tunnel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Due,
    /// So much of the body is owed, if that is known.
    Body {
        owed: Option<u64>,
        is_omitted: bool,
    },
    Done,
}

impl Model {
    pub(super) fn new(asked: Asked) -> Model {
        Model {
            asked,
            keep_alive: true,
            waits: false,
            interim: Vec::new(),
            upgrade: Upgrade::None,
            body_at: 0,
            body: Body::None,
            received: Vec::new(),
            is_received: true,
            answer: Answer::Due,
            head: None,
            written: Vec::new(),
        }
    }

    pub(super) fn begin_tunnel(&mut self, status: u16, connection: &'static str) {
        self.keep_alive = false;
        self.upgrade = Upgrade::Tunnel;
        self.head = Some((status, connection));
        self.answer = Answer::Body { owed: None, is_omitted: false };
    }

    /// How much of a body of known length is still to come.
    pub(super) fn left(&self) -> Option<u64> {
        match self.body {
            Body::Length(length) => Some(length - self.received.len() as u64),
            _ => None,
        }
    }

    /// The body has ended: these bytes were its.
    pub(super) fn has_received(&self, wire: &[u8], limits: &Limits) {
        match self.body {
            Body::None => assert!(wire.is_empty()),
            Body::Length(length) => assert_eq!((wire.len() as u64, &self.received[..]), (length, wire)),
            Body::Chunked => {
                let reading = chunked::read(wire, limits);
                assert_eq!((reading.consumed, &reading.data), (Ok(wire.len()), &self.received));
            }
        }
    }
}
