//! Compiles the schemas, as tonic and capnp-rpc have it. Wants `protoc` and `capnp`, which `bench/all` installs.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Bytes are slices of what was received.
    tonic_prost_build::configure().bytes(".").compile_protos(&["schema/bench.proto"], &["schema"])?;
    capnpc::CompilerCommand::new().src_prefix("schema").file("schema/bench.capnp").run()?;
    Ok(())
}
