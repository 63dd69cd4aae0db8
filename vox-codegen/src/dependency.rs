//! Under which name a package depends on vox: `rpc` where its manifest says `rpc = { package = "vox", … }`.

use std::fs;
use std::path::Path;

use crate::manifest::{Entry, Value, entries};

/// Where a package has vox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Among its dependencies, under this name.
    Named(String),
    /// Nowhere that its manifest speaks of: `crate = path` has to say.
    Nowhere,
    /// There is no manifest to read, as where another tool than cargo compiles.
    Unknown,
}

/// Where the package that is being compiled has vox. `attribute` is how the macro was called, as in `#[rpc::service]`, if that is known: where
/// several dependencies are packages called vox, it says which one is meant.
#[must_use]
pub fn find(attribute: Option<&str>) -> Found {
    let Some(folder) = std::env::var_os("CARGO_MANIFEST_DIR") else {
        return Found::Unknown;
    };
    let folder = Path::new(&folder);
    let read = |folder: &Path| fs::read_to_string(folder.join("Cargo.toml")).ok().map(|text| entries(&text));
    let Some(own) = read(folder) else {
        return Found::Unknown;
    };
    let workspace = || match text(&own, &["package", "workspace"]) {
        Some(root) => read(&folder.join(root)),
        None => folder.ancestors().skip(1).filter_map(read).find(|manifest| is_workspace(manifest)),
    };
    let of_build_script = std::env::var("CARGO_CRATE_NAME").is_ok_and(|name| name == "build_script_build");
    name_in(&own, workspace, of_build_script, attribute.and_then(first_name))
}

/// The crate that a path in an attribute begins with: `rpc` of `#[::rpc::service(name = "a")]`. `None`: the path has one name.
fn first_name(attribute: &str) -> Option<&str> {
    let path = attribute.trim_start().trim_start_matches(['#', '!', '[']).trim_start().trim_start_matches("::");
    let (first, _) = path.split('(').next()?.split_once("::")?;
    Some(first.trim())
}

/// The same, of a manifest and of that of its workspace, which is asked for if the first refers to it and is not it.
fn name_in(
    own: &[Entry],
    workspace: impl FnOnce() -> Option<Vec<Entry>>,
    of_build_script: bool,
    called: Option<&str>,
) -> Found {
    let mut dependencies = dependencies(own);
    if dependencies.iter().any(|dependency| dependency.is_inherited) {
        let found = if is_workspace(own) { None } else { workspace() };
        let root = found.as_deref().unwrap_or(own);
        for dependency in dependencies.iter_mut().filter(|dependency| dependency.is_inherited) {
            let package = text(root, &["workspace", "dependencies", dependency.name, "package"]);
            dependency.package = package.unwrap_or(dependency.name).to_owned();
        }
    }
    let first = if of_build_script { Kind::Build } else { Kind::Normal };
    let of_vox = dependencies.iter().filter(|dependency| dependency.package == "vox");
    let is_called = |dependency: &Dependency<'_>| called.is_some_and(|called| dependency.in_rust() == called);
    let best = of_vox.min_by_key(|dependency| {
        (!is_called(dependency), dependency.kind != first, dependency.kind, dependency.name != "vox")
    });
    // A fork of vox may be a package of another name; vox's own examples and tests depend on nothing.
    let is_called_vox = || dependencies.iter().any(|dependency| dependency.name == "vox");
    match best {
        Some(dependency) => Found::Named(dependency.in_rust()),
        None if is_called_vox() || text(own, &["package", "name"]) == Some("vox") => Found::Named("vox".to_owned()),
        None => Found::Nowhere,
    }
}

/// What a manifest says of a dependency.
struct Dependency<'a> {
    kind: Kind,
    name: &'a str,
    package: String,
    is_inherited: bool,
}

impl Dependency<'_> {
    /// The name of the crate.
    fn in_rust(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// Who depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Normal,
    Dev,
    Build,
}

