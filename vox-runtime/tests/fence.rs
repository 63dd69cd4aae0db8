//! The rules of the house that a compiler does not check: what the pure rooms may name, which way imports point,
//! how long a file may be, and that every limit is in the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// What the protocol and the wire must not name: runtimes, clocks, randomness, threads, locks, unordered maps.
const IMPURE: &[&str] = &[
    "tokio",
    "Instant::now",
    "SystemTime",
    "rand::",
    "fastrand",
    "getrandom",
    "RandomState",
    "HashMap",
    "HashSet",
    "std::thread",
    "thread_local",
    "std::sync::Mutex",
    "RwLock",
    "AtomicU",
    "std::io",
    "std::net",
    "std::fs",
    "std::env",
    "println!",
];

/// Each room, and the rooms that it may import from. `ARCHITECTURE.md` says why.
const ROOMS: &[(&str, &[&str])] = &[
    ("ids", DATA),
    ("limits", DATA),
    ("metadata", DATA),
    ("message", DATA),
    ("error", DATA),
    // The one exception among the data: a descriptor holds the plans that the codec compiles of its shapes.
    ("descriptor", &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "schema", "codec"]),
    // Data, which a store is asked with and proto decides about.
    ("operation", &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "descriptor", "schema"]),
    // A map, of anything.
    ("sorted", &[]),
    // How a peer's text is printed.
    ("escaped", &[]),
    // Panics of users' code, caught.
    ("catch_panic", &[]),
    // Doors for fuzz targets, in a build for fuzzing alone.
    ("fuzzing", &["limits", "wire", "store", "schema"]),
    // Words for compile errors.
    ("type_advice", &[]),
    ("schema", &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "descriptor", "operation"]),
    ("codec", &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "schema"]),
    // Values that are known by their schemas alone.
    ("value", &["limits", "error", "escaped", "descriptor", "schema", "codec"]),
    // Services held against their releases: data, and the files that a test names.
    ("compat", &["ids", "escaped", "descriptor", "schema", "codec"]),
    // How two contracts go together, with the plans for it.
    ("terms", &["ids", "policy", "limits", "escaped", "schema", "codec", "value"]),
    (
        "wire",
        &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "descriptor", "operation", "schema"],
    ),
    (
        "proto",
        &[
            "ids",
            "policy",
            "limits",
            "metadata",
            "message",
            "error",
            "escaped",
            "descriptor",
            "operation",
            "schema",
            "sorted",
            "store",
            "terms",
            "wire",
        ],
    ),
    (
        "store",
        &[
            "ids",
            "policy",
            "limits",
            "metadata",
            "message",
            "error",
            "escaped",
            "descriptor",
            "operation",
            "schema",
            "sorted",
            "catch_panic",
        ],
    ),
    ("transport", &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "descriptor", "catch_panic"]),
    (
        "reply",
        &[
            "ids",
            "policy",
            "limits",
            "metadata",
            "message",
            "error",
            "escaped",
            "operation",
            "descriptor",
            "codec",
            "wire",
            "evidence",
            "terms",
        ],
    ),
    (
        "evidence",
        &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "descriptor", "codec", "type_advice"],
    ),
    // The shell, from below: each room leans on all before it.
    ("driver", ALL),
    ("channel", ALL),
    ("client", ALL),
    ("server", ALL),
    ("dynamic", ALL),
    ("policy", &[]),
];

const DATA: &[&str] = &["ids", "policy", "limits", "metadata", "message", "error", "escaped", "descriptor"];

/// The rooms of the shell, from below: each leans on those before it.
const SHELL: &[&str] = &["driver", "channel", "client", "server", "dynamic"];

/// What the shell leans on: itself, by [`SHELL`], and everything below.
const ALL: &[&str] = &[
    "ids",
    "policy",
    "limits",
    "metadata",
    "message",
    "error",
    "escaped",
    "descriptor",
    "operation",
    "schema",
    "sorted",
    "catch_panic",
    "terms",
    "codec",
    "wire",
    "proto",
    "store",
    "transport",
    "driver",
    "client",
    "server",
    "channel",
    "reply",
    "evidence",
    "value",
    "dynamic",
];

/// The longest that a file may be without its tests.
const LINES: usize = 500;

#[test]
fn the_protocol_and_the_wire_are_pure() {
    for source in sources().iter().filter(|source| ["proto", "wire"].contains(&source.room.as_str())) {
        for (number, line) in source.code() {
            for name in IMPURE {
                assert!(!line.contains(name), "{}:{number} names {name}: {line}", source.path.display());
            }
        }
    }
}

