//! A service whose expansion was written to a file by `vox_codegen::build`: it compiles and serves as the macro's own.
//!
//! A test of vox-codegen keeps `generated/library.expanded.rs` equal to what is written for `generated/library.rs`.

#![allow(missing_docs)]

include!("generated/library.expanded.rs");

struct Shelf;

impl Library for Shelf {
    async fn lend_book(&self, cx: &vox::Context, title: &str) -> Result<Book, String> {
        match title {
            "" => Err(cx.method().name.to_owned()),
            _ => Ok(Book { title: title.to_owned() }),
        }
    }
    async fn motto(&self) -> &str {
        "read"
    }
}

#[tokio::test]
async fn a_service_from_a_written_file_is_called() {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, LibraryDispatcher::new(Shelf)));
    let library: LibraryClient = vox::connect(ours).await.expect("the handshake succeeds");
    assert_eq!(library.lend_book("Emma").await, Ok(Book { title: "Emma".to_owned() }));
    assert_eq!(library.lend_book("").await, Err(vox::VoxError::User("lendBook".to_owned())));
    assert_eq!(library.motto().await.as_deref(), Ok("read"));
}
