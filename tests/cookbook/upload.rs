//! A stream to the server that arrives whole, or is known to be cut short.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use vox::{Rx, SendError, Tx, VoxError};

use super::Tested;

#[vox::service]
trait Files {
    async fn upload(&self, name: String, parts: Rx<Vec<u8>>) -> Result<u64, String>;
}

#[derive(Clone, Default)]
struct MyFiles(Arc<Mutex<HashMap<String, Vec<u8>>>>);

impl Files for MyFiles {
    async fn upload(&self, name: String, mut parts: Rx<Vec<u8>>) -> Result<u64, String> {
        let mut file = Vec::new();
        // An error is no end: what was aborted or lost is not saved.
        while let Some(part) = parts.recv().await.map_err(|error| error.to_string())? {
            file.extend(part);
        }
        let length = file.len() as u64;
        self.0.lock().expect("not poisoned").insert(name, file);
        Ok(length)
    }
}

async fn send(source: impl Iterator<Item = io::Result<Vec<u8>>>, tx: Tx<Vec<u8>>) -> Result<(), SendError> {
    for part in source {
        match part {
            Ok(part) => tx.send(part).await?, // waits while the server is behind
            Err(error) => {
                tx.abort(error.to_string());
                return Ok(());
            }
        }
    }
    tx.close(); // now it is whole
    Ok(())
}

async fn upload(
    files: &FilesClient,
    source: impl Iterator<Item = io::Result<Vec<u8>>>,
) -> Result<u64, VoxError<String>> {
    let (tx, rx) = vox::channel();
    let (saved, _) = tokio::join!(files.upload("photo".to_owned(), rx), send(source, tx));
    saved
}

#[tokio::test]
async fn a_file_is_saved_whole_or_not_at_all() -> Tested {
    let handler = MyFiles::default();
    let files = FilesClient::over_memory(handler.clone()).await?;
    let parts = || (0..300).map(|n| Ok(vec![n as u8; 1_000]));

    let broken = parts().chain([Err(io::Error::other("the disk is gone"))]);
    let error = upload(&files, broken).await.expect_err("half a file").to_string();
    assert!(error.contains("the disk is gone"), "{error}");
    assert!(handler.0.lock().expect("not poisoned").is_empty());

    assert_eq!(upload(&files, parts()).await?, 300_000);
    Ok(())
}
