//! The words by which tasks speak to each other, under the same names for all runtimes.
//!
//! evloop brings its own, for tasks that stay on one thread. The other runtimes here bring none of all the kinds, or
//! are tokio: their users take tokio's, which work on any runtime, and so do these measurements.

/// evloop's own.
pub(super) mod own {
    pub(in crate::operations) use evloop::sync::remote::unbounded as across;
    pub(in crate::operations) use evloop::sync::{Notify, mpsc::unbounded, oneshot};
    pub(in crate::operations) use std::rc::Rc as Shared;
}

/// tokio's.
pub(super) mod tokios {
    pub(in crate::operations) use std::sync::Arc as Shared;
    pub(in crate::operations) use tokio::sync::mpsc::unbounded_channel as across;
    pub(in crate::operations) use tokio::sync::mpsc::unbounded_channel as unbounded;
    pub(in crate::operations) use tokio::sync::{Notify, oneshot};
}