#[test]
fn imports_point_one_way() {
    for source in sources() {
        let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == source.room) else {
            assert!(source.room == "lib", "give the room `{}` its row in this test's table", source.room);
            continue;
        };
        for (number, line) in source.code() {
            for (at, _) in line.match_indices("crate::") {
                let named = imported(&line[at + "crate::".len()..]);
                for room in named {
                    let place = |name: &str| SHELL.iter().position(|shell| *shell == name);
                    if let (Some(from), Some(to)) = (place(&source.room), place(&room)) {
                        assert!(
                            to <= from,
                            "{}:{number}: `{}` is below `{room}`: {line}",
                            source.path.display(),
                            source.room
                        );
                    }
                    assert!(
                        room == source.room || allowed.contains(&room.as_str()) || !is_room(&room),
                        "{}:{number}: `{}` must not import from `{room}`: {line}",
                        source.path.display(),
                        source.room
                    );
                }
            }
        }
    }
}

#[test]
fn rooms_import_each_other_one_way() {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| source.room != "lib") {
        let text = source.code().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        let named = imports.entry(source.room.clone()).or_default();
        for (at, start) in text.match_indices("crate::") {
            named.extend(imported(&text[at + start.len()..]).into_iter().filter(|name| *name != source.room));
        }
    }
    let rooms: BTreeSet<String> = imports.keys().cloned().collect();
    imports.values_mut().for_each(|named| named.retain(|name| rooms.contains(name)));
    let mut done = BTreeSet::new();
    for room in &rooms {
        follow(&imports, &mut vec![room.clone()], &mut done);
    }
}

/// The rooms of the shell whose files import each other one way. A file and the folder of its name count as one.
const LINES_OF_FILES: &[&str] = &["channel", "client", "driver", "dynamic", "server"];

/// Imports that point up, at most three, each with its reason. What serves a session is given that session, so one of the two has to
/// name the other before it.
const UPWARD: &[(&str, &str, &str)] = &[
    ("driver", "dispatch", "shared"),
    // The operation of a request, which keeps the session as well.
    ("driver", "dispatch", "operation_runner"),
    // Where the application is asked what serves a connection, it may call the peer back.
    ("driver", "offer", "shared"),
];

#[test]
fn files_of_a_room_import_each_other_one_way() {
    assert!(UPWARD.len() <= 3, "the exceptions are to become fewer");
    for room in LINES_OF_FILES {
        let mut imports = imports_in(room);
        for (_, file, upward) in UPWARD.iter().filter(|(of, ..)| of == room) {
            assert!(
                imports.get_mut(*file).is_some_and(|named| named.remove(*upward)),
                "{file} does not import {upward}"
            );
        }
        assert!(imports.values().any(|named| !named.is_empty()), "the imports of `{room}` were not found");
        let mut done = BTreeSet::new();
        for file in imports.keys() {
            follow(&imports, &mut vec![file.clone()], &mut done);
        }
    }
}

/// Goes along the imports of the last file of `way`, and panics where they come back to one that it has passed.
fn follow(imports: &BTreeMap<String, BTreeSet<String>>, way: &mut Vec<String>, done: &mut BTreeSet<String>) {
    let file = way.last().cloned().expect("the way begins somewhere");
    for next in &imports[&file] {
        if let Some(at) = way.iter().position(|passed| passed == next) {
            panic!("these import each other in a circle: {} -> {next}", way[at..].join(" -> "));
        }
        if !done.contains(next) {
            way.push(next.clone());
            follow(imports, way, done);
            way.pop();
        }
    }
    done.insert(file);
}

/// Each file of a room, and the other files of the room that it imports from.
fn imports_in(room: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let exported = exported(room);
    for source in sources().iter().filter(|source| source.room == room) {
        let below = source.path.strip_prefix(root().join(room)).expect("below its room");
        let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let file = parts[0].trim_end_matches(".rs").to_owned();
        if file == "mod" {
            continue;
        }
        let (here, anywhere) = ("super::".repeat(parts.len()), format!("crate::{room}::"));
        let named = imports.entry(file.clone()).or_default();
        // A list may go over several lines.
        let text = source.code().map(|(_, line)| line).collect::<Vec<_>>().join(" ");
        for start in [here.as_str(), anywhere.as_str()] {
            for (at, _) in text.match_indices(start) {
                let end = &text[at + start.len()..];
                if !text[..at].ends_with("super::") && !end.starts_with("super::") {
                    let names = imported(end).into_iter().map(|name| exported.get(&name).cloned().unwrap_or(name));
                    named.extend(names.filter(|name| *name != file));
                }
            }
        }
    }
    let files: BTreeSet<String> = imports.keys().cloned().collect();
    imports.values_mut().for_each(|named| named.retain(|name| files.contains(name)));
    imports
}

