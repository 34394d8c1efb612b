//! Claims about `connection::Connection`, driven as a server drives it, by an application that does as it likes.
//!
//! A [`Model`] says of each call whether it must be refused, and what must come after a response. In the end all that was
//! written is read as a client reads it.

mod application;
mod model;

use super::{heads, limits};
use crate::twin::chunked;
use crate::twin::head::{self, Body};
use crate::twin::responses::{self, Asked, End};
use application::Field;
use bytes::BytesMut;
use evloop_http::codec::date::Date;
use evloop_http::connection::{Connection, Next};
use evloop_http::message::RequestHead;
use evloop_http::{Limits, StatusCode};
use model::{Answer, Model, Upgrade};

/// Bytes that come at once.
const SIZES: [usize; 16] = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 64, 100, 256, 1000, 4096, usize::MAX];

const STATUSES: [u16; 16] = [200, 201, 204, 304, 100, 101, 103, 199, 205, 301, 400, 404, 500, 299, 599, 999];

/// Fields that an application may want, and such as it may not have.
const FIELDS: [Field<'_>; 10] = [
    ("x-a", b"b"),
    ("Content-Type", b"text/\xe9"),
    ("Content-Length", b"5"),
    ("transfer-encoding", b"chunked"),
    ("Connection", b"keep-alive"),
    ("DATE", b"today"),
    ("x-a", b"b\r\nc: d"),
    ("x a", b"b"),
    ("", b"b"),
    ("x\r\n\r\n", b"b"),
];

/// For any limits, any bytes in any pieces, and any calls in between.
pub(crate) fn hold(data: &[u8]) {
    let [choice, count, rest @ ..] = data else { return };
    let (calls, wire) = rest.split_at(rest.len().min(usize::from(*count)));
    let mut drive = Drive::new(wire, limits(*choice));
    for &call in calls {
        if drive.step == Step::Over {
            break;
        }
        drive.call(call & 15, usize::from(call >> 4));
        drive.look();
    }
    drive.finish();
    drive.read_back();
}

/// What a server does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Head,
    Call,
    Drain,
    Over,
}

struct Drive<'a> {
    wire: &'a [u8],
    arrived: usize,
    used: usize,
    step: Step,
    limits: Limits,
    connection: Connection,
    head: RequestHead,
    out: BytesMut,
    models: Vec<Model>,
}

