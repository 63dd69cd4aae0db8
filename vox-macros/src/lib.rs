//! The door between `rustc` and [`vox_codegen`]: no logic of its own.

#![forbid(unsafe_code)]

use proc_macro::{Span, TokenStream};

/// Turns a trait into an RPC service.
///
/// The trait stays what you implement, with plain `async fn`. Beside it appear a client (`BankClient` for a trait `Bank`), whose
/// methods return calls to await, and a dispatcher (`BankDispatcher<H>`) that serves an implementation.
///
/// ```ignore
/// #[vox::service]
/// pub trait Bank {
///     /// Safe to run again.
///     #[vox(idem)]
///     async fn balance(&self, account: u64) -> Result<u64, BankError>;
///
///     /// Runs at most once; its outcome is kept and replayed.
///     #[vox(persist, timeout = "2s")]
///     async fn transfer(&self, cx: &vox::Context, order: Transfer) -> Result<Receipt, BankError>;
/// }
/// ```
///
/// Options of the trait, as in `#[vox::service(name = "acme.Bank")]`:
///
/// - `name = "…"`: the service's name on the wire, in place of the trait's;
/// - `rename_all = "camelCase"`: how method names are written on the wire;
/// - `crate = path`: where vox is, when the package does not depend on it (under whatever name) itself.
///
/// Options of a method, in one `#[vox(…)]`, in any order:
///
/// - `idem`: running the method again is harmless;
/// - `persist`: the handler runs to its end even when its caller goes away;
/// - `timeout = "2s"`: how long a caller waits unless the call says otherwise;
/// - `name = "…"`: the method's name on the wire.
#[proc_macro_attribute]
pub fn service(attr: TokenStream, item: TokenStream) -> TokenStream {
    let attribute = Span::call_site().source_text();
    vox_codegen::service_of(&vox_codegen::dependency::find(attribute.as_deref()), attr.into(), item.into()).into()
}
