//! Options combine in any order.

use std::time::Duration;

use vox::RetryPolicy;

#[vox::service]
pub trait Policies {
    async fn volatile(&self);
    #[vox(idem)]
    async fn idem(&self);
    #[vox(persist)]
    async fn persist(&self);
    #[vox(idem, persist)]
    async fn both(&self);
    #[vox(timeout = "50ms", persist, name = "renamed", idem)]
    async fn all(&self);
    #[vox(timeout = "90s")]
    async fn timed(&self);
    #[vox(timeout = "2m",)]
    async fn trailing_comma(&self);
    #[vox(idem, name = "idem2")]
    async fn feed(&self, rows: vox::Tx<u64>);
}

fn main() {
    let [volatile, idem, persist, both, all, timed, minutes, feed] = PoliciesClient::SERVICE.methods else {
        panic!("eight methods")
    };
    assert_eq!((volatile.policy, volatile.timeout), (RetryPolicy::VOLATILE, None));
    assert_eq!(idem.policy, RetryPolicy::IDEM);
    assert_eq!(persist.policy, RetryPolicy::PERSIST);
    assert_eq!(both.policy, RetryPolicy::IDEM_PERSIST);
    assert_eq!((all.policy, all.timeout), (RetryPolicy::IDEM_PERSIST, Some(Duration::from_millis(50))));
    assert_eq!((timed.policy, timed.timeout), (RetryPolicy::VOLATILE, Some(Duration::from_secs(90))));
    assert_eq!(minutes.timeout, Some(Duration::from_secs(120)));
    assert_eq!(feed.name, "idem2");
}
