//! Arguments, of several shapes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vox_fuzz::values(data));
