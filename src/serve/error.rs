//! Why it is not served, or not any more.

use std::{fmt, io};

/// Why [`run`](super::run) has ended.
#[derive(Debug)]
pub struct Error {
    status: u8,
    error: io::Error,
}

impl Error {
    /// The application has failed to start.
    pub(super) fn start(error: io::Error) -> Error {
        Error { status: 3, error }
    }

    /// What the system had no part in.
    pub(super) fn told(text: impl Into<String>) -> Error {
        Error { status: 1, error: io::Error::other(text.into()) }
    }

    /// With a status of its own, and a reason that is not the system's.
    pub(super) fn with_status(status: u8, text: impl Into<String>) -> Error {
        Error { status, error: io::Error::other(text.into()) }
    }

    /// The same with more said.
    pub(super) fn with_more(self, text: &str) -> Error {
        let error = io::Error::new(self.error.kind(), format!("{}{text}", self.error));
        Error { error, ..self }
    }

    /// What the system has said, or was said for it.
    pub(super) fn io(&self) -> &io::Error {
        &self.error
    }

    /// The exit status that tells a supervisor what has happened: 1, or 3 when the application or all workers failed to start,
    /// as with uvicorn and gunicorn.
    pub fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error { status: 1, error }
    }
}
