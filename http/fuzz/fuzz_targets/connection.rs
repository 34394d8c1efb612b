//! Any bytes on a connection, in any pieces, with an application that calls whatever it likes.
//!
//! In `http/`, with a nightly toolchain and cargo-fuzz:
//!
//! ```text
//! mkdir -p fuzz/corpus/connection
//! cargo +nightly fuzz run connection fuzz/corpus/connection fuzz/seeds/connection -- -dict=fuzz/http.dict -max_len=4096 -max_total_time=1800
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| evloop_http_fuzz::connection(data));
