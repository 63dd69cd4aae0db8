//! Under which name a package depends on vox: `rpc` where its manifest says `rpc = { package = "vox", … }`.
//!
//! The manifest is read by lines, not as TOML: a parser would cost every user more than it finds. What it misses (a name behind a
//! table that is broken over lines) is told to the macro by `crate = path`.

use std::fs;
use std::path::Path;

/// The name that vox has in the package that is being compiled, if its manifest gives it another.
#[must_use]
pub fn name() -> Option<String> {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let folder = Path::new(&folder);
    let own = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let inherited = || {
        let parents = folder.ancestors().skip(1);
        let manifests = parents.filter_map(|parent| fs::read_to_string(parent.join("Cargo.toml")).ok());
        manifests.into_iter().find(|manifest| manifest.contains("[workspace"))
    };
    name_in(&own, inherited)
}

/// The same, of a manifest and of that of its workspace, which is asked for if the first refers to it.
fn name_in(own: &str, workspace: impl FnOnce() -> Option<String>) -> Option<String> {
    let own = dependencies(own);
    if own.iter().any(|dependency| dependency.name == "vox") {
        return None;
    }
    if let Some(renamed) = own.iter().find(|dependency| dependency.is_vox) {
        return Some(identifier(renamed.name));
    }
    if !own.iter().any(|dependency| dependency.is_inherited) {
        return None;
    }
    let workspace = workspace()?;
    let renamed: Vec<_> = dependencies(&workspace).into_iter().filter(|dependency| dependency.is_vox).collect();
    let is_renamed = |name: &str| renamed.iter().any(|dependency| dependency.name == name);
    own.iter()
        .find(|dependency| dependency.is_inherited && is_renamed(dependency.name))
        .map(|dependency| identifier(dependency.name))
}

/// What a line says of a dependency.
struct Dependency<'a> {
    name: &'a str,
    is_vox: bool,
    is_inherited: bool,
}

fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            table = header.split(']').next().unwrap_or_default();
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let (name, key, value) = if table.ends_with("dependencies") {
            match key.trim().split_once('.') {
                Some((name, key)) => (name, key, value),
                None => (key.trim(), "", value),
            }
        } else if let Some((_, name)) = table.rsplit_once("dependencies.") {
            (name, key.trim(), value)
        } else {
            continue;
        };
        let says = |wanted: &str, text: &str| {
            let compact: String = value.chars().filter(|c| !c.is_whitespace()).collect();
            if key == wanted {
                compact == text
            } else {
                key.is_empty() && compact.contains(&format!("{wanted}={text}"))
            }
        };
        let is_vox = says("package", "\"vox\"");
        found.push(Dependency {
            name: name.trim_matches(['"', '\'']),
            is_vox,
            is_inherited: says("workspace", "true"),
        });
    }
    found
}

fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_dependency_is_found_in_every_way_to_write_it() {
        for manifest in [
            "[dependencies]\nrpc = { package = \"vox\", path = \"..\" }",
            "[dependencies]\nserde = \"1\"\nrpc = {version=\"1\",package=\"vox\"}",
            "[dev-dependencies]\nrpc = { version = \"1\", package = \"vox\" }",
            "[target.'cfg(unix)'.dependencies]\nrpc = { version = \"1\", package = \"vox\" }",
            "[dependencies.rpc]\nversion = \"1\"\npackage = \"vox\"\n[features]\nvox = []",
            "[dependencies]\nrpc.version = \"1\"\nrpc.package = \"vox\"",
            "[dependencies]\n\"rpc\" = { package = \"vox\" }",
        ] {
            assert_eq!(name_in(manifest, || None).as_deref(), Some("rpc"), "{manifest}");
        }
    }

    #[test]
    fn a_hyphen_becomes_what_it_is_in_rust() {
        let manifest = "[dependencies]\nmy-rpc = { package = \"vox\" }";
        assert_eq!(name_in(manifest, || None).as_deref(), Some("my_rpc"));
    }

    #[test]
    fn a_name_is_inherited_from_the_workspace() {
        let workspace = || Some("[workspace.dependencies]\nrpc = { package = \"vox\", path = \".\" }".to_owned());
        for manifest in [
            "[dependencies]\nrpc.workspace = true",
            "[dependencies]\nrpc = { workspace = true, features = [\"uuid\"] }",
            "[dependencies.rpc]\nworkspace = true",
        ] {
            assert_eq!(name_in(manifest, workspace).as_deref(), Some("rpc"), "{manifest}");
        }
        assert_eq!(name_in("[dependencies]\nother.workspace = true", workspace), None);
    }

    #[test]
    fn a_dependency_that_is_called_vox_needs_no_name() {
        for manifest in [
            "[package]\nname = \"vox\"",
            "[dependencies]\nvox = \"1\"",
            "[dependencies]\nvox.workspace = true\nrpc = { package = \"vox\" }",
            "[dependencies]\n# rpc = { package = \"vox\" }",
            "[dependencies]\nrpc = { package = \"voxel\" }",
            "[dependencies]\nsubpackage = \"1\"",
            "[lib]\npackage = \"vox\"",
            "",
        ] {
            assert_eq!(name_in(manifest, || None), None, "{manifest}");
        }
    }
}