impl<'a> Drive<'a> {
    fn new(wire: &'a [u8], limits: Limits) -> Drive<'a> {
        let (connection, head, out) = (Connection::default(), RequestHead::default(), BytesMut::new());
        Drive { wire, arrived: 0, used: 0, step: Step::Head, limits, connection, head, out, models: Vec::new() }
    }

    /// One thing that a server or its application may do.
    fn call(&mut self, what: u8, how: usize) {
        match what {
            0 => self.deliver(SIZES[how]),
            1 => self.interim(STATUSES[how], &[FIELDS[how % FIELDS.len()]]),
            2 => self.switch_protocols(&[FIELDS[how % FIELDS.len()]]),
            3 => self.advance(),
            4 => self.respond(STATUSES[how], how, &[]),
            5 => {
                let value = &self.wire[..self.wire.len().min(how * 4)];
                self.respond(200, how, &[("x-wire", value)]);
            }
            6 => self.start(STATUSES[how], Some(how as u64), &[]),
            7 => self.start(STATUSES[how], None, &[("x-a", b"")]),
            8 => self.body(how),
            9 => self.start(200, Some(how as u64), &[("x-a", b"b"), FIELDS[how % FIELDS.len()]]),
            10 if how < 4 => self.end(),
            10 => self.end_with(&[("x-a", b"b"), FIELDS[how % FIELDS.len()]]),
            11 => self.refuse(STATUSES[how]),
            12 => self.continue_body(),
            13 => self.receive_body(),
            14 => {
                self.connection.close_after_response();
                if let Some(model) = self.current() {
                    model.keep_alive = false;
                }
            }
            _ => self.settle(),
        }
    }

    /// The request that is not over.
    fn current(&mut self) -> Option<&mut Model> {
        if self.step == Step::Head { None } else { self.models.last_mut() }
    }

    fn is_due(&mut self) -> bool {
        self.current().is_some_and(|model| model.answer == Answer::Due)
    }

    // The server's side.

    fn deliver(&mut self, size: usize) {
        self.arrived = self.wire.len().min(self.arrived.saturating_add(size));
        match self.step {
            Step::Head => self.receive_head(),
            Step::Drain => {
                self.receive_body();
                self.advance();
            }
            Step::Call | Step::Over => {}
        }
    }

    fn receive_head(&mut self) {
        let input = &self.wire[self.used..self.arrived];
        let seen = self.connection.receive_head(input, &self.limits, &mut self.head);
        match seen {
            Ok(None) => heads::as_the_twin(input, &self.limits, &Ok(None)),
            Ok(Some(used)) => {
                let reading = head::read(input, &self.limits);
                let head = reading.head.expect("what a connection takes, the twin takes");
                assert_eq!((used, self.head.target()), (head.consumed, &head.target[..]));
                self.used += used;
                let is_received = matches!(head.body, Body::None | Body::Length(0));
                let (is_head, is_connect) = (head.method == "HEAD", head.method == "CONNECT");
                let asked = Asked { is_head, is_connect, is_http11: head.is_http11 };
                let model = Model {
                    keep_alive: head.keep_alive && !is_connect,
                    waits: head.waits,
                    upgrade: if head.upgrade { Upgrade::Offered } else { Upgrade::None },
                    body_at: self.used,
                    body: head.body,
                    is_received,
                    ..Model::new(asked)
                };
                self.models.push(model);
                self.step = Step::Call;
            }
            Err(error) => {
                let status = error.status().expect("a client is at fault").as_u16();
                heads::as_the_twin(input, &self.limits, &Err(error));
                self.refuse(status);
                self.advance();
                assert_eq!(self.step, Step::Over, "nothing follows a head that was refused");
            }
        }
    }

    fn receive_body(&mut self) {
        while self.connection.is_receiving() && self.used < self.arrived {
            let input = &self.wire[self.used..self.arrived];
            let decoded = self.connection.receive_body(input);
            let model = self.models.last_mut().expect("a body belongs to a request");
            let Ok(decoded) = decoded else {
                model.keep_alive = false;
                let reading = chunked::read(&self.wire[model.body_at..self.arrived], &self.limits);
                assert!(matches!(reading.consumed, Err(chunked::Stop::Refused(_))), "{reading:?}");
                if self.step == Step::Drain {
                    self.step = Step::Over;
                }
                return;
            };
            if model.upgrade == Upgrade::Tunnel {
                assert_eq!((decoded.consumed, decoded.data, decoded.ended), (input.len(), 0..input.len(), false));
                self.used += decoded.consumed;
                continue;
            }
            model.received.extend_from_slice(&input[decoded.data]);
            model.is_received = decoded.ended;
            self.used += decoded.consumed;
            if decoded.ended {
                model.has_received(&self.wire[model.body_at..self.used], &self.limits);
            }
        }
    }

    /// Asks what follows, and does it.
    fn advance(&mut self) {
        let next = self.connection.next_step();
        let Some(model) = self.current() else {
            assert_eq!(next, None, "nothing follows nothing");
            return;
        };
        let expected = match (model.answer, model.keep_alive, model.is_received) {
            (Answer::Due | Answer::Body { .. }, ..) => None,
            (Answer::Done, false, _) => Some(Next::Close),
            (Answer::Done, true, true) => Some(Next::Request),
            (Answer::Done, true, false) => Some(Next::Drain),
        };
        assert_eq!(next, expected, "{model:?}");
        match next {
            None => {}
            Some(Next::Close) => self.step = Step::Over,
            Some(Next::Drain) => self.step = Step::Drain,
            Some(Next::Request) => {
                self.step = Step::Head;
                if self.used < self.arrived {
                    self.receive_head();
                }
            }
        }
    }

    /// The application has ended, and is held to have answered.
    fn settle(&mut self) {
        match self.current().map(|model| model.answer) {
            None => {}
            Some(Answer::Due) => {
                self.refuse(500);
                self.advance();
            }
            Some(Answer::Body { .. }) => self.step = Step::Over, // the connection is cut
            Some(Answer::Done) => self.advance(),
        }
    }

    fn refuse(&mut self, status: u16) {
        let status = StatusCode::from_u16(status.max(400)).expect("three digits");
        let is_between = self.step == Step::Head;
        let before = self.out.len();
        self.connection.refuse(&mut self.out, status, &Date::at(0));
        if is_between {
            // Of a request that is refused the method may be known, and a HEAD gets no content (9110 section 9.3.2).
            let line = &self.wire[self.used..self.arrived];
            let is_head = line.strip_prefix(b"\r\n").unwrap_or(line).starts_with(b"HEAD ");
            self.models.push(Model::new(Asked { is_head, is_connect: false, is_http11: true }));
            self.step = Step::Call;
        }
        if !self.is_due() {
            assert_eq!(self.out.len(), before, "a refusal in the midst of a response");
            return;
        }
        let model = self.current().expect("it is due");
        model.keep_alive = false;
        model.head = Some((status.as_u16(), "close"));
        if !model.asked.is_head {
            model.written = status.reason().into();
        }
        model.answer = Answer::Done;
    }

    // Both.

    /// What the connection says of itself is what the model says.
    fn look(&mut self) {
        let is_due = self.is_due();
        assert_eq!(self.connection.is_due(), is_due);
        let is_over = self.step == Step::Over;
        let is_receiving = self.connection.is_receiving();
        let left = self.connection.body_left();
        let omits = self.connection.omits_body();
        let (status, sent_bytes) = self.connection.sent();
        let ends_with_connection = self.connection.ends_with_connection();
        let Some(model) = self.current().filter(|_| !is_over) else { return };
        let is_tunnel = model.upgrade == Upgrade::Tunnel;
        assert_eq!(is_receiving, !model.is_received || is_tunnel);
        match model.body {
            _ if is_tunnel => assert_eq!(left, None),
            Body::Length(length) => assert_eq!(left, Some(length - model.received.len() as u64)),
            Body::None => assert_eq!(left, Some(0)),
            Body::Chunked => assert_eq!(left, model.is_received.then_some(0)),
        }
        if let Answer::Body { is_omitted, .. } = model.answer {
            assert_eq!(omits, is_omitted);
            assert_eq!(
                (Some(status.as_u16()), sent_bytes),
                (model.head.map(|head| head.0), model.written.len() as u64)
            );
            let is_to_close = matches!(model.answer, Answer::Body { owed: None, is_omitted: false });
            assert_eq!(ends_with_connection, is_to_close && (is_tunnel || !model.asked.is_http11));
        }
    }

    fn end_tunnel(&mut self) {
        self.connection.end_tunnel();
        if let Some(model) = self.current().filter(|model| model.upgrade == Upgrade::Tunnel) {
            model.upgrade = Upgrade::None;
            assert!(!self.connection.is_receiving());
        }
        assert!(!self.connection.is_tunnel());
    }

    /// An application that answers everything sees the rest of the input.
    fn finish(&mut self) {
        self.arrived = self.wire.len();
        if self.step == Step::Head {
            self.receive_head();
        }
        loop {
            let (used, step) = (self.used, self.step);
            if self.step == Step::Call {
                self.continue_body();
                self.receive_body();
                self.end_tunnel();
                self.respond(200, 2, &[]);
                self.settle();
            } else if self.step == Step::Drain {
                self.receive_body();
                self.advance();
            }
            if (self.used, self.step) == (used, step) {
                return;
            }
        }
    }

    /// Reads all that was written, which must be the responses to the requests, and no more.
    fn read_back(&self) {
        let asked = self.models.iter().map(|model| model.asked).collect::<Vec<_>>();
        let text = self.out.escape_ascii();
        let responses = responses::read(&self.out, &asked).unwrap_or_else(|rule| panic!("{rule}: {text}"));
        let mut responses = responses.into_iter();
        for model in &self.models {
            for &status in &model.interim {
                let interim = responses.next().expect("it was written");
                assert_eq!((interim.status, interim.values("connection").len()), (status, 0), "{text}");
            }
            let Some((status, connection)) = model.head else { continue };
            let response = responses.next().expect("it was written");
            assert_eq!((response.status, &response.body), (status, &model.written), "{text}");
            let expected = if connection.is_empty() { vec![] } else { vec![connection.as_bytes()] };
            assert_eq!(response.values("connection"), expected, "{text}");
            assert_eq!(response.values("date").len(), 1, "{text}");
            match (model.answer, response.end) {
                (Answer::Done, End::Whole) => {}
                (Answer::Done | Answer::Body { .. }, End::Close) => {
                    let is_tunnel = status == 101 || model.asked.is_connect;
                    assert!(is_tunnel || (connection == "close" && !model.asked.is_http11), "{text}");
                }
                // A client takes for whole what was not ended only if nothing is missing.
                (Answer::Body { owed, is_omitted }, End::Whole) => assert!(owed == Some(0) || is_omitted),
                (Answer::Body { owed, .. }, End::Cut) => assert_ne!(owed, Some(0)),
                (Answer::Due, _) | (Answer::Done, End::Cut) => panic!("{model:?}: {text}"),
            }
        }
        assert_eq!(responses.next(), None);
    }
}
