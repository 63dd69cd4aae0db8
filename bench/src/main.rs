//! vox beside a bare echo and a bare multiplexer: `cargo run --release -p vox-bench -- s1`.

fn main() -> std::process::ExitCode {
    vox_bench::main(vox_bench::contenders::all())
}
