//! Validators, and the conditions that requests make of them (RFC 9110 sections 8.8 and 13).
//!
//! A client that has a copy asks for another only if it has changed; one that has a part of a copy asks for the rest
//! only if it has not. Both need a word for the state of a file, and a wrong word is worse than none: a stale page, or
//! a file put together of two.
//!
//! # The entity tag
//! It is made of the file's length, of its times of modification and of change, and of what tells it from other files
//! (device and inode). Length and modification time alone, as is often done, are not enough to be strong: whoever
//! unpacks an archive or builds reproducibly sets the modification time, so another content of the same length can have
//! the same. The time of change cannot be set; any write, and any renaming over the file, moves it. The price: servers
//! that share the work, each with its own copy of a file, do not share its tags.
//!
//! What is left is the clock's grain. Two writes in one tick of the file system, and a request between them, would see
//! two contents under one tag. So a tag is weak until the file has been left alone for [`SETTLED_SECONDS`]; after that,
//! a write makes another time, and so another tag (RFC 9110 section 8.8.1).

use crate::codec::date::Date;
use crate::message::Headers;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

/// How long a file must have been left alone before its tag is strong. The coarsest clock of the file systems in use,
/// FAT's, has a grain of two seconds.
const SETTLED_SECONDS: u64 = 2;

/// What tells one state of a content from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    /// The entity tag, with its quotes, without `W/`.
    tag: String,
    is_weak: bool,
    /// Seconds since 1970.
    modified: Option<u64>,
}

impl Validators {
    /// Those of a file, at a time in seconds since 1970.
    pub(super) fn of_file(file: &Metadata, now: u64) -> Validators {
        let mut state = DefaultHasher::new();
        (file.dev(), file.ino()).hash(&mut state);
        (file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()).hash(&mut state);
        let settled = u64::try_from(file.ctime()).unwrap_or(0).checked_add(SETTLED_SECONDS);
        Validators {
            tag: format!("\"{:x}-{:016x}\"", file.len(), state.finish()),
            is_weak: settled.is_none_or(|settled| settled >= now),
            // A date in the future must not be told (RFC 9110 section 8.8.2.1), and one before 1970 cannot be.
            modified: u64::try_from(file.mtime()).ok().map(|modified| modified.min(now)),
        }
    }

    /// Those of bytes that are all here.
    pub(super) fn of_bytes(bytes: &[u8]) -> Validators {
        let mut state = DefaultHasher::new();
        bytes.hash(&mut state);
        Validators { tag: format!("\"{:x}-{:016x}\"", bytes.len(), state.finish()), is_weak: false, modified: None }
    }

    /// The value of `ETag`.
    pub(super) fn etag(&self) -> String {
        if self.is_weak { format!("W/{}", self.tag) } else { self.tag.clone() }
    }

    /// The value of `Last-Modified`.
    pub(super) fn last_modified(&self) -> Option<String> {
        self.modified.map(|second| Date::at(second).to_string())
    }

    /// Whether a list of tags has this one, or is `*`, which means that there is anything at all (RFC 9110 section
    /// 8.8.3.2).
    fn is_in(&self, list: &[u8], comparison: Comparison) -> bool {
        list == b"*"
            || tags(list).any(|(tag, is_weak)| {
                tag == self.tag.as_bytes() && (comparison == Comparison::Weak || !(is_weak || self.is_weak))
            })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// Neither may be weak.
    Strong,
    Weak,
}

/// The tags of a list, with their quotes, and whether each is weak; up to where the list is malformed, if it is. A
/// comma may stand within a tag.
fn tags(list: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let mut rest = list;
    std::iter::from_fn(move || {
        while let [b',' | b' ' | b'\t', after @ ..] = rest {
            rest = after;
        }
        let (text, is_weak) = rest.strip_prefix(b"W/").map_or((rest, false), |text| (text, true));
        let inner = text.strip_prefix(b"\"")?;
        let length = inner.iter().position(|byte| *byte == b'"')? + 2;
        let (tag, after) = text.split_at(length);
        rest = after;
        Some((tag, is_weak))
    })
}

/// What a request wants to hold before it is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    matches: Option<Vec<u8>>,
    none_match: Option<Vec<u8>>,
    modified_since: Option<u64>,
    unmodified_since: Option<u64>,
    range: Option<IfRange>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum IfRange {
    Tag(Vec<u8>),
    Date(u64),
    /// Neither, so it cannot be said to hold.
    Malformed,
}

impl IfRange {
    fn parse(value: &[u8]) -> IfRange {
        match tags(value).next() {
            // A weak tag compares with none.
            Some((tag, false)) if tag == value => IfRange::Tag(value.to_vec()),
            _ => parse_date(value).map_or(IfRange::Malformed, IfRange::Date),
        }
    }
}

/// How a request whose conditions were looked at is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// With the content, or the part of it that Range asks for.
    Proceed,
    /// With the whole content, whatever Range asks for.
    Whole,
    /// With 304: the client has it.
    NotModified,
    /// With 412.
    Failed,
}

impl Conditions {
    /// Reads the fields. A date that is none, or that is there twice, is no condition (RFC 9110 section 13.1.3).
    pub(super) fn parse(headers: Headers<'_>) -> Conditions {
        let list = |name| {
            let values: Vec<&[u8]> = headers.get_all(name).collect();
            (!values.is_empty()).then(|| values.join(&b","[..]))
        };
        let date = |name| only(headers, name).and_then(parse_date);
        Conditions {
            matches: list("if-match"),
            none_match: list("if-none-match"),
            modified_since: date("if-modified-since"),
            unmodified_since: date("if-unmodified-since"),
            range: headers
                .get("if-range")
                .map(|_| only(headers, "if-range").map_or(IfRange::Malformed, IfRange::parse)),
        }
    }

    /// Looks at them, for GET or HEAD, in the order of RFC 9110 section 13.2.2.
    pub(super) fn judge(&self, state: &Validators) -> Verdict {
        let unchanged_since = |date: Option<u64>| Some(state.modified? <= date?);
        let may_proceed = match &self.matches {
            Some(list) => state.is_in(list, Comparison::Strong),
            None => unchanged_since(self.unmodified_since).unwrap_or(true),
        };
        if !may_proceed {
            return Verdict::Failed;
        }
        let client_has_it = match &self.none_match {
            Some(list) => state.is_in(list, Comparison::Weak),
            None => unchanged_since(self.modified_since).unwrap_or(false),
        };
        if client_has_it {
            return Verdict::NotModified;
        }
        let range_holds = self.range.as_ref().is_none_or(|condition| match condition {
            IfRange::Tag(tag) => !state.is_weak && *tag == state.tag.as_bytes(),
            // Not "since": the same date and no other (RFC 9110 section 13.1.5). It is as weak as the tag, until then.
            IfRange::Date(date) => !state.is_weak && state.modified == Some(*date),
            IfRange::Malformed => false,
        });
        if range_holds { Verdict::Proceed } else { Verdict::Whole }
    }
}

/// The value of a field that is there once.
pub(super) fn only<'a>(headers: Headers<'a>, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name);
    values.next().filter(|_| values.next().is_none())
}

/// A date in any of the three formats, in seconds since 1970.
fn parse_date(value: &[u8]) -> Option<u64> {
    let date = httpdate::parse_http_date(str::from_utf8(value).ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests;
