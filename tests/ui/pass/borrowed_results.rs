//! `&str` and `&[u8]` as results, lent by the handler or by an argument.

#[derive(Debug, facet::Facet)]
#[repr(u8)]
pub enum Missing {
    Text,
}

#[vox::service]
pub trait Library {
    async fn title(&self) -> &str;
    async fn cover(&self) -> &'_ [u8];
    async fn page(&self, number: u64) -> Result<&str, Missing>;
    async fn bytes(&self, number: u64) -> std::result::Result<&[u8], Missing>;
    async fn trimmed(&self, text: &str) -> &str;
    async fn either(&self, cx: &vox::Context, text: &str, bytes: &[u8]) -> Result<&[u8], Missing>;
}

struct Mine {
    title: String,
}

impl Library for Mine {
    async fn title(&self) -> &str {
        &self.title
    }
    async fn cover(&self) -> &[u8] {
        b"cover"
    }
    async fn page(&self, number: u64) -> Result<&str, Missing> {
        if number == 0 { Ok(&self.title) } else { Err(Missing::Text) }
    }
    async fn bytes(&self, _: u64) -> Result<&[u8], Missing> {
        Ok(self.title.as_bytes())
    }
    async fn trimmed<'a>(&self, text: &'a str) -> &'a str {
        text.trim()
    }
    async fn either<'a>(&'a self, _: &vox::Context, text: &'a str, bytes: &'a [u8]) -> Result<&'a [u8], Missing> {
        Ok(if bytes.is_empty() { text.as_bytes() } else { bytes })
    }
}

async fn owned(library: LibraryClient) -> (String, Vec<u8>) {
    (library.title().await.unwrap(), library.bytes(1).await.unwrap())
}

fn main() {
    let _ = (LibraryDispatcher::new(Mine { title: String::new() }), owned);
    assert_eq!(LibraryClient::SERVICE.check(), Ok(()));
}
