//! What mio, std and socket2 lack of the system, as safe functions.
//!
//! | file | what it gives |
//! |---|---|
//! | `describe.rs` | what is behind a descriptor, in words |
//! | `fd.rs` | a descriptor by its number; options of TCP |
//! | `fork.rs` | whether this process was forked off since |
//! | `pidfd.rs` | a child's end, and signals to it, by its descriptor |
//! | `interface.rs` | network interfaces by name and by number |
//! | `source.rs` | any descriptor as a source of the reactor |

pub(crate) mod describe;
pub(crate) mod fd;
pub(crate) mod fork;
pub(crate) mod interface;
pub(crate) mod pidfd;
pub(crate) mod source;
