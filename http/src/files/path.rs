//! From the path of a request to a place in the folder, and from a name to a part of a URL.
//!
//! A path is decoded once, segment by segment, after it was split: so an encoded slash cannot become a separator, and
//! what comes out of a decoding is never decoded again. What no file below the folder can be called is refused here,
//! before anything is opened. That links and races do not lead out either is the kernel's to see to: see
//! [`Folder`](super::folder::Folder).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, percent_encode};

/// What is encoded in a segment that we write: all but what RFC 3986 section 2.3 calls unreserved.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The one name with a dot that is there to be seen by everybody (RFC 8615), when it stands at the top.
const WELL_KNOWN: &[u8] = b".well-known";

/// A place in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Where it is, relative to the folder; empty for the folder itself.
    ///
    /// Invariant: names joined by single slashes. No name is empty, `.` or `..`, or has a slash or a NUL in it.
    pub(super) path: Vec<u8>,
    /// The path ends in a slash, so a folder is meant.
    pub(super) is_folder: bool,
}

impl Target {
    /// Reads a path as the client wrote it; `None` when no file can be meant. Names that begin with a dot are none,
    /// unless `hidden` says so.
    pub(super) fn parse(raw: &str, hidden: bool) -> Option<Target> {
        let (names, is_folder) = match raw.strip_suffix('/') {
            Some(names) => (names, true),
            None => (raw, false),
        };
        let mut path = Vec::with_capacity(names.len());
        let mut segments = names.split('/');
        if segments.next() != Some("") {
            return None; // `*`, or an authority
        }
        for segment in segments {
            let name = decode(segment)?;
            let is_public = hidden || !name.starts_with(b".") || (path.is_empty() && name == WELL_KNOWN);
            if !is_name(&name) || !is_public {
                return None;
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
        }
        Some(Target { path, is_folder })
    }

    /// The path of something in this folder.
    pub(super) fn join(&self, name: &[u8]) -> Vec<u8> {
        let slash: &[u8] = if self.path.is_empty() { b"" } else { b"/" };
        [&self.path, slash, name].concat()
    }
}

/// Whether a file can have this name. A backslash is a letter like any other.
pub(super) fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

/// A segment without its escapes; `None` when one of them is broken.
fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut escapes = segment.split('%').skip(1);
    let well_formed = escapes.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()));
    well_formed.then(|| percent_decode_str(segment).collect())
}

/// A name as a segment of a path.
pub(super) fn encode(name: &[u8]) -> PercentEncode<'_> {
    percent_encode(name, NOT_UNRESERVED)
}

