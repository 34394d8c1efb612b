//! Every limit of the HTTP layer: its name, its default, and the attack it stops.

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
        }
    }
}
