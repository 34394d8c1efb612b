//! What a router keeps for its handlers.

use std::any::{Any, type_name};
use std::cell::OnceCell;

/// Values by their type, at most one of each. They are added one behind the other and never taken away, so a route can
/// share them with its router while it is still being built, and lend them out.
///
/// A program has few: walking to one costs less than a hash.
#[derive(Default)]
pub(super) struct Shared {
    first: OnceCell<Box<Link>>,
}

struct Link {
    value: Box<dyn Any>,
    rest: Shared,
}

impl Shared {
    /// # Panics
    /// When there is a value of this type.
    pub(super) fn insert<T: 'static>(&self, value: T) {
        if let Some(link) = self.first.get() {
            assert!(!link.value.is::<T>(), "the router has a state of type `{}` already", type_name::<T>());
            return link.rest.insert(value);
        }
        let link = Link { value: Box::new(value), rest: Shared::default() };
        assert!(self.first.set(Box::new(link)).is_ok(), "it was looked at above");
    }

    pub(super) fn get<T: 'static>(&self) -> Option<&T> {
        let link = self.first.get()?;
        link.value.downcast_ref().or_else(|| link.rest.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_type() {
        let shared = Shared::default();
        assert_eq!(shared.get::<u32>(), None);
        shared.insert(1_u32);
        let lent = shared.get::<u32>();
        shared.insert("text");
        assert_eq!((lent, shared.get::<&str>(), shared.get::<u64>()), (Some(&1), Some(&"text"), None));
    }

    #[test]
    #[should_panic(expected = "the router has a state of type `u32` already")]
    fn there_is_one_value_of_each_type() {
        let shared = Shared::default();
        shared.insert("text");
        shared.insert(1_u32);
        shared.insert(2_u32);
    }
}
