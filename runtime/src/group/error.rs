//! What failed in a group, and who.

use crate::task::JoinError;
use std::error::Error;
use std::panic::Location;
use std::{fmt, io};

/// All that failed in a [`group`](crate::group()): at least one, in the order in which they ended.
///
/// The first is the cause of the end. Others are there too when they had failed before they could be ended.
#[derive(Debug)]
pub struct GroupError<E> {
    /// Invariant: not empty.
    failures: Vec<Failure<E>>,
}

impl<E> GroupError<E> {
    pub(super) fn new(failures: Vec<Failure<E>>) -> GroupError<E> {
        assert!(!failures.is_empty(), "a group fails when something in it does");
        GroupError { failures }
    }

    /// The failure that ended the group.
    #[must_use]
    pub fn first(&self) -> &Failure<E> {
        &self.failures[0]
    }

    /// All failures.
    #[must_use]
    pub fn failures(&self) -> &[Failure<E>] {
        &self.failures
    }

    /// The failure that ended the group; the others are dropped.
    #[must_use]
    pub fn into_first(mut self) -> Failure<E> {
        self.failures.swap_remove(0)
    }

    /// All failures.
    #[must_use]
    pub fn into_failures(self) -> Vec<Failure<E>> {
        self.failures
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first().fmt(f)?;
        match self.failures.len() - 1 {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl<E: Error + 'static> Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().source()
    }
}

/// The kind is that of the first failure; the text is this error's.
impl From<GroupError<io::Error>> for io::Error {
    fn from(error: GroupError<io::Error>) -> Self {
        let kind = error.first().error().map_or(io::ErrorKind::Other, io::Error::kind);
        io::Error::new(kind, error.to_string())
    }
}

/// One that failed in a [`group`](crate::group()): the body, or a child, by an error or a panic.
#[derive(Debug)]
pub struct Failure<E> {
    what: Result<E, JoinError>,
    name: Option<Box<str>>,
    spawned_at: Option<&'static Location<'static>>,
}

impl<E> Failure<E> {
    pub(super) fn of_body(error: E) -> Failure<E> {
        Failure { what: Ok(error), name: None, spawned_at: None }
    }

    pub(super) fn of_child(
        what: Result<E, JoinError>,
        name: Option<&str>,
        spawned_at: &'static Location<'static>,
    ) -> Failure<E> {
        Failure { what, name: name.map(Box::from), spawned_at: Some(spawned_at) }
    }

    /// The error, if it was not a panic.
    #[must_use]
    pub fn error(&self) -> Option<&E> {
        self.what.as_ref().ok()
    }

    /// The panic, if it was one.
    #[must_use]
    pub fn panic(&self) -> Option<&JoinError> {
        self.what.as_ref().err()
    }

    /// The error.
    ///
    /// # Errors
    /// The panic, as a [`JoinError`], when it was one.
    pub fn into_error(self) -> Result<E, JoinError> {
        self.what
    }

    /// The child's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the child was spawned; `None` for the body.
    #[must_use]
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.spawned_at
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.spawned_at) {
            (Some(name), _) => write!(f, "{name} failed: ")?,
            (None, Some(place)) => write!(f, "the child spawned at {place} failed: ")?,
            (None, None) => f.write_str("the body of the group failed: ")?,
        }
        match &self.what {
            Ok(error) => error.fmt(f),
            Err(panic) => panic.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for Failure<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.what {
            Ok(error) => Some(error),
            Err(panic) => Some(panic),
        }
    }
}
