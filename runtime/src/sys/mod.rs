//! What mio, std and socket2 lack of the system, as safe functions.
//!
//! | file | what it gives |
//! |---|---|
//! | `fd.rs` | a descriptor by its number; a bound on unsent bytes |
//! | `source.rs` | any descriptor as a source of the reactor |

pub(crate) mod fd;
pub(crate) mod source;
