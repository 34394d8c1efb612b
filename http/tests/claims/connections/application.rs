//! An application that calls what it likes, and what must come of each call.

use super::Drive;
use super::model::{Answer, Model, Upgrade};
use crate::twin::{is_text, is_token};
use bytes::BytesMut;
use evloop_http::StatusCode;
use evloop_http::codec::date::Date;
use evloop_http::codec::encode::ResponseHead;
use evloop_http::connection::{Connection, DRAIN_BYTES_MAX};
use evloop_http::error::Error;

/// What applications write: something that a client could take for framing, if it lost its place.
const PIECE: &[u8] = b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";

const RESERVED: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

pub(super) type Field<'a> = (&'a str, &'a [u8]);

impl Drive<'_> {
    pub(super) fn continue_body(&mut self) {
        let before = self.out.len();
        self.connection.continue_body(&mut self.out);
        let is_due = self.is_due();
        let must_write = self.current().is_some_and(|model| std::mem::take(&mut model.waits) && is_due);
        let expected: &[u8] = if must_write { b"HTTP/1.1 100 Continue\r\n\r\n" } else { b"" };
        assert_eq!(&self.out[before..], expected);
        if must_write {
            self.current().expect("it is due").interim.push(100);
        }
    }

    pub(super) fn interim(&mut self, status: u16, fields: &[Field<'_>]) {
        let before = self.out.len();
        let code = StatusCode::from_u16(status).expect("three digits");
        let is_written = self.connection.interim(&mut self.out, code, |head| add(head, fields)).is_ok();
        let is_due = self.is_due();
        let is_interim = (102..200).contains(&status);
        let is_http11 = self.current().is_some_and(|model| model.asked.is_http11);
        // A client that knows no interim responses gets none, and the application need not know.
        assert_eq!(is_written, is_due && is_interim && (!is_http11 || fields.iter().all(is_allowed)));
        assert_eq!(self.out.len() > before, is_written && is_http11);
        if is_written && is_http11 {
            self.current().expect("it is due").interim.push(status);
        }
    }

    pub(super) fn switch_protocols(&mut self, fields: &[Field<'_>]) {
        let before = self.out.len();
        let date = Date::at(0);
        let is_written = self.connection.switch_protocols(&mut self.out, "x", &date, |head| add(head, fields)).is_ok();
        let may = |model: &Model| model.upgrade == Upgrade::Offered && model.is_received;
        let must_write =
            self.is_due() && self.current().is_some_and(|model| may(model)) && fields.iter().all(is_allowed);
        assert_eq!(is_written, must_write);
        if is_written {
            self.current().expect("it is due").begin_tunnel(101, "upgrade");
        } else {
            assert_eq!(self.out.len(), before, "what is refused writes nothing");
        }
    }

    pub(super) fn respond(&mut self, status: u16, size: usize, fields: &[Field<'_>]) {
        let body = &PIECE[..size];
        let length = body.len() as u64;
        let is_whole = true;
        if self.begin(status, Some(length), is_whole, fields, |connection, out, status, fields| {
            connection.respond(out, status, &Date::at(0), body, |head| add(head, fields))
        }) {
            let model = self.current().expect("it has begun");
            if let Answer::Body { is_omitted: false, .. } = model.answer {
                model.written = body.into();
            }
            model.answer = Answer::Done;
        }
    }

    pub(super) fn start(&mut self, status: u16, length: Option<u64>, fields: &[Field<'_>]) {
        let is_whole = false;
        self.begin(status, length, is_whole, fields, |connection, out, status, fields| {
            connection.start(out, status, &Date::at(0), length, |head| add(head, fields))
        });
    }

    /// Begins a response by this call, and tells whether it did.
    fn begin(
        &mut self,
        status: u16,
        length: Option<u64>,
        is_whole: bool,
        fields: &[Field<'_>],
        call: impl FnOnce(&mut Connection, &mut BytesMut, StatusCode, &[Field<'_>]) -> Result<(), Error>,
    ) -> bool {
        let code = StatusCode::from_u16(status).expect("three digits");
        let before = self.out.len();
        let is_begun = call(&mut self.connection, &mut self.out, code, fields).is_ok();
        let must_begin = self.is_due() && status >= 200 && fields.iter().all(is_allowed);
        assert_eq!(is_begun, must_begin, "{status} {fields:?}");
        if !is_begun {
            assert_eq!(self.out.len(), before, "what is refused writes nothing");
            return false;
        }
        let model = self.current().expect("a response is to a request");
        if model.asked.is_connect && (200..300).contains(&status) {
            model.begin_tunnel(status, "");
            return true;
        }
        let is_omitted = model.asked.is_head || [204, 205, 304].contains(&status);
        let is_to_close = length.is_none() && !model.asked.is_http11 && !is_omitted;
        // A whole answer to a body of which too much is still to come is the last one.
        let is_last = is_whole && model.left().is_some_and(|left| left > DRAIN_BYTES_MAX);
        model.keep_alive &= !model.waits && !is_to_close && !is_last;
        model.head = Some((
            status,
            match (model.keep_alive, model.asked.is_http11) {
                (false, _) => "close",
                (true, false) => "keep-alive",
                (true, true) => "",
            },
        ));
        model.answer = Answer::Body { owed: length, is_omitted };
        true
    }

    pub(super) fn body(&mut self, size: usize) {
        let piece = &PIECE[..size];
        let before = self.out.len();
        let is_written = self.connection.body(&mut self.out, piece).is_ok();
        let size = piece.len() as u64;
        if let Some(model) = self.current()
            && let Answer::Body { owed, is_omitted } = model.answer
            && owed.is_none_or(|owed| owed >= size)
        {
            assert!(is_written, "{model:?}");
            model.answer = Answer::Body { owed: owed.map(|owed| owed - size), is_omitted };
            if !is_omitted {
                model.written.extend(piece);
            }
        } else {
            assert!(!is_written, "a piece out of order, or too long");
            assert_eq!(self.out.len(), before, "what is refused writes nothing");
        }
    }

    pub(super) fn end(&mut self) {
        let before = self.out.len();
        let is_ended = self.connection.end(&mut self.out).is_ok();
        self.has_ended(is_ended);
        if !is_ended {
            assert_eq!(self.out.len(), before, "what is refused writes nothing");
        }
    }

    fn has_ended(&mut self, is_ended: bool) {
        if let Some(model) = self.current()
            && let Answer::Body { owed: None | Some(0), .. } | Answer::Body { is_omitted: true, .. } = model.answer
        {
            assert!(is_ended, "{model:?}");
            model.answer = Answer::Done;
        } else {
            assert!(!is_ended, "an end out of order, or too early");
        }
    }

    pub(super) fn end_with(&mut self, trailers: &[Field<'_>]) {
        let is_chunked = |model: &Model| {
            let has_head = matches!(model.answer, Answer::Body { owed: None, is_omitted: false });
            has_head && model.asked.is_http11 && model.upgrade != Upgrade::Tunnel
        };
        // The fields that FIELDS has and no trailer may be.
        let may_trail = |field: &Field<'_>| is_allowed(field) && field.0 != "Content-Type";
        let before = self.out.len();
        let is_ended = self.connection.end_with(&mut self.out, trailers.iter().copied()).is_ok();
        if let Some(model) = self.current().filter(|model| is_chunked(model)) {
            assert_eq!(is_ended, trailers.iter().all(may_trail), "{trailers:?}");
            if is_ended {
                model.answer = Answer::Done;
            }
        } else {
            self.has_ended(is_ended);
        }
        if !is_ended {
            assert_eq!(self.out.len(), before, "what is refused writes nothing");
        }
    }
}

fn add(head: &mut ResponseHead<'_>, fields: &[Field<'_>]) -> Result<(), Error> {
    fields.iter().try_for_each(|(name, value)| head.header(name, value))
}

/// Whether an application may write this field.
fn is_allowed((name, value): &Field<'_>) -> bool {
    is_token(name.as_bytes()) && is_text(value) && !RESERVED.contains(&&*name.to_lowercase())
}