#[test]
fn a_file_is_one_noun() {
    for source in sources() {
        let lines = source.lines().count();
        assert!(lines <= LINES, "{} has {lines} lines without its tests", source.path.display());
    }
}

#[test]
fn examples_name_the_crate_that_users_name() {
    for source in sources() {
        for (number, line) in source.lines().filter(|(_, line)| line.trim_start().starts_with("//")) {
            let path = source.path.display();
            assert!(!line.contains("vox_runtime::"), "{path}:{number}: users write `vox::`: {line}");
        }
    }
}

/// The files that may have unsafe code: all there is. `ARCHITECTURE.md` lists them too.
const UNSAFE: &[&str] = &[
    "channel/hooks.rs",
    "channel/rx.rs",
    "channel/tx.rs",
    "codec/channels.rs",
    "codec/description/containers.rs",
    "codec/description/entries.rs",
    "codec/description/glue.rs",
    "codec/description/vtables.rs",
    "codec/execute/",
    "codec/leaf/mod.rs",
    "codec/plan.rs",
    "evidence.rs",
    "store/sqlite/transaction.rs",
];

#[test]
fn unsafe_code_stays_in_its_rooms() {
    let architecture = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md"));
    let architecture = architecture.expect("the architecture");
    for room in UNSAFE {
        assert!(architecture.contains(&format!("`{room}`")), "ARCHITECTURE.md does not list `{room}` as unsafe");
    }
    let mut seen = Vec::new();
    for source in sources() {
        let path = source.path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        for (number, line) in source.code() {
            let is_unsafe = line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
            if is_unsafe {
                let room = UNSAFE.iter().find(|room| path.starts_with(**room));
                seen.push(*room.unwrap_or_else(|| panic!("{path}:{number} has unsafe code: {line}")));
            }
            let allows = line.contains("allow(unsafe_code") && !line.contains("reason = ");
            assert!(!allows, "{path}:{number} allows unsafe code and does not say why: {line}");
        }
    }
    for room in UNSAFE {
        assert!(seen.contains(room), "`{room}` has no unsafe code any more: take it off the list");
    }
}

#[test]
fn crates_deny_unsafe_code() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (file, lint) in [
        ("vox-runtime/src/lib.rs", "#![deny(unsafe_code)]"),
        ("src/lib.rs", "#![forbid(unsafe_code)]"),
        ("vox-macros/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("vox-codegen/src/lib.rs", "#![forbid(unsafe_code)]"),
    ] {
        let text = fs::read_to_string(workspace.join(file)).expect("a crate's root");
        assert!(text.lines().any(|line| line == lint), "{file} lacks {lint}");
    }
}

#[test]
fn every_limit_is_in_the_table_with_its_default() {
    check_limits("limits.rs", "Limits", 16);
    check_limits("store/limits.rs", "StoreLimits", 9);
}

/// Checks the table of the struct `name` in `file`, which has at least so many fields.
fn check_limits(file: &str, name: &str, fewest: usize) {
    let text = fs::read_to_string(root().join(file)).expect("the limits");
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("/// | ")).collect();
    let fields = text.split(&format!("pub struct {name} {{")).nth(1).and_then(|rest| rest.split("\n}").next());
    let mut checked = 0;
    for field in fields.expect("the struct").lines().filter_map(|line| line.trim().strip_prefix("pub ")) {
        let name = field.split(':').next().unwrap_or_default();
        let row = rows
            .iter()
            .find(|row| row.split(" | ").next().is_some_and(|names| names.contains(&format!("`{name}`"))))
            .unwrap_or_else(|| panic!("`{name}` is not in the table of {file}"));
        let mut cells = row.split(" | ");
        // A row may name a pair, and gives their defaults in the same order.
        let index = cells.next().unwrap_or_default().split(" / ").position(|n| n == format!("`{name}`"));
        let default = cells.next().and_then(|cell| cell.split(" / ").nth(index.unwrap_or(0))).unwrap_or_default();
        assert_eq!(printed(&text, name), default, "the default of `{name}`");
        checked += 1;
    }
    assert!(checked >= fewest, "the fields of {file} were not found");
}

