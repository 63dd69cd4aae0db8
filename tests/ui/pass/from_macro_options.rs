//! Options, documentation and paths that another macro passes on.

macro_rules! service {
    ($(#[doc = $doc:literal])* $name:ident at $vox:path, $wire:literal, $case:literal, $($method:ident $text:literal $timeout:tt),*) => {
        $(#[doc = $doc])*
        #[vox::service(crate = $vox, name = $wire, rename_all = $case)]
        pub trait $name {
            $(
                #[doc = $text]
                #[vox(idem, timeout = $timeout, name = $text)]
                async fn $method(&self, $method: u64);
            )*
            async fn own_method(&self);
        }
    };
}

mod path {
    pub use vox as again;
}

service!(
    /// Kept.
    Numbers at crate::path::again, "acme.Numbers", "camelCase", first "one" "1s", second "two" "2s"
);

service!(Others at ::vox, "others", "kebab-case", third "three" "3s");

fn main() {
    let service = NumbersClient::SERVICE;
    assert_eq!((service.name, service.docs), ("acme.Numbers", "Kept."));
    let names: Vec<_> = service.methods.iter().map(|method| (method.name, method.docs)).collect();
    assert_eq!(names, [("one", "one"), ("two", "two"), ("ownMethod", "")]);
    assert_eq!(OthersClient::SERVICE.methods[1].name, "own-method");
}
