//! A trait, as the macro gets it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vox_fuzz::macro_input(data));
