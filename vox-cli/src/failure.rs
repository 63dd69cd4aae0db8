//! How a command fails, and the exit status that says so.

use std::process::ExitCode;

use vox::Ran;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The method's own error, which is printed already.
    Method,
    /// The command is wrong. Nothing was sent.
    Usage(String),
    /// The call failed.
    Call {
        /// Whether it ran.
        ran: Ran,
        /// What to tell; `None` where that is printed already.
        why: Option<String>,
    },
    /// There is no connection.
    Connect(String),
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// What is read from or written to here failed.
    Local(String),
}

impl Failure {
    /// Says it, and gives the exit status.
    pub(crate) fn report(self) -> ExitCode {
        let (status, why) = match self {
            Self::Method => (1, None),
            Self::Usage(why) | Self::Local(why) => (2, Some(why)),
            Self::Call { ran, why } => {
                let status = match ran {
                    Ran::No => 3,
                    Ran::Unknown => 4,
                    Ran::Yes => 5,
                };
                (status, why)
            }
            Self::Connect(why) => (6, Some(why)),
            Self::Interrupted => (130, Some("interrupted".to_owned())),
        };
        if let Some(why) = why {
            eprintln!("vox: {why}");
        }
        ExitCode::from(status)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Local(format!("standard output: {error}"))
    }
}
