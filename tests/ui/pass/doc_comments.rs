//! Documentation of every form reaches the descriptor.

#![deny(missing_docs, rustdoc::all)]

/// Keeps files.
///
/// As [`Files::open`] says.
#[vox::service]
pub trait Files {
    /// Opens
    /// a file.
    async fn open(&self);
    /** Of a block. */
    async fn block(&self);
    #[doc = "By attribute."]
    async fn attribute(&self);
    #[doc(hidden)]
    #[doc(alias = "ls")]
    /// Hidden, with an alias.
    async fn hidden(&self);
}

fn main() {
    let service = FilesClient::SERVICE;
    assert_eq!(service.docs, "Keeps files.\n\nAs [`Files::open`] says.");
    let docs: Vec<_> = service.methods.iter().map(|method| method.docs).collect();
    assert_eq!(docs, ["Opens\na file.", "Of a block.", "By attribute.", "Hidden, with an alias."]);
}