fn dependencies(manifest: &[Entry]) -> Vec<Dependency<'_>> {
    let mut found: Vec<Dependency<'_>> = Vec::new();
    for entry in manifest {
        let path: Vec<&str> = entry.path.iter().map(String::as_str).collect();
        let (table, name, keys) = match path.as_slice() {
            ["target", _, table, name, keys @ ..] | [table, name, keys @ ..] => (*table, *name, keys),
            _ => continue,
        };
        let kind = match table {
            "dependencies" => Kind::Normal,
            "dev-dependencies" | "dev_dependencies" => Kind::Dev,
            "build-dependencies" | "build_dependencies" => Kind::Build,
            _ => continue,
        };
        let at = found.iter().position(|other| other.kind == kind && other.name == name).unwrap_or_else(|| {
            found.push(Dependency { kind, name, package: name.to_owned(), is_inherited: false });
            found.len() - 1
        });
        match (keys, &entry.value) {
            (["package"], Value::Text(package)) => package.clone_into(&mut found[at].package),
            (["workspace"], Value::True) => found[at].is_inherited = true,
            _ => {}
        }
    }
    found
}

fn is_workspace(manifest: &[Entry]) -> bool {
    manifest.iter().any(|entry| entry.path.first().is_some_and(|first| first == "workspace"))
}

