//! What a request is answered with.
//!
//! All of it is decided in one function without a loop, [`Site::answer`], which the pool calls: look-up, conditions,
//! ranges, the first piece of the body. What it needs of the request was read before and is sent along as a [`Wanted`].

use super::body::{Body, Content, Part, content_range, multipart};
use super::conditional::{Conditions, Validators, Verdict, only};
use super::folder::{Folder, Found};
use super::listing;
use super::path::{Target, with_slash};
use super::range::Selection;
use crate::asgi::Scope;
use crate::codec::coding::{Accepted, Coding};
use crate::message::{Method, StatusCode};
use rustix::io::Errno;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// A folder, and how it is served.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) folder: Arc<Folder>,
    pub(super) index: String,
    pub(super) listing: bool,
    pub(super) precompressed: bool,
    pub(super) hidden: bool,
    pub(super) cache_control: Option<String>,
    /// The time in seconds since 1970.
    pub(super) now: fn() -> u64,
}

/// What a request with GET or HEAD asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    target: Target,
    /// The content itself, and not only what is said about it.
    content: bool,
    /// Where the client is sent if the target is a folder.
    with_slash: Option<String>,
    accepted: Accepted,
    conditions: Conditions,
    range: Option<Vec<u8>>,
}

impl Wanted {
    /// Reads a request; `None` when no file can be meant.
    pub(super) fn parse(scope: &Scope, hidden: bool) -> Option<Wanted> {
        let (whole, path) = paths(scope);
        let headers = scope.headers();
        let content = scope.method() == Method::Get;
        Some(Wanted {
            target: Target::parse(path, hidden)?,
            content,
            with_slash: with_slash(whole, scope.query_string()),
            accepted: Accepted::parse(headers.get_all("accept-encoding")),
            conditions: Conditions::parse(headers),
            // Only for GET is it defined what a range is (RFC 9110 section 14.2).
            range: only(headers, "range").filter(|_| content).map(<[u8]>::to_vec),
        })
    }
}

/// The whole path, and the part of it that names a file, as the client wrote them.
fn paths(scope: &Scope) -> (&str, &str) {
    (scope.raw_path(), scope.route_path())
}

/// A response, of whose body the first piece has been read, if it is wanted.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    fields: Fields,
    pub(super) first: Vec<u8>,
    pub(super) rest: Body,
}

type Fields = Vec<(&'static str, Cow<'static, str>)>;

impl Answer {
    fn new(status: StatusCode, fields: Fields, body: Body) -> Answer {
        Answer { status, fields, first: Vec::new(), rest: body }
    }

    /// A status with its name as the body.
    pub(super) fn plain(status: StatusCode) -> Answer {
        let fields = vec![("content-type", Cow::Borrowed("text/plain; charset=utf-8"))];
        Answer { first: status.reason().into(), ..Answer::new(status, fields, Body::empty()) }
    }

    pub(super) fn with_field(mut self, name: &'static str, value: String) -> Answer {
        self.fields.push((name, Cow::Owned(value)));
        self
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.fields.iter().map(|(name, value)| (*name, value.as_bytes()))
    }

    /// What is to be sent after the first piece, whose memory is given back.
    pub(super) fn into_rest(self) -> Body {
        self.rest
    }

    /// How long the whole body is.
    pub(super) fn length(&self) -> u64 {
        self.first.len() as u64 + self.rest.bytes_left()
    }
}

/// What a path stands for.
enum Resource {
    File(File, Metadata),
    Page(String),
    /// It is a folder, and the path has no slash at its end.
    Moved,
}

/// What can be sent of a resource.
struct Representation {
    content: Content,
    length: u64,
    media_type: Cow<'static, str>,
    validators: Validators,
    coding: Option<Coding>,
    /// What is to be said of it whether or not it is sent.
    fields: Fields,
}

