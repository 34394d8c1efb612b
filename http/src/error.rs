//! What can be wrong with a message, and the status that says so.

use crate::message::StatusCode;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a request was refused, or why a response could not be written.
///
/// What else may fail in an application becomes one with [`Error::application`], or with `?` where it is an
/// [`io::Error`].
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
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    /// What an application said, or where in its input. Twice behind a pointer, so that an error has two words and is returned in registers: its
    /// size is paid for by every call that succeeds.
    source: Option<Arc<Box<dyn std::error::Error + Send + Sync>>>,
}

/// Errors of one kind are equal; what an application said is not looked at.
impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.kind == other.kind
    }
}

impl Eq for Error {}

/// One kind for each thing a person would fix differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A method that is no token, or a request line without its three parts.
    RequestLine,
    /// A target in no form the method allows, or with bytes no target has.
    Target,
    /// Something else where `HTTP/1.1` should be.
    Version,
    /// `HTTP/` and two digits, of which the first is not 1.
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
    /// A Transfer-Encoding that is there twice, has an empty member, does not end in chunked, or comes in HTTP/1.0.
    TransferEncoding,
    /// A coding before chunked that nothing here decodes.
    CodingUnsupported,
    /// Both Content-Length and Transfer-Encoding.
    TwoLengths,
    /// A body announced for CONNECT or TRACE.
    UnwantedBody,
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
    /// A status that is none, or an interim one where the final one is due.
    ResponseStatus,
    /// A length of the response's body that is no number, or there twice.
    ResponseContentLength,
    /// A response that is begun twice.
    ResponseBegun,
    /// A part of a response before its head.
    ResponseNotBegun,
    /// A part of a response after its end.
    ResponseEnded,
    /// A response body that is longer or shorter than its head said.
    ResponseLength,
    /// Trailers that were not announced, or a body where they are due.
    ResponseTrailers,
    /// A field that may not be a trailer.
    TrailerReserved,
    /// A switch to a protocol that the client has not offered.
    NoUpgrade,
    /// A lifespan's answer out of its order.
    LifespanOrder,
    /// The head took longer than `Timeouts::head`.
    HeadTimeout,
    /// No more of the body came for `Timeouts::body`.
    BodyTimeout,
    /// A body of another type than the application takes.
    MediaType,
    /// A body that is no text.
    BodyText,
    /// A body that is no JSON, or other than the application takes.
    #[cfg_attr(not(feature = "json"), expect(dead_code, reason = "said by that feature alone"))]
    BodyJson,
    /// Fields of a query or a form other than the application takes.
    #[cfg_attr(not(feature = "json"), expect(dead_code, reason = "said by that feature alone"))]
    Pairs,
    /// What an application says for itself.
    Application,
    /// The client has gone.
    Gone,
}

impl Error {
    #[cold]
    pub(crate) const fn new(kind: Kind) -> Error {
        Error { kind, source: None }
    }

    /// A failure of the application, for a reason of its own: 500, if no response was begun.
    ///
    /// ```
    /// use evloop_http::error::Error;
    ///
    /// let error = Error::application("the oven is cold");
    /// assert_eq!(error.to_string(), "the application failed: the oven is cold");
    /// ```
    #[cold]
    pub fn application(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::because(Kind::Application, source)
    }

    #[cold]
    pub(crate) fn because(kind: Kind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error { kind, source: Some(Arc::new(source.into())) }
    }

    #[cfg(test)]
    pub(crate) fn kind(self) -> Kind {
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
            | Kind::UnwantedBody
            | Kind::ChunkSize
            | Kind::ChunkExtension
            | Kind::ChunkExtensionTooLong
            | Kind::ChunkEnd
            | Kind::Trailer
            | Kind::BodyText
            | Kind::BodyJson
            | Kind::Pairs => StatusCode::BAD_REQUEST,
            Kind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::BodyTooLong => StatusCode::CONTENT_TOO_LARGE,
            Kind::HeadTimeout | Kind::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
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
            | Kind::ResponseStatus
            | Kind::ResponseContentLength
            | Kind::ResponseBegun
            | Kind::ResponseNotBegun
            | Kind::ResponseEnded
            | Kind::ResponseLength
            | Kind::ResponseTrailers
            | Kind::TrailerReserved
            | Kind::NoUpgrade
            | Kind::LifespanOrder
            | Kind::Application
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

    /// Whether the client was too slow.
    pub const fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::HeadTimeout | Kind::BodyTimeout)
    }

    /// Whether the application broke a rule of its interface: [`Display`](fmt::Display) names the rule.
    pub const fn is_violation(&self) -> bool {
        matches!(
            self.kind,
            Kind::ResponseStatus
                | Kind::ResponseContentLength
                | Kind::ResponseBegun
                | Kind::ResponseNotBegun
                | Kind::ResponseEnded
                | Kind::ResponseLength
                | Kind::ResponseTrailers
                | Kind::TrailerReserved
                | Kind::NoUpgrade
                | Kind::LifespanOrder
        )
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
            Kind::VersionUnsupported => "protocol version other than 1.x",
            Kind::LineEnd => "line not ended by one cr lf",
            Kind::FieldName => "malformed field name",
            Kind::FieldValue => "control character in a field value",
            Kind::Host => "missing, repeated or invalid host",
            Kind::ContentLength => "content-length other than one decimal number",
            Kind::TransferEncoding => "transfer-encoding other than one final chunked",
            Kind::CodingUnsupported => "transfer coding not supported",
            Kind::TwoLengths => "both content-length and transfer-encoding",
            Kind::UnwantedBody => "body announced for connect or trace",
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
            Kind::ResponseStatus => "http.response.start: the status is a number from 200 to 999",
            Kind::ResponseContentLength => "http.response.start: content-length is one decimal number",
            Kind::ResponseBegun => "http.response.start: a response is begun once",
            Kind::ResponseNotBegun => "http.response.body: http.response.start comes before it",
            Kind::ResponseEnded => "http.response.body: nothing follows the part without more_body",
            Kind::ResponseLength => "http.response.body: the body is as long as the head says",
            Kind::ResponseTrailers => {
                "http.response.trailers: they are announced at the start and follow the whole body"
            }
            Kind::TrailerReserved => "http.response.trailers: a field that frames, routes or describes is no trailer",
            Kind::NoUpgrade => "switching protocols: the client offers the protocol, in http/1.1 and without a body",
            Kind::LifespanOrder => "lifespan: startup and shutdown are answered once each, in this order",
            Kind::HeadTimeout => "the head took too long",
            Kind::BodyTimeout => "the body took too long",
            Kind::MediaType => "content-type other than this needs",
            Kind::BodyText => "body other than utf-8 text",
            Kind::BodyJson => "body other than the json that this needs",
            Kind::Pairs => "fields other than this needs",
            Kind::Application => "the application failed",
            Kind::Gone => "the client has gone",
        })?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().and_then(|source| source.source())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::application(error)
    }
}
