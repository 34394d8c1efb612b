//! What the query and the body of a request say.

use crate::error::{Error, Kind};
use crate::message::Headers;
use bytes::Bytes;
use std::borrow::Cow;

/// Names and values of a query or a form, decoded as the URL standard says (<https://url.spec.whatwg.org/#urlencoded-parsing>):
/// `+` is a space, and what is not UTF-8 is replaced.
pub(super) fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(text)
}

/// The value that follows a name, the first if there are several.
pub(super) fn value<'a>(text: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    pairs(text).find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The fields of a form, as [`Request::form`](super::Request::form) gives them.
///
/// # Examples
/// ```
/// use evloop_http::asgi::Result;
/// use evloop_http::router::{Request, Router};
///
/// async fn greet(mut request: Request) -> Result<String> {
///     let form = request.form(10_000).await?;
///     Ok(format!("Hello {}!", form.get("name").unwrap_or("you".into())))
/// }
/// let app = Router::new().post("/greet", greet);
/// # let _ = app;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    text: Bytes,
}

impl Form {
    /// The value of a field; the first, if there are several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        value(&self.text, name)
    }

    /// Names and values, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        pairs(&self.text)
    }

    /// A value made of all fields.
    ///
    /// # Errors
    /// When the fields are others than the value needs.
    #[cfg(feature = "json")]
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Error> {
        super::json::from_pairs(&self.text)
    }
}

/// Makes a form of a body that is said to be one.
pub(super) fn form(body: Bytes) -> Form {
    Form { text: body }
}

/// Text of a body that is said to be some.
pub(super) fn text(body: Bytes) -> Result<String, Error> {
    String::from_utf8(body.into()).map_err(|_| Error::new(Kind::BodyText))
}

/// Refuses a body that is not said to be a form.
pub(super) fn expect_form(headers: Headers<'_>) -> Result<(), Error> {
    expect(media_type(headers).is_some_and(|known| known.eq_ignore_ascii_case("application/x-www-form-urlencoded")))
}

/// Refuses a body that is said to be text in another charset than UTF-8, of which ASCII is a part.
pub(super) fn expect_utf8(headers: Headers<'_>) -> Result<(), Error> {
    let charset = headers.get_str("content-type").and_then(charset);
    expect(
        charset.is_none_or(|name| ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))),
    )
}

/// Refuses a body that is not said to be JSON.
#[cfg(feature = "json")]
pub(super) fn expect_json(headers: Headers<'_>) -> Result<(), Error> {
    let is_json = |known: &str| {
        let known = known.to_ascii_lowercase();
        known == "application/json" || (known.starts_with("application/") && known.ends_with("+json"))
    };
    expect(media_type(headers).is_some_and(is_json))
}

fn expect(is_so: bool) -> Result<(), Error> {
    if is_so { Ok(()) } else { Err(Error::new(Kind::MediaType)) }
}

/// What `Content-Type` says, without its parameters (RFC 9110 section 8.3.1).
fn media_type(headers: Headers<'_>) -> Option<&str> {
    headers.get_str("content-type")?.split(';').next().map(str::trim_ascii)
}

/// The parameter `charset` of a media type (RFC 9110 section 8.3.2).
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim_ascii().eq_ignore_ascii_case("charset").then(|| value.trim_ascii().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_by_the_rules_of_forms() {
        let text = b"a=1&b=x+y&b=%26%3D&c&=d&&%E9=%C3%A9&e=f=g";
        let found: Vec<(String, String)> = pairs(text).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        let expected = [("a", "1"), ("b", "x y"), ("b", "&="), ("c", ""), ("", "d"), ("\u{fffd}", "é"), ("e", "f=g")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(value(text, "b").as_deref(), Some("x y"));
        assert_eq!(value(text, "d"), None);
    }

    #[test]
    fn charset_is_found_among_the_parameters() {
        for (content_type, found) in [
            ("text/plain", None),
            ("text/plain; charset=utf-8", Some("utf-8")),
            ("text/plain;format=flowed; Charset=\"UTF-8\"", Some("UTF-8")),
            ("text/plain; xcharset=a", None),
            ("charset=utf-8", None),
        ] {
            assert_eq!(charset(content_type), found, "{content_type}");
        }
    }
}
