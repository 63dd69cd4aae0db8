//! One trait for every crate: the same methods over the same types, and only the words around them differ.

use std::fmt::Write as _;

use crate::peers::Peer;

/// The source of a library that has the types and a trait of `methods` methods.
pub(crate) fn source(peer: Peer, methods: usize) -> String {
    let mut source = String::from("//! The same service in every crate.\n\nuse std::collections::BTreeMap;\n");
    if peer == Peer::Remoc {
        source.push_str("\nuse remoc::rtc::CallError;\n");
    }
    let derive = match peer {
        Peer::Vox => "#[derive(Debug, Clone, facet::Facet)]",
        _ => "#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]",
    };
    for ty in TYPES {
        let repr = if peer == Peer::Vox && ty.contains("pub enum") { "\n#[repr(u8)]" } else { "" };
        let _ = write!(source, "\n{derive}{repr}{ty}");
    }
    // The error of a method must be able to say that the call itself failed.
    let (own, from) = match peer {
        Peer::Remoc => (
            "    Call(CallError),\n",
            "\nimpl From<CallError> for Failure {\n    fn from(error: CallError) -> Self {\n        Failure::Call(error)\n    }\n}\n",
        ),
        _ => ("", ""),
    };
    let repr = if peer == Peer::Vox { "\n#[repr(u8)]" } else { "" };
    let _ = write!(
        source,
        "\n{derive}{repr}\npub enum Failure {{\n    Missing(u64),\n    Refused {{ reason: String }},\n    Busy,\n{own}}}\n{from}"
    );
    let attribute = match peer {
        Peer::Vox => "vox::service",
        Peer::Tarpc => "tarpc::service(derive = [serde::Serialize, serde::Deserialize])",
        Peer::Remoc => "remoc::rtc::remote",
        Peer::Jsonrpsee => "jsonrpsee::proc_macros::rpc(client, server)",
    };
    let _ = write!(source, "\n/// Keeps the books of a shop.\n#[{attribute}]\npub trait Shop {{\n");
    for index in 0..methods {
        source.push_str(&method(peer, index));
    }
    source.push_str("}\n");
    source
}

fn method(peer: Peer, index: usize) -> String {
    let (name, arguments, returns) = METHODS[index % METHODS.len()];
    let name = format!("{name}_{}", index / METHODS.len());
    let receiver = match (peer, arguments) {
        (Peer::Tarpc, _) => "",
        (_, "") => "&self",
        _ => "&self, ",
    };
    format!("    async fn {name}({receiver}{arguments}) -> Result<{returns}, Failure>;\n")
}

const METHODS: [(&str, &str, &str); 10] = [
    ("account", "id: u64", "Account"),
    ("transfer", "order: Transfer", "Receipt"),
    ("search", "query: Query, offset: u64, limit: u32", "Page"),
    ("rename", "id: u64, name: String", "()"),
    ("import", "accounts: Vec<Account>, options: Settings", "BTreeMap<u64, String>"),
    ("picture", "id: u64, size: (u32, u32)", "Picture"),
    ("move_to", "id: u64, address: Option<Address>", "Option<Address>"),
    ("statistics", "from: i64, to: i64", "Vec<Statistics>"),
    ("record", "events: Vec<Event>", "u64"),
    ("version", "", "String"),
];

const TYPES: [&str; 11] = [
    "\npub struct Address {\n    pub street: String,\n    pub city: String,\n    pub code: u32,\n}\n",
    "\npub struct Account {\n    pub id: u64,\n    pub owner: String,\n    pub cents: i64,\n    pub address: Option<Address>,\n    pub tags: Vec<String>,\n}\n",
    "\npub struct Transfer {\n    pub from: u64,\n    pub to: u64,\n    pub cents: u64,\n    pub note: Option<String>,\n}\n",
    "\npub struct Receipt {\n    pub id: u64,\n    pub at: i64,\n    pub accounts: (u64, u64),\n}\n",
    "\npub enum Filter {\n    All,\n    Owner(String),\n    Cents { from: i64, to: i64 },\n}\n",
    "\npub struct Query {\n    pub words: Vec<String>,\n    pub filter: Filter,\n    pub reverse: bool,\n}\n",
    "\npub struct Page {\n    pub accounts: Vec<Account>,\n    pub next: Option<u64>,\n}\n",
    "\npub struct Picture {\n    pub width: u32,\n    pub height: u32,\n    pub pixels: Vec<u8>,\n}\n",
    "\npub struct Settings {\n    pub dry: bool,\n    pub limit: u64,\n    pub names: BTreeMap<String, String>,\n}\n",
    "\npub struct Statistics {\n    pub count: u64,\n    pub mean: f64,\n    pub histogram: [u32; 16],\n}\n",
    "\npub enum Event {\n    Opened(u64),\n    Closed { id: u64, reason: String },\n    Moved(Address),\n}\n",
];
