//! Sends a host whatever libFuzzer thinks of. What is done with an input, and what must hold then, is in `inputs.rs`, which
//! `host/tests/it/fuzz.rs` runs over the seeds: so whatever breaks it is found without a fuzzer.

#![no_main]

mod inputs;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| inputs::send(input));
