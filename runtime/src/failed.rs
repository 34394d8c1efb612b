//! Errors that tell what was tried on what.

use std::{error, fmt, io};

/// What was tried on what, and why it failed.
#[derive(Debug)]
struct Failed {
    action: &'static str,
    object: String,
    source: io::Error,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.object, self.source)
    }
}

impl error::Error for Failed {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The same kind of error, which tells what was tried on what. The words are put together when there is an error.
pub(crate) fn failed(action: &'static str, object: impl fmt::Display) -> impl FnOnce(io::Error) -> io::Error {
    move |source| io::Error::new(source.kind(), Failed { action, object: object.to_string(), source })
}
