//! Snapshots of services, and what is said of changes.

#![allow(dead_code, reason = "versions of traits and types, of which not all parts are looked at")]
#![allow(unreachable_pub, reason = "types of public traits, in modules that are not")]

mod compat {
    mod bank;
    mod changes;
    mod files;
    mod text;

    use std::path::Path;

    /// Holds a text against the file that it is in; with `VOX_BLESS=1` the file is written.
    fn golden(file: &str, actual: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(file);
        if std::env::var_os("VOX_BLESS").is_some() {
            std::fs::write(&path, actual).expect("it can be written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        for (number, (expected, actual)) in expected.lines().zip(actual.lines()).enumerate() {
            assert_eq!(actual, expected, "line {} of {file}", number + 1);
        }
        assert_eq!(actual, expected, "{file}");
    }
}
