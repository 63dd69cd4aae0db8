//! A library that has a service: its types, its trait, and what the macro makes of it.

/// What is lent.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
pub struct Book {
    /// What it is called.
    pub title: String,
}

/// Why nothing is lent.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
pub enum Refusal {
    /// There is no such book.
    Unknown,
    /// Somebody else has it.
    OnLoan(u64),
}

/// What methods of the library return.
pub type Result<T> = std::result::Result<T, Refusal>;

/// Lends books.
#[vox::service(name = "library.Books")]
pub trait Books {
    /// Lends one.
    #[vox(persist)]
    async fn lend(&self, cx: &vox::Context, title: &str, reader: u64) -> Result<Book>;

    /// Every title.
    #[vox(idem)]
    async fn titles(&self, titles: vox::Tx<String>) -> u64;

    /// What is written above the door.
    async fn motto(&self) -> &str;
}
