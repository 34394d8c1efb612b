//! The guide: from libuv, asyncio and tokio to evloop, name for name.
//!
//! Each table says what stands for what, or why nothing does, and each row has a few lines that run.

#[doc = include_str!("libuv.md")]
pub mod libuv {}

#[doc = include_str!("asyncio.md")]
pub mod asyncio {}

#[doc = include_str!("tokio.md")]
pub mod tokio {}

#[doc = include_str!("costs.md")]
pub mod costs {}