/// The text at these keys.
fn text<'a>(manifest: &'a [Entry], keys: &[&str]) -> Option<&'a str> {
    manifest.iter().find_map(|entry| match &entry.value {
        Value::Text(text) if entry.path == keys => Some(text.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Found {
        Found::Named(name.to_owned())
    }

    fn alone(manifest: &str) -> Found {
        name_in(&entries(manifest), || None, false, None)
    }

    #[test]
    fn a_renamed_dependency_is_found_in_every_way_to_write_it() {
        for manifest in [
            "[dependencies]\nrpc = { package = \"vox\", path = \"..\" }",
            "[dependencies]\nserde = \"1\"\nrpc = {version=\"1\",package=\"vox\"}",
            "[dependencies]\nrpc = { package = 'vox', path = '..' }",
            "[dependencies]\nrpc = { package = \"v\\u006fx\" }",
            "[dependencies]\nrpc = { package = \"\"\"vox\"\"\" }",
            "[dependencies]\nrpc = { package = \"vox\" } # not ours",
            "[dependencies]\nrpc = {\n  path = '..', # here\n  package = 'vox',\n}",
            "[dependencies]\nrpc = { features = [\n'a', # one\n'b'], package = 'vox' }",
            "[dev-dependencies]\nrpc = { version = \"1\", package = \"vox\" }",
            "[build-dependencies]\nrpc = { version = \"1\", package = \"vox\" }",
            "[target.'cfg(unix)'.dependencies]\nrpc = { version = \"1\", package = \"vox\" }",
            "[target.'cfg(unix)'.dependencies.rpc]\npackage = \"vox\"",
            "[target]\nx86_64-unknown-linux-gnu.dependencies.rpc.package = 'vox'",
            "[dependencies.rpc]\nversion = \"1\"\npackage = \"vox\"\n[features]\nvox = []",
            "[dependencies.rpc]\npath = \"..\"\npackage = \"vox\" # the name is another's here",
            "[dependencies.rpc] # ours\npackage = \"vox\"",
            "[ dependencies . \"rpc\" ]\npackage = \"vox\"",
            "[dependencies]\nrpc.version = \"1\"\nrpc.package = \"vox\"",
            "[dependencies]\n\"rpc\" = { package = \"vox\" }",
            "[dependencies]\n'rpc' . 'package' = 'vox'",
            "dependencies.rpc = { package = 'vox' }",
            "dependencies = { rpc = { package = 'vox' } }",
            "[dependencies]\r\nrpc = { package = 'vox' }\r\n",
            "[package]\ndescription = '''\n[dependencies]\nvox = \"1\"\n'''\n[dependencies]\nrpc = { package = 'vox' }",
        ] {
            assert_eq!(alone(manifest), named("rpc"), "{manifest}");
        }
    }

    #[test]
    fn a_hyphen_becomes_what_it_is_in_rust() {
        assert_eq!(alone("[dependencies]\nmy-rpc = { package = \"vox\" }"), named("my_rpc"));
    }

    #[test]
    fn a_name_is_inherited_from_the_workspace() {
        let workspace = || Some(entries("[workspace.dependencies]\nrpc = { package = \"vox\", path = \".\" }"));
        let of = |manifest: &str| name_in(&entries(manifest), workspace, false, None);
        for manifest in [
            "[dependencies]\nrpc.workspace = true",
            "[dependencies]\nrpc = { workspace = true, features = [\"uuid\"] }",
            "[dependencies.rpc]\nworkspace = true # as all do",
            "[dev-dependencies]\n'rpc' = { 'workspace' = true }",
        ] {
            assert_eq!(of(manifest), named("rpc"), "{manifest}");
        }
        assert_eq!(of("[dependencies]\nother.workspace = true"), Found::Nowhere);
    }

    #[test]
    fn the_root_of_a_workspace_has_names_of_its_own() {
        let root = "[workspace]\n[workspace.dependencies]\nvox = { path = \"..\" }\n[dependencies]\n";
        assert_eq!(alone(&format!("{root}rpc = {{ package = \"vox\", path = \"..\" }}")), named("rpc"));
        assert_eq!(alone(&format!("{root}vox.workspace = true")), named("vox"));
        let renamed = "[workspace.dependencies.rpc]\npackage = 'vox'\n[dependencies]\nrpc.workspace = true";
        assert_eq!(alone(renamed), named("rpc"));
    }

    #[test]
    fn another_crate_may_be_called_vox() {
        let manifest = "[dependencies]\nvox = { package = \"voice\" }\nrpc = { package = \"vox\" }";
        assert_eq!(alone(manifest), named("rpc"));
        let inherited = "[dependencies]\nvox.workspace = true\nrpc = { package = \"vox\" }";
        let workspace = || Some(entries("[workspace.dependencies]\nvox = { package = 'voice' }"));
        assert_eq!(name_in(&entries(inherited), workspace, false, None), named("rpc"));
    }

    #[test]
    fn of_two_packages_called_vox_the_one_is_taken_by_which_the_macro_is_called() {
        let manifest = entries("[dependencies]\nvox = '0.3'\nmy-rpc = { package = \"vox\", path = '..' }");
        let of = |attribute| name_in(&manifest, || None, false, first_name(attribute));
        for attribute in ["#[my_rpc::service]", "#[ ::my_rpc::service(name = \"a::b\") ]", "my_rpc :: service"] {
            assert_eq!(of(attribute), named("my_rpc"), "{attribute}");
        }
        for attribute in ["#[vox::service]", "#[service]", "#[service(crate = my_rpc::vox)]", "#[other::service]", ""] {
            assert_eq!(of(attribute), named("vox"), "{attribute}");
        }
    }

    #[test]
    fn of_two_names_the_one_that_the_crate_sees_is_taken() {
        let manifest = "[dev-dependencies]\nvox = '1'\n[dependencies]\nrpc = { package = 'vox' }\n[build-dependencies]\nb = { package = 'vox' }";
        assert_eq!(alone(manifest), named("rpc"));
        assert_eq!(name_in(&entries(manifest), || None, true, None), named("b"));
    }

    #[test]
    fn a_dependency_that_is_called_vox_needs_no_name() {
        for manifest in [
            "[package]\nname = \"vox\"",
            "[dependencies]\nvox = \"1\"",
            "[dependencies]\nvox.workspace = true\nrpc = { package = \"vox\" }",
            "[dependencies]\nvox = { package = \"fork-of-vox\" }",
        ] {
            assert_eq!(alone(manifest), named("vox"), "{manifest}");
        }
    }

    #[test]
    fn what_is_no_dependency_is_not_taken_for_one() {
        for manifest in [
            "[dependencies]\n# rpc = { package = \"vox\" }",
            "[dependencies]\nrpc = { package = \"voxel\" }",
            "[dependencies]\nsubpackage = \"1\"",
            "[lib]\npackage = \"vox\"",
            "[workspace.dependencies]\nvox = '1'",
            "[package.metadata.dependencies]\nrpc = { package = 'vox' }",
            "",
        ] {
            assert_eq!(alone(manifest), Found::Nowhere, "{manifest}");
        }
    }
}
