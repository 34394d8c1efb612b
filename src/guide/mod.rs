//! The guide: from libuv, asyncio and tokio to evloop, name for name.

#[doc = include_str!("asyncio.md")]
pub mod asyncio {}
