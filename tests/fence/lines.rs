//! No line of a document is so long that an editor or a diff cuts it.

const COLUMNS: usize = 120;

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
