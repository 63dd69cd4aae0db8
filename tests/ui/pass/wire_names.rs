//! Names on the wire are the Rust names unless the trait or the method says otherwise.

#[vox::service(name = "acme.files.v1", rename_all = "camelCase")]
pub trait Files {
    async fn open_file(&self, file_name: String) -> u64;
    #[vox(name = "shut", idem)]
    async fn close_file(&self, handle: u64);
}

#[vox::service]
pub trait Plain {
    async fn open_file(&self, file_name: String) -> u64;
}

fn main() {
    let files = FilesClient::SERVICE;
    assert_eq!(files.name, "acme.files.v1");
    assert_eq!(files.methods[0].service, "acme.files.v1");
    assert_eq!(files.methods[0].name, "openFile");
    assert_eq!(files.methods[0].args[0].name, "file_name");
    assert_eq!(files.methods[1].name, "shut");
    assert_eq!(PlainClient::SERVICE.methods[0].name, "open_file");
}
