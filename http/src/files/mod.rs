//! A folder of files as an application.
//!
//! ```no_run
//! use evloop_http::files::Files;
//! use evloop_http::server::Server;
//!
//! fn main() -> std::io::Result<()> {
//!     evloop_runtime::run(async {
//!         let app = Files::new("/srv/www")?.precompressed(true);
//!         Server::bind("127.0.0.1:8000")?.serve(app).await
//!     })
//! }
//! ```
//!
//! How a request is answered, and which file does what:
//! ```text
//!  on the loop     Wanted::parse      answer.rs        what is asked for, by path.rs, codec::coding, conditional.rs
//!  on the pool     Site::answer       answer.rs
//!                    Folder::find     folder.rs        opened below the folder, or not at all
//!                    listing::page    listing.rs       a folder without an index
//!                    Conditions::judge conditional.rs  412, 304, or go on
//!                    Selection::parse range.rs         200, 206 or 416
//!                    Body::next_piece body.rs          the first 64 KiB
//!  on the loop     send               mod.rs           head and first piece; a small file ends here
//!  on the pool     Body::next_piece   body.rs          the next piece, when there is room for it; and so on
//! ```
//! The loop itself never waits for a disk: whatever touches the file system is done by [`spawn_blocking_in`], among the files.

mod answer;
mod body;
mod conditional;
mod folder;
mod listing;
mod path;
mod range;

use crate::asgi::{App, Receive, Result, Scope, Send};
use crate::codec::encode::ResponseHead;
use crate::error::{Error, Kind};
use crate::message::{Method, StatusCode};
use answer::{Answer, Site, Wanted};
use bytes::BytesMut;
use evloop_runtime::{JobClass, spawn_blocking_in};
use folder::Folder;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a path may be asked for.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Serves the files of a folder to GET and HEAD.
///
/// - **Where it looks.** Neither `..` nor a symbolic link leads out of the folder. That is the kernel's to see to
///   (Linux
///   5.6); where it cannot, no symbolic link is followed at all. Names that begin with a dot are not found, but for
///   `/.well-known/`. What is neither a file nor a folder is not found, and what may not be read is 403.
/// - **Folders.** A client that asks for a folder without a slash at the end is sent there with one (301). With it, the
///   folder
///   is its index, or a page that lists it, if that is switched on, or not found.
/// - **Conditions and ranges.** Answers have `ETag` and `Last-Modified`; the conditions of RFC 9110 section 13 are
///   kept, and
///   byte ranges answered, up to 64 of them if they do not overlap.
/// - **Types** go by the extension; text is UTF-8. Browsers are told not to guess.
/// - **Files that change.** A response has the length that the file had when it was opened; if it has become shorter,
///   the
///   connection is cut. What is written into a file while it is sent may be sent: replace files by renaming.
///
/// A response holds a descriptor and no more than two pieces of 64 KiB of a file, however slowly its client reads. A
/// clone serves the same folder, on another loop if need be.
///
/// # Examples
/// ```
/// use evloop_http::files::Files;
///
/// let app = Files::new(".")?.listing(true).cache_control("max-age=60");
/// # let _ = app;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
pub struct Files {
    site: Arc<Site>,
}

