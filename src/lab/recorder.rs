//! Who did what when, noted from any thread while it happens.

use crate::picture::{Kind, Lanes};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Notes spans and marks into one panel of lanes; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    began: Instant,
    lanes: Arc<Mutex<Lanes>>,
}

impl Recorder {
    /// A panel with that title, whose time begins now.
    pub(crate) fn new(title: impl Into<String>) -> Recorder {
        Recorder { began: Instant::now(), lanes: Arc::new(Mutex::new(Lanes::new(title))) }
    }

    /// How long it has been noting.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Fixes the order of rows, from above.
    pub(crate) fn rows(&self, names: &[&str]) {
        let mut lanes = self.lanes();
        for name in names {
            lanes.row(name);
        }
    }

    /// Something begins in that row, and lasts until what this returns is dropped.
    #[must_use]
    pub(crate) fn begin(&self, row: &str, kind: Kind, label: impl Into<String>) -> Open {
        Open { recorder: self.clone(), row: row.to_owned(), kind, label: label.into(), from: self.elapsed() }
    }

    /// Something lasted, both moments by [`elapsed`](Recorder::elapsed).
    pub(crate) fn span(&self, row: &str, kind: Kind, label: impl Into<String>, from: Duration, until: Duration) {
        self.lanes().span(row, kind, label, from, until);
    }

    /// Something happens now.
    pub(crate) fn mark(&self, row: &str, label: impl Into<String>) {
        let now = self.elapsed();
        self.lanes().mark(row, label, now);
    }

    /// What was noted until now.
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The panel, for a picture.
    pub(crate) fn finish(&self) -> Lanes {
        self.lanes().clone()
    }
}

/// Something that goes on; its span ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Open {
    recorder: Recorder,
    row: String,
    kind: Kind,
    label: String,
    from: Duration,
}

impl Open {
    /// Ends it, and says for how long it went on.
    pub(crate) fn end(self) -> Duration {
        self.recorder.elapsed().saturating_sub(self.from)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let until = self.recorder.elapsed();
        self.recorder.span(&self.row, self.kind, std::mem::take(&mut self.label), self.from, until);
    }
}
