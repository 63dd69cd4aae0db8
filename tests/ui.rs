//! What `#[vox::service]` accepts compiles and runs; what it refuses is refused in the words recorded beside the case.
//!
//! After a deliberate change of words: `TRYBUILD=overwrite cargo test --test ui`, then read what changed.

use std::fs;
use std::path::Path;

#[test]
fn accepted_traits_compile_and_run() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn refused_traits_say_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn the_documentation_lists_every_refusal_in_the_words_of_the_compiler() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/service-macro.md")).expect("the page");
    let mut listed = 0;
    for entry in fs::read_dir(root.join("tests/ui/fail")).expect("the cases") {
        let path = entry.expect("a case").path();
        if path.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        let case = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let link = format!("[{case}](../tests/ui/fail/{case}.rs)");
        assert!(page.contains(&link), "docs/service-macro.md does not mention {link}");
        if let Some((message, cure)) = first_message(&fs::read_to_string(&path).expect("words"))
            && case != "many_mistakes"
        {
            let row = format!("| {link} | {message} | {cure} |");
            assert!(page.contains(&row), "docs/service-macro.md lacks this row:\n{row}");
            listed += 1;
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| [")).count();
    assert_eq!(rows, listed, "docs/service-macro.md has rows without a case");
}

/// What the first error of a recorded output says, and its cure, if the words are ours.
fn first_message(stderr: &str) -> Option<(&str, &str)> {
    let mut lines = stderr.lines();
    let (_, message) = lines.next()?.split_once(": ")?;
    let cure = lines.next()?.trim_start().strip_prefix("help: ")?;
    Some((message.trim_start_matches("evaluation panicked: "), cure))
}
