//! Status codes, their phrases and their ready-made status lines.

use std::fmt;
use std::num::NonZeroU16;

/// The status code of a response: a number from 100 to 999 (RFC 9110 section 15).
///
/// # Examples
///
/// ```
/// use evloop_http::message::StatusCode;
///
/// let status = StatusCode::from_u16(404).expect("404 has three digits");
/// assert_eq!(status, StatusCode::NOT_FOUND);
/// assert_eq!(status.reason(), "Not Found");
/// assert!(StatusCode::from_u16(99).is_none());
/// assert_eq!(status.to_string(), "404 Not Found");
/// ```
// The niche at zero keeps `Option<StatusCode>` at two bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(NonZeroU16);

/// Writes, from one table, the constants, the phrases and the status lines, so that they cannot disagree.
macro_rules! status_codes {
    ($($number:literal $name:ident $reason:literal;)*) => {
        impl StatusCode {
            $(
                #[doc = concat!("`", $number, " ", $reason, "`")]
                pub const $name: StatusCode = StatusCode::known($number);
            )*

            /// The phrase registered for this code, or an empty one: clients ignore it (RFC 9112 section 4).
            pub const fn reason(self) -> &'static str {
                match self.as_u16() {
                    $($number => $reason,)*
                    _ => "",
                }
            }

            /// The whole status line with its line end, for a code with a name.
            ///
            /// ```
            /// use evloop_http::message::StatusCode;
            ///
            /// assert_eq!(StatusCode::OK.line(), Some("HTTP/1.1 200 OK\r\n"));
            /// assert_eq!(StatusCode::from_u16(299).and_then(|status| status.line()), None);
            /// ```
            #[inline]
            pub const fn line(self) -> Option<&'static str> {
                Some(match self.as_u16() {
                    $($number => concat!("HTTP/1.1 ", $number, " ", $reason, "\r\n"),)*
                    _ => return None,
                })
            }

            /// Every code with a name.
            #[cfg(test)]
            pub(crate) const NAMED: &'static [StatusCode] = &[$(StatusCode::$name,)*];
        }
    };
}

status_codes! {
    100 CONTINUE "Continue";
    101 SWITCHING_PROTOCOLS "Switching Protocols";
    103 EARLY_HINTS "Early Hints";
    200 OK "OK";
    201 CREATED "Created";
    202 ACCEPTED "Accepted";
    203 NON_AUTHORITATIVE_INFORMATION "Non-Authoritative Information";
    204 NO_CONTENT "No Content";
    205 RESET_CONTENT "Reset Content";
    206 PARTIAL_CONTENT "Partial Content";
    207 MULTI_STATUS "Multi-Status";
    208 ALREADY_REPORTED "Already Reported";
    226 IM_USED "IM Used";
    300 MULTIPLE_CHOICES "Multiple Choices";
    301 MOVED_PERMANENTLY "Moved Permanently";
    302 FOUND "Found";
    303 SEE_OTHER "See Other";
    304 NOT_MODIFIED "Not Modified";
    305 USE_PROXY "Use Proxy";
    307 TEMPORARY_REDIRECT "Temporary Redirect";
    308 PERMANENT_REDIRECT "Permanent Redirect";
    400 BAD_REQUEST "Bad Request";
    401 UNAUTHORIZED "Unauthorized";
    402 PAYMENT_REQUIRED "Payment Required";
    403 FORBIDDEN "Forbidden";
    404 NOT_FOUND "Not Found";
    405 METHOD_NOT_ALLOWED "Method Not Allowed";
    406 NOT_ACCEPTABLE "Not Acceptable";
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required";
    408 REQUEST_TIMEOUT "Request Timeout";
    409 CONFLICT "Conflict";
    410 GONE "Gone";
    411 LENGTH_REQUIRED "Length Required";
    412 PRECONDITION_FAILED "Precondition Failed";
    413 CONTENT_TOO_LARGE "Content Too Large";
    414 URI_TOO_LONG "URI Too Long";
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type";
    416 RANGE_NOT_SATISFIABLE "Range Not Satisfiable";
    417 EXPECTATION_FAILED "Expectation Failed";
    418 IM_A_TEAPOT "I'm a Teapot";
    421 MISDIRECTED_REQUEST "Misdirected Request";
    422 UNPROCESSABLE_CONTENT "Unprocessable Content";
    423 LOCKED "Locked";
    424 FAILED_DEPENDENCY "Failed Dependency";
    425 TOO_EARLY "Too Early";
    426 UPGRADE_REQUIRED "Upgrade Required";
    428 PRECONDITION_REQUIRED "Precondition Required";
    429 TOO_MANY_REQUESTS "Too Many Requests";
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large";
    451 UNAVAILABLE_FOR_LEGAL_REASONS "Unavailable For Legal Reasons";
    500 INTERNAL_SERVER_ERROR "Internal Server Error";
    501 NOT_IMPLEMENTED "Not Implemented";
    502 BAD_GATEWAY "Bad Gateway";
    503 SERVICE_UNAVAILABLE "Service Unavailable";
    504 GATEWAY_TIMEOUT "Gateway Timeout";
    505 HTTP_VERSION_NOT_SUPPORTED "HTTP Version Not Supported";
    506 VARIANT_ALSO_NEGOTIATES "Variant Also Negotiates";
    507 INSUFFICIENT_STORAGE "Insufficient Storage";
    508 LOOP_DETECTED "Loop Detected";
    511 NETWORK_AUTHENTICATION_REQUIRED "Network Authentication Required";
}

