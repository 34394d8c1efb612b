//! What mio, std and socket2 lack of the system, as safe functions.
//!
//! | file | what it gives |
//! |---|---|
//! | `fd.rs` | a descriptor by its number; a bound on unsent bytes |

pub(crate) mod fd;
