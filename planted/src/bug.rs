//! The list of bugs, as text.

/// One bug: a place in the sources, and what it becomes.
#[derive(Debug, Default)]
pub(crate) struct Bug {
    pub(crate) title: String,
    /// From the workspace's root.
    pub(crate) file: String,
    /// What follows `cargo test`.
    pub(crate) test: String,
    pub(crate) sound: String,
    pub(crate) planted: String,
}

/// Reads the list. A bug is
///
/// ```text
/// == what is wrong
/// file: vox-runtime/src/…
/// test: -p vox-runtime --lib proto::
/// --- sound
/// lines of the file, exactly
/// --- planted
/// what they become
/// ```
pub(crate) fn parse(text: &str) -> Result<Vec<Bug>, String> {
    let (_, list) = text.split_once("\n== ").ok_or("there is no bug in the list")?;
    list.split("\n== ").map(one).collect()
}

fn one(text: &str) -> Result<Bug, String> {
    let title = text.lines().next().unwrap_or_default();
    let fault = |what: &str| format!("bug `{title}`: {what}");
    let (head, rest) = text.split_once("\n--- sound\n").ok_or_else(|| fault("no `--- sound`"))?;
    let (sound, planted) = rest.split_once("\n--- planted\n").ok_or_else(|| fault("no `--- planted`"))?;
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned()).ok_or_else(|| fault(&format!("no `{name}`")))
    };
    Ok(Bug {
        title: title.to_owned(),
        file: field("file:")?,
        test: field("test:")?,
        sound: sound.to_owned(),
        planted: planted.trim_end().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// A change of a line in which a bug is planted changes the list as well.
    #[test]
    fn each_bug_has_one_place() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let bugs = super::parse(include_str!("../bugs.txt")).expect("a list");
        let found = |file: &str, sound: &str| {
            let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            text.matches(sound).count()
        };
        let lost: Vec<_> = bugs.iter().filter(|bug| found(&bug.file, &bug.sound) != 1).map(|bug| &bug.title).collect();
        assert!(lost.is_empty(), "not found once in their files: {lost:#?}");
    }

    /// A module that moved would take no test with it, and each of its bugs would seem to slip through.
    #[test]
    fn each_bug_names_a_module_that_is_there() {
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vox-runtime/src");
        let source = |module: &str| {
            let path = module.replace("::", "/");
            let files = [format!("{path}.rs"), format!("{path}/mod.rs")];
            files.iter().find_map(|file| std::fs::read_to_string(library.join(file)).ok())
        };
        let is_there = |filter: &str| {
            let filter = filter.trim_end_matches("::");
            // The last name may be the beginning of a test's, in the file of the module before it.
            let has = |(module, test)| source(module).is_some_and(|text| text.contains(&format!("fn {test}")));
            source(filter).is_some() || filter.rsplit_once("::").is_none_or(has)
        };
        let bugs = super::parse(include_str!("../bugs.txt")).expect("a list");
        let filters = bugs.iter().filter_map(|bug| bug.test.split(" --lib ").nth(1));
        let lost: Vec<_> = filters.filter(|filter| !is_there(filter)).collect();
        assert!(lost.is_empty(), "no modules of vox-runtime: {lost:#?}");
    }
}