impl Site {
    /// Answers a request. May block.
    pub(super) fn answer(&self, wanted: &Wanted) -> Answer {
        let path = if wanted.target.is_folder {
            wanted.target.join(self.index.as_bytes())
        } else {
            wanted.target.path.clone()
        };
        let mut answer = match self.find(&wanted.target, &path) {
            Ok(Resource::File(file, metadata)) => deliver(self.file(file, &metadata, &path, wanted.accepted), wanted),
            Ok(Resource::Page(page)) => deliver(Representation::of_page(page), wanted),
            Ok(Resource::Moved) => match &wanted.with_slash {
                Some(to) => Answer::plain(StatusCode::MOVED_PERMANENTLY).with_field("location", to.clone()),
                None => Answer::plain(StatusCode::NOT_FOUND),
            },
            Err(error) => refusal(error, &path),
        };
        if wanted.content && answer.rest.bytes_left() > 0 {
            match answer.rest.next_piece() {
                Ok(first) => answer.first = first,
                Err(error) => {
                    log::error!("cannot read {}: {error}", path.escape_ascii());
                    return Answer::plain(StatusCode::INTERNAL_SERVER_ERROR);
                }
            }
        }
        answer
    }

    /// `path` is where the file would be: the target, or its index.
    fn find(&self, target: &Target, path: &[u8]) -> rustix::io::Result<Resource> {
        match self.folder.find(path) {
            Ok(Found::File(file, metadata)) => Ok(Resource::File(file, metadata)),
            Ok(Found::Folder) if !target.is_folder => Ok(Resource::Moved),
            Err(error) if status_of(error) != StatusCode::NOT_FOUND => Err(error),
            _ if target.is_folder && self.listing => {
                listing::page(&self.folder, target, self.hidden).map(Resource::Page)
            }
            _ => Err(Errno::NOENT),
        }
    }

    /// A file, or the best of the files beside it that hold the same in another coding.
    fn file(&self, file: File, metadata: &Metadata, path: &[u8], accepted: Accepted) -> Representation {
        let mut fields = Fields::new();
        if let Some(value) = &self.cache_control {
            fields.push(("cache-control", Cow::Owned(value.clone())));
        }
        let media_type = media_type(path);
        let now = (self.now)();
        if self.precompressed {
            // Also where there is no other file: whether there is one would be seen only if the client took it.
            fields.push(("vary", Cow::Borrowed("accept-encoding")));
            for coding in accepted.by_preference() {
                if let Ok(Found::File(file, metadata)) = self.folder.find(&[path, coding.suffix()].concat()) {
                    return Representation::of_file(file, &metadata, now, media_type, Some(coding), fields);
                }
            }
        }
        Representation::of_file(file, metadata, now, media_type, None, fields)
    }
}

impl Representation {
    fn of_file(
        file: File,
        metadata: &Metadata,
        now: u64,
        media_type: Cow<'static, str>,
        coding: Option<Coding>,
        fields: Fields,
    ) -> Representation {
        let validators = Validators::of_file(metadata, now);
        Representation { content: Content::File(file), length: metadata.len(), media_type, validators, coding, fields }
    }

    fn of_page(page: String) -> Representation {
        Representation {
            validators: Validators::of_bytes(page.as_bytes()),
            length: page.len() as u64,
            content: Content::Bytes(page.into_bytes()),
            media_type: Cow::Borrowed("text/html; charset=utf-8"),
            coding: None,
            // Names of files are not ours: should one of them ever get out of its place in the page, it can do nothing.
            fields: vec![("content-security-policy", Cow::Borrowed("default-src 'none'"))],
        }
    }
}

