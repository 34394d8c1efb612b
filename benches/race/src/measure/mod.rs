//! What is measured of a process from outside of it.

pub(crate) mod child;
