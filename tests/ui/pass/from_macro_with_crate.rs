//! A service written by a macro of another module, which says where vox is by `$crate`.

pub mod framework {
    pub use vox;

    #[macro_export]
    macro_rules! service_of {
        ($name:ident { $($method:ident($($argument:ident: $ty:ty),*) -> $result:ty;)* }) => {
            #[$crate::framework::vox::service(crate = $crate::framework::vox)]
            pub trait $name {
                $(async fn $method(&self, cx: &$crate::framework::vox::Context, $($argument: $ty),*) -> $result;)*
                async fn version(&self, args: u64) -> u64;
            }
        };
    }
}

mod user {
    mod vox {}
    crate::service_of!(Files { open(args: String, call: &str) -> Result<u64, String>; name() -> &str; });

    pub struct Disk;

    impl Files for Disk {
        async fn open(&self, _: &crate::framework::vox::Context, args: String, _: &str) -> Result<u64, String> {
            Ok(args.len() as u64)
        }
        async fn name(&self, _: &crate::framework::vox::Context) -> &str {
            "disk"
        }
        async fn version(&self, args: u64) -> u64 {
            args
        }
    }
}

fn main() {
    let _ = user::FilesDispatcher::new(user::Disk);
    assert_eq!(user::FilesClient::SERVICE.methods.len(), 3);
}
