//! Implements a service of another package, and has services of its own where vox is called `rpc`.

use package_library::{Book, Books, Refusal};

/// What is kept under a number.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
pub struct Note {
    /// What it says.
    pub text: String,
}

/// Finds vox by the manifest.
#[rpc::service]
pub trait Notes {
    /// One note.
    #[vox(idem, timeout = "2s")]
    async fn read(&self, cx: &rpc::Context, number: u64) -> Result<Note, String>;
    /// All of them.
    async fn follow(&self, notes: rpc::Tx<Note>);
}

/// Is told where vox is.
#[rpc::service(crate = rpc)]
pub trait Told {
    /// Says what it was given.
    async fn echo(&self, text: &str) -> &str;
}

/// Is told where vox is, by a path of its own.
#[rpc::service(crate = crate::again::vox)]
pub trait ToldByPath {
    /// Does nothing.
    async fn nothing(&self);
}

/// Where vox is once more.
pub mod again {
    pub use rpc as vox;
}

/// Serves all of them.
#[derive(Debug, Default, Clone)]
pub struct Shelf;

impl Books for Shelf {
    async fn lend(&self, cx: &rpc::Context, title: &str, reader: u64) -> package_library::Result<Book> {
        match title {
            "Emma" => Ok(Book { title: format!("{title}, by {}", cx.method().service) }),
            "Persuasion" => Err(Refusal::OnLoan(reader)),
            _ => Err(Refusal::Unknown),
        }
    }
    async fn titles(&self, titles: rpc::Tx<String>) -> u64 {
        let sent = titles.send_all(["Emma".to_owned()]).await;
        u64::from(sent.is_ok())
    }
    async fn motto(&self) -> &str {
        "read"
    }
}

impl Notes for Shelf {
    async fn read(&self, _: &rpc::Context, number: u64) -> Result<Note, String> {
        if number == 1 { Ok(Note { text: "one".to_owned() }) } else { Err("no such note".to_owned()) }
    }
    async fn follow(&self, notes: rpc::Tx<Note>) {
        let _ = notes.send_all([Note { text: "two".to_owned() }]).await;
    }
}

impl Told for Shelf {
    async fn echo<'a>(&self, text: &'a str) -> &'a str {
        text
    }
}

impl ToldByPath for Shelf {
    async fn nothing(&self) {}
}
