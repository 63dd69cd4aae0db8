//! What the compiler prints for the same mistake in each crate: how many errors, of how many lines, and whether it says where.

use crate::Options;
use crate::mistakes::MISTAKES;
use crate::peers::{self, Fault, Peer};

pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    let peers = options.chosen(&Peer::ALL);
    peers::prepare(&peers)?;
    let titles = peers.iter().map(|peer| peer.title()).collect::<Result<Vec<_>, _>>()?;
    let mut table = format!("| mistake | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(peers.len()));
    for mistake in &MISTAKES {
        let mut cells = Vec::new();
        for peer in &peers {
            cells.push(match mistake.made(*peer)? {
                Err(why) => why.to_owned(),
                Ok(program) => {
                    peer.write(&program)?;
                    let printed = Printed::by(*peer)?;
                    if options.show {
                        println!("\n==> {}, with {}\n\n{}", mistake.name, peer.name(), printed.0.join("\n"));
                    }
                    printed.to_string()
                }
            });
        }
        table += &format!("| {} | {} |\n", mistake.name, cells.join(" | "));
    }
    println!("{table}");
    Ok(())
}

/// The errors that the compiler printed, each as it prints it.
struct Printed(Vec<String>);

impl Printed {
    fn by(peer: Peer) -> Result<Self, Fault> {
        let output = peer.cargo(&["check", "--quiet"]).output()?;
        let text = String::from_utf8(output.stderr)?;
        let mut errors: Vec<String> = Vec::new();
        let mut is_error = false;
        for paragraph in paragraphs(&text) {
            let first = paragraph.lines().next().unwrap_or_default();
            if HEADS.iter().any(|head| first.starts_with(head)) {
                is_error = first.starts_with("error") && !SUMMARIES.iter().any(|summary| first.starts_with(summary));
                if is_error {
                    errors.push(paragraph);
                }
            } else if let (true, Some(error)) = (is_error, errors.last_mut()) {
                error.push('\n');
                error.push_str(&paragraph);
            }
        }
        if errors.is_empty() && !output.status.success() {
            return Err(text.into());
        }
        Ok(Self(errors))
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n\n")
        .map(|paragraph| paragraph.trim_end().to_owned())
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

impl std::fmt::Display for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: usize = self.0.iter().map(|error| error.lines().count()).sum();
        match self.0.len() {
            0 => write!(f, "none: it compiles"),
            1 => write!(f, "1 error, {lines} lines"),
            errors => write!(f, "{errors} errors, {lines} lines"),
        }
    }
}

/// What a message of the compiler begins with.
const HEADS: [&str; 4] = ["error", "warning", "For more", "Some errors"];
/// What is told of errors that were told before.
const SUMMARIES: [&str; 2] = ["error: could not compile", "error: aborting"];
