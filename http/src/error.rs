//! What can be wrong with a message, and the status that says so.

use std::fmt;

use crate::message::StatusCode;

/// Why a request was refused, or why a response could not be written.
///
/// # Examples
///
/// ```
/// use evloop_http::codec::head;
/// use evloop_http::limits::Limits;
/// use evloop_http::message::{RequestHead, StatusCode};
///
/// let input = b"GET / HTTP/1.1\r\n\r\n";
/// let error = head::parse(input, &Limits::default(), &mut RequestHead::default()).unwrap_err();
/// assert_eq!(error.to_string(), "missing, repeated or invalid host");
/// assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));
/// assert!(!error.is_limit());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
}

/// One kind for each thing a person would fix differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A method that is no token, or a request line without its three parts.
    RequestLine,
    /// A target in no form the method allows, or with bytes no target has.
    Target,
    /// Something else where `HTTP/1.1` should be.
    Version,
    /// `HTTP/` and two digits, but not 1.0 or 1.1.
    VersionUnsupported,
    /// A line ended by a bare LF, a bare CR, or an empty line too many.
    LineEnd,
    /// A field name that is no token, has white space around it, or starts with it (obs-fold).
    FieldName,
    /// A field value with control characters.
    FieldValue,
    /// No Host in HTTP/1.1, more than one, or one that is no authority.
    Host,
    /// A Content-Length that is not one plain number, or is there twice.
    ContentLength,
    /// A Transfer-Encoding that is there twice, is empty, does not end in chunked, or comes in HTTP/1.0.
    TransferEncoding,
    /// A coding that nothing here decodes.
    CodingUnsupported,
    /// Both Content-Length and Transfer-Encoding.
    TwoLengths,
    /// A body announced for CONNECT.
    ConnectBody,
    /// An Expect other than 100-continue.
    Expectation,
    /// More than `request_line_bytes_max`.
    RequestLineTooLong,
    /// More than `head_bytes_max`.
    HeadTooLong,
    /// More than `header_count_max`.
    TooManyFields,
    /// More than `body_bytes_max`.
    BodyTooLong,
    /// A chunk size that is no hexadecimal number of at most 16 digits.
    ChunkSize,
    /// A chunk extension with control characters.
    ChunkExtension,
    /// More than `chunk_extension_bytes_max`.
    ChunkExtensionTooLong,
    /// A chunk that is not followed by CR LF.
    ChunkEnd,
    /// A trailer that is no field line.
    Trailer,
    /// More than `trailer_bytes_max`.
    TrailerTooLong,
    /// A response field whose name is no token.
    ResponseName,
    /// A response field whose value has control characters.
    ResponseValue,
    /// A response field that is the server's to write.
    ResponseReserved,
    /// A response begun twice, continued before it was begun or after its end, or with a status that is none.
    ResponseOrder,
    /// A response body that is longer or shorter than its head said.
    ResponseLength,
    /// The client has gone.
    Gone,
}

impl Error {
    #[cold]
    pub(crate) const fn new(kind: Kind) -> Error {
        Error { kind }
    }

    #[cfg(test)]
    pub(crate) const fn kind(self) -> Kind {
        self.kind
    }

    /// The status to answer a client with, whose request this refuses; `None` when the application was at fault.
    pub const fn status(&self) -> Option<StatusCode> {
        Some(match self.kind {
            Kind::RequestLine
            | Kind::Target
            | Kind::Version
            | Kind::LineEnd
            | Kind::FieldName
            | Kind::FieldValue
            | Kind::Host
            | Kind::ContentLength
            | Kind::TransferEncoding
            | Kind::TwoLengths
            | Kind::ConnectBody
            | Kind::ChunkSize
            | Kind::ChunkExtension
            | Kind::ChunkExtensionTooLong
            | Kind::ChunkEnd
            | Kind::Trailer => StatusCode::BAD_REQUEST,
            Kind::BodyTooLong => StatusCode::CONTENT_TOO_LARGE,
            Kind::RequestLineTooLong => StatusCode::URI_TOO_LONG,
            Kind::Expectation => StatusCode::EXPECTATION_FAILED,
            Kind::HeadTooLong | Kind::TooManyFields | Kind::TrailerTooLong => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Kind::CodingUnsupported => StatusCode::NOT_IMPLEMENTED,
            Kind::VersionUnsupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Kind::ResponseName
            | Kind::ResponseValue
            | Kind::ResponseReserved
            | Kind::ResponseOrder
            | Kind::ResponseLength
            | Kind::Gone => return None,
        })
    }

    /// Whether the request broke one of the [`Limits`](crate::limits::Limits), and not the grammar.
    pub const fn is_limit(&self) -> bool {
        matches!(
            self.kind,
            Kind::RequestLineTooLong
                | Kind::HeadTooLong
                | Kind::TooManyFields
                | Kind::BodyTooLong
                | Kind::ChunkExtensionTooLong
                | Kind::TrailerTooLong
        )
    }

    /// Whether the application asked for a response field that cannot be written.
    pub const fn is_response_field(&self) -> bool {
        matches!(self.kind, Kind::ResponseName | Kind::ResponseValue | Kind::ResponseReserved)
    }

    /// Whether the client has gone, so that there is nobody to receive from or to send to.
    pub const fn is_gone(&self) -> bool {
        matches!(self.kind, Kind::Gone)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::RequestLine => "malformed request line",
            Kind::Target => "request target not allowed here",
            Kind::Version => "malformed protocol version",
            Kind::VersionUnsupported => "protocol version other than 1.0 and 1.1",
            Kind::LineEnd => "line not ended by one cr lf",
            Kind::FieldName => "malformed field name",
            Kind::FieldValue => "control character in a field value",
            Kind::Host => "missing, repeated or invalid host",
            Kind::ContentLength => "content-length other than one decimal number",
            Kind::TransferEncoding => "transfer-encoding other than one final chunked",
            Kind::CodingUnsupported => "transfer coding not supported",
            Kind::TwoLengths => "both content-length and transfer-encoding",
            Kind::ConnectBody => "body announced for connect",
            Kind::Expectation => "expectation other than 100-continue",
            Kind::RequestLineTooLong => "request line too long",
            Kind::HeadTooLong => "head too long",
            Kind::TooManyFields => "too many fields",
            Kind::BodyTooLong => "body too long",
            Kind::ChunkSize => "malformed chunk size",
            Kind::ChunkExtension => "control character in a chunk extension",
            Kind::ChunkExtensionTooLong => "chunk extension too long",
            Kind::ChunkEnd => "chunk not ended by cr lf",
            Kind::Trailer => "malformed trailer field",
            Kind::TrailerTooLong => "trailers too long",
            Kind::ResponseName => "response field name is not a token",
            Kind::ResponseValue => "control character in a response field value",
            Kind::ResponseReserved => "response field belongs to the server",
            Kind::ResponseOrder => "part of a response out of its order",
            Kind::ResponseLength => "response body is not as long as its head says",
            Kind::Gone => "the client has gone",
        })
    }
}

impl std::error::Error for Error {}
