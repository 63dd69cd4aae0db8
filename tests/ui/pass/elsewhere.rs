//! Services in the places where items seldom stand.

#![allow(dead_code)]

struct Holder;

impl Holder {
    async fn method(&self) -> u64 {
        #[vox::service]
        trait InMethod {
            async fn get(&self) -> u64;
        }
        impl InMethod for Holder {
            async fn get(&self) -> u64 {
                7
            }
        }
        let _ = InMethodDispatcher::new(Holder);
        InMethod::get(self).await
    }
}

fn generic<T: Default>() -> usize {
    #[vox::service]
    trait InGeneric {
        async fn get(&self, text: &str) -> Result<&str, String>;
    }
    InGenericClient::SERVICE.methods.len()
}

const COUNT: usize = {
    #[vox::service]
    trait InConst {
        async fn one(&self);
        async fn two(&self);
    }
    2
};

fn main() {
    let in_closure = || {
        #[vox::service]
        trait InClosure {
            async fn get(&self);
        }
        InClosureClient::SERVICE.name
    };
    assert_eq!((in_closure(), generic::<u8>(), COUNT), ("InClosure", 1, 2));
    let _ = Holder.method();
}