/// The whole, a part, or the reason why not.
fn deliver(representation: Representation, wanted: &Wanted) -> Answer {
    let Representation { content, length, media_type, validators, coding, mut fields } = representation;
    fields.push(("etag", Cow::Owned(validators.etag())));
    let verdict = wanted.conditions.judge(&validators);
    match verdict {
        Verdict::Failed => return Answer::plain(StatusCode::PRECONDITION_FAILED),
        // The fields that are there now are those that a 304 has to have (RFC 9110 section 15.4.5).
        Verdict::NotModified => return Answer::new(StatusCode::NOT_MODIFIED, fields, Body::empty()),
        Verdict::Proceed | Verdict::Whole => {}
    }
    fields.extend(validators.last_modified().map(|date| ("last-modified", Cow::Owned(date))));
    fields.extend(coding.map(|coding| ("content-encoding", Cow::Borrowed(coding.name()))));
    fields.push(("accept-ranges", Cow::Borrowed("bytes")));
    fields.push(("x-content-type-options", Cow::Borrowed("nosniff")));

    let selection = match &wanted.range {
        Some(range) if verdict == Verdict::Proceed => Selection::parse(range, length),
        _ => Selection::Whole,
    };
    let (status, media_type, parts) = match selection {
        Selection::Unsatisfiable => {
            let answer = Answer::plain(StatusCode::RANGE_NOT_SATISFIABLE);
            return answer.with_field("content-range", format!("bytes */{length}"));
        }
        Selection::Parts(ranges) if ranges.len() == 1 => {
            let range = ranges[0].clone();
            fields.push(("content-range", Cow::Owned(content_range(&range, length))));
            (StatusCode::PARTIAL_CONTENT, media_type, vec![Part::Content(range)])
        }
        // Of a coded file only one part: `content-encoding` beside several would be said of the multipart itself.
        Selection::Parts(ranges) if coding.is_none() => {
            let (media_type, parts) = multipart(&ranges, &media_type, length);
            (StatusCode::PARTIAL_CONTENT, Cow::Owned(media_type), parts)
        }
        Selection::Parts(_) | Selection::Whole => (StatusCode::OK, media_type, vec![Part::Content(0..length)]),
    };
    fields.push(("content-type", media_type));
    Answer::new(status, fields, Body::new(content, parts))
}

/// The registered type by the extension of the name. Text is taken for UTF-8, as nearly all of it is.
fn media_type(path: &[u8]) -> Cow<'static, str> {
    match mime_guess::from_path(Path::new(OsStr::from_bytes(path))).first_raw() {
        Some(text) if text.starts_with("text/") => Cow::Owned(format!("{text}; charset=utf-8")),
        Some(other) => Cow::Borrowed(other),
        None => Cow::Borrowed("application/octet-stream"),
    }
}

/// What is said where a file cannot be opened.
fn refusal(error: Errno, path: &[u8]) -> Answer {
    let status = status_of(error);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        log::error!("cannot open {}: {error}", path.escape_ascii());
    }
    Answer::plain(status)
}

fn status_of(error: Errno) -> StatusCode {
    match error {
        // XDEV: it leads out of the folder. That there is a link, is nobody's business.
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP | Errno::XDEV => StatusCode::NOT_FOUND,
        // As nginx and Apache have it: who serves the folder sees that the path is right, and the mode of the file is
        // not.
        Errno::ACCESS | Errno::PERM => StatusCode::FORBIDDEN,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_type_is_that_of_the_extension() {
        for (path, expected) in [
            ("a.html", "text/html; charset=utf-8"),
            ("a/b.CSS", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.svg", "image/svg+xml"),
            ("a.wasm", "application/wasm"),
            ("a.tar.gz", "application/gzip"),
            ("a.woff2", "font/woff2"),
            ("a.unheard-of", "application/octet-stream"),
            ("html", "application/octet-stream"),
            ("b.txt/a", "application/octet-stream"),
        ] {
            assert_eq!(media_type(path.as_bytes()), expected, "{path}");
        }
        assert_eq!(media_type(b"\xff.txt"), "text/plain; charset=utf-8");
    }

    #[test]
    fn each_reason_has_its_status() {
        for (error, status) in [
            (Errno::NOENT, 404),
            (Errno::NOTDIR, 404),
            (Errno::LOOP, 404),
            (Errno::XDEV, 404),
            (Errno::NAMETOOLONG, 404),
            (Errno::ACCESS, 403),
            (Errno::MFILE, 503),
            (Errno::NFILE, 503),
            (Errno::IO, 500),
        ] {
            assert_eq!(refusal(error, b"a").status.as_u16(), status, "{error}");
        }
    }
}
