//! vox is found in a package that renames it, however its manifest is written; where it is not, the error says what to write.
//!
//! One run of cargo checks them all: they are members of one workspace, whose root is one of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The manifests of the members, under their names.
const MEMBERS: [(&str, &str); 6] = [
    ("literal", "[dependencies]\nrpc = { package = 'vox', path = 'VOX' }\n"),
    ("remark", "[dependencies.rpc]\npath = \"VOX\"\npackage = \"vox\" # the name is another's here\n"),
    ("many-lines", "[dependencies]\n\"rpc\".path = '''VOX'''\n'rpc' . package = \"v\\u006fx\"\n"),
    ("inherited", "[dependencies]\nrpc.workspace = true # as all do\n"),
    ("target", "[target.'cfg(all())'.dependencies]\nrpc = { package = 'vox', path = 'VOX' }\n"),
    (
        "other",
        "[dependencies]\nvox = { package = \"voice\", path = \"../voice\" }\nrpc = { package = \"vox\", path = \"VOX\" }\n",
    ),
];

/// That of the root, which lists vox for its members under one name and renames it for itself.
const ROOT: &str = "[dependencies]\nown = { package = \"vox\", path = \"VOX\" }\n[workspace]\nmembers = ['members/*']\n\
    [workspace.dependencies]\nvox = { path = \"VOX\" }\nrpc = { package = 'vox', path = 'VOX' }\n";

const SERVICE: &str = "pub trait A {\n    async fn go(&self) -> u8;\n}\n";

fn package(folder: &Path, name: &str, manifest: &str, source: &str) {
    let vox = env!("CARGO_MANIFEST_DIR");
    let head = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    fs::create_dir_all(folder.join("src")).expect("a folder");
    fs::write(folder.join("Cargo.toml"), head + &manifest.replace("VOX", vox)).expect("a manifest");
    fs::write(folder.join("src/lib.rs"), source).expect("a source");
}

#[test]
fn vox_is_found_however_a_manifest_renames_it() {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("renamed");
    let members = root.join("members");
    let _ = fs::remove_dir_all(&members);
    package(&root, "root", ROOT, &format!("#[own::service]\n{SERVICE}"));
    for (name, manifest) in MEMBERS {
        package(&members.join(name), name, manifest, &format!("#[rpc::service]\n{SERVICE}"));
    }
    package(&members.join("voice"), "voice", "", "");
    // Two that have vox from another package: one says where it is, the other does not.
    package(&members.join("framework"), "framework", "[dependencies]\nvox.workspace = true\n", "pub use vox;\n");
    let from_framework = "[dependencies]\nframework = { path = '../framework' }\n";
    let said = format!("#[framework::vox::service(crate = framework::vox)]\n{SERVICE}");
    package(&members.join("said"), "said", from_framework, &said);
    package(&members.join("unsaid"), "unsaid", from_framework, &format!("#[framework::vox::service]\n{SERVICE}"));
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"), root.join("Cargo.lock")).expect("a lock file");

    let check = |packages: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["check", "--quiet", "--offline", "--keep-going"]).args(packages).current_dir(&root);
        let output = cargo.env("CARGO_TARGET_DIR", root.join("target")).output().expect("cargo runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (sound, says) = check(&["--workspace", "--exclude", "unsaid"]);
    assert!(sound, "{says}");
    let (sound, says) = check(&["--package", "unsaid"]);
    assert!(!sound, "it does not say where vox is");
    assert!(says.contains("no dependency on vox"), "{says}");
    assert!(says.contains("#[vox::service(crate = path::to::vox)]"), "{says}");
    assert_eq!(says.matches("error: ").count() + says.matches("error[").count(), 2, "one, and that of cargo:\n{says}");
}
