//! The wire against its document, its golden vectors, and bytes that nobody meant to send.

mod document;
mod fuzz;
mod golden;
