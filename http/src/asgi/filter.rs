//! What may stand between an application and its connection, and change the response on the way.

use super::exchange::Inner;
use crate::codec::encode::ResponseHead;
use crate::error::Error;
use crate::message::StatusCode;
use bytes::BytesMut;

/// Changes a response on its way out: an application around another one [gives it](super::Send::set_filter) to the
/// request, and the application inside knows nothing of it.
///
/// A filter is for one response.
pub trait Filter {
    /// Looks at the head that the application has written, may add fields to it, and tells whether the body is to be
    /// changed. `length` is the body's, if it is known. When the body is changed, its new length is not known before its
    /// end, unless all of it comes at once.
    ///
    /// # Errors
    /// What keeps the response from being written.
    fn head(&mut self, status: StatusCode, head: &mut ResponseHead<'_>, length: Option<u64>) -> Result<bool, Error>;

    /// Takes a piece of the body, and appends to `out` what is to be sent in its place, which may be nothing yet. After
    /// the last piece, which may be empty, all that was kept back is.
    ///
    /// # Errors
    /// What keeps the body from being completed.
    fn piece(&mut self, piece: &[u8], last: bool, out: &mut Vec<u8>) -> Result<(), Error>;
}

impl Inner {
    /// [`Connection::respond`](crate::connection::Connection::respond), with a filter in between.
    #[cold]
    pub(super) fn respond_filtered(
        &mut self,
        status: StatusCode,
        body: &[u8],
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
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
        self.connection.respond(&mut self.out, status, &self.date, body, |out| {
            out.copy_fields(&head);
            Ok(())
        })
    }

    /// [`Connection::start`](crate::connection::Connection::start), with a filter in between.
    #[cold]
    pub(super) fn start_filtered(
        &mut self,
        status: StatusCode,
        length: Option<u64>,
        fields: impl FnOnce(&mut ResponseHead<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let head = self.filtered_head(status, length, fields)?;
        let length = length.filter(|_| self.filter.is_none());
        self.connection.start(&mut self.out, status, &self.date, length, |out| {
            out.copy_fields(&head);
            Ok(())
        })
    }

    /// Writes a piece of the body through the filter; the last one too, for what the filter has kept back.
    #[cold]
    pub(super) fn body_filtered(&mut self, piece: &[u8], last: bool) -> Result<(), Error> {
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
        if !changes || status.forbids_body() {
            self.filter = None;
        }
        Ok(head.into_fields())
    }
}
