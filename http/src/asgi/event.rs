//! The events of ASGI's HTTP protocol, by their names.
//!
//! An application can do all of its work with these two types, as one that was written against the specification does
//! (<https://asgi.readthedocs.io/en/latest/specs/www.html>). The methods of [`Receive`](super::Receive) and
//! [`Send`](super::Send) say the same with types that rule most mistakes out.

use bytes::Bytes;

/// What [`Receive::event`](super::Receive::event) gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// `http.request`: a part of the request's body.
    Request {
        /// The part, which may be empty.
        body: Bytes,
        /// Whether another follows.
        more_body: bool,
    },
    /// `http.disconnect`: the client has gone, or the response is over.
    Disconnect,
}

/// Names and values of fields, as events carry them.
pub type FieldList = Vec<(String, Vec<u8>)>;

/// What [`Send::event`](super::Send::event) takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outbound {
    /// `http.response.start`: the response's head. It is sent with the first part of the body.
    ResponseStart {
        /// The status, from 200 to 999.
        status: u16,
        /// The fields, without those that frame the response.
        headers: FieldList,
        /// Whether [`ResponseTrailers`](Outbound::ResponseTrailers) follow the body.
        trailers: bool,
    },
    /// `http.response.body`: a part of the response's body.
    ResponseBody {
        /// The part, which may be empty.
        body: Bytes,
        /// Whether another follows.
        more_body: bool,
    },
    /// `http.response.trailers`, an extension: fields that follow the body.
    ResponseTrailers {
        /// The fields.
        headers: FieldList,
        /// Whether more of them follow.
        more_trailers: bool,
    },
    /// `http.response.early_hint`, an extension: values of `Link` that the client may follow before the response comes.
    EarlyHint {
        /// The values.
        links: Vec<Vec<u8>>,
    },
}
