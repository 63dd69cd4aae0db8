//! Measures contenders side by side. `docs/internals/benchmarks.md` says how, `docs/performance.md` has the figures.
//!
//! The package's own program has vox and what one would write instead of it; the one in `peers/`, a workspace of its own that
//! nobody else builds, adds what one would pick instead. Both are [`main`] with a list of [`Contender`]s.
//!
//! ```text
//! cargo run --release -p vox-bench -- s1              one cell, and s1-two and so on with it
//! cargo run --release -p vox-bench -- =s2-two --rounds 21 --only raw,vox --out figures.jsonl
//! cargo run --release -p vox-bench -- all             every cell
//! cargo run --release -p vox-bench -- sweep payload   cost against payload; there are also in-flight, connections, methods
//! cargo run --release -p vox-bench -- memory          bytes per idle connection and per pending call
//! cargo run --release -p vox-bench -- build           what the least program costs to build, by each
//! cargo run --release -p vox-bench -- instructions    instructions per operation, by callgrind; fails over a bound
//! cargo run --release -p vox-bench -- resume          from a cut link to the next reply
//! cargo run --release -p vox-bench -- slow            large messages beside small ones
//! cargo run --release -p vox-bench -- wan 50ms-100m   over links with delay and a rate; a cell, a kind of cell, a link, or all
//! cargo run --release -p vox-bench -- plot figures.jsonl docs/plots
//! ```

mod building;
pub mod calls;
mod command;
pub mod contender;
pub mod contenders;
pub mod far;
mod instructions;
mod json;
mod lane;
mod measure;
mod memory;
mod methods;
mod patience;
mod plot;
mod resume;
mod runner;
pub mod scenario;
mod slow;
mod sweep;
mod table;
mod translating;
mod wan;

pub use command::main;
pub use contender::{Client, Contender, Fault};
pub use far::{Far, Figures, Meter};
