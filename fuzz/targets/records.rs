//! A row of a store on disk.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vox_fuzz::records(data));
