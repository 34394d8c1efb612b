use super::*;
use proptest::prelude::*;

fn tree(paths: &[&str]) -> Tree<String> {
    let mut tree = Tree::default();
    for path in paths {
        *tree.entry(&Pattern::new(path)) = (*path).to_owned();
    }
    tree
}

fn assert_finds(tree: &Tree<String>, cases: &[(&str, Option<&str>)]) {
    for (path, found) in cases {
        assert_eq!(tree.find(path.as_bytes()).map(String::as_str), *found, "{path}");
    }
}

#[test]
fn literal_goes_before_parameter_and_a_dead_end_goes_back() {
    let tree = tree(&["/", "/users/{id}", "/users/me", "/users/me/keys", "/{page}/old", "/users/{id}/posts/{post}"]);
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
        ("", Some("/")),
        ("*", None),
    ];
    assert_finds(&tree, &cases);
}

#[test]
fn rest_takes_what_nothing_else_does_if_its_first_segment_is_not_empty() {
    let tree = tree(&["/files/{*path}", "/files/{name}", "/files/{dir}/index", "/files/readme", "/{*all}"]);
    let cases = [
        ("/files/readme", Some("/files/readme")),
        ("/files/a", Some("/files/{name}")),
        ("/files/a/index", Some("/files/{dir}/index")),
        ("/files/a/b", Some("/files/{*path}")),
        ("/files/a/", Some("/files/{*path}")),
        ("/files/a//b", Some("/files/{*path}")),
        ("/files/", Some("/{*all}")),
        ("/files//etc/passwd", Some("/{*all}")),
        ("/files", Some("/{*all}")),
        ("/", None),
        ("//", None),
        ("", None),
        ("*", None),
    ];
    assert_finds(&tree, &cases);
}

#[test]
fn literal_is_what_the_segment_says_and_not_how_it_is_written() {
    let tree = tree(&["/café", "/a b/{x}", "/100%", "/50%25", "/%61", "/a/b", "/{x}"]);
    let cases = [
        ("/caf%C3%A9", Some("/café")),
        ("/caf%c3%a9", Some("/café")),
        ("/%63af%C3%A9", Some("/café")),
        ("/a%20b/c", Some("/a b/{x}")),
        ("/a+b/c", None),
        ("/100%25", Some("/100%")),
        ("/100%", Some("/100%")),
        ("/50%2525", Some("/50%25")),
        ("/50%25", Some("/{x}")),
        ("/%2561", Some("/%61")),
        ("/%61", Some("/{x}")),
        ("/a%2Fb", Some("/{x}")),
        ("/%61/b", Some("/a/b")),
        ("%2Fa/b", None),
        ("/caf%C3", Some("/{x}")),
        ("/caf%ZZ", Some("/{x}")),
    ];
    assert_finds(&tree, &cases);
}

#[test]
fn parameters_are_found_by_name() {
    let pattern = Pattern::new("/users/{id}/posts/{post}/{*rest}");
    let path = "/users/7/posts/x%2Fy/a//b/";
    assert_eq!(pattern.param("id", path), Some("7"));
    assert_eq!(pattern.param("post", path), Some("x%2Fy"));
    assert_eq!(pattern.param("rest", path), Some("a//b/"));
    assert_eq!(pattern.param("users", path), None);
    assert_eq!(pattern.names().collect::<Vec<_>>(), ["id", "post", "rest"]);
}

#[test]
#[should_panic(expected = "does not begin with `/`")]
fn path_begins_with_a_slash() {
    drop(Pattern::new("users"));
}

#[test]
#[should_panic(expected = "the parameter `id` is twice in")]
fn parameter_is_named_once() {
    drop(Pattern::new("/{id}/{*id}"));
}

#[test]
#[should_panic(expected = "has no name")]
fn parameter_has_a_name() {
    drop(Pattern::new("/{*}"));
}

#[test]
#[should_panic(expected = "something follows the rest")]
fn rest_is_the_last_segment() {
    drop(Pattern::new("/{*rest}/more"));
}

#[test]
#[should_panic(expected = "not around a whole segment")]
fn parameter_is_a_whole_segment() {
    drop(Pattern::new("/file-{id}"));
}

// --- The slow twin ---------------------------------------------------------------------------------------------------

/// What a text says, one byte after the other.
fn slowly_decoded(text: &str) -> Vec<u8> {
    let (bytes, mut said, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (bytes[at], digit(1), digit(2)) {
            said.push(u8::try_from(high * 16 + low).unwrap());
            at += 3;
        } else {
            said.push(bytes[at]);
            at += 1;
        }
    }
    said
}

/// How a pattern matches: for each segment, 0 for a literal, 1 for a parameter, 2 for the rest; and the parameters.
type Match = (Vec<u8>, Vec<(String, String)>);

fn slowly_matched(pattern: &str, path: &str) -> Option<Match> {
    let patterns: Vec<&str> = pattern[1..].split('/').collect();
    let path = if path.is_empty() { "/" } else { path };
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (mut kinds, mut params) = (Vec::new(), Vec::new());
    for (at, text) in patterns.iter().enumerate() {
        let segment = segments.get(at)?;
        if let Some(name) = text.strip_prefix("{*") {
            let name = name.trim_end_matches('}');
            kinds.push(2);
            params.push((name.to_owned(), segments[at..].join("/")));
            return (!segment.is_empty()).then_some((kinds, params));
        }
        if text.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            kinds.push(1);
            params.push((text[1..text.len() - 1].to_owned(), (*segment).to_owned()));
        } else {
            if slowly_decoded(segment) != text.as_bytes() {
                return None;
            }
            kinds.push(0);
        }
    }
    (patterns.len() == segments.len()).then_some((kinds, params))
}

/// Patterns of few words, so that they meet. A parameter is named by its place.
fn pattern() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "é", "100%", "%61", ""]).prop_map(str::to_owned),
        2 => Just("{}".to_owned()),
    ];
    (prop::collection::vec(segment, 1..4), prop::bool::weighted(0.3)).prop_map(|(mut segments, rest)| {
        if rest {
            segments.push("{*}".to_owned());
        }
        let named = segments.iter().enumerate().map(|(at, text)| text.replace('}', &format!("p{at}}}")));
        named.fold(String::new(), |path, segment| path + "/" + &segment)
    })
}

pub(in super::super) fn path() -> impl Strategy<Value = String> {
    let words =
        vec!["a", "%61", "b", "%C3%A9", "%c3%a9", "é", "100%", "100%25", "%2561", "a%2Fb", "%zz", "%", "%C3", ""];
    prop::collection::vec(prop::sample::select(words), 0..5)
        .prop_map(|segments| segments.iter().fold(String::new(), |path, segment| path + "/" + segment))
}

proptest! {
    #[test]
    fn tree_agrees_with_its_slow_twin(patterns in prop::collection::vec(pattern(), 0..8), path in path()) {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let tree = tree(&patterns);
        let best = patterns.iter().filter_map(|pattern| slowly_matched(pattern, &path)).min();
        let found = tree.find(path.as_bytes()).map(|pattern| {
            let matched = slowly_matched(pattern, &path).expect("the pattern that is found matches");
            let known = Pattern::new(pattern);
            let params: Vec<_> = known.names().map(|name| (name.to_owned(), known.param(name, &path).unwrap().to_owned())).collect();
            prop_assert_eq!(&params, &matched.1);
            Ok(matched)
        });
        prop_assert_eq!(found.transpose()?, best);
    }
}
