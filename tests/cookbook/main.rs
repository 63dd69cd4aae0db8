//! The recipes of docs/cookbook.md, one file each. A test keeps the page and the files equal.

#![allow(unreachable_pub, reason = "what is public in a module is so for its neighbours")]

mod auth;
mod callback;
mod channel_in_a_struct;
mod own_link;
mod push;
mod retry;
mod services;
mod shutdown;
mod static_client;
mod testing;
mod time_limits;
mod upload;
mod without_types;

use std::collections::BTreeSet;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/cookbook.md");

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Each section names its file, and its code stands in that file.
#[test]
fn the_code_on_the_page_is_the_code_of_the_recipes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let flat = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let mut shown = BTreeSet::new();
    for section in PAGE.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        let name = section.split("](../").nth(1).and_then(|rest| rest.split(')').next());
        let name = name.unwrap_or_else(|| panic!("{title}: no file is named"));
        let file = std::fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let blocks: Vec<&str> =
            section.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{title}: no code");
        assert!(section.contains("**When it fails:**"), "{title}: does not say what happens when it fails");
        for block in blocks {
            assert!(flat(&file).contains(flat(block).trim()), "{title}: {name} does not have this:\n{block}");
        }
        assert!(shown.insert(name.to_owned()), "{name} is shown twice");
    }
    let written = std::fs::read_dir(root.join("tests/cookbook")).expect("this folder");
    for file in written {
        let name = format!("tests/cookbook/{}", file.expect("a file").file_name().to_string_lossy());
        assert!(name.ends_with("/main.rs") || shown.contains(&name), "docs/cookbook.md does not show {name}");
    }
    assert!(shown.len() >= 12, "the page has lost recipes");
}
