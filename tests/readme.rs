//! What the README shows and promises is what there is.

const README: &str = include_str!("../README.md");
const HELLO: &str = include_str!("../examples/hello.rs");
const CI: &str = include_str!("../.ci/run");

#[test]
fn the_program_in_the_readme_is_the_example() {
    let shown = block("rust").expect("the README shows a program");
    assert_eq!(shown, HELLO, "README.md and examples/hello.rs differ");
    assert!(HELLO.lines().count() <= 25, "hello is meant to be short");
}

#[test]
fn ci_runs_the_commands_of_the_readme() {
    let commands = block("console").expect("the README shows commands");
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert_eq!(commands, ["cargo run --example tour", "cargo test --workspace"]);
    for command in commands {
        assert!(CI.contains(command), ".ci/run does not run `{command}`");
    }
}

#[test]
fn the_files_that_the_readme_links_to_exist() {
    for (_, rest) in README.match_indices("](").map(|(at, open)| README.split_at(at + open.len())) {
        let target = rest.split([')', '#']).next().unwrap_or_default();
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
        assert!(target.starts_with("http") || file.exists(), "README.md links to {target}, which is not there");
    }
}

/// The first code block of a language.
fn block(language: &str) -> Option<&'static str> {
    let (_, rest) = README.split_once(&format!("```{language}\n"))?;
    rest.split_once("```").map(|(block, _)| block)
}
