//! A copy of the sources to plant bugs in.

use std::fs;
use std::path::Path;

/// What is not part of the sources.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// Makes `to` hold what `from` does. Files that are alike are left alone, so that cargo builds only what changed.
pub(crate) fn mirror(from: &Path, to: &Path) -> Result<(), String> {
    let fault = |path: &Path| {
        let path = path.display().to_string();
        move |error| format!("{path}: {error}")
    };
    fs::create_dir_all(to).map_err(fault(to))?;
    for entry in fs::read_dir(from).map_err(fault(from))? {
        let entry = entry.map_err(fault(from))?;
        let (name, source) = (entry.file_name(), entry.path());
        if LEFT_OUT.iter().any(|out| name == *out) {
            continue;
        }
        let copy = to.join(&name);
        if source.is_dir() {
            mirror(&source, &copy)?;
            continue;
        }
        let bytes = fs::read(&source).map_err(fault(&source))?;
        if fs::read(&copy).ok().as_ref() != Some(&bytes) {
            fs::write(&copy, bytes).map_err(fault(&copy))?;
        }
    }
    remove_strangers(from, to)
}

fn remove_strangers(from: &Path, to: &Path) -> Result<(), String> {
    let entries = fs::read_dir(to).map_err(|error| format!("{}: {error}", to.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|out| name == *out) || from.join(&name).exists() {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
