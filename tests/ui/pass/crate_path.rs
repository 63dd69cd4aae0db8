//! vox under another path.

mod deps {
    pub mod rpc {
        pub use vox::*;
        pub use vox::__private;
    }
}

use deps::rpc as renamed;

#[renamed::service(crate = crate::deps::rpc)]
pub trait Absolute {
    async fn get(&self, cx: &renamed::Context, rows: renamed::Rx<u64>) -> Result<u64, String>;
}

struct Mine;

impl Absolute for Mine {
    async fn get(&self, _cx: &renamed::Context, _rows: renamed::Rx<u64>) -> Result<u64, String> {
        Ok(1)
    }
}

fn main() {
    use deps::rpc as nearby;

    #[nearby::service(crate = nearby)]
    pub trait Relative {
        async fn get(&self, cx: &nearby::Context) -> Result<u64, String>;
    }

    impl Relative for Mine {
        async fn get(&self, _cx: &nearby::Context) -> Result<u64, String> {
            Ok(1)
        }
    }

    let _ = AbsoluteDispatcher::new(Mine);
    let _ = RelativeDispatcher::new(Mine);
}
