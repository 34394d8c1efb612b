//! Request methods.

/// The method of a request, as a number to match on.
///
/// The methods of RFC 9110 section 9 and PATCH (RFC 5789) have a name each. Every other token is [`Method::Other`],
/// and its text is in the head: [`RequestHead::method_str`](super::RequestHead::method_str). Methods are
/// case-sensitive (RFC 9110 section 9.1), so `get` is not `GET` but an `Other`.
///
/// # Examples
///
/// ```
/// use evloop_http::message::Method;
///
/// assert_eq!(Method::from_bytes(b"GET"), Method::Get);
/// assert_eq!(Method::from_bytes(b"get"), Method::Other);
/// assert_eq!(Method::Get.as_str(), Some("GET"));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`: a representation of the target.
    #[default]
    Get,
    /// `HEAD`: what `GET` would answer, without the body.
    Head,
    /// `POST`: the target processes the body as it sees fit.
    Post,
    /// `PUT`: the body replaces the target.
    Put,
    /// `DELETE`: the target is removed.
    Delete,
    /// `CONNECT`: a tunnel to the authority in the target.
    Connect,
    /// `OPTIONS`: what may be asked of the target.
    Options,
    /// `TRACE`: the request as it was received.
    Trace,
    /// `PATCH`: the body describes changes to the target.
    Patch,
    /// Any other token; its text is in the head.
    Other,
}

impl Method {
    /// The method with this text, or [`Method::Other`].
    #[inline]
    pub fn from_bytes(text: &[u8]) -> Method {
        // First alone, because nearly every request is one.
        if text == b"GET" {
            return Method::Get;
        }
        match text {
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"DELETE" => Method::Delete,
            b"CONNECT" => Method::Connect,
            b"OPTIONS" => Method::Options,
            b"TRACE" => Method::Trace,
            b"PATCH" => Method::Patch,
            _ => Method::Other,
        }
    }

    /// The text of a method with a name, `None` for [`Method::Other`].
    #[inline]
    pub const fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
            Method::Other => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_method_is_found_by_its_own_text() {
        let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
        for name in names {
            let method = Method::from_bytes(name.as_bytes());
            assert_eq!(method.as_str(), Some(name));
        }
    }

    #[test]
    fn methods_are_case_sensitive_and_whole_words() {
        for text in ["get", "Get", "GE", "GETS", "", "PURGE"] {
            assert_eq!(Method::from_bytes(text.as_bytes()), Method::Other, "{text}");
        }
        assert_eq!(Method::Other.as_str(), None);
    }
}
