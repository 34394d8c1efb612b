//! Any bytes as requests: `codec::head::parse` against its slow twin, cut anywhere, after any other head.
//!
//! In `http/`, with a nightly toolchain and cargo-fuzz:
//!
//! ```text
//! mkdir -p fuzz/corpus/head
//! cargo +nightly fuzz run head fuzz/corpus/head fuzz/seeds/head -- -dict=fuzz/http.dict -max_len=4096 -max_total_time=1800
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| evloop_http_fuzz::head(data));
