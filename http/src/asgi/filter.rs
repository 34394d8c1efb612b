//! What may stand between an application and its connection, and change the response on the way.

use super::exchange::{Inner, Surroundings};
use crate::codec::encode::ResponseHead;
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use bytes::BytesMut;

/// Changes a response on its way out: an application around another one [gives it](super::Send::set_filter) to the
/// request, and the application inside knows nothing of it.
///
/// A filter is for one response. What passes through a tunnel it does not see.
///
/// # Examples
/// ```
/// use evloop_http::asgi::{Filter, NO_FIELDS, Receive, Result, Scope, Send};
/// use evloop_http::codec::encode::ResponseHead;
/// use evloop_http::message::StatusCode;
/// use evloop_http::testing;
///
/// struct Shout;
///
/// impl Filter for Shout {
///     fn head(&mut self, _: StatusCode, head: &mut ResponseHead<'_>, _: Option<u64>) -> Result<bool> {
///         head.header("x-volume", b"high")?;
///         Ok(true)
///     }
///
///     fn piece(&mut self, piece: &[u8], _last: bool, out: &mut Vec<u8>) -> Result {
///         out.extend(piece.iter().map(u8::to_ascii_uppercase));
///         Ok(())
///     }
/// }
///
/// async fn hello(_: Scope, _: Receive, mut send: Send) -> Result {
///     send.respond(StatusCode::OK, b"Hello", NO_FIELDS)
/// }
///
/// let loud = |scope, receive, mut send: Send| {
///     send.set_filter(Box::new(Shout));
///     hello(scope, receive, send)
/// };
/// testing::drive(loud, async |client| assert_eq!(client.get("/").send().await.text(), "HELLO"));
/// ```
pub trait Filter {
    /// Looks at the head that the application has written, may add fields to it, and tells whether the body is to be
    /// changed. `length` is the body's, if it is known. When the body is changed, its new length is not known before its
    /// end, unless all of it comes at once.
    ///
    /// # Errors
    /// What keeps the response from being written.
    fn head(&mut self, status: StatusCode, head: &mut ResponseHead<'_>, length: Option<u64>) -> Result<bool, Error>;

    /// Takes a piece of the body, and appends to `out` what is to be sent in its place, which may be nothing yet. After
    /// the last piece, which may be empty, all that was kept back is. Asked for only where the body is to be changed;
    /// written by those that do so.
    ///
    /// # Errors
    /// What keeps the body from being completed.
    fn piece(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        let _ = last;
        out.extend_from_slice(piece);
        Ok(())
    }
}

/// Two filters: what one has changed, the other sees.
struct Chain {
    first: Link,
    then: Link,
}

/// A filter, and whether it changes the body.
struct Link {
    filter: Box<dyn Filter>,
    changes: bool,
}

impl Link {
    fn new(filter: Box<dyn Filter>) -> Link {
        Link { filter, changes: false }
    }
}

impl Filter for Chain {
    fn head(&mut self, status: StatusCode, head: &mut ResponseHead<'_>, length: Option<u64>) -> Result<bool, Error> {
        self.first.changes = self.first.filter.head(status, head, length)?;
        let length = length.filter(|_| !self.first.changes);
        self.then.changes = self.then.filter.head(status, head, length)?;
        Ok(self.first.changes || self.then.changes)
    }

    fn piece(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut between = Vec::new();
        let piece = if self.first.changes {
            self.first.filter.piece(piece, last, &mut between)?;
            &between
        } else {
            piece
        };
        if self.then.changes {
            self.then.filter.piece(piece, last, out)
        } else {
            out.extend_from_slice(piece);
            Ok(())
        }
    }
}

impl Inner {
    /// Puts a filter between the application and those that were given before, unless it comes too late for the head.
    pub(super) fn add_filter(&mut self, filter: Box<dyn Filter>) {
        if self.connection.is_due() {
            self.is_altered = true;
            self.filter = Some(match self.filter.take() {
                None => filter,
                Some(then) => Box::new(Chain { first: Link::new(filter), then: Link::new(then) }),
            });
        }
    }

    /// [`Connection::respond`](crate::connection::Connection::respond), with a filter in between, or with what the server
    /// adds.
    #[cold]
    pub(super) fn respond_altered(
        &mut self,
        server: &Surroundings,
        status: StatusCode,
        body: &[u8],
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.connection.check_due()?;
        if self.filter.is_none() {
            return self.connection.respond(&mut self.out, status, &server.date.get(), body, |out| {
                fields(out)?;
                server.complete(out);
                Ok(())
            });
        }
        let length = Some(body.len() as u64);
        let head = self.filtered_head(status, length, fields)?;
        let mut changed = Vec::new();
        let body = match self.filter.take() {
            Some(mut filter) => {
                filter.piece(body, true, &mut changed)?;
                &changed[..]
            }
            None => body,
        };
        self.connection.respond(&mut self.out, status, &server.date.get(), body, |out| {
            out.copy_fields(&head);
            server.complete(out);
            Ok(())
        })
    }

