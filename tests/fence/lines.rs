//! No line of a document is so long that an editor or a diff cuts it, and no file so long that a reader loses the way in it.

const COLUMNS: usize = 120;

/// How long a file may be with all its tests. `vox-runtime/tests/fence.rs` says how long without.
const LINES: usize = 600;

/// A row of a table is excepted: Markdown has no way to put one on two lines, and most tables here are compared with
/// the code row by row.
#[test]
fn no_line_of_a_document_is_longer_than_a_screen_is_wide() {
    let mut long = Vec::new();
    for (name, text) in super::files("md") {
        let mut in_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            let start = line.trim_start();
            in_code ^= start.starts_with("```");
            let is_row = start.starts_with('|') && !in_code;
            if line.chars().count() > COLUMNS && !is_row {
                long.push(format!("{name}:{number}: {} columns", line.chars().count()));
            }
        }
    }
    assert!(long.is_empty(), "lines over {COLUMNS} columns, to be wrapped:\n{}", long.join("\n"));
}

#[test]
fn no_file_is_longer_than_a_reader_keeps_in_mind() {
    let files = super::files("rs").into_iter().map(|(name, text)| (name, text.lines().count()));
    let long: Vec<_> = files.filter(|(_, lines)| *lines > LINES).collect();
    assert!(long.is_empty(), "files over {LINES} lines, to be divided: {long:?}");
}