impl StatusCode {
    /// A code of the table above, checked while compiling.
    const fn known(number: u16) -> StatusCode {
        match StatusCode::from_u16(number) {
            Some(status) => status,
            None => panic!("the table holds numbers from 100 to 999"),
        }
    }

    /// The code with this number, if it has three digits and does not start with a zero.
    #[inline]
    pub const fn from_u16(number: u16) -> Option<StatusCode> {
        match NonZeroU16::new(number) {
            Some(code) if number >= 100 && number <= 999 => Some(StatusCode(code)),
            _ => None,
        }
    }

    /// The number.
    #[inline]
    pub const fn as_u16(self) -> u16 {
        self.0.get()
    }

    /// Whether this is an interim answer, after which the final one follows (1xx).
    #[inline]
    pub const fn is_informational(self) -> bool {
        self.as_u16() < 200
    }

    /// Whether the request was understood and accepted (2xx).
    #[inline]
    pub const fn is_success(self) -> bool {
        matches!(self.as_u16(), 200..=299)
    }

    /// Whether a response with this code ends with its head, whatever the head says: 1xx, 204 and 304
    /// (RFC 9112 section 6.3, rule 1).
    #[inline]
    pub const fn forbids_body(self) -> bool {
        matches!(self.as_u16(), 100..=199 | 204 | 304)
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusCode({self})")
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.as_u16()),
            reason => write!(f, "{} {reason}", self.as_u16()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_digit_numbers_are_codes() {
        assert_eq!(StatusCode::from_u16(99), None);
        assert_eq!(StatusCode::from_u16(100), Some(StatusCode::CONTINUE));
        assert_eq!(StatusCode::from_u16(999).map(StatusCode::as_u16), Some(999));
        assert_eq!(StatusCode::from_u16(1000), None);
        assert_eq!(StatusCode::from_u16(0), None);
    }

    #[test]
    fn status_lines_say_number_and_phrase() {
        for &status in StatusCode::NAMED {
            let line = format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.reason());
            assert_eq!(status.line(), Some(line.as_str()));
        }
    }

    #[test]
    fn codes_that_end_with_their_head_are_1xx_204_and_304() {
        for number in 100..=999 {
            let status = StatusCode::from_u16(number).unwrap();
            let expected = number < 200 || number == 204 || number == 304;
            assert_eq!(status.forbids_body(), expected, "{number}");
        }
    }

    #[test]
    fn an_option_of_a_code_takes_no_more_room_than_the_code() {
        assert_eq!(size_of::<Option<StatusCode>>(), 2);
    }
}
