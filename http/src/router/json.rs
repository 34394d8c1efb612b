//! Values in and out of JSON, queries and forms, by the field's derive.

use super::blocking::BlockingRequest;
use super::content;
use super::into_response::IntoResponse;
use super::request::Request;
use super::response::Response;
use crate::asgi::Result;
use crate::codec::encode::FieldLine;
use crate::error::{Error, Kind};
use crate::message::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value as the JSON of a response.
///
/// # Examples
/// ```
/// use evloop_http::asgi::Result;
/// use evloop_http::router::{Json, Request, Router};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize, Serialize)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// async fn mirror(mut request: Request) -> Result<Json<Point>> {
///     let point: Point = request.json(1_000).await?;
///     Ok(Json(Point { x: -point.x, ..point }))
/// }
/// let app = Router::new().post("/mirror", mirror);
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Response::json(&self.0)
    }
}

impl Response {
    /// JSON. A value that has none, as a map whose keys are no text, is a mistake in the program: the answer is 500, and
    /// the log says why.
    #[must_use]
    pub fn json(value: &(impl Serialize + ?Sized)) -> Response {
        match serde_json::to_vec(value) {
            Ok(text) => Response::of(FieldLine::JSON, text.into()),
            Err(error) => {
                log::error!("a value cannot be written as json: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

impl Request {
    /// Waits for the whole body, which is JSON of at most so many bytes.
    ///
    /// # Errors
    /// As [`bytes`](Request::bytes); when the head does not say that the body is JSON, as `application/json` or another
    /// type that ends with `+json` (415); and when it is none, or other than the value needs (400).
    ///
    /// # Cancel safety
    /// What has come so far is lost.
    pub async fn json<T: DeserializeOwned>(&mut self, bytes_max: usize) -> Result<T> {
        content::expect_json(self.headers())?;
        from_json(&self.bytes(bytes_max).await?)
    }

    /// A value made of the query.
    ///
    /// # Errors
    /// When the fields of the query are others than the value needs (400).
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T> {
        from_pairs(self.scope().query_string().as_bytes())
    }
}

impl BlockingRequest {
    /// The body, which is JSON.
    ///
    /// # Errors
    /// When the head does not say that the body is JSON (415), and when it is none, or other than the value needs (400).
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        content::expect_json(self.headers())?;
        from_json(self.body())
    }

    /// A value made of the query.
    ///
    /// # Errors
    /// When the fields of the query are others than the value needs (400).
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T> {
        from_pairs(self.query_string().as_bytes())
    }
}

/// The client is told where its text is wrong, but not what the program would have liked: that names its types.
fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| {
        log::debug!("a body was refused: {error}");
        Error::because(Kind::BodyJson, format!("line {}, column {}", error.line(), error.column()))
    })
}

/// A value made of the fields of a query or a form.
pub(super) fn from_pairs<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_urlencoded::from_bytes(text).map_err(|error| {
        log::debug!("a query or a form was refused: {error}");
        Error::new(Kind::Pairs)
    })
}
