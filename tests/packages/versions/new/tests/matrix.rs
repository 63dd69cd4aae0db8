//! Each change of `table`, in each position, in both directions, between two crates that were compiled apart: every value that is read is the
//! right one, and every refusal says what `refusals.txt` has.
//!
//! After a deliberate change: `UPDATE_GOLDEN=1 cargo test -p package-versions-new`, then read the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use package_versions_case::{Case, Position, Read};
use vox::store::MemoryStore;
use vox::{OperationId, Server, Session};

/// A server of one version, on a store.
async fn serve(cases: &[Case], store: &Arc<MemoryStore>, name: &str) -> (Server, Session) {
    let builder = Server::builder().store(Arc::clone(store) as Arc<_>);
    let builder = cases.iter().fold(builder, |builder, case| (case.serve)(builder));
    let server = builder.bind(&format!("mem://versions-{name}")).await.expect("bound");
    let session = Session::connect(server.address()).await.expect("connected");
    (server, session)
}

/// Both versions, at both ends.
struct Field {
    old: Session,
    new: Session,
    /// A new server on the old one's store, and the other way round.
    new_after_old: Session,
    old_after_new: Session,
    _servers: Vec<Server>,
}

impl Field {
    async fn new(old: &[Case], new: &[Case]) -> Self {
        let (of_old, of_new) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
        let mut servers = Vec::new();
        let mut sessions = Vec::new();
        for (cases, store, name) in [
            (old, &of_old, "old"),
            (new, &of_new, "new"),
            (new, &of_old, "new-after-old"),
            (old, &of_new, "old-after-new"),
        ] {
            let (server, session) = serve(cases, store, name).await;
            servers.push(server);
            sessions.push(session);
        }
        let [old, new, new_after_old, old_after_new] = sessions.try_into().expect("four");
        Self { old, new, new_after_old, old_after_new, _servers: servers }
    }

