//! A call that may take so long and no longer, and one that is given up.

use std::time::Duration;

use vox::VoxError;

use super::Tested;

#[vox::service]
trait Archive {
    /// Two seconds, unless the call says otherwise.
    #[vox(idem, timeout = "2s")]
    async fn find(&self, seconds: u64) -> String;
}

struct MyArchive;

impl Archive for MyArchive {
    async fn find(&self, seconds: u64) -> String {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        "found".to_owned()
    }
}

/// The first of two servers that answers; the other one's call is dropped, which stops its handler.
async fn first(one: &ArchiveClient, other: &ArchiveClient) -> Result<String, VoxError> {
    tokio::select! {
        found = one.find(1) => found,
        found = other.find(60).timeout(Duration::from_secs(90)) => found,
    }
}

#[tokio::test(start_paused = true)]
async fn the_faster_server_wins() -> Tested {
    let archive = ArchiveClient::over_memory(MyArchive).await?;
    assert_eq!(first(&archive, &archive).await?, "found");
    assert_eq!(archive.find(60).await, Err(VoxError::DeadlineExceeded));
    assert_eq!(archive.find(60).timeout(Duration::from_secs(90)).await?, "found");
    Ok(())
}
