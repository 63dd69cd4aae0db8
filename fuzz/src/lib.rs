//! What the fuzz targets do with an input. Each must hold for every input: nothing panics, nothing takes memory that only a number
//! asked for, and what is well survives being written and read.

#![cfg(fuzzing)]

mod shapes;

use proc_macro2::TokenStream;
use vox_runtime::fuzzing;

/// The body of a frame, or of a reply.
pub fn frames(data: &[u8]) {
    fuzzing::frame(data);
    fuzzing::outcome(data);
}

/// The body of a message of the handshake.
pub fn handshake(data: &[u8]) {
    fuzzing::greeting(data);
}

/// The fields of a message that resumes a session, after a byte that says which.
pub fn resume(data: &[u8]) {
    fuzzing::resume(data);
}

/// A value, after a byte that says of which shape.
pub fn values(data: &[u8]) {
    if let Some((shape, bytes)) = data.split_first() {
        shapes::decode(*shape, bytes);
    }
}

/// The columns of a row of a store.
pub fn records(data: &[u8]) {
    fuzzing::record(data);
}

/// The longest input of the macro: its parser is as deep as its input.
const SOURCE: usize = 2 << 10;

/// Options and a trait, with a NUL between them.
pub fn macro_input(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(SOURCE)]) else { return };
    let (options, item) = text.split_once('\0').unwrap_or(("", text));
    let (Ok(options), Ok(item)) = (options.parse::<TokenStream>(), item.parse::<TokenStream>()) else { return };
    let expanded = vox_codegen::service(options, item);
    if let Err(error) = syn::parse2::<syn::File>(expanded.clone()) {
        panic!("{text}\nbecame what is no Rust: {error}\n{expanded}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Plays the stored inputs, without a fuzzer.
    fn play(target: &str, run: impl Fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let files: Vec<_> = std::fs::read_dir(corpus).expect("a corpus").collect();
        assert!(!files.is_empty(), "{target} has inputs");
        for file in files {
            run(&std::fs::read(file.expect("an entry").path()).expect("an input"));
        }
    }

    #[test]
    fn stored_inputs_hold() {
        play("frames", super::frames);
        play("handshake", super::handshake);
        play("resume", super::resume);
        play("values", super::values);
        play("records", super::records);
        play("macro_input", super::macro_input);
    }
}
