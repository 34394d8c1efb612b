//! Any bytes as a chunked body: `codec::body::BodyDecoder` against its slow twin, in pieces of any size.
//!
//! In `http/`, with a nightly toolchain and cargo-fuzz:
//!
//! ```text
//! mkdir -p fuzz/corpus/chunked
//! cargo +nightly fuzz run chunked fuzz/corpus/chunked fuzz/seeds/chunked -- -dict=fuzz/http.dict -max_len=4096 -max_total_time=1800
//! ```

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| evloop_http_fuzz::chunked(data));
