//! What an application keeps for all of its requests.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;

/// Values by their type, at most one of each: ASGI's `state`.
///
/// An application fills it while it starts up, in its [lifespan](super::Lifespan); each request then finds it in its
/// [`Scope`](super::Scope::state).
///
/// # Examples
/// ```
/// use evloop_http::asgi::State;
///
/// struct Greeting(&'static str);
///
/// let mut state = State::default();
/// assert!(state.insert(Greeting("Hello")).is_none());
/// assert_eq!(state.get::<Greeting>().map(|greeting| greeting.0), Some("Hello"));
/// assert!(state.get::<String>().is_none());
/// ```
#[derive(Default)]
pub struct State {
    values: BTreeMap<TypeId, Box<dyn Any>>,
}

impl State {
    /// Keeps a value, and gives back the one of this type that was there.
    pub fn insert<T: 'static>(&mut self, value: T) -> Option<T> {
        let former = self.values.insert(TypeId::of::<T>(), Box::new(value))?;
        former.downcast().ok().map(|former| *former)
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.values.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("values", &self.values.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let mut state = State::default();
        assert!(state.is_empty());
        assert_eq!(state.insert(1_u32), None);
        assert_eq!(state.insert("text"), None);
        assert_eq!(state.insert(2_u32), Some(1));
        assert_eq!(state.get::<u32>(), Some(&2));
        assert_eq!(state.get::<&str>(), Some(&"text"));
        assert_eq!(state.get::<u64>(), None);
        assert!(!state.is_empty());
    }
}
