//! A tree of path segments.
//!
//! A path is split where the client wrote a `/`, and decoded afterwards: `%2F` stays inside its segment.

use percent_encoding::percent_decode;
use std::borrow::Cow;

/// A path with parameters, as a route names it: `/users/{id}`, `/files/{*path}`.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Parameter(Box<str>),
    /// The last one.
    Rest(Box<str>),
}

impl Segment {
    fn name(&self) -> Option<&str> {
        match self {
            Segment::Literal(_) => None,
            Segment::Parameter(name) | Segment::Rest(name) => Some(name),
        }
    }
}

impl Pattern {
    /// # Panics
    /// When the path does not begin with `/`, when a parameter has no name or one that is taken, when a rest is not at
    /// the end, or when a brace stands elsewhere.
    pub(super) fn new(path: &str) -> Pattern {
        let mut segments: Vec<Segment> = Vec::new();
        for text in split(path) {
            assert!(!matches!(segments.last(), Some(Segment::Rest(_))), "something follows the rest in `{path}`");
            let segment = match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                None => Segment::Literal(text.into()),
                Some(name) => match name.strip_prefix('*') {
                    None => Segment::Parameter(name.into()),
                    Some(name) => Segment::Rest(name.into()),
                },
            };
            if let Some(name) = segment.name() {
                assert!(!name.is_empty(), "a parameter of `{path}` has no name");
                let taken = segments.iter().any(|known| known.name() == Some(name));
                assert!(!taken, "the parameter `{name}` is twice in `{path}`");
            }
            let text = segment.name().unwrap_or(text);
            assert!(!text.contains(['{', '}']), "a brace in `{path}` is not around a whole segment");
            segments.push(segment);
        }
        Pattern { segments }
    }

    /// The path, if all of it is compared and a client writes it as it stands here.
    fn whole(&self) -> Option<Box<[u8]>> {
        let mut path = Vec::new();
        for segment in &self.segments {
            let Segment::Literal(text) = segment else { return None };
            path.push(b'/');
            path.extend_from_slice(text.as_bytes());
        }
        // A `%` of a client begins an escape, so a text with one is compared when it is decoded, by the tree.
        (!path.contains(&b'%')).then(|| path.into())
    }

    /// The parameters' names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// The part of a path that stands where the parameter does, as it is written; `None` when there is no such parameter.
    pub(super) fn param<'a>(&self, name: &str, path: &'a str) -> Option<&'a str> {
        let at = self.segments.iter().position(|segment| segment.name() == Some(name))?;
        let path = path.strip_prefix('/')?;
        match self.segments[at] {
            Segment::Rest(_) => path.splitn(at + 1, '/').nth(at),
            _ => path.split('/').nth(at),
        }
    }
}

/// The segments of a path that the program names.
///
/// # Panics
/// When it does not begin with `/`.
pub(super) fn split(path: &str) -> impl Iterator<Item = &str> {
    let rest = path.strip_prefix('/').unwrap_or_else(|| panic!("the path `{path}` does not begin with `/`"));
    rest.split('/')
}

/// What a segment says; nothing is copied if nothing is encoded.
pub(super) fn decoded(segment: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(segment).into()
}

/// Values by pattern.
///
/// Paths without parameters are found whole, by one search; a tree of segments holds the others. That is the same as one
/// tree in which a literal goes before a parameter: where all segments are literal, nothing could go before.
#[derive(Debug)]
pub(super) struct Tree<T> {
    whole: Whole<T>,
    root: Node<T>,
}

/// Values by whole paths.
#[derive(Debug)]
struct Whole<T> {
    /// Those of each length, sorted: mostly there is one, or none, and one comparison tells.
    by_length: Vec<Vec<(Box<[u8]>, T)>>,
}

#[derive(Debug)]
struct Node<T> {
    value: Option<T>,
    /// Sorted as the whole paths are.
    literals: Vec<(Box<[u8]>, Node<T>)>,
    parameter: Option<Box<Node<T>>>,
    rest: Option<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree { whole: Whole { by_length: Vec::new() }, root: Node::new() }
    }
}

