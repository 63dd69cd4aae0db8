//! Sessions in tests, one step at a time. What all steps together promise is the simulator's.

mod agreeing;
mod budgets;
mod obeying;
mod parts;
mod pieces;
mod pitfalls;
mod resuming;
mod steps;
mod untaken;
mod violations;

// The tests name the parts of a session as their neighbours do.
use super::*;
