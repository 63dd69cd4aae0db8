//! Values that are known by a peer's schema alone, as bytes and as JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    vox_fuzz::dynamic(data);
});
