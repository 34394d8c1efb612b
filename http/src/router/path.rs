//! A tree of path segments.

/// A path with parameters, as a route names it: `/users/{id}`.
#[derive(Debug)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Parameter(Box<str>),
}

impl Pattern {
    /// # Panics
    /// When the path does not begin with `/`, or when a parameter has no name or one that is taken.
    pub(super) fn new(path: &str) -> Pattern {
        let rest = path.strip_prefix('/').unwrap_or_else(|| panic!("the path `{path}` does not begin with `/`"));
        let mut segments: Vec<Segment> = Vec::new();
        for text in rest.split('/') {
            let segment = match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                Some(name) => Segment::Parameter(name.into()),
                None => Segment::Literal(text.into()),
            };
            if let Segment::Parameter(name) = &segment {
                assert!(!name.is_empty(), "a parameter of `{path}` has no name");
                assert!(!segments.contains(&segment), "the parameter `{name}` is twice in `{path}`");
            }
            segments.push(segment);
        }
        Pattern { segments }
    }

    /// The path, if it has no parameters.
    fn whole(&self) -> Option<Box<[u8]>> {
        let mut path = Vec::new();
        for segment in &self.segments {
            let Segment::Literal(text) = segment else { return None };
            path.push(b'/');
            path.extend_from_slice(text.as_bytes());
        }
        Some(path.into())
    }

    /// The part of a path that stands where the parameter does; `None` when there is no such parameter.
    pub(super) fn param<'a>(&self, name: &str, path: &'a str) -> Option<&'a str> {
        let is_wanted = |segment: &Segment| matches!(segment, Segment::Parameter(known) if **known == *name);
        let at = self.segments.iter().position(is_wanted)?;
        path.strip_prefix('/')?.split('/').nth(at)
    }
}

/// Values by pattern.
///
/// Paths without parameters are found whole, by one search; a tree of segments holds the others. That is the same as one
/// tree in which a literal goes before a parameter: where all segments are literal, nothing could go before.
#[derive(Debug)]
pub(super) struct Tree<T> {
    /// Sorted by length, then by text: most comparisons are of two numbers.
    whole: Vec<(Box<[u8]>, T)>,
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    value: Option<T>,
    /// Sorted as the whole paths are.
    literals: Vec<(Box<[u8]>, Node<T>)>,
    parameter: Option<Box<Node<T>>>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree { whole: Vec::new(), root: Node::new() }
    }
}

impl<T: Default> Tree<T> {
    /// The value of a pattern, made if there is none. Patterns that differ only in the names of their parameters are one.
    pub(super) fn entry(&mut self, pattern: &Pattern) -> &mut T {
        if let Some(path) = pattern.whole() {
            let at = match search(&self.whole, &path) {
                Ok(at) => at,
                Err(at) => {
                    self.whole.insert(at, (path, T::default()));
                    at
                }
            };
            return &mut self.whole[at].1;
        }
        let mut node = &mut self.root;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) => node.literal(text.as_bytes()),
                Segment::Parameter(_) => node.parameter.get_or_insert_with(|| Box::new(Node::new())),
            };
        }
        node.value.get_or_insert_default()
    }
}

impl<T> Tree<T> {
    /// The value of the pattern that a path matches: segment by segment, a literal before a parameter.
    #[inline]
    pub(super) fn find(&self, path: &[u8]) -> Option<&T> {
        match search(&self.whole, path) {
            Ok(at) => Some(&self.whole[at].1),
            Err(_) => self.root.find(path.strip_prefix(b"/")?),
        }
    }
}

impl<T> Node<T> {
    fn new() -> Node<T> {
        Node { value: None, literals: Vec::new(), parameter: None }
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

    /// What is left of the path has no `/` before it. The depth of the recursion is that of the tree.
    fn find(&self, rest: &[u8]) -> Option<&T> {
        let (segment, rest) = match rest.iter().position(|byte| *byte == b'/') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let literal = search(&self.literals, segment).ok().map(|at| &self.literals[at].1);
        let parameter = self.parameter.as_deref().filter(|_| !segment.is_empty());
        [literal, parameter].into_iter().flatten().find_map(|node| match rest {
            Some(rest) => node.find(rest),
            None => node.value.as_ref(),
        })
    }
}

/// Where a text is among sorted ones, or would be.
#[inline]
fn search<T>(sorted: &[(Box<[u8]>, T)], text: &[u8]) -> Result<usize, usize> {
    sorted.binary_search_by(|(known, _)| known.len().cmp(&text.len()).then_with(|| (**known).cmp(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&'static str]) -> Tree<String> {
        let mut tree = Tree::default();
        for path in paths {
            *tree.entry(&Pattern::new(path)) = (*path).to_owned();
        }
        tree
    }

    #[test]
    fn literal_goes_before_parameter_and_a_dead_end_goes_back() {
        let tree =
            tree(&["/", "/users/{id}", "/users/me", "/users/me/keys", "/{page}/old", "/users/{id}/posts/{post}"]);
        let cases = [
            ("/", Some("/")),
            ("/users/me", Some("/users/me")),
            ("/users/7", Some("/users/{id}")),
            ("/users/me/posts/1", Some("/users/{id}/posts/{post}")),
            ("/users/old", Some("/users/{id}")),
            ("/x/old", Some("/{page}/old")),
            ("/users/", None),
            ("/users", None),
            ("/users/7/posts", None),
            ("//old", None),
            ("", None),
            ("*", None),
        ];
        for (path, found) in cases {
            assert_eq!(tree.find(path.as_bytes()).map(String::as_str), found, "{path}");
        }
    }

    #[test]
    fn parameters_are_found_by_name() {
        let pattern = Pattern::new("/users/{id}/posts/{post}");
        assert_eq!(pattern.param("id", "/users/7/posts/x"), Some("7"));
        assert_eq!(pattern.param("post", "/users/7/posts/x"), Some("x"));
        assert_eq!(pattern.param("users", "/users/7/posts/x"), None);
    }

    #[test]
    #[should_panic(expected = "does not begin with `/`")]
    fn path_begins_with_a_slash() {
        drop(Pattern::new("users"));
    }

    #[test]
    #[should_panic(expected = "is twice in")]
    fn parameter_is_named_once() {
        drop(Pattern::new("/{id}/{id}"));
    }
}
