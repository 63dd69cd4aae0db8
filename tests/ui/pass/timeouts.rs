//! How long a caller waits, in each unit.

use std::time::Duration;

#[vox::service]
pub trait Slow {
    #[vox(timeout = "50ms")]
    async fn millis(&self);
    #[vox(timeout = "2s", idem)]
    async fn seconds(&self);
    #[vox(persist, timeout = "1m")]
    async fn minutes(&self);
    #[vox(timeout = "1h", name = "long")]
    async fn hours(&self);
    async fn unset(&self);
}

fn main() {
    let timeouts: Vec<_> = SlowClient::SERVICE.methods.iter().map(|method| method.timeout).collect();
    let given = [50, 2_000, 60_000, 3_600_000].map(|millis| Some(Duration::from_millis(millis)));
    assert_eq!(timeouts[..4], given);
    assert_eq!(timeouts[4], None);
}
