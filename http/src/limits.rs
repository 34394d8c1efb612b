//! Every limit of the HTTP layer: its name, its default, and the attack it stops.

use std::time::Duration;

/// What one client may ask of the server before it is refused.
///
/// Each limit holds at its value: so many bytes are taken, one more is refused. A limit stands between a client and
/// some resource, named at the field; raising one hands that resource out more freely.
///
/// # Examples
///
/// ```
/// use evloop_http::limits::Limits;
///
/// let limits = Limits { body_bytes_max: 64 * 1024, ..Limits::default() };
/// assert_eq!(limits.header_count_max, 100);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line, without its line end. Past it: 414.
    ///
    /// Stops a target without end, which would be kept whole until its last byte. The default of 8 KiB is the
    /// least RFC 9112 section 3 asks of everyone (8000 bytes), and what nginx and Apache take.
    pub request_line_bytes_max: usize,

    /// Bytes of the whole head, from the request line to the empty line. Past it: 431.
    ///
    /// Stops a head without end, and bounds what a connection may hold in memory before any handler has agreed to
    /// it. The default of 64 KiB has room for the largest cookies browsers send, eight times over.
    pub head_bytes_max: usize,

    /// Field lines in a head. Past it: 431. Values above [`Limits::HEADER_COUNT_CEILING`] count as that.
    ///
    /// Stops heads made of thousands of tiny fields: each costs the server a range and a look-up step, far more than
    /// the four bytes it costs the client. Browsers send about fifteen; the default of 100 is Apache's.
    pub header_count_max: usize,

    /// Bytes of a request body, without the chunked coding around them. Past it: 413.
    ///
    /// Stops a body without end, which would fill whatever the application keeps it in. Bodies are streamed and take
    /// no memory of their own here, so the default is a generous 1 GiB: past that, whoever runs the server should say
    /// so.
    pub body_bytes_max: u64,

    /// Bytes of the extensions of one chunk. Past it: 400.
    ///
    /// Stops a sender who hides gigabytes in extensions nobody reads, out of sight of `body_bytes_max`. The default
    /// of 256 bytes has room for the signatures that some storage clients put there.
    pub chunk_extension_bytes_max: usize,

    /// Bytes of the trailer section after a chunked body, line ends included. Past it: 431.
    ///
    /// Stops a trailer without end, the same attack as a head without end, after the head has passed. The default of
    /// 8 KiB is small because trailers are checked and dropped.
    pub trailer_bytes_max: usize,

    /// Pipelined requests answered before their answers are written out.
    ///
    /// Stops a client that sends thousands of tiny requests in one piece and reads nothing: the answers would gather
    /// in memory. The default of 32 keeps a write call well filled; past it, the next request waits for the write.
    /// Zero counts as one.
    pub pipelined_max: usize,

    /// Requests on one connection; the answer to the last of them says that it closes. `None`: any number.
    ///
    /// Stops nothing by itself; it spreads clients anew over several servers behind one address. There is none by
    /// default: a connection costs more to make than to keep.
    pub requests_per_connection_max: Option<u64>,
}

impl Limits {
    /// The most field lines a head can have, whatever the limits say: the parser keeps that many on its stack.
    pub const HEADER_COUNT_CEILING: usize = 128;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            request_line_bytes_max: 8 * 1024,
            head_bytes_max: 64 * 1024,
            header_count_max: 100,
            body_bytes_max: 1024 * 1024 * 1024,
            chunk_extension_bytes_max: 256,
            trailer_bytes_max: 8 * 1024,
            pipelined_max: 32,
            requests_per_connection_max: None,
        }
    }
}

/// How long a client may take; `None`: for ever.
///
/// Each stops the same attack at another place: a client that holds a connection and does nothing with it costs itself
/// nothing, and there are thousands of it. What the application itself takes for its answer is its own affair.
///
/// # Examples
///
/// ```
/// use evloop_http::limits::Timeouts;
/// use std::time::Duration;
///
/// let timeouts = Timeouts { keep_alive: Some(Duration::from_secs(60)), ..Timeouts::default() };
/// assert_eq!(timeouts.head, Some(Duration::from_secs(10)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a whole request head, from its first byte; on a new connection, from the beginning. Past it: 408, and nothing
    /// where no byte has come.
    ///
    /// The default of 10 seconds is enough for a head of 64 KiB over a modem. It is not renewed by what comes, for an
    /// attacker sends a byte now and then.
    pub head: Option<Duration>,

    /// For a request's body to make any progress, while the application waits for it. Past it: 408, if the application
    /// has not answered.
    ///
    /// The default of 20 seconds bridges a change of networks.
    pub body: Option<Duration>,

    /// For the client to take any part of an answer. Past it, the connection is reset.
    ///
    /// The default of 20 seconds is that of `body`: what is true of one direction is true of the other.
    pub write: Option<Duration>,

    /// For the next request to begin. Past it, the connection is closed without a word.
    ///
    /// The default of 5 seconds is uvicorn's: a page's further requests come at once or not at all.
    pub keep_alive: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        Timeouts { head: seconds(10), body: seconds(20), write: seconds(20), keep_alive: seconds(5) }
    }
}
