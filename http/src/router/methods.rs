//! The handlers of one path, by method.

use super::handler::Route;
use crate::asgi::Scope;
use crate::message::Method;

/// The handlers of one path.
#[derive(Default)]
pub(super) struct Methods {
    known: Vec<(Method, Box<dyn Route>)>,
    /// Those of methods that RFC 9110 does not name.
    named: Vec<(Box<str>, Box<dyn Route>)>,
    /// For all other methods.
    any: Option<Box<dyn Route>>,
}

/// Which requests of a path a handler answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers<'a> {
    Method(Method),
    Named(&'a str),
    Any,
}

impl Answers<'_> {
    /// # Panics
    /// When it is [`Method::Other`], which is no method but any of many.
    pub(super) fn method(method: Method) -> Answers<'static> {
        assert!(method != Method::Other, "a method without a name of its own is routed by its text");
        Answers::Method(method)
    }

    /// # Panics
    /// When this is no token (RFC 9110 section 5.6.2), which no request can have.
    pub(super) fn named(name: &str) -> Answers<'_> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(is_token), "`{name}` is no method");
        match Method::from_bytes(name.as_bytes()) {
            Method::Other => Answers::Named(name),
            method => Answers::Method(method),
        }
    }

    /// The method's name, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Answers::Method(method) => method.as_str(),
            Answers::Named(name) => Some(name),
            Answers::Any => None,
        }
    }
}

impl Methods {
    /// Adds a handler; `false` if there is one already.
    #[must_use]
    pub(super) fn insert(&mut self, answers: Answers<'_>, route: Box<dyn Route>) -> bool {
        let taken = match answers {
            Answers::Method(method) => self.known.iter().any(|(known, _)| *known == method),
            Answers::Named(name) => self.named.iter().any(|(known, _)| **known == *name),
            Answers::Any => self.any.is_some(),
        };
        match answers {
            _ if taken => {}
            Answers::Method(method) => self.known.push((method, route)),
            Answers::Named(name) => self.named.push((name.into(), route)),
            Answers::Any => self.any = Some(route),
        }
        !taken
    }

    /// The handler for a request of this path.
    #[inline]
    pub(super) fn find(&self, scope: &Scope) -> Option<&dyn Route> {
        self.of(scope.method()).or_else(|| self.in_place(scope))
    }

    #[inline]
    fn of(&self, wanted: Method) -> Option<&dyn Route> {
        self.known.iter().find(|(method, _)| *method == wanted).map(|(_, route)| &**route)
    }

    /// The handler for a request whose method has none of its own here, or no name that we know.
    fn in_place(&self, scope: &Scope) -> Option<&dyn Route> {
        let route = match scope.method() {
            Method::Connect => return None, // its target is no path
            Method::Head => self.of(Method::Get),
            Method::Other => {
                let name = scope.head().method_str();
                self.named.iter().find(|(known, _)| **known == *name).map(|(_, route)| &**route)
            }
            _ => None,
        };
        route.or(self.any.as_deref())
    }

    /// The value of `Allow`.
    pub(super) fn allow(&self) -> String {
        let known = self.known.iter().filter_map(|(method, _)| method.as_str());
        allow(known.chain(self.named.iter().map(|(name, _)| &**name)))
    }
}

/// The value of `Allow` (RFC 9110 section 10.2.1) where these methods have handlers: a router answers HEAD and OPTIONS
/// without.
pub(super) fn allow<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let implied = [("HEAD", names.contains(&"GET")), ("OPTIONS", true)];
    for (name, is_answered) in implied {
        if is_answered && !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}
