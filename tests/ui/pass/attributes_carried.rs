//! `cfg`, `deprecated`, lints and documentation reach what is generated.

#![deny(warnings)]

/// First line.
///
/// Second paragraph.
#[vox::service]
#[allow(non_snake_case)]
#[must_use]
pub trait Many {
    /// Kept.
    async fn kept(&self) -> u64;

    #[cfg(any())]
    async fn never(&self, thing: NoSuchType) -> NoSuchType;

    #[cfg(all())]
    async fn always(&self, NotSnake: u64) -> u64;

    #[cfg(all())]
    async fn either(&self) -> u64;
    #[cfg(any())]
    async fn either(&self, more: u64) -> u64;

    #[deprecated = "use `kept`"]
    async fn old(&self) -> u64;

    #[doc(hidden)]
    async fn hidden(&self);

    #[doc = concat!("Made ", "up.")]
    async fn computed_docs(&self);
}

#[cfg(any())]
#[vox::service]
pub trait Absent {
    async fn never(&self, thing: NoSuchType);
}

#[vox::service]
#[cfg(any())]
pub trait AbsentToo {
    async fn never(&self, thing: NoSuchType);
}

struct Mine;

#[allow(non_snake_case)]
impl Many for Mine {
    async fn kept(&self) -> u64 {
        0
    }
    async fn always(&self, NotSnake: u64) -> u64 {
        NotSnake
    }
    async fn either(&self) -> u64 {
        0
    }
    async fn old(&self) -> u64 {
        0
    }
    async fn hidden(&self) {}
    async fn computed_docs(&self) {}
}

mod calls {
    #[expect(deprecated)]
    pub async fn old(many: super::ManyClient) {
        let _ = many.old().await;
    }
}

fn main() {
    let _ = calls::old;
    let _ = ManyDispatcher::new(Mine);
    let names: Vec<&str> = ManyClient::SERVICE.methods.iter().map(|method| method.name).collect();
    assert_eq!(names, ["kept", "always", "either", "old", "hidden", "computed_docs"]);
    assert_eq!(ManyClient::SERVICE.docs, "First line.\n\nSecond paragraph.");
    assert_eq!(ManyClient::SERVICE.methods[0].docs, "Kept.");
}
