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
        if let Some((message, help)) = first_message(&fs::read_to_string(&path).expect("words"))
            && case != "many_mistakes"
        {
            let row = format!("| {link} | {message} | {help} |");
            assert!(page.contains(&row), "docs/service-macro.md lacks this row:\n{row}");
            listed += 1;
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| [") && line.matches(" | ").count() == 2);
    let rows = rows.count();
    assert_eq!(rows, listed, "docs/service-macro.md has rows without a case");
}

#[test]
fn the_documentation_lists_every_accepted_form_in_the_words_of_its_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/service-macro.md")).expect("the page");
    let mut listed = 0;
    for entry in fs::read_dir(root.join("tests/ui/pass")).expect("the cases") {
        let path = entry.expect("a case").path();
        let case = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let source = fs::read_to_string(&path).expect("a case");
        let says = source.lines().next().and_then(|line| line.strip_prefix("//! ")).expect("what it shows");
        let row = format!("| [{case}](../tests/ui/pass/{case}.rs) | {says} |");
        assert!(page.contains(&row), "docs/service-macro.md lacks this row:\n{row}");
        listed += 1;
    }
    let rows = page.lines().filter(|line| line.starts_with("| [") && line.contains("](../tests/ui/pass/")).count();
    assert_eq!(rows, listed, "docs/service-macro.md has rows without a case");
}

/// The mistakes that users make most: one error each, short enough to be read.
#[test]
fn the_commonest_mistakes_are_one_short_error_each() {
    let cases = [
        ("a type without `Facet`", "type_not_facet_argument"),
        ("`&mut self`", "receiver_mut"),
        ("a generic method", "method_generic"),
        ("`#[vox(idme)]`", "option_unknown"),
        ("a channel in a return", "channel_in_return"),
        ("a future that is not `Send`", "impl_not_send"),
        ("a method missing in an `impl`", "impl_missing_method"),
        ("a wrong argument at a call", "call_wrong_type"),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/service-macro.md")).expect("the page");
    for (mistake, case) in cases {
        let stderr = fs::read_to_string(root.join(format!("tests/ui/fail/{case}.stderr"))).expect("words");
        let errors = stderr.lines().filter(|line| line.starts_with("error")).count();
        let lines = stderr.lines().count();
        assert_eq!(errors, 1, "{case}:\n{stderr}");
        let most = if case == "impl_not_send" { MAX_LINES_WITH_A_VALUE } else { MAX_LINES };
        assert!(lines <= most, "{case} takes {lines} lines:\n{stderr}");
        let row = format!("| {mistake} | [{case}](../tests/ui/fail/{case}.stderr) | {errors} | {lines} |");
        assert!(page.contains(&row), "docs/service-macro.md lacks this row:\n{row}");
    }
}

/// Every refusal is one error, but where something else fails too.
#[test]
fn every_refusal_is_one_error() {
    let exceptions = [
        ("client_name_taken", "the compiler goes on with the other type, which has not what a client has"),
        ("many_mistakes", "has seven mistakes"),
        ("method_variadic", "Rust wants `unsafe extern` beside `...`: three mistakes"),
        ("type_not_send_implemented", "the trait and its `impl` are both at fault"),
        ("type_not_facet_enum", "facet's derive and the service each say what is missing"),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/fail");
    for entry in fs::read_dir(root).expect("the cases") {
        let path = entry.expect("a case").path();
        if path.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        let case = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if exceptions.iter().any(|(name, _)| *name == case) {
            continue;
        }
        let stderr = fs::read_to_string(&path).expect("words");
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{case}:\n{stderr}");
    }
}

/// What a terminal shows at once, beside the code.
const MAX_LINES: usize = 15;

/// The same, where the compiler also shows a value and the `.await` that it lives across.
const MAX_LINES_WITH_A_VALUE: usize = 20;

/// What the first error of a recorded output says, and its help, if the words are ours.
fn first_message(stderr: &str) -> Option<(&str, &str)> {
    let mut lines = stderr.lines();
    let (_, message) = lines.next()?.split_once(": ")?;
    let help = lines.next()?.trim_start().strip_prefix("help: ")?;
    Some((message.trim_start_matches("evaluation panicked: "), help))
}
