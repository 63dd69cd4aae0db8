//! The server's process, as the client's sees it: started from the same program, and never left behind.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running server. Dropping it kills the process and waits until it is gone, so no error path leaves it behind;
/// if this process is killed itself, the server sees its standard input end.
pub struct ServerProcess {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl ServerProcess {
    /// Starts this program again with `--serve`, and reads the address that it prints.
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start the server: {error}"))?;
        let output = child.stdout.take().ok_or("the server's output is not piped")?;
        let mut server = Self { child, output: BufReader::new(output), address: String::new() };
        server.output.read_line(&mut server.address)?;
        server.address.truncate(server.address.trim_end().len());
        match server.address.is_empty() {
            true => Err("the server ended before it said where it listens".into()),
            false => Ok(server),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks the server to end in good order and gives what it printed since it started.
    pub fn stop(mut self) -> io::Result<String> {
        drop(self.child.stdin.take());
        let mut printed = String::new();
        self.output.read_to_string(&mut printed)?;
        self.child.wait()?;
        Ok(printed)
    }

    /// Ends the server as a power cut would.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
