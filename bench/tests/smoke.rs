//! Everything that is measured runs: a round of every cell, as short as can be. Nothing is measured by it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// Runs the program, and gives the lines of JSON that it wrote.
fn run(name: &str, arguments: &[&str]) -> String {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.jsonl"));
    let _ = std::fs::remove_file(&out);
    let output = Command::new(env!("CARGO_BIN_EXE_vox-bench"))
        .args(arguments)
        .args(["--rounds", "1", "--batch", "1", "--out"])
        .arg(&out)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(out).expect("lines of JSON")
}

/// The different texts between `before` and the next quotation mark.
fn texts<'a>(lines: &'a str, before: &str) -> BTreeSet<&'a str> {
    lines.lines().filter_map(|line| line.split(before).nth(1)?.split('"').next()).collect()
}

#[test]
fn every_cell_runs() {
    let lines = run("cells", &["all"]);
    let cells: BTreeSet<String> = vox_bench::scenario::scenarios().into_iter().map(|cell| cell.name).collect();
    assert_eq!(texts(&lines, "\"scenario\":\""), cells.iter().map(String::as_str).collect());
    assert_eq!(texts(&lines, "\"contender\":\""), ["raw", "rawmux", "vox", "vox-persist"].into());
}

/// A cell of each kind, over the shortest link that it has.
#[test]
fn a_network_runs() {
    let cells =
        ["unary-0.2ms", "unary-64-0.2ms", "connect-10ms", "numbers-10ms", "chunks-10ms-100m", "put-10ms", "cut-10ms"];
    let words: Vec<String> = cells.iter().map(|cell| format!("={cell}")).collect();
    let mut arguments = vec!["wan", "--only", "vox", "--seconds", "1"];
    arguments.extend(words.iter().map(String::as_str));
    let lines = run("wan", &arguments);
    assert_eq!(texts(&lines, "\"wan\":\""), cells.into());
    let of = |cell: &str, figure: &str| {
        let line = lines.lines().find(|line| line.contains(&format!("\"wan\":\"{cell}\""))).expect("the cell's line");
        let value = line.split(&format!("\"{figure}\":")).nth(1).expect("the figure");
        value.split([',', '}']).next().and_then(|number| number.parse::<f64>().ok()).expect("a number")
    };
    // What a link does not let through faster.
    assert!(of("unary-0.2ms", "p50_us") >= 200.0);
    assert!(of("put-10ms", "first_us") >= 10_000.0);
    assert!(of("chunks-10ms-100m", "share") <= 130.0);
    assert!(of("cut-10ms", "next_us") >= 100_000.0);
}

#[test]
fn a_sweep_runs_and_is_drawn() {
    let lines = run("sweep", &["sweep", "in-flight"]);
    assert_eq!(lines.lines().filter(|line| line.contains("\"contender\":\"vox\"")).count(), 13);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let drawn = Command::new(env!("CARGO_BIN_EXE_vox-bench"))
        .args(["plot"])
        .args([directory.join("sweep.jsonl"), directory.join("plots")])
        .status()
        .expect("the program starts");
    assert!(drawn.success());
    let svg = std::fs::read_to_string(directory.join("plots/sweep-in-flight.svg")).expect("a picture");
    assert_eq!(svg.matches("<polyline").count(), 3);
}