    /// [`Connection::start`](crate::connection::Connection::start), with a filter in between, or with what the server adds.
    #[cold]
    pub(super) fn start_altered(
        &mut self,
        server: &Surroundings,
        status: StatusCode,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.connection.check_due()?;
        if self.filter.is_none() {
            return self.connection.start(&mut self.out, status, &server.date.get(), length, |out| {
                fields(out)?;
                server.complete(out);
                Ok(())
            });
        }
        let head = self.filtered_head(status, length, fields)?;
        self.unfiltered = length;
        let length = length.filter(|_| self.filter.is_none());
        self.connection.start(&mut self.out, status, &server.date.get(), length, |out| {
            out.copy_fields(&head);
            server.complete(out);
            Ok(())
        })
    }

    /// Writes a piece of the body through the filter; the last one too, for what the filter has kept back.
    #[cold]
    pub(super) fn body_filtered(&mut self, piece: &[u8], last: bool) -> Result<(), Error> {
        self.connection.body(&mut self.out, &[])?; // so that a filter is asked in order
        if let Some(left) = &mut self.unfiltered {
            *left = left.checked_sub(piece.len() as u64).ok_or(Error::new(Kind::ResponseLength))?;
            if last && *left > 0 && !self.connection.omits_body() {
                return Err(Error::new(Kind::ResponseLength));
            }
        }
        let Some(filter) = &mut self.filter else { return Ok(()) };
        let mut changed = Vec::new();
        if !self.connection.omits_body() {
            filter.piece(piece, last, &mut changed)?;
        }
        self.connection.body(&mut self.out, &changed)
    }

    /// The fields as the filter leaves them. A filter that changes nothing else has done its work and is let go.
    fn filtered_head(
        &mut self,
        status: StatusCode,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<BytesMut, Error> {
        let mut text = BytesMut::new();
        let mut head = ResponseHead::begin(&mut text, status);
        fields(&mut head)?;
        let changes = match &mut self.filter {
            Some(filter) => filter.head(status, &mut head, length)?,
            None => false,
        };
        if !changes || status.forbids_body() || self.connection.opens_tunnel(status) {
            self.filter = None;
        }
        Ok(head.into_fields())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asgi::{NO_FIELDS, Receive, Result, Scope, Send};
    use crate::testing::drive;

    /// Says its name in a field, and after each byte of the body, if it is told to; tells which length it has seen.
    struct Named(u8, bool);

    impl Filter for Named {
        fn head(&mut self, _: StatusCode, head: &mut ResponseHead<'_>, length: Option<u64>) -> Result<bool> {
            head.header("named", &[self.0])?;
            head.header("length", format!("{length:?}").as_bytes())?;
            Ok(self.1)
        }

        fn piece(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result {
            assert!(self.1, "only who changes the body is asked to");
            out.extend(piece.iter().flat_map(|byte| [*byte, self.0]));
            if last {
                out.push(b'.');
            }
            Ok(())
        }
    }

    /// Answers `/whole` at once and others in pieces, under two filters that change the body as the path says.
    async fn app(scope: Scope, _: Receive, mut send: Send) -> Result {
        let changes = |name: &str| scope.query_string().contains(name);
        send.set_filter(Box::new(Named(b'a', changes("a"))));
        send.set_filter(Box::new(Named(b'b', changes("b"))));
        if scope.path() == "/whole" {
            return send.respond(StatusCode::OK, b"xy", NO_FIELDS);
        }
        send.start(StatusCode::OK, Some(2), NO_FIELDS)?;
        send.set_filter(Box::new(Named(b'c', true)));
        send.response_piece("x").await?;
        send.response_piece("y").await?;
        send.response_end()
    }

    #[test]
    fn last_filter_is_the_nearest_to_the_application() {
        drive(app, async |client| {
            for (target, expected, outer_length) in [
                ("/whole?", "xy", "Some(2)"),
                ("/whole?a", "xaya.", "Some(2)"),
                ("/whole?b", "xbyb.", "None"),
                ("/whole?ab", "xabayaba.a.", "None"),
                ("/pieces?", "xy", "Some(2)"),
                ("/pieces?a", "xaya.", "Some(2)"),
                ("/pieces?b", "xbyb.", "None"),
                ("/pieces?ab", "xabayaba.a.", "None"),
            ] {
                let response = client.get(target).send().await;
                let values = |name| response.headers().get_all(name).map(<[u8]>::to_vec).collect::<Vec<_>>();
                assert_eq!(values("named"), [b"b", b"a"], "{target}");
                assert_eq!(values("length"), [b"Some(2)".to_vec(), outer_length.into()], "{target}");
                assert_eq!(response.text(), expected, "{target}");
            }
        });
    }
}
