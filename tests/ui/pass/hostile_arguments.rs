//! Arguments and methods that are called like what the expansion uses.

#[vox::service]
pub trait Odd {
    #[allow(clippy::too_many_arguments)]
    async fn arguments(
        &self,
        reply: u64,
        self_: u64,
        args: u64,
        call: u64,
        handler: u64,
        method_id: u64,
        cx: &vox::Context,
        caller: &str,
        service: &[u8],
        r#type: String,
        value: u64,
        call_: u64,
        args_: u64,
        result: u64,
        plan: u64,
    ) -> u64;

    async fn call(&self, call: u64) -> u64;
    async fn caller(&self) -> u64;
    async fn clone(&self) -> u64;
    async fn from_caller(&self) -> u64;
    async fn new(&self) -> u64;
    async fn from_arc(&self) -> u64;
    async fn service(&self) -> u64;
    async fn dispatch(&self, handler: u64) -> u64;
    async fn fmt(&self) -> u64;
    async fn as_ref(&self) -> u64;
    async fn into_future(&self) -> u64;
}

struct Mine;

impl Odd for Mine {
    async fn arguments(
        &self,
        reply: u64,
        self_: u64,
        args: u64,
        call: u64,
        handler: u64,
        method_id: u64,
        _cx: &vox::Context,
        caller: &str,
        service: &[u8],
        r#type: String,
        value: u64,
        call_: u64,
        args_: u64,
        result: u64,
        plan: u64,
    ) -> u64 {
        let text = caller.len() + service.len() + r#type.len();
        reply + self_ + args + call + handler + method_id + value + call_ + args_ + result + plan + text as u64
    }

    async fn call(&self, call: u64) -> u64 {
        call
    }
    async fn caller(&self) -> u64 {
        0
    }
    async fn clone(&self) -> u64 {
        0
    }
    async fn from_caller(&self) -> u64 {
        0
    }
    async fn new(&self) -> u64 {
        0
    }
    async fn from_arc(&self) -> u64 {
        0
    }
    async fn service(&self) -> u64 {
        0
    }
    async fn dispatch(&self, handler: u64) -> u64 {
        handler
    }
    async fn fmt(&self) -> u64 {
        0
    }
    async fn as_ref(&self) -> u64 {
        0
    }
    async fn into_future(&self) -> u64 {
        0
    }
}

async fn calls(odd: OddClient) {
    let _: Result<u64, _> = odd.clone().await;
    let _: Result<u64, _> = odd.caller().await;
    let _: &vox::Caller = vox::Client::caller(&odd);
    let _: OddClient = Clone::clone(&odd);
}

fn main() {
    let _ = calls;
    let _ = OddDispatcher::new(Mine);
    let names: Vec<&str> = OddClient::SERVICE.methods[0].args.iter().map(|arg| arg.name).collect();
    assert_eq!(names[..4], ["reply", "self_", "args", "call"]);
    assert!(names.contains(&"type"));
    assert!(!names.contains(&"cx"));
}
