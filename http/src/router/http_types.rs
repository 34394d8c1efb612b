//! From and to the types of the `http` crate, which others speak.

use super::into_response::IntoResponse;
use super::request::Request;
use super::response::Response;
use crate::asgi::Receive;
use crate::error::{Error, Kind};
use crate::message::{Headers, Method, StatusCode, Version};
use bytes::Bytes;

impl From<StatusCode> for http::StatusCode {
    fn from(status: StatusCode) -> http::StatusCode {
        http::StatusCode::from_u16(status.as_u16()).expect("both are numbers from 100 to 999")
    }
}

impl From<http::StatusCode> for StatusCode {
    fn from(status: http::StatusCode) -> StatusCode {
        StatusCode::from_u16(status.as_u16()).expect("both are numbers from 100 to 999")
    }
}

impl From<&http::Method> for Method {
    fn from(method: &http::Method) -> Method {
        Method::from_bytes(method.as_str().as_bytes())
    }
}

/// Fails for [`Method::Other`], whose text is in the request's head.
impl TryFrom<Method> for http::Method {
    type Error = Error;

    fn try_from(method: Method) -> Result<http::Method, Error> {
        let text = method.as_str().ok_or(Error::new(Kind::RequestLine))?;
        http::Method::from_bytes(text.as_bytes()).map_err(|_| Error::new(Kind::RequestLine))
    }
}

impl From<Version> for http::Version {
    fn from(version: Version) -> http::Version {
        match version {
            Version::Http10 => http::Version::HTTP_10,
            Version::Http11 => http::Version::HTTP_11,
        }
    }
}

/// Fails where a field has a name or a value that the `http` crate does not take.
impl TryFrom<Headers<'_>> for http::HeaderMap {
    type Error = Error;

    fn try_from(headers: Headers<'_>) -> Result<http::HeaderMap, Error> {
        let mut map = http::HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| Error::new(Kind::FieldName))?;
            map.append(name, http::HeaderValue::from_bytes(value).map_err(|_| Error::new(Kind::FieldValue))?);
        }
        Ok(map)
    }
}

/// The head as the `http` crate has it, and the body as it comes. The parameters of the path, the state and the addresses
/// are left behind: take them before.
///
/// Fails where the `http` crate takes less than this server, as in a target with characters that it does not know: as
/// the request's own error, of status 400.
///
/// # Examples
/// ```
/// use evloop_http::asgi::{Receive, Result};
/// use evloop_http::router::{Request, Router};
///
/// async fn show(request: Request) -> Result<http::Response<String>> {
///     let request: http::Request<Receive> = request.try_into()?;
///     let mut response = http::Response::new(format!("{} {}", request.method(), request.uri()));
///     response.headers_mut().insert("x-shown", http::HeaderValue::from_static("yes"));
///     Ok(response)
/// }
/// let app = Router::new().get("/show", show);
/// # let _ = app;
/// ```
impl TryFrom<Request> for http::Request<Receive> {
    type Error = Error;

    fn try_from(request: Request) -> Result<http::Request<Receive>, Error> {
        let (scope, receive) = request.into_parts();
        let head = scope.head();
        let mut converted = http::Request::new(receive);
        let method = http::Method::from_bytes(head.method_str().as_bytes());
        *converted.method_mut() = method.map_err(|_| Error::new(Kind::RequestLine))?;
        *converted.uri_mut() = head.target().parse().map_err(|_| Error::new(Kind::Target))?;
        *converted.version_mut() = head.version().into();
        *converted.headers_mut() = head.headers().try_into()?;
        Ok(converted)
    }
}

/// The fields that are the server's to write are left out: they are for a connection that this response has not come by.
/// Its body is framed anew.
impl<B: Into<Bytes>> From<http::Response<B>> for Response {
    fn from(response: http::Response<B>) -> Response {
        let (parts, body) = response.into_parts();
        let converted = Response::new(parts.status.into()).with_body(body);
        let theirs = |name: &str| !["connection", "content-length", "date", "transfer-encoding"].contains(&name);
        let fields = parts.headers.iter().filter(|(name, _)| theirs(name.as_str()));
        fields
            .fold(converted, |response, (name, value)| response.with_header(name.as_str().to_owned(), value.as_bytes()))
    }
}

/// What a builder of the `http` crate did not take.
impl From<http::Error> for Error {
    fn from(error: http::Error) -> Error {
        Error::application(error)
    }
}

impl<B: Into<Bytes>> IntoResponse for http::Response<B> {
    fn into_response(self) -> Response {
        self.into()
    }
}
