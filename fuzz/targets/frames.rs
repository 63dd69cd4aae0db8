//! A frame of an established session.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vox_fuzz::frames(data));
