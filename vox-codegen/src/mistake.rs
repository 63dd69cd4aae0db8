//! What is wrong, where, and what to write instead.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The mistakes found in one declaration, in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(Vec<syn::Error>);

impl Mistakes {
    /// Notes a mistake on `tokens`: `what` is wrong, and `help` says what to write.
    pub(crate) fn add(&mut self, tokens: impl ToTokens, what: impl AsRef<str>, help: impl AsRef<str>) {
        let message = format!("{}\nhelp: {}", what.as_ref(), help.as_ref());
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes text that could not be read as what was expected there.
    pub(crate) fn unreadable(&mut self, error: &syn::Error, help: &str) {
        let message = format!("{error}\nhelp: {help}");
        self.0.push(syn::Error::new(error.span(), message));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mistakes themselves.
    #[cfg(any(feature = "build", test))]
    pub(crate) fn into_errors(self) -> Vec<syn::Error> {
        self.0
    }

    /// One `compile_error!` for each mistake.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0.into_iter().map(syn::Error::into_compile_error).collect()
    }
}
