//! What `#[vox::service]` accepts compiles and runs; what it refuses is refused in the words recorded beside the case.
//!
//! After a deliberate change of words: `TRYBUILD=overwrite cargo test --test ui`, then read what changed.

#[test]
fn accepted_traits_compile_and_run() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn refused_traits_say_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
