//! The other processes: this program, started again.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process that is killed when it is dropped.
pub struct Process {
    child: Child,
}

impl Process {
    fn start(arguments: &[&OsStr], stdout: Stdio) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let child = command.args(arguments).stdin(Stdio::piped()).stdout(stdout).spawn()?;
        Ok(Self { child })
    }

    /// Starts a server on this database, and gives where it listens.
    pub fn server(database: &OsStr) -> io::Result<(Self, String)> {
        let mut server = Self::start(&["--serve".as_ref(), database], Stdio::piped())?;
        let output = server.child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        match address.trim_end() {
            "" => Err(io::Error::other("the server ended before it said where it listens")),
            address => Ok((server, address.to_owned())),
        }
    }

    pub fn client(arguments: &[&OsStr]) -> io::Result<Self> {
        Self::start(arguments, Stdio::null())
    }

    /// `Some` once it has ended: whether well.
    pub fn ended(&mut self) -> io::Result<Option<bool>> {
        Ok(self.child.try_wait()?.map(|status| status.success()))
    }

    /// Ends it as a power cut would: SIGKILL.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Lets it end in good order.
    pub fn stop(mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
