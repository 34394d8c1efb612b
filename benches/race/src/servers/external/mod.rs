//! Placeholder until its owner's file arrives.
