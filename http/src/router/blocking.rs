//! Handlers that block: functions that are called on a thread of the loop's pool.
//!
//! Such a handler gets all of its request at once, for nothing of it can be asked for from another thread: the head is
//! copied, the body is read beforehand. Then it waits for its turn, here and not in the pool's queue, which others need,
//! too. The turn ends when the handler does, even if its client has gone meanwhile.

use super::content::{self, Form};
use super::handler::Handler;
use super::into_response::IntoResponse;
use super::request::{Request, no_param};
use super::response::{Body, Head, Response};
use super::turns::Turns;
use crate::asgi::Result;
use crate::message::{Headers, Method, RequestHead, StatusCode};
use bytes::Bytes;
use evloop_runtime::spawn_blocking;
use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// How many handlers of a router may block at once, unless it is told: as many as Starlette allows.
const AT_ONCE_MAX: usize = 40;

/// Bytes of a body that are read for a handler that blocks, unless its router is told: 1 MiB.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What holds for all handlers of a router that block.
pub(super) struct Rules {
    pub(super) turns: Turns,
    pub(super) body_bytes_max: Cell<usize>,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { turns: Turns::new(AT_ONCE_MAX), body_bytes_max: Cell::new(BODY_BYTES_MAX) }
    }
}

/// A request as a [handler that blocks](super::Router::get_blocking) gets it: all of it, and free to go to any thread.
#[derive(Debug, Clone)]
pub struct BlockingRequest {
    head: RequestHead,
    params: Vec<(String, String)>,
    client: Option<SocketAddr>,
    body: Bytes,
}

impl BlockingRequest {
    fn new(request: &Request, body: Bytes) -> BlockingRequest {
        let params = request.params().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        let scope = request.scope();
        BlockingRequest { head: scope.head().clone(), params, client: scope.client(), body }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.head.method()
    }

    /// The path, as the client wrote it.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.path()
    }

    /// What stands in the path where the route has `{name}` or `{*name}`; see [`Request::param`].
    ///
    /// # Panics
    /// When the route has no parameter of this name, which is a mistake in the program.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        let param = self.params.iter().find(|(known, _)| known == name);
        param.map_or_else(|| no_param(name), |(_, value)| value)
    }

    /// Names and values of the parameters; see [`Request::params`].
    pub fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of a field of the query; see [`Request::query_param`].
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        content::value(self.query_string().as_bytes(), name)
    }

    /// Names and values of the query; see [`Request::query_pairs`].
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        content::pairs(self.query_string().as_bytes())
    }

    /// What follows the first `?`, as the client wrote it; empty when nothing does.
    #[must_use]
    pub fn query_string(&self) -> &str {
        self.head.query().unwrap_or_default()
    }

    /// The fields, in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        self.head.headers()
    }

    /// The value of a field, if it is there and text; the first, if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get_str(name)
    }

    /// The whole head.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The client's address, if it has one.
    #[must_use]
    pub fn client(&self) -> Option<SocketAddr> {
        self.client
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, which is text.
    ///
    /// # Errors
    /// When the head names another charset than UTF-8 (415), and when the body is not UTF-8 (400).
    pub fn text(&self) -> Result<String> {
        content::expect_utf8(self.headers())?;
        content::text(self.body.clone())
    }

    /// The body, which is a form.
    ///
    /// # Errors
    /// When the head says that the body is something else, or nothing of it (415).
    pub fn form(&self) -> Result<Form> {
        content::expect_form(self.headers())?;
        Ok(content::form(self.body.clone()))
    }
}

/// A function that blocks, as a handler.
pub(super) fn handler<H, R>(rules: &Rc<Rules>, work: H) -> impl Handler
where
    H: Fn(BlockingRequest) -> R + Send + Sync + 'static,
    R: IntoResponse + 'static,
{
    let (rules, work) = (Rc::clone(rules), Arc::new(work));
    move |request: Request| answer(request, Rc::clone(&rules), Arc::clone(&work))
}

async fn answer<H, R>(mut request: Request, rules: Rc<Rules>, work: Arc<H>) -> Result<Response>
where
    H: Fn(BlockingRequest) -> R + Send + Sync + 'static,
    R: IntoResponse + 'static,
{
    // The body first: a client that sends slowly shall not keep a turn from others.
    let body = request.bytes(rules.body_bytes_max.get()).await?;
    let request = BlockingRequest::new(&request, body);
    let turn = rules.turns.take().await;
    let called = spawn_blocking(move || {
        let _until_the_end = turn;
        whole(work(request).into_response())
    });
    Ok(match called.await {
        Ok((head, body)) => Response { head, body: Body::Bytes(body) },
        Err(error) => {
            log::error!("a handler that blocks gave no response: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    })
}

/// A response that can leave its thread: a stream cannot, for it would be asked for its pieces on the loop.
fn whole(response: Response) -> (Head, Bytes) {
    match response {
        Response { head, body: Body::Bytes(body) } => (head, body),
        Response { body: Body::Stream { .. }, .. } => {
            log::error!("a handler that blocks gave a stream; it can only give a body that is whole");
            whole(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}
