//! The crates that are compared, and cargo in their workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) type Fault = Box<dyn std::error::Error>;

/// A crate with a macro that makes a service of a trait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Vox,
    Tarpc,
    Remoc,
    Jsonrpsee,
}

/// What a run of cargo cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// The processor's time of cargo and all that it started, in user mode.
    pub(crate) cpu: Duration,
}

impl Peer {
    pub(crate) const ALL: [Peer; 4] = [Peer::Vox, Peer::Tarpc, Peer::Remoc, Peer::Jsonrpsee];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Vox => "vox",
            Peer::Tarpc => "tarpc",
            Peer::Remoc => "remoc",
            Peer::Jsonrpsee => "jsonrpsee",
        }
    }

    /// The crate's name and version, as the lock file has them.
    pub(crate) fn title(self) -> Result<String, Fault> {
        if self == Peer::Vox {
            return Ok("vox".to_owned());
        }
        let lock = fs::read_to_string(workspace().join("Cargo.lock"))?;
        let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{}\"", self.name()));
        let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
        Ok(format!("{} {}", self.name(), version.ok_or("the lock file has no version")?))
    }

    /// The program that mistakes are made in.
    pub(crate) fn sound(self) -> Result<String, Fault> {
        Ok(fs::read_to_string(workspace().join(format!("sound/{}.rs", self.name())))?)
    }

    /// Where the source of its package is.
    pub(crate) fn source(self) -> PathBuf {
        workspace().join(format!("generated/{}.rs", self.name()))
    }

    /// Where its package and all that it depends on are built.
    pub(crate) fn target(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-macro").join(self.name())
    }

    /// Gives its package another source.
    pub(crate) fn write(self, source: &str) -> Result<(), Fault> {
        Ok(fs::write(self.source(), source)?)
    }

    /// `cargo` with `arguments` for its package alone.
    pub(crate) fn cargo(self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(arguments).args(["--package", &format!("with-{}", self.name())]);
        cargo.current_dir(workspace());
        // What the cargo that runs this program says of itself.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_") && name != "CARGO_HOME" {
                cargo.env_remove(name);
            }
        }
        cargo.env("CARGO_TARGET_DIR", self.target());
        cargo
    }

    /// Checks its package, and fails if that fails.
    pub(crate) fn check(self) -> Result<Cost, Fault> {
        cost(self.cargo(&["check", "--quiet"]).stderr(Stdio::inherit()))
    }
}

/// Gives each package a source that compiles, since cargo wants all of them to have one, and builds what they depend on.
pub(crate) fn prepare(peers: &[Peer]) -> Result<(), Fault> {
    fs::create_dir_all(workspace().join("generated"))?;
    for peer in Peer::ALL {
        peer.write(&peer.sound()?)?;
    }
    for peer in peers {
        eprintln!("building what {} depends on", peer.name());
        peer.check()?;
    }
    Ok(())
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn cost(command: &mut Command) -> Result<Cost, Fault> {
    let (began, spent) = (Instant::now(), spent_by_children());
    let output = command.output()?;
    let cost = Cost { wall: began.elapsed(), cpu: spent_by_children() - spent };
    if output.status.success() { Ok(cost) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

fn spent_by_children() -> Duration {
    // SAFETY: `rusage` is made of numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `rusage`, which is all that the call writes to.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    let time = usage.ru_utime;
    Duration::new(time.tv_sec.unsigned_abs(), 1_000 * u32::try_from(time.tv_usec).unwrap_or(0))
}
