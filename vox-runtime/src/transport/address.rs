//! Addresses, as users write them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::escaped::Escaped;

/// Where a peer listens.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::transport::Address;
/// assert_eq!("127.0.0.1:9000".parse(), Ok(Address::Tcp("127.0.0.1:9000".into())));
/// assert_eq!("tcp://localhost:9000".parse(), Ok(Address::Tcp("localhost:9000".into())));
/// assert_eq!("unix:///run/bank.sock".parse(), Ok(Address::Unix("/run/bank.sock".into())));
/// assert_eq!("mem://bank".parse(), Ok(Address::Memory("bank".into())));
/// let error = "http://bank".parse::<Address>().unwrap_err();
/// assert!(error.to_string().contains("tcp://host:port"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// `tcp://host:port`, or `host:port`.
    Tcp(String),
    /// `unix://path`. An absolute path makes three slashes.
    Unix(PathBuf),
    /// `mem://name`: inside this process.
    Memory(String),
}

/// Text that is no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    fault: &'static str,
}

impl AddressError {
    pub(crate) fn is_a_link(text: &str) -> Self {
        Self { text: text.to_owned(), fault: "it is a link that is made already" }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let fault = |fault| Err(AddressError { text: text.to_owned(), fault });
        let (scheme, rest) = text.split_once("://").unwrap_or(("tcp", text));
        match scheme {
            _ if rest.is_empty() => fault("it names nothing"),
            // It is printed in every error and in the log.
            _ if text.contains(char::is_control) => fault("it has control characters"),
            "tcp" => match rest.rsplit_once(':') {
                Some((host, _)) if host.contains(['/', '@']) || host.starts_with('[') != host.ends_with(']') => {
                    fault("its host is no name and no number; an IPv6 address is written in brackets")
                }
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(Self::Tcp(rest.to_owned())),
                Some(("", _)) => fault("the host is missing"),
                Some(_) => fault("the port is not a number up to 65535"),
                None => fault("the port is missing"),
            },
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            "mem" => Ok(Self::Memory(rest.to_owned())),
            _ => fault("its scheme is unknown"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Memory(name) => write!(f, "mem://{name}"),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, fault } = self;
        write!(
            f,
            "`{}` is no address: {fault}; write tcp://host:port, host:port, unix://path or mem://name",
            Escaped::new(text)
        )
    }
}

impl std::error::Error for AddressError {}
