#[derive(Debug, Clone, PartialEq, facet::Facet)]
pub struct Book {
    pub title: String,
}

/// Lends books.
#[vox::service(name = "generated.Library", rename_all = "camelCase")]
pub trait Library {
    /// Lends one.
    #[vox(idem, timeout = "2s")]
    async fn lend_book(&self, cx: &vox::Context, title: &str) -> Result<Book, String>;
    async fn motto(&self) -> &str;
}