impl Files {
    /// Opens a folder, which stays the one that is served, whatever is renamed later. This looks at the disk, and is
    /// meant to be done before the server begins.
    ///
    /// # Errors
    /// What opening says, with the path: that there is nothing, that it is no folder.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Files> {
        let path = path.as_ref();
        let named = |error: io::Error| {
            let text = match error.kind() {
                io::ErrorKind::NotFound => format!("there is no folder {}", path.display()),
                io::ErrorKind::NotADirectory => format!("{} is no folder", path.display()),
                _ => format!("cannot open the folder {}: {error}", path.display()),
            };
            io::Error::new(error.kind(), text)
        };
        let folder = Folder::new(path).map_err(|error| named(error.into()))?;
        let site = Site {
            folder: Arc::new(folder),
            index: "index.html".to_owned(),
            listing: false,
            precompressed: false,
            hidden: false,
            cache_control: None,
            now: || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        };
        Ok(Files { site: Arc::new(site) })
    }

    fn with(mut self, change: impl FnOnce(&mut Site)) -> Files {
        change(Arc::make_mut(&mut self.site));
        self
    }

    /// The file that stands for its folder. The default is `index.html`.
    ///
    /// # Panics
    /// When no file can have this name.
    #[must_use]
    pub fn index(self, name: impl Into<String>) -> Files {
        let name = name.into();
        assert!(path::is_name(name.as_bytes()), "{name:?} is not the name of a file");
        self.with(|site| site.index = name)
    }

    /// Whether a folder without an index is listed: names, sizes and dates, at most 2,000. The default is not.
    #[must_use]
    pub fn listing(self, on: bool) -> Files {
        self.with(|site| site.listing = on)
    }

    /// Whether `name.br`, `name.zst` or `name.gz` is sent in place of `name`, to clients that take it. The default is
    /// not.
    ///
    /// Nothing is compressed here, and nothing compared: whoever changes a file makes the others anew.
    #[must_use]
    pub fn precompressed(self, on: bool) -> Files {
        self.with(|site| site.precompressed = on)
    }

    /// Whether names that begin with a dot are served as others are. The default is not.
    #[must_use]
    pub fn hidden(self, on: bool) -> Files {
        self.with(|site| site.hidden = on)
    }

    /// The value of `Cache-Control` for files; there is none by default. Pages that list a folder have none.
    ///
    /// # Panics
    /// When it has a control character in it.
    #[must_use]
    pub fn cache_control(self, value: impl Into<String>) -> Files {
        let value = value.into();
        let written =
            ResponseHead::begin(&mut BytesMut::new(), StatusCode::OK).header("cache-control", value.as_bytes());
        assert!(written.is_ok(), "{value:?} is not the value of a field");
        self.with(|site| site.cache_control = Some(value))
    }
}

impl App for Files {
    type Future = Pin<Box<dyn Future<Output = Result>>>;

    fn call(&self, scope: Scope, _: Receive, send: Send) -> Self::Future {
        Box::pin(serve(Arc::clone(&self.site), scope, send))
    }
}

async fn serve(site: Arc<Site>, scope: Scope, mut send: Send) -> Result {
    match scope.method() {
        Method::Get | Method::Head => {}
        Method::Options => return send.respond(StatusCode::NO_CONTENT, b"", [("allow", ALLOW)]),
        _ => {
            let refused = Answer::plain(StatusCode::METHOD_NOT_ALLOWED).with_field("allow", ALLOW.to_owned());
            return give(refused, send).await;
        }
    }
    let Some(wanted) = Wanted::parse(&scope, site.hidden) else {
        return give(Answer::plain(StatusCode::NOT_FOUND), send).await;
    };
    let answer = on_pool(move || site.answer(&wanted)).await?;
    give(answer, send).await
}

/// Sends an answer, and reads the rest of its body as there is room for it.
async fn give(answer: Answer, mut send: Send) -> Result {
    if answer.rest.bytes_left() == 0 {
        return send.respond(answer.status, &answer.first, answer.fields());
    }
    send.start(answer.status, Some(answer.length()), answer.fields())?;
    if send.omits_body() {
        return send.response_end();
    }
    send.push(&answer.first)?;
    let mut rest = answer.into_rest();
    while rest.bytes_left() > 0 {
        // Before the piece is read, not after: so nothing is held for a client that does not read.
        poll_fn(|cx| send.poll_room(cx)).await?;
        let (body, piece) = on_pool(move || {
            let piece = rest.next_piece();
            (rest, piece)
        })
        .await?;
        rest = body;
        let piece = piece.map_err(|error| {
            // The head has promised more. To fail is to cut the connection, so that the client sees it.
            log::warn!("a file could not be read to its end: {error}");
            Error::new(Kind::ResponseLength)
        })?;
        send.push(&piece)?;
    }
    send.response_end()
}

/// Has the pool do it. A panic there is one here.
async fn on_pool<T: std::marker::Send + 'static>(work: impl FnOnce() -> T + std::marker::Send + 'static) -> Result<T> {
    match spawn_blocking_in(JobClass::Files, work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => error.resume_panic(),
        // The loop has ended, and with it the connection.
        Err(_) => Err(Error::new(Kind::Gone)),
    }
}

#[cfg(test)]
mod tests;
