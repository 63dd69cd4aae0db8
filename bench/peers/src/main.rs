//! What a user would pick instead of vox, measured beside it: `cargo run --release --manifest-path bench/peers/Cargo.toml -- s1`.
//!
//! Each contender is written as its own documentation has it, with its defaults and without delays on TCP; its file says which
//! documentation that is. `docs/internals/benchmarks.md` says how everything is measured.

// Where the generated code looks for itself.
capnp::generated_code!(mod bench_capnp);

mod capnp_rpc;
mod irpc;
mod jsonrpsee;
mod registry;
mod remoc;
mod tarpc;
mod tonic;

fn main() -> std::process::ExitCode {
    let mut contenders = vox_bench::contenders::all();
    contenders.extend([
        Box::new(tarpc::Tarpc) as Box<dyn vox_bench::Contender>,
        Box::new(tonic::Tonic),
        Box::new(capnp_rpc::CapnpRpc),
        Box::new(irpc::Irpc),
        Box::new(remoc::Remoc),
        Box::new(jsonrpsee::Jsonrpsee),
        Box::new(registry::Registry),
    ]);
    vox_bench::main(contenders)
}

/// How many calls the server holds without an answer.
static HELD: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Holds a call for ever.
async fn hold() {
    HELD.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    std::future::pending().await
}

fn held() -> u64 {
    HELD.load(std::sync::atomic::Ordering::Relaxed)
}
