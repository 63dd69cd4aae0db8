//! The mistakes that users make most, as changes of each crate's sound program.

use crate::peers::{Fault, Peer};

/// A mistake, and how it is made in each crate that can have it.
pub(crate) struct Mistake {
    pub(crate) name: &'static str,
    vox: Made,
    tarpc: Made,
    remoc: Made,
    jsonrpsee: Made,
}

/// How a mistake is made.
#[derive(Clone, Copy)]
pub(crate) enum Made {
    /// By writing the second text for the first, wherever it stands.
    By(&'static [(&'static str, &'static str)]),
    /// Not at all, and why.
    Not(&'static str),
}

impl Mistake {
    /// The program with the mistake, or why there is none.
    pub(crate) fn made(&self, peer: Peer) -> Result<Result<String, &'static str>, Fault> {
        let made = match peer {
            Peer::Vox => self.vox,
            Peer::Tarpc => self.tarpc,
            Peer::Remoc => self.remoc,
            Peer::Jsonrpsee => self.jsonrpsee,
        };
        let changes = match made {
            By(changes) => changes,
            Not(why) => return Ok(Err(why)),
        };
        let mut program = peer.sound()?;
        for (from, to) in changes {
            if !program.contains(from) {
                return Err(format!("the program for {} has no {from:?}", peer.name()).into());
            }
            program = program.replace(from, to);
        }
        Ok(Ok(program))
    }
}

use Made::{By, Not};

pub(crate) const MISTAKES: [Mistake; 8] = [
    Mistake {
        name: "a type that cannot cross the wire",
        vox: By(&[("#[derive(Debug, facet::Facet)]", "#[derive(Debug)]")]),
        tarpc: By(&[("#[derive(Debug, serde::Serialize, serde::Deserialize)]", "#[derive(Debug)]")]),
        remoc: By(&[("#[derive(Debug, serde::Serialize, serde::Deserialize)]", "#[derive(Debug)]")]),
        jsonrpsee: By(&[("#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]", "#[derive(Debug, Clone)]")]),
    },
    Mistake {
        name: "`&mut self`",
        vox: By(&[("open(&self", "open(&mut self")]),
        tarpc: By(&[("open(name", "open(&mut self, name"), ("open(self", "open(&mut self")]),
        remoc: Not("allowed"),
        jsonrpsee: By(&[("open(&self", "open(&mut self")]),
    },
    Mistake {
        name: "a generic method",
        vox: By(&[("open(", "open<T: Send + std::fmt::Debug>("), ("mode: Mode", "mode: T")]),
        tarpc: By(&[("open(", "open<T: Send + std::fmt::Debug>("), ("mode: Mode", "mode: T")]),
        remoc: By(&[("open(", "open<T: Send + std::fmt::Debug>("), ("mode: Mode", "mode: T")]),
        jsonrpsee: By(&[("open(", "open<T: Send + std::fmt::Debug>("), ("mode: Mode", "mode: T")]),
    },
    Mistake {
        name: "a misspelt attribute",
        vox: By(&[("vox(idem)", "vox(idme)")]),
        tarpc: By(&[("service(derive", "service(dervie")]),
        remoc: By(&[("#[no_cancel]", "#[no_cancle]")]),
        jsonrpsee: By(&[("method(name = \"open\")", "method(nmae = \"open\")")]),
    },
    Mistake {
        name: "a channel in a return",
        vox: By(&[("-> u32", "-> vox::Rx<u32>")]),
        tarpc: Not("no channels"),
        remoc: Not("allowed"),
        jsonrpsee: Not("no channels"),
    },
    Mistake {
        name: "a future that is not `Send`",
        vox: By(&[("unimplemented!(\"{name} {mode:?}\")", NOT_SEND)]),
        tarpc: By(&[("unimplemented!(\"{name} {mode:?}\")", NOT_SEND)]),
        remoc: By(&[("unimplemented!(\"{name} {mode:?}\")", NOT_SEND_RESULT)]),
        jsonrpsee: By(&[("unimplemented!(\"{name} {mode:?}\")", NOT_SEND_RESULT)]),
    },
    Mistake {
        name: "a method missing in an `impl`",
        vox: By(&[(
            "    async fn open(&self, name: String, mode: Mode) -> u32 {\n        unimplemented!(\"{name} {mode:?}\")\n    }\n",
            "",
        )]),
        tarpc: By(&[(
            "    async fn open(self, _: Context, name: String, mode: Mode) -> u32 {\n        unimplemented!(\"{name} {mode:?}\")\n    }\n",
            "",
        )]),
        remoc: By(&[(
            "    async fn open(&self, name: String, mode: Mode) -> Result<u32, CallError> {\n        unimplemented!(\"{name} {mode:?}\")\n    }\n",
            "",
        )]),
        jsonrpsee: By(&[(
            "    async fn open(&self, name: String, mode: Mode) -> RpcResult<u32> {\n        unimplemented!(\"{name} {mode:?}\")\n    }\n",
            "",
        )]),
    },
    Mistake {
        name: "a wrong argument at a call",
        vox: By(&[("\"a\".to_owned()", "Mode { write: true }")]),
        tarpc: By(&[("\"a\".to_owned()", "Mode { write: true }")]),
        remoc: By(&[("\"a\".to_owned()", "Mode { write: true }")]),
        jsonrpsee: By(&[("\"a\".to_owned()", "Mode { write: true }")]),
    },
];

const NOT_SEND: &str = "let shared = std::rc::Rc::new((name, mode));
        std::future::ready(()).await;
        shared.0.len() as u32";
const NOT_SEND_RESULT: &str = "let shared = std::rc::Rc::new((name, mode));
        std::future::ready(()).await;
        Ok(shared.0.len() as u32)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_can_be_made() {
        for mistake in &MISTAKES {
            for peer in Peer::ALL {
                match mistake.made(peer).unwrap_or_else(|fault| panic!("{}: {fault}", mistake.name)) {
                    Ok(program) => assert_ne!(program, peer.sound().expect("a program")),
                    Err(why) => assert_ne!(peer, Peer::Vox, "{why}"),
                }
            }
        }
    }

    #[test]
    fn the_page_tells_of_the_versions_that_are_locked() {
        let page = include_str!("../../docs/service-macro.md");
        let titles: Vec<String> = Peer::ALL.iter().map(|peer| peer.title().expect("a version")).collect();
        assert!(page.contains(&format!("| mistake | {} |", titles.join(" | "))), "{titles:?}");
        for mistake in &MISTAKES {
            assert!(page.contains(&format!("\n| {} | 1 error, ", mistake.name)), "{}", mistake.name);
        }
    }
}
