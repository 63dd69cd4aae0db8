//! What a peer says of a service, and whether its methods go together.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    vox_fuzz::contracts(data);
});
