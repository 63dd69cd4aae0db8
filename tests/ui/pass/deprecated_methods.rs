//! A deprecated method warns its callers, and nobody else.

#![deny(warnings)]

#[vox::service]
pub trait Old {
    #[deprecated(since = "2.0.0", note = "call `new_way`")]
    async fn old_way(&self, text: String) -> u64;
    async fn new_way(&self, text: &str) -> u64;
}

struct Mine;

impl Old for Mine {
    async fn old_way(&self, text: String) -> u64 {
        self.new_way(&text).await
    }
    async fn new_way(&self, text: &str) -> u64 {
        text.len() as u64
    }
}

#[expect(deprecated)]
fn calls(old: &OldClient) -> vox::Call<u64, vox::Never> {
    old.old_way(String::new())
}

fn main() {
    let _ = (OldDispatcher::new(Mine), calls);
}
