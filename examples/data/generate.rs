//! Writes `transactions.csv` to standard output, the same bytes every time:
//!
//! `cargo run --example generate_data > examples/data/transactions.csv`

use std::fmt::Write as _;
use std::io::Write as _;

const ROWS: u64 = 12_000;
const ACCOUNTS: u64 = 200;
/// 2024 was a leap year.
const MONTHS: [u64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const TEXTS: &[&str] = &[
    "Rent",
    "Salary",
    "Groceries",
    "Rent, flat 3",
    "Books, second hand",
    "\"Zum Goldenen Löwen\", table 4",
    "Café crème ☕",
    "Miete für März",
    "寿司 lunch",
    "Cinema, two seats: \"The General\"",
    "Електрика",
    "Repair 2½ hours",
];

fn main() -> std::io::Result<()> {
    let mut random = SplitMix(2024);
    let mut csv = String::from("id,from,to,cents,date,text\n");
    for id in 1..=ROWS {
        let from = 1 + random.below(ACCOUNTS);
        let to = 1 + (from + random.below(ACCOUNTS - 1)) % ACCOUNTS;
        let digits = 2 + random.below(5) as u32;
        let cents = 1 + random.below(10_u64.pow(digits));
        let date = date((id - 1) * 366 / ROWS);
        let mut text = TEXTS[random.below(TEXTS.len() as u64) as usize].to_owned();
        if id % 800 == 0 {
            let _ = write!(text, "\nsecond reminder, no. {}", id / 800);
        }
        let text = quote(&text);
        // Five rows are wrong on purpose: an importer has to say where and why.
        let _ = match id {
            1_500 => writeln!(csv, "{id},{from},{to},{cents},{date}"),
            3_333 => writeln!(csv, "{id},{from},{to},12.50,{date},{text}"),
            5_000 => writeln!(csv, "{id},{from},{to},{cents},2024-02-30,{text}"),
            7_777 => writeln!(csv, "{id},?,{to},{cents},{date},{text}"),
            9_999 => writeln!(csv, "{id},{from},{to},-{cents},{date},{text}"),
            _ => writeln!(csv, "{id},{from},{to},{cents},{date},{text}"),
        };
    }
    std::io::stdout().write_all(csv.as_bytes())
}

/// The date of a day of 2024, counted from 0.
fn date(mut day: u64) -> String {
    for (month, days) in MONTHS.iter().enumerate() {
        if day < *days {
            return format!("2024-{:02}-{:02}", month + 1, day + 1);
        }
        day -= days;
    }
    unreachable!("2024 had 366 days")
}

/// A field as CSV writes it: in quotes, doubled inside, where it needs them.
fn quote(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// SplitMix64: small, and the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