/// Where a folder is that was asked for without the slash at its end; `None` when the path has no last name.
///
/// It is relative to what was asked for (RFC 9110 section 10.2.2), so it holds below any prefix. And it begins with
/// `./`, so no name in it can be taken for a scheme or a host: a path like `//evil.example` leads nowhere else.
pub(super) fn with_slash(raw: &str, query: &str) -> Option<String> {
    let name = raw.rsplit('/').next().and_then(decode).filter(|name| is_name(name))?;
    let mark = if query.is_empty() { "" } else { "?" };
    Some(format!("./{}/{mark}{query}", encode(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The decoded path, with a slash before it, and one after it if a folder is meant.
    fn path(raw: &str) -> Option<String> {
        let target = Target::parse(raw, false)?;
        let slash = if target.is_folder && !target.path.is_empty() { "/" } else { "" };
        Some(format!("/{}{slash}", String::from_utf8(target.path).expect("text")))
    }

    #[test]
    fn names_are_decoded_once() {
        for (raw, decoded) in [
            ("/a.txt", "/a.txt"),
            ("/a/b%20c", "/a/b c"),
            ("/%c3%A4/", "/ä/"),
            ("/%2561", "/%61"),
            ("/%252e%252e/x", "/%2e%2e/x"),
            ("/a+b", "/a+b"),
        ] {
            assert_eq!(path(raw).as_deref(), Some(decoded), "{raw}");
        }
        assert_eq!(Target::parse("/%ff", false).unwrap().path, b"\xff");
    }

    #[test]
    fn backslash_is_a_letter() {
        assert_eq!(path("/a\\..\\x").unwrap(), "/a\\..\\x");
        assert_eq!(path("/a%5c").unwrap(), "/a\\");
        assert_eq!(Target::parse("/..\\x", true).unwrap().path, b"..\\x");
    }

    #[test]
    fn slash_at_the_end_means_a_folder() {
        let target = |path: &[u8], is_folder| Some(Target { path: path.to_vec(), is_folder });
        assert_eq!(Target::parse("/", false), target(b"", true));
        assert_eq!(Target::parse("/a/", false), target(b"a", true));
        assert_eq!(Target::parse("/a", false), target(b"a", false));
        assert_eq!(Target::parse("", false), target(b"", false), "a prefix that was asked for without a slash");
    }

    #[test]
    fn what_no_file_can_be_called_is_refused() {
        for hidden in [false, true] {
            for raw in [
                "*",
                "a",
                "example.com:80",
                "//",
                "//a",
                "/a//b",
                "/a//",
                "/.",
                "/..",
                "/../a",
                "/a/../b",
                "/a/..",
                "/a/./b",
                "/%2e",
                "/%2e%2e/a",
                "/.%2E/a",
                "/a%2fb",
                "/..%2fa",
                "/a%2F",
                "/%2f",
                "/a%00",
                "/%00",
                "/%",
                "/%2",
                "/%zz",
                "/a%2",
                "/%%20",
                "/%+1",
            ] {
                assert_eq!(Target::parse(raw, hidden), None, "{raw}");
            }
        }
    }

    #[test]
    fn hidden_names_are_seen_only_if_that_is_wanted() {
        for raw in ["/.git", "/.git/config", "/a/.env", "/%2eenv", "/...", "/a/.well-known/x"] {
            assert_eq!(Target::parse(raw, false), None, "{raw}");
            assert!(Target::parse(raw, true).is_some(), "{raw}");
        }
        assert_eq!(path("/.well-known/acme-challenge/x").unwrap(), "/.well-known/acme-challenge/x");
        assert_eq!(path("/.well-known/.git"), None);
        assert_eq!(path("/a.b.").unwrap(), "/a.b.");
    }

    #[test]
    fn redirection_stays_where_it_is() {
        assert_eq!(with_slash("/a", "").unwrap(), "./a/");
        assert_eq!(with_slash("/a/b", "x=1&y").unwrap(), "./b/?x=1&y");
        assert_eq!(with_slash("/a", "?").unwrap(), "./a/??");
        assert_eq!(with_slash("/javascript:x", "").unwrap(), "./javascript%3Ax/");
        assert_eq!(with_slash("//evil.example", "").unwrap(), "./evil.example/");
        assert_eq!(with_slash("/\\evil.example", "").unwrap(), "./%5Cevil.example/");
        assert_eq!(with_slash("/%0d%0ax:y", "").unwrap(), "./%0D%0Ax%3Ay/");
        for raw in ["", "/", "/a/", "/%2f", "/..", "/%2e%2e"] {
            assert_eq!(with_slash(raw, ""), None, "{raw}");
        }
    }

    proptest! {
        /// The twin asks the other way round: what is taken must be spelled by names that are names, and nothing else.
        #[test]
        fn what_is_taken_holds_to_the_invariant(raw in "/?([a.%/\\\\2ef05cC]|%2e|%2f|%00|\\.\\.){0,12}") {
            if let Some(target) = Target::parse(&raw, true) {
                let names: Vec<&[u8]> = target.path.split(|byte| *byte == b'/').collect();
                prop_assert!(target.path.is_empty() || names.iter().all(|name| is_name(name)));
                let spelled: Vec<String> = names.iter().map(|name| encode(name).to_string()).collect();
                let slash = if target.is_folder && !target.path.is_empty() { "/" } else { "" };
                let again = Target::parse(&format!("/{}{slash}", spelled.join("/")), true);
                prop_assert_eq!(again.map(|again| again.path), Some(target.path));
            }
        }
    }
}
