//! A hand-rolled event loop runtime, with a strict HTTP/1.1 server on top.

pub use evloop_http as http;
pub use evloop_runtime::{Builder, Handle, Mode, RemoteHandle, Runtime, block_on, run, spawn, spawn_blocking};
pub use evloop_runtime::{engine, future, io, net, signal, sync, time};

pub mod task {
    //! Tasks: spawn them, wait for them, abort them.

    pub use evloop_runtime::future::{YieldNow, yield_now};
    pub use evloop_runtime::{Blocking, JoinError, JoinHandle, TaskBuilder as Builder, spawn, spawn_blocking};
}

/// What the functions of a program on this loop mostly give.
pub type Result<T> = std::io::Result<T>;
