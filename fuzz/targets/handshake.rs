//! A message of the handshake.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vox_fuzz::handshake(data));
