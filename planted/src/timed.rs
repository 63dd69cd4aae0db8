//! Commands that have a time.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) success: bool,
    /// It ended by itself.
    pub(crate) in_time: bool,
    pub(crate) said: String,
    pub(crate) errors: String,
}

/// Runs it, and all that it starts, for so long at most.
pub(crate) fn run(command: &mut Command, time: Option<Duration>) -> Result<Ended, String> {
    let fault = |error| format!("cargo cannot be run: {error}");
    // Files take what there is to say while nobody reads it.
    let (mut said, mut errors) = (scratch().map_err(fault)?, scratch().map_err(fault)?);
    command.stdout(said.try_clone().map_err(fault)?).stderr(errors.try_clone().map_err(fault)?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn().map_err(fault)?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(fault)? {
            break Some(status);
        }
        if time.is_some_and(|time| began.elapsed() > time) {
            end(&mut child).map_err(fault)?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let success = status.is_some_and(|status| status.success());
    let (said, errors) = (text(&mut said).map_err(fault)?, text(&mut errors).map_err(fault)?);
    Ok(Ended { success, in_time: status.is_some(), said, errors })
}

/// A file that is gone once it is closed.
fn scratch() -> std::io::Result<File> {
    let path = std::env::temp_dir().join(format!("vox-planted-{}-{:?}", std::process::id(), Instant::now()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    let _ = std::fs::remove_file(path);
    Ok(file)
}

fn text(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Ends it, and the tests that it runs: they are its group.
fn end(child: &mut Child) -> std::io::Result<()> {
    if cfg!(unix) {
        Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status()?;
    }
    let _ = child.kill();
    child.wait().map(drop)
}
