//! The guide: event loops as they are, and this one as it is done.
//!
//! # Chapters
//! To be read in this order, or not. Each ends at the file that does it, and each of its snippets is compiled and run.
//!
//! 1. [What blocks and what waits](blocking)
//! 2. [Readiness](readiness)
//! 3. [One turn](one_turn)
//! 4. [Futures and wakers by hand](by_hand)
//! 5. [The wheel](wheel)
//! 6. [Back-pressure](back_pressure)
//! 7. [The thread pool, `async def` and `def`](thread_pool)
//! 8. [Why WSGI was not enough](wsgi)
//! 9. [Scope, receive, send](asgi)
//! 10. [One worker or many](workers)
//! 11. [Running it for real](production)
//! 12. [Reading the tape](tape)
//! 13. [Where the time goes](time_goes)
//! 14. [A hunt](hunt)
//! 15. [A million connections](million)
//!
//! Pictures with a title of their own were drawn by the lab, with times of one machine: `evloop lab NAME --svg FILE` draws
//! them anew.
//!
//! The words of all this, in Korean and in English, each with its page, its experiment and its file: [terms].
//!
//! # Tables
//! From [libuv], [asyncio] and [tokio] to evloop, name for name: what stands for what, or why nothing does, each row with a few
//! lines that run. And what each operation [costs].

#[doc = include_str!("blocking.md")]
///
#[doc = include_str!("pictures/quadrants.svg")]
///
#[doc = include_str!("blocking_2.md")]
///
#[doc = include_str!("pictures/blocking.svg")]
///
#[doc = include_str!("blocking_3.md")]
pub mod blocking {}

#[doc = include_str!("readiness.md")]
pub mod readiness {}

#[doc = include_str!("one_turn.md")]
///
#[doc = include_str!("pictures/fairness.svg")]
///
#[doc = include_str!("one_turn_2.md")]
pub mod one_turn {}

#[doc = include_str!("by_hand.md")]
pub mod by_hand {}

#[doc = include_str!("wheel.md")]
///
#[doc = include_str!("pictures/timers.svg")]
///
#[doc = include_str!("wheel_2.md")]
pub mod wheel {}

#[doc = include_str!("back_pressure.md")]
///
#[doc = include_str!("pictures/backpressure.svg")]
///
#[doc = include_str!("back_pressure_2.md")]
pub mod back_pressure {}

#[doc = include_str!("thread_pool.md")]
///
#[doc = include_str!("pictures/pool.svg")]
///
#[doc = include_str!("thread_pool_2.md")]
pub mod thread_pool {}

#[doc = include_str!("wsgi.md")]
pub mod wsgi {}

#[doc = include_str!("asgi.md")]
pub mod asgi {}

#[doc = include_str!("workers.md")]
pub mod workers {}

#[doc = include_str!("production.md")]
///
#[doc = include_str!("pictures/timeouts.svg")]
///
#[doc = include_str!("production_2.md")]
#[doc = "```nginx"]
#[doc = include_str!("../../examples/deploy/nginx.conf")]
#[doc = "```"]
#[doc = include_str!("production_3.md")]
#[doc = "```ini"]
#[doc = include_str!("../../examples/deploy/evloop.service")]
#[doc = "```"]
///
/// `/etc/systemd/system/evloop.socket`:
#[doc = "```ini"]
#[doc = include_str!("../../examples/deploy/evloop.socket")]
#[doc = "```"]
#[doc = include_str!("production_4.md")]
#[doc = "```dockerfile"]
#[doc = include_str!("../../examples/deploy/Dockerfile")]
#[doc = "```"]
#[doc = "```text"]
#[doc = include_str!("../../examples/deploy/Dockerfile.dockerignore")]
#[doc = "```"]
#[doc = include_str!("production_5.md")]
#[doc = "```yaml"]
#[doc = include_str!("../../examples/deploy/kubernetes.yaml")]
#[doc = "```"]
#[doc = include_str!("production_6.md")]
pub mod production {}

#[doc = include_str!("tape.md")]
///
#[doc = include_str!("pictures/trace.svg")]
///
#[doc = include_str!("tape_2.md")]
pub mod tape {}

#[doc = include_str!("time_goes.md")]
pub mod time_goes {}

#[doc = include_str!("hunt.md")]
pub mod hunt {}

#[doc = include_str!("million.md")]
pub mod million {}

#[doc = include_str!("terms.md")]
pub mod terms {}

#[doc = include_str!("libuv.md")]
pub mod libuv {}

#[doc = include_str!("asyncio.md")]
pub mod asyncio {}

#[doc = include_str!("tokio.md")]
pub mod tokio {}

#[doc = include_str!("costs.md")]
pub mod costs {}
