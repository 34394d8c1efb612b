//! Applications below a path.

use super::path::{decoded, split};
use super::pooled::Boxes;
use super::routed::Routed;
use crate::asgi::{App, Receive, Scope, Send};

/// Applications by the path below which they are.
#[derive(Default)]
pub(super) struct Mounts {
    /// Those with more segments first.
    mounts: Vec<(Prefix, Box<dyn Mounted>)>,
}

impl Mounts {
    /// # Panics
    /// When the path does not begin with `/`, ends with one and is longer, has a parameter, or is taken.
    pub(super) fn insert<A: App>(&mut self, path: &str, app: A) {
        let prefix = Prefix::new(path);
        assert!(self.mounts.iter().all(|(known, _)| *known != prefix), "an application is mounted at `{path}` already");
        let at = self.mounts.partition_point(|(known, _)| known.segments.len() >= prefix.segments.len());
        self.mounts.insert(at, (prefix, Box::new(Typed { app, boxes: Boxes::default() })));
    }

    /// The application that a path leads to, and how many bytes of the path belong to the mount.
    pub(super) fn find(&self, path: &[u8]) -> Option<(&dyn Mounted, usize)> {
        self.mounts.iter().find_map(|(prefix, app)| Some((&**app, prefix.covers(path)?)))
    }
}

/// A path without parameters: what all paths begin with that lead to an application.
#[derive(Debug, PartialEq, Eq)]
struct Prefix {
    segments: Vec<Box<str>>,
}

impl Prefix {
    fn new(path: &str) -> Prefix {
        let segments: Vec<Box<str>> = split(path).filter(|_| path != "/").map(Into::into).collect();
        assert!(segments.last().is_none_or(|last| !last.is_empty()), "the path `{path}` of a mount ends with `/`");
        assert!(!path.contains(['{', '}']), "the path `{path}` of a mount has a parameter");
        Prefix { segments }
    }

    /// How many bytes of a path this is, if the path begins so and goes on with `/` or ends there.
    fn covers(&self, path: &[u8]) -> Option<usize> {
        let mut rest = path;
        for wanted in &self.segments {
            let segments = rest.strip_prefix(b"/")?;
            let end = segments.iter().position(|byte| *byte == b'/').unwrap_or(segments.len());
            if *decoded(&segments[..end]) != *wanted.as_bytes() {
                return None;
            }
            rest = &segments[end..];
        }
        matches!(rest.first(), None | Some(b'/')).then_some(path.len() - rest.len())
    }
}

/// An application whose type has been forgotten.
pub(super) trait Mounted {
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Routed;
}

struct Typed<A: App> {
    app: A,
    boxes: Boxes<A::Future>,
}

impl<A: App> Mounted for Typed<A> {
    fn call(&self, scope: Scope, receive: Receive, send: Send) -> Routed {
        Routed { answering: self.boxes.fill(self.app.call(scope, receive, send)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::tests::path;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefix_ends_where_a_segment_does() {
        let cases = [
            ("/api", "/api", Some(4)),
            ("/api", "/api/", Some(4)),
            ("/api", "/api/x/y", Some(4)),
            ("/api", "/%61pi/x", Some(6)),
            ("/api", "/apis", None),
            ("/api", "/api%2Fx", None),
            ("/api", "/", None),
            ("/api", "//api", None),
            ("/api/v1", "/api/v1/x", Some(7)),
            ("/api/v1", "/api", None),
            ("/café", "/caf%C3%A9/x", Some(10)),
            ("/", "/x", Some(0)),
            ("/", "", Some(0)),
            ("/", "*", None),
            ("/api", "", None),
            ("/api", "*", None),
        ];
        for (prefix, path, covered) in cases {
            assert_eq!(Prefix::new(prefix).covers(path.as_bytes()), covered, "{prefix} {path}");
        }
    }

    /// How much of a path the longest prefix covers, by looking at what each beginning of the path says.
    fn slowly_found(prefixes: &[Vec<&str>], path: &str) -> Option<usize> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let covered = ends.filter(|end| {
            let said: Vec<_> = path[..*end].split('/').skip(1).map(|text| decoded(text.as_bytes())).collect();
            prefixes.iter().any(|prefix| prefix.iter().map(|text| text.as_bytes()).eq(said.iter().map(|said| &**said)))
        });
        covered.max()
    }

    proptest! {
        #[test]
        fn longest_prefix_wins(
            prefixes in prop::collection::hash_set(
                prop::collection::vec(prop::sample::select(vec!["a", "b", "é", "100%", "%61"]), 0..4), 0..6),
            path in path(),
        ) {
            let prefixes: Vec<_> = prefixes.into_iter().collect();
            let mut mounts = Mounts::default();
            for prefix in &prefixes {
                let app = |_: Scope, _: Receive, _: Send| std::future::ready(Ok(()));
                mounts.insert(&format!("/{}", prefix.join("/")), app);
            }
            let found = mounts.find(path.as_bytes()).map(|(_, bytes)| bytes);
            prop_assert_eq!(found, slowly_found(&prefixes, &path));
        }
    }
}
