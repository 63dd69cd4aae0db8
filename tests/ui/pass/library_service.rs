//! A service in a library, used from outside of it by its full path, where vox is not imported.

pub mod library {
    pub mod types {
        #[derive(Debug, Clone, PartialEq, facet::Facet)]
        pub struct Book {
            pub title: String,
        }
    }

    use types::Book;

    /// Lends books.
    #[vox::service(name = "library.Books")]
    pub trait Books {
        /// Lends one.
        async fn lend(&self, title: &str) -> Option<Book>;
    }
}

struct Shelf;

impl library::Books for Shelf {
    async fn lend(&self, title: &str) -> Option<library::types::Book> {
        Some(library::types::Book { title: title.to_owned() })
    }
}

fn main() {
    let _ = library::BooksDispatcher::new(Shelf);
    assert_eq!(library::BooksClient::SERVICE.name, "library.Books");
}
