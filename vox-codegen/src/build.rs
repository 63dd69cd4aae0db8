//! The door for build scripts: the same Rust as the macro writes, in a file to read and to step through.
//!
//! ```no_run
//! // build.rs, with `vox-codegen = { features = ["build"] }` among the build dependencies
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let output = std::path::Path::new(&std::env::var("OUT_DIR")?).join("services.rs");
//!     vox_codegen::build::write("src/services.in.rs", output)?;
//!     Ok(())
//! }
//! ```
//!
//! ```ignore
//! // src/lib.rs
//! include!(concat!(env!("OUT_DIR"), "/services.rs"));
//! ```

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Item, ItemTrait, Meta};

use crate::{check, emit, parse};

/// Reads the Rust file `input` and writes it to `output` with every `#[vox::service]` trait expanded, also those in inline
/// modules. All else is kept, but for comments that document nothing. Tells Cargo to run the build script again when `input`
/// changes.
pub fn write(input: impl AsRef<Path>, output: impl AsRef<Path>) -> Result<(), WriteError> {
    let (input, output) = (input.as_ref(), output.as_ref());
    println!("cargo::rerun-if-changed={}", input.display());
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| WriteError::Io(path, error)
    };
    let source = fs::read_to_string(input).map_err(at(input))?;
    let expanded = expand(&source).map_err(|error| WriteError::Mistakes(input.to_owned(), error))?;
    fs::write(output, expanded).map_err(at(output))
}

/// `source` with every `#[vox::service]` trait in it expanded.
///
/// ```
/// let expanded = vox_codegen::build::expand("#[vox::service] trait Bank { async fn balance(&self, account: u64) -> u64; }")?;
/// assert!(expanded.contains("struct BankClient"));
///
/// let mistakes = vox_codegen::build::expand("#[vox::service] trait Bank { fn balance(&self); }").unwrap_err();
/// assert!(mistakes.to_string().contains("write `async fn balance`"));
/// # Ok::<(), vox_codegen::build::Mistakes>(())
/// ```
pub fn expand(source: &str) -> Result<String, Mistakes> {
    let mut file = syn::parse_file(source).map_err(|error| Mistakes(vec![error]))?;
    let mut mistakes = Vec::new();
    file.items = expand_items(file.items, &mut mistakes);
    if mistakes.is_empty() { Ok(prettyplease::unparse(&file)) } else { Err(Mistakes(mistakes)) }
}

/// What keeps a file from being expanded, each where it stands.
#[derive(Debug)]
pub struct Mistakes(Vec<syn::Error>);

/// Why no file was written.
#[derive(Debug)]
pub enum WriteError {
    /// The file could not be read or written.
    Io(PathBuf, io::Error),
    /// The file has mistakes.
    Mistakes(PathBuf, Mistakes),
}

fn expand_items(items: Vec<Item>, mistakes: &mut Vec<syn::Error>) -> Vec<Item> {
    let mut expanded = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Item::Trait(mut item) => match take_options(&mut item) {
                Some(options) => match service(options, item) {
                    Ok(items) => expanded.extend(items),
                    Err(found) => mistakes.extend(found),
                },
                None => expanded.push(Item::Trait(item)),
            },
            Item::Mod(mut module) => {
                module.content = module.content.map(|(brace, items)| (brace, expand_items(items, mistakes)));
                expanded.push(Item::Mod(module));
            }
            other => expanded.push(other),
        }
    }
    expanded
}

/// Takes `#[vox::service(…)]` off `item`: its options.
fn take_options(item: &mut ItemTrait) -> Option<TokenStream> {
    let is_service = |attr: &syn::Attribute| attr.path().segments.last().is_some_and(|last| last.ident == "service");
    let at = item.attrs.iter().position(is_service)?;
    Some(match item.attrs.remove(at).meta {
        Meta::List(list) => list.tokens,
        Meta::Path(_) | Meta::NameValue(_) => TokenStream::new(),
    })
}

fn service(options: TokenStream, item: ItemTrait) -> Result<Vec<Item>, Vec<syn::Error>> {
    let declaration = parse::declaration("vox", options, item.into_token_stream()).map_err(|error| vec![error])?;
    let service = check::service(&declaration).map_err(crate::mistake::Mistakes::into_errors)?;
    let file: syn::File = syn::parse2(emit::service(&service)).map_err(|error| vec![error])?;
    Ok(file.items)
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let start = error.span().start();
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{}: {error}", start.line, start.column + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            WriteError::Mistakes(path, mistakes) => write!(f, "{}:\n{mistakes}", path.display()),
        }
    }
}

impl std::error::Error for WriteError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expansion is included by a test of vox itself, which compiles and calls it.
    #[test]
    fn a_written_file_is_what_the_macro_expands_to() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/generated");
        let source = fs::read_to_string(folder.join("library.rs")).expect("a file with a service");
        let output = std::env::temp_dir().join(format!("vox-codegen-{}.rs", std::process::id()));
        write(folder.join("library.rs"), &output).expect("no mistakes");
        let written = fs::read_to_string(&output).expect("a written file");
        fs::remove_file(&output).expect("our own file");
        let committed = folder.join("library.expanded.rs");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&committed, &written).expect("a writable folder");
        }
        assert!(fs::read_to_string(committed).is_ok_and(|text| text == written), "the expansion changed:\n{written}");

        let mut file = syn::parse_file(&source).expect("Rust");
        let by_macro: Vec<Item> = file
            .items
            .drain(..)
            .flat_map(|item| match item {
                Item::Trait(mut item) => {
                    let options = take_options(&mut item).expect("a service");
                    let expanded = crate::service(options, item.into_token_stream());
                    syn::parse2::<syn::File>(expanded).expect("Rust").items
                }
                other => vec![other],
            })
            .collect();
        file.items = by_macro;
        assert_eq!(prettyplease::unparse(&file), written);
    }

    #[test]
    fn traits_in_modules_are_expanded_and_others_are_kept() {
        let expanded =
            expand("mod inner { #[vox::service] trait Bank {} trait Plain { fn kept(&self); } } fn kept() {}");
        let expanded = expanded.expect("no mistakes");
        for text in ["struct BankClient", "trait Plain", "fn kept() {}"] {
            assert!(expanded.contains(text), "{text} is not in:\n{expanded}");
        }
    }

    #[test]
    fn all_mistakes_of_a_file_are_told() {
        let source = "#[vox::service] trait A { fn one(&self); } #[vox::service] trait B { async fn two(&mut self); }";
        let mistakes = expand(source).expect_err("two mistakes").to_string();
        for text in ["write `async fn one`", "`two` takes `&mut self`"] {
            assert!(mistakes.contains(text), "{text} is not in:\n{mistakes}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = write("no/such/file.rs", "out.rs").expect_err("no file");
        assert!(error.to_string().starts_with("no/such/file.rs: "), "{error}");
    }
}