impl<T: Default> Tree<T> {
    /// The value of a pattern, made if there is none. Patterns that differ only in the names of their parameters are one.
    pub(super) fn entry(&mut self, pattern: &Pattern) -> &mut T {
        if let Some(path) = pattern.whole() {
            return self.whole.entry(path);
        }
        let mut node = &mut self.root;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) => node.literal(text.as_bytes()),
                Segment::Parameter(_) => node.parameter.get_or_insert_with(|| Box::new(Node::new())),
                Segment::Rest(_) => return node.rest.get_or_insert_default(),
            };
        }
        node.value.get_or_insert_default()
    }
}

impl<T> Tree<T> {
    /// The value of the pattern that a path matches: segment by segment, a literal before a parameter, and that before a
    /// rest. No path at all, as where a router is mounted, is `/`.
    #[inline]
    pub(super) fn find(&self, path: &[u8]) -> Option<&T> {
        self.whole.find(path).or_else(|| self.find_by_segments(path))
    }

    /// Not inlined, so that a path that is found whole need not be kept for this.
    #[inline(never)]
    fn find_by_segments(&self, path: &[u8]) -> Option<&T> {
        if path.is_empty() {
            return self.find_decoded(b"/");
        }
        let is_encoded = path.contains(&b'%');
        let whole = if is_encoded { self.find_decoded(path) } else { None };
        whole.or_else(|| self.root.find(path.strip_prefix(b"/")?, is_encoded))
    }

    /// The value of a whole path by what it says.
    #[cold]
    fn find_decoded(&self, path: &[u8]) -> Option<&T> {
        // A `/` that is encoded separates nothing, and no segment of a pattern has one.
        if path.windows(3).any(|escape| escape.eq_ignore_ascii_case(b"%2f")) {
            return None;
        }
        self.whole.find(&decoded(path))
    }
}

impl<T: Default> Whole<T> {
    /// The value of a path, made if there is none.
    fn entry(&mut self, path: Box<[u8]>) -> &mut T {
        let length = path.len();
        if self.by_length.len() <= length {
            self.by_length.resize_with(length + 1, Vec::new);
        }
        let paths = &mut self.by_length[length];
        let at = match search(paths, &path) {
            Ok(at) => at,
            Err(at) => {
                paths.insert(at, (path, T::default()));
                at
            }
        };
        &mut paths[at].1
    }
}

impl<T> Whole<T> {
    #[inline]
    fn find(&self, path: &[u8]) -> Option<&T> {
        match &self.by_length.get(path.len())?[..] {
            [(known, value)] => (**known == *path).then_some(value),
            several => search(several, path).ok().map(|at| &several[at].1),
        }
    }
}

impl<T> Node<T> {
    fn new() -> Node<T> {
        Node { value: None, literals: Vec::new(), parameter: None, rest: None }
    }

    fn literal(&mut self, text: &[u8]) -> &mut Node<T> {
        let at = match search(&self.literals, text) {
            Ok(at) => at,
            Err(at) => {
                self.literals.insert(at, (text.into(), Node::new()));
                at
            }
        };
        &mut self.literals[at].1
    }

    /// What is left of the path has no `/` before it. The depth of the recursion is that of the tree, and no node is
    /// looked at twice.
    fn find(&self, path: &[u8], is_encoded: bool) -> Option<&T> {
        let (segment, after) = match path.iter().position(|byte| *byte == b'/') {
            Some(at) => (&path[..at], Some(&path[at + 1..])),
            None => (path, None),
        };
        let text = if is_encoded { decoded(segment) } else { Cow::Borrowed(segment) };
        let literal = search(&self.literals, &text).ok().map(|at| &self.literals[at].1);
        let parameter = self.parameter.as_deref().filter(|_| !segment.is_empty());
        let found = [literal, parameter].into_iter().flatten().find_map(|node| match after {
            Some(after) => node.find(after, is_encoded),
            None => node.value.as_ref(),
        });
        found.or_else(|| self.rest.as_ref().filter(|_| !segment.is_empty()))
    }
}

/// Where a text is among sorted ones, or would be.
#[inline(never)]
fn search<T>(sorted: &[(Box<[u8]>, T)], text: &[u8]) -> Result<usize, usize> {
    sorted.binary_search_by(|(known, _)| known.len().cmp(&text.len()).then_with(|| (**known).cmp(text)))
}

#[cfg(test)]
pub(super) mod tests;
