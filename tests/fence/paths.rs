//! What documents name is there.

use std::path::Path;

/// Documents whose paths are followed by people who do not know the tree, and where else than at the root such a path
/// may begin.
const GUIDES: [(&str, &[&str]); 3] = [
    ("CONTRIBUTING.md", &["vox-codegen/src/check"]),
    ("ARCHITECTURE.md", &["vox-runtime/src"]),
    ("docs/internals/where.md", &["vox-runtime/src"]),
];

#[test]
fn the_files_that_documents_link_to_exist() {
    for (name, text) in super::files("md") {
        let folder = super::root().join(&name).parent().expect("a folder").to_owned();
        for (at, open) in text.match_indices("](") {
            let target: String = text[at + open.len()..].chars().take_while(|&c| c != ')' && c != '#').collect();
            // Code has brackets too.
            let is_path = !target.is_empty() && !target.contains([' ', '"', '`', ':']);
            assert!(!is_path || folder.join(&target).exists(), "{name} links to {target}, which is not there");
        }
    }
}

#[test]
fn the_files_that_documents_name_exist() {
    for (name, bases) in GUIDES {
        let text = std::fs::read_to_string(super::root().join(name)).expect("a document");
        // What is between two backticks, outside of blocks of code.
        let spans = text.split("```").step_by(2).flat_map(|part| part.split('`').skip(1).step_by(2));
        let paths = spans.filter(|span| is_path(span)).flat_map(each);
        let mut followed = 0;
        for path in paths {
            let exists = std::iter::once(&"").chain(bases).any(|base| super::root().join(base).join(&path).exists());
            assert!(exists, "{name} names `{path}`, which is not there");
            followed += 1;
        }
        assert!(followed > 20, "{name} names {followed} files");
    }
}

fn is_path(span: &str) -> bool {
    let is_plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./{},".contains(c));
    let is_file = Path::new(span).extension().is_some_and(|end| ["rs", "md", "txt", "toml"].iter().any(|e| end == *e));
    is_plain && (is_file || (span.ends_with('/') && span.len() > 1))
}

/// `a/{b,c}.rs` names two files.
fn each(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.to_owned()] };
    let Some((inner, after)) = rest.split_once('}') else { return vec![path.to_owned()] };
    inner.split(',').map(|one| format!("{before}{one}{after}")).collect()
}

/// Each row of the page names files, and words to look for in one of them.
#[test]
fn what_the_page_of_questions_says_to_look_for_is_there() {
    let page = std::fs::read_to_string(super::root().join("docs/internals/where.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains(".rs`"));
    let mut asked = 0;
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [.., answer, words] = cells.as_slice() else { panic!("a row of too few cells: {row}") };
        let spans = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let read = |path: &str| {
            ["", "vox-runtime/src"]
                .iter()
                .find_map(|base| std::fs::read_to_string(super::root().join(base).join(path)).ok())
        };
        let texts: String = spans(answer).iter().filter_map(|path| read(path)).collect();
        for word in spans(words) {
            let found = word.split("::").all(|part| texts.contains(part));
            assert!(found, "`{word}` is in none of the files of this row: {row}");
        }
        asked += 1;
    }
    assert_eq!(asked, 20, "questions");
}