/// The default of a limit, in the table's words.
fn printed(text: &str, name: &str) -> String {
    let defaults = text.split("fn default() -> Self {").nth(1).expect("the defaults");
    let value = defaults
        .lines()
        .find_map(|line| line.trim().strip_prefix(&format!("{name}: ")))
        .unwrap_or_else(|| panic!("`{name}` has no default"))
        .trim_end_matches(',');
    if let Some(seconds) = value.strip_prefix("Duration::from_secs(") {
        return format!("{} s", seconds.trim_end_matches(')'));
    }
    let value = match value.split_once(" << ") {
        Some((mantissa, "30")) => format!("{mantissa} GiB"),
        Some((mantissa, "20")) => format!("{mantissa} MiB"),
        Some((mantissa, "10")) => format!("{mantissa} KiB"),
        Some(_) => panic!("`{name}` is in a unit that the table has no word for"),
        None => grouped(value),
    };
    // The one limit that counts bytes below a KiB.
    if name == "max_metadata_key" { format!("{value} B") } else { value }
}

/// A number with commas between its thousands.
fn grouped(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let mut out = String::new();
    for (index, digit) in digits.iter().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(*digit);
    }
    out
}

/// The names that a room's `mod.rs` gives on, each with the file that it is from.
fn exported(room: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join(room).join("mod.rs")).expect("the root of the room");
    let uses = text.split(';').filter_map(|item| item.split(" use ").nth(1));
    let of_file = |path: &str| {
        let (file, names) = path.trim_start_matches("self::").split_once("::")?;
        Some(imported(names).into_iter().map(move |name| (name, file.to_owned())).collect::<Vec<_>>())
    };
    uses.filter_map(of_file).flatten().collect()
}

/// What follows `crate::` or the like: one name, or a list in braces.
fn imported(path: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut depth = 0;
    let items = list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0 || depth < 0
    });
    let mut names = Vec::new();
    for item in items {
        names.push(word(item.trim()));
        // The list is closed where what was taken ends at its brace.
        let end = item.as_ptr() as usize - list.as_ptr() as usize + item.len();
        if list[end..].starts_with('}') {
            break;
        }
    }
    names
}

fn is_room(name: &str) -> bool {
    ROOMS.iter().any(|(room, _)| *room == name)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    source::read(&root())
}

/// Source files, and what of them is not a test.
mod source {
    use std::fs;
    use std::path::{Path, PathBuf};

    pub(super) struct Source {
        pub(super) path: PathBuf,
        /// The first part of the path: a directory, or a file of its own.
        pub(super) room: String,
        text: String,
    }

    impl Source {
        /// The lines that are not comments, with their numbers.
        pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
            self.lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
        }

        /// The lines before the test module at the file's end, with their numbers.
        pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
            let mut tests = false;
            let mut lines = self.text.lines().peekable();
            std::iter::from_fn(move || {
                let line = lines.next()?;
                let next = lines.peek().map_or("", |next| next.trim_start());
                tests |= line == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{');
                (!tests).then_some(line)
            })
            .enumerate()
            .map(|(index, line)| (index + 1, line))
        }
    }

    /// Every file below `root` that is not compiled for tests alone.
    pub(super) fn read(root: &Path) -> Vec<Source> {
        let mut sources = Vec::new();
        let mut pending = vec![root.to_path_buf()];
        let mut test_only = Vec::new();
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory).expect("the source tree can be read") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    pending.push(path);
                    continue;
                }
                if path.extension().is_none_or(|extension| extension != "rs") {
                    continue;
                }
                let text = fs::read_to_string(&path).expect("a source file can be read");
                test_only.extend(test_modules(&path, &text));
                let room = path.strip_prefix(root).expect("below the root").components().next().expect("a name");
                let room = room.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
                sources.push(Source { path, room, text });
            }
        }
        sources.retain(|source| !test_only.iter().any(|module| belongs(&source.path, module)));
        assert!(sources.len() > 10, "the sources were not found");
        sources
    }

    /// The modules that this file declares under `#[cfg(test)]`, as paths without `.rs`.
    fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
        let home = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("mod" | "lib") | None => path.with_file_name(""),
            Some(stem) => path.with_file_name(stem),
        };
        let mut modules = Vec::new();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line == "#[cfg(test)]"
                && let Some(declared) = lines.by_ref().find(|line| !line.starts_with("#["))
                && let Some(name) = declared.rsplit("mod ").next().and_then(|rest| rest.strip_suffix(';'))
            {
                modules.push(home.join(name));
            }
        }
        modules
    }

    fn belongs(path: &Path, module: &Path) -> bool {
        path.with_extension("") == module || path.starts_with(module)
    }
}
