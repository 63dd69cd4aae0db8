//! What the fuzz targets do with an input. Each must hold for every input: nothing panics, nothing takes memory that only a number
//! asked for, and what is well survives being written and read.

#![cfg(fuzzing)]

mod shapes;

use bytes::Bytes;
use proc_macro2::TokenStream;
use vox_runtime::codec::Budget;
use vox_runtime::descriptor::Schema;
use vox_runtime::fuzzing;
use vox_runtime::value::ValueType;

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

/// A contract, as a peer sends it. Whether it is one.
pub fn contracts(data: &[u8]) -> bool {
    fuzzing::contract(data)
}

/// The length of a schema, in two bytes, the schema, and then a value of it: as JSON if that is text, and as bytes.
///
/// What is read either way survives being written and read, as bytes and as JSON. Whether something was.
pub fn dynamic(data: &[u8]) -> bool {
    let Some((len, rest)) = data.split_first_chunk() else { return false };
    let Some((schema, value)) = rest.split_at_checked(u16::from_le_bytes(*len).into()) else { return false };
    let Ok(ty) = ValueType::new(&Schema::from_bytes(schema)) else { return false };
    let mut is_one = false;
    let decode = |bytes: &[u8]| ty.decode(&Bytes::copy_from_slice(bytes), Budget::default_for(bytes.len())).ok();
    let of_text = std::str::from_utf8(value).ok().and_then(|text| ty.read_json(text).ok());
    for value in decode(value).into_iter().chain(of_text) {
        // What has channels is no value alone.
        let Ok(bytes) = ty.encode(&value) else { continue };
        is_one = true;
        if let Some(again) = decode(&bytes) {
            assert_eq!(ty.encode(&again).ok().as_ref(), Some(&bytes), "it became another value");
        }
        if let Ok(text) = ty.write_json(&value) {
            let again = ty.read_json(&text).unwrap_or_else(|error| panic!("{text} cannot be read: {error}"));
            assert_eq!(ty.encode(&again).as_ref().ok(), Some(&bytes), "{text} is another value");
        }
    }
    is_one
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

    /// An input that is refused at its first byte finds nothing.
    #[test]
    fn stored_inputs_of_schemas_hold_and_most_are_what_they_should_be() {
        for (target, run, fewest) in
            [("contracts", super::contracts as fn(&[u8]) -> bool, 5), ("dynamic", super::dynamic, 12)]
        {
            let well = std::cell::Cell::new(0);
            play(target, |data| well.set(well.get() + u32::from(run(data))));
            assert!(well.get() >= fewest, "{target}: {}", well.get());
        }
    }
}
