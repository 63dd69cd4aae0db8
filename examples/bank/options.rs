//! What the program was told to do.

use std::path::PathBuf;

const USAGE: &str = "usage: bank [FILE.csv] [--chaos] [--apart] [--server-kills N] [--client-kills N] [--seed N]";
const DEFAULT_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bank/transfers.csv");

/// What this process is.
pub enum Options {
    Serve { database: PathBuf },
    Call { address: String, orders: PathBuf, journal: PathBuf, way: Transfers },
    Run(Plan),
}

/// How the effect of a transfer and its outcome are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfers {
    /// In one transaction.
    Together,
    /// In one each: who is killed in between leaves a transfer of which nobody knows.
    Apart,
}

/// What a whole run does.
pub struct Plan {
    pub orders: PathBuf,
    pub way: Transfers,
    /// How often each is killed at least; `None`: nothing is killed or cut.
    pub chaos: Option<Chaos>,
}

#[derive(Debug, Clone, Copy)]
pub struct Chaos {
    pub server_kills: u32,
    pub client_kills: u32,
    pub seed: u64,
}

impl Options {
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["--serve", database] => Ok(Self::Serve { database: database.into() }),
            ["--call", address, orders, journal, way] => Ok(Self::Call {
                address: (*address).to_owned(),
                orders: orders.into(),
                journal: journal.into(),
                way: Transfers::named(way)?,
            }),
            words => Plan::read(words).map(Self::Run),
        }
    }
}

impl Plan {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut plan = Self { orders: DEFAULT_FILE.into(), way: Transfers::Together, chaos: None };
        let mut chaos = Chaos { server_kills: 20, client_kills: 10, seed: 1 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
                value.parse::<u64>().map_err(|_| format!("{word}: `{value}` is not a whole number"))
            };
            let small = |number: u64| u32::try_from(number).map_err(|_| format!("{word}: {number} is too many"));
            match *word {
                "--chaos" => plan.chaos = Some(chaos),
                "--apart" => plan.way = Transfers::Apart,
                "--server-kills" => chaos.server_kills = small(number()?)?,
                "--client-kills" => chaos.client_kills = small(number()?)?,
                "--seed" => chaos.seed = number()?,
                option if option.starts_with('-') => return Err(format!("no option `{option}`\n{USAGE}")),
                file => plan.orders = file.into(),
            }
        }
        plan.chaos = plan.chaos.map(|_| chaos);
        Ok(plan)
    }
}

impl Transfers {
    pub fn name(self) -> &'static str {
        match self {
            Self::Together => "together",
            Self::Apart => "apart",
        }
    }

    fn named(name: &str) -> Result<Self, String> {
        [Self::Together, Self::Apart]
            .into_iter()
            .find(|way| way.name() == name)
            .ok_or_else(|| format!("no way `{name}`"))
    }
}
