//! Writes services of many methods, for the sweep over methods; only where that is asked for, since they take long to compile.

use std::fmt::Write as _;
use std::path::PathBuf;

/// How many methods the services have.
const METHODS: [usize; 6] = [1, 3, 10, 30, 100, 300];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_METHODS").is_none() {
        return Ok(());
    }
    let mut source = String::new();
    for methods in METHODS {
        writeln!(source, "mod of_{methods} {{\n#[vox::service]\npub(super) trait Many {{")?;
        for index in 0..methods {
            writeln!(source, "async fn method_{index}(&self, number: u64) -> u64;")?;
        }
        writeln!(source, "}}\npub(super) struct Served;\nimpl Many for Served {{")?;
        for index in 0..methods {
            writeln!(source, "async fn method_{index}(&self, number: u64) -> u64 {{ number }}")?;
        }
        writeln!(source, "}}\n}}\nservice!(of_{methods}, {methods}, method_0, method_{});", methods - 1)?;
    }
    writeln!(source, "pub(super) fn all() -> Vec<Box<dyn Service>> {{\nvec![")?;
    for methods in METHODS {
        writeln!(source, "Box::new(of_{methods}::Served),")?;
    }
    writeln!(source, "]\n}}")?;
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("services.rs"), source)?;
    Ok(())
}