    /// What the reader makes of each value of the writer at this position.
    async fn run(&self, writer: &Case, reader: &Case, position: Position, way: Flow) -> Vec<Read> {
        let ids: Vec<_> = (0..writer.writes).map(|_| OperationId::new()).collect();
        let (of_writer, of_reader, afterwards) = match way {
            Flow::NewReadsOld => (&self.old, &self.new, &self.new_after_old),
            Flow::OldReadsNew => (&self.new, &self.old, &self.old_after_new),
        };
        if position == Position::KeptOutcome {
            let sealed = (writer.call)(of_writer.clone(), position, ids.clone()).await;
            assert!(sealed.iter().all(Result::is_ok), "{}: {sealed:?}", writer.name);
            return (reader.call)(afterwards.clone(), position, ids).await;
        }
        match position.is_written_by_clients() {
            true => (writer.call)(of_reader.clone(), position, ids).await,
            false => (reader.call)(of_writer.clone(), position, ids).await,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flow {
    NewReadsOld,
    OldReadsNew,
}

/// The text without what every refusal says.
fn short(text: &str, case: &str) -> String {
    let text = text.split_once(": ").filter(|(place, _)| place.contains(" at mem://")).map_or(text, |(_, text)| text);
    let method = text.find('`').and_then(|start| text[start + 1..].split('`').next()).unwrap_or_default();
    let text = text
        .replace(&format!("the call was not sent: the two ends have different versions of `{method}`: "), "not sent: ")
        .replace(&format!("`{method}` has run, and another version of the service (`there`) sealed its outcome: "), "");
    assert!(!text.contains("mem://") && method.starts_with(case) | !method.contains('.'), "{text}");
    text
}

#[tokio::test]
async fn every_change_is_read_right_or_refused_in_every_position() {
    let (old, new) = (package_versions_old::cases(), package_versions_new::cases());
    assert_eq!(old.len(), new.len());
    assert!(old.len() >= 120, "{} changes", old.len());
    let field = Field::new(&old, &new).await;
    let mut refusals = String::new();
    // Of each line, at the three kinds of position, whether a new end reads an old one's values, and the other way round.
    let mut lines: BTreeMap<&str, BTreeMap<&str, BTreeSet<[bool; 2]>>> = BTreeMap::new();
    for (old, new) in old.iter().zip(&new) {
        assert_eq!((old.name, old.line), (new.name, new.line));
        for position in Position::ALL {
            let mut all_read = [false; 2];
            for (at, way) in [Flow::NewReadsOld, Flow::OldReadsNew].into_iter().enumerate() {
                let (writer, reader) = if way == Flow::NewReadsOld { (old, new) } else { (new, old) };
                let expected = (reader.reads)();
                assert!(expected.is_empty() || expected.len() == writer.writes, "{}: {way:?}", old.name);
                let read = field.run(writer, reader, position, way).await;
                let place = format!("{} {position:?} {way:?}", old.name);
                let mut said = BTreeSet::new();
                for (number, read) in read.iter().enumerate() {
                    match (expected.get(number).cloned().flatten(), read) {
                        (Some(expected), read) => assert_eq!(*read, Ok(expected), "{place}"),
                        (None, Err(why)) => {
                            let why = short(why, old.name);
                            let is_refusal = why.contains(" here and ");
                            assert_eq!(is_refusal, expected.is_empty(), "{place}: {why}");
                            said.insert(why);
                        }
                        (None, Ok(read)) => panic!("{place}: {read} was read"),
                    }
                }
                for why in said {
                    writeln!(refusals, "{place}: {why}").expect("text");
                }
                all_read[at] = !expected.is_empty() && expected.iter().all(Option::is_some);
            }
            let kind = match position {
                Position::Argument | Position::ItemToServer => "to the server",
                Position::KeptOutcome => "kept",
                _ => "to the client",
            };
            lines.entry(old.line).or_default().entry(kind).or_default().insert(all_read);
        }
    }
    golden(&refusals);
    the_page_says_so(&lines);
}

fn golden(refusals: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../refusals.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, refusals).expect("written");
    }
    let known = std::fs::read_to_string(&path).expect("the golden file");
    for (known, said) in known.lines().zip(refusals.lines()) {
        assert_eq!(said, known);
    }
    assert_eq!(refusals.lines().count(), known.lines().count(), "refusals.txt has other lines");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../..")
}

/// The rows of the page's table that has this heading, each without its outer bars.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let table = page.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The table of docs/changing.md says who goes first, and it is so.
fn the_page_says_so(lines: &BTreeMap<&str, BTreeMap<&str, BTreeSet<[bool; 2]>>>) {
    let page = std::fs::read_to_string(root().join("docs/changing.md")).expect("the page");
    let mut left: BTreeSet<&str> = lines.keys().copied().collect();
    for row in rows(&page, "| what changes in a type") {
        let line = row[0].as_str();
        assert!(left.remove(line), "no change of the table is `{line}`");
        let verdict = |kind: &str, words: [&str; 4]| {
            let seen = &lines[line][kind];
            assert_eq!(seen.len(), 1, "changes of `{line}` come to different things: {seen:?}");
            let [new_reads_old, old_reads_new] = *seen.first().expect("one");
            words[usize::from(new_reads_old) * 2 + usize::from(old_reads_new)].to_owned()
        };
        let expected = [
            verdict("to the server", ["breaking", "clients first", "servers first", "any order"]),
            verdict("to the client", ["breaking", "servers first", "clients first", "any order"]),
            verdict("kept", ["refused", "refused", "read", "read"]),
        ];
        assert_eq!(row[1..], expected, "docs/changing.md, `{line}`");
    }
    assert!(left.is_empty(), "docs/changing.md lacks {left:?}");
}

#[test]
fn every_line_about_methods_names_a_test() {
    let page = std::fs::read_to_string(root().join("docs/changing.md")).expect("the page");
    let rows = rows(&page, "| what changes in a method");
    assert!(rows.len() >= 8, "{} lines", rows.len());
    for row in rows {
        let (name, file) = row[2].split_once(" in ").unwrap_or_else(|| panic!("{row:?} names no test"));
        let (name, file) = (name.trim_matches('`'), file.trim_matches('`'));
        let tests = std::fs::read_to_string(root().join(file)).expect("the tests");
        assert!(tests.contains(&format!("fn {name}()")), "{file} has no test `{name}`");
        // It says who goes first, by what it sees.
        assert_eq!(tests.matches(&format!("\"{}\"", row[0])).count(), 1, "{file} does not look at `{}`", row[0]);
    }
}
