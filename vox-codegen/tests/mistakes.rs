//! Which mistakes are found, how many at once, and what is not taken for one.

use proc_macro2::TokenStream;

#[test]
fn a_sound_trait_has_none() {
    check("pub trait Bank { async fn balance(&self, account: u64) -> u64; }", &[]);
    check("trait Empty {}", &[]);
}

#[test]
fn all_mistakes_are_reported_together() {
    check(
        "unsafe trait Bank<T> where T: Copy {
            type Account;
            #[vox(idem, idem, idme)]
            fn balance<T>(&mut self, _: u64, a: &T, cx: &vox::Context, again: &vox::Context) -> vox::Rx<u64> {}
        }",
        &[
            "a service trait cannot be `unsafe`",
            "a service trait cannot be generic",
            "a service trait cannot have a `where` clause",
            "a service trait cannot have the associated type `Account`",
            "`idem` is given twice",
            "unknown option `idme`",
            "`balance` is not `async`",
            "`balance` cannot be generic over `T`",
            "`balance` cannot have a default body",
            "`balance` takes `&mut self`",
            "an argument of `balance` has no name",
            "argument `a` of `balance` contains a reference",
            "`balance` takes the context twice",
            "the result of `balance` contains the channel `Rx`",
        ],
    );
}

#[test]
fn a_lifetime_is_reported_where_it_is_declared() {
    check(
        "trait Bank { async fn name<'a>(&'a self, a: &'a str, b: Cow<'a, str>) -> u64; }",
        &["`name` cannot name lifetimes"],
    );
}

#[test]
fn channels_are_refused_where_they_cannot_be() {
    check("trait Bank { async fn a(&self, a: Tx<u64>, b: Option<vox::Rx<u64>>, c: (Tx<u8>, u8)); }", &[]);
    check(
        "trait Bank { async fn a(&self, a: Vec<Tx<u64>>); }",
        &["argument `a` of `a` contains channels in a collection"],
    );
    check(
        "trait Bank { async fn a(&self, a: [Tx<u64>; 2]); }",
        &["argument `a` of `a` contains channels in a collection"],
    );
    check(
        "trait Bank { async fn a(&self, a: Tx<Vec<Rx<u64>>>); }",
        &["argument `a` of `a` contains a channel of channels"],
    );
    check(
        "trait Bank { async fn a(&self) -> Result<(), Vec<Tx<u64>>>; }",
        &["the error of `a` contains the channel `Tx`"],
    );
    check(
        "trait Bank { #[vox(idem, persist)] async fn a(&self, a: Option<Tx<u64>>); }",
        &["`a` is `persist`, but takes a channel"],
    );
}

#[test]
fn a_type_that_is_only_called_like_a_channel_is_none() {
    check("trait Bank { async fn a(&self, tx: Tx) -> Option<bitcoin::Tx>; }", &[]);
}

#[test]
fn borrowed_arguments_are_whole_arguments_only() {
    check("trait Bank { async fn a(&self, a: &str, b: &[u8], c: &'_ str, d: (&str)); }", &[]);
    check(
        "trait Bank { async fn a(&self, a: Box<str>, b: Arc<[u8]>, c: Cow<'static, str>, d: PhantomData<fn() -> u8>); }",
        &[],
    );
    check("trait Bank { async fn a(&self, a: (&str, u8)); }", &["argument `a` of `a` contains a reference"]);
    check("trait Bank { async fn a(&self, a: &'static str); }", &["argument `a` of `a` names a lifetime"]);
}

#[test]
fn borrowed_results_are_whole_results_only() {
    check("trait Bank { async fn a(&self, b: &str) -> &str; async fn c(&self) -> Result<&'_ [u8], String>; }", &[]);
    check("trait Bank { async fn a(&self) -> Option<&str>; }", &["the result of `a` contains a reference"]);
    check("trait Bank { async fn a(&self) -> &mut str; }", &["the result of `a` is a mutable reference"]);
    check("trait Bank { async fn a(&self) -> &'static [u8]; }", &["the result of `a` names a lifetime"]);
    check("trait Bank { async fn a(&self) -> Result<u8, &str>; }", &["the error of `a` contains a reference"]);
}

#[test]
fn names_on_the_wire_are_unique_unless_cfgs_tell_them_apart() {
    check(
        "trait Bank { async fn a(&self); #[vox(name = \"a\")] async fn b(&self); }",
        &["`a` and `b` have the same name on the wire, `Bank.a`"],
    );
    check("trait Bank { #[cfg(x)] async fn a(&self); #[cfg(not(x))] async fn a(&self); }", &[]);
    check(
        "trait Bank { #[cfg(x)] async fn a(&self); #[cfg(x)] async fn a(&self); }",
        &["`a` and `a` have the same name"],
    );
}

#[test]
fn names_in_rust_are_unique_unless_cfgs_tell_them_apart() {
    check("trait Bank { async fn a(&self); #[vox(name = \"b\")] async fn a(&self); }", &["there are two methods `a`"]);
    check("trait Bank { #[cfg(x)] async fn a(&self); #[cfg(not(x))] #[vox(name = \"b\")] async fn a(&self); }", &[]);
    check("trait Bank { async fn a(&self, b: u64, r#b: u64, c: u64); }", &["two arguments of `a` are called `r#b`"]);
}

#[test]
fn a_method_has_no_visibility_of_its_own() {
    check(
        "trait Bank { pub async fn a(&self); /// Text.\n pub(crate) fn b(&self); }",
        &[
            "a method of a service is as visible as its trait",
            "a method of a service is as visible as its trait",
            "`b` is not `async`",
        ],
    );
}

#[test]
fn constants_of_the_implementation_are_refused() {
    check(
        "trait Bank { async fn a(&self, a: [u8; Self::N], b: Matrix<{ 2 * Self::N }>, c: [u8; N]); }",
        &["argument `a` of `a` names `Self`", "argument `b` of `a` names `Self`"],
    );
}

#[test]
fn options_of_the_trait_are_judged_beside_its_methods() {
    let attr = "name = \"\", nmae, crate = \"vox\", rename_all = \"loud\", idem";
    check_with(
        attr,
        "trait Bank { fn a(&self); }",
        &[
            "a name on the wire cannot be empty",
            "unknown option `nmae`",
            "`crate` takes the path of the vox crate",
            "unknown casing \"loud\"",
            "`idem` is an option of a method",
            "`a` is not `async`",
        ],
    );
    check_with("name", "trait Bank { fn a(&self); }", &["`name` needs a value", "`a` is not `async`"]);
    check_with("= 5", "trait Bank { fn a(&self); }", &["expected the name of an option", "`a` is not `async`"]);
}

#[test]
fn an_unknown_option_is_compared_with_the_known_ones() {
    let expanded = expand("", "trait Bank { #[vox(presist)] async fn a(&self); }");
    let [message] = &messages(&expanded)[..] else { panic!("one mistake") };
    assert!(message.contains("did you mean `persist`?"), "{message}");
    assert!(message.contains("`idem`, `persist`, `timeout = \"2s\"`, `name = \"…\"`"), "{message}");
}

#[test]
fn every_mistake_says_what_to_write_instead() {
    let expanded = expand(
        "x",
        "unsafe trait Bank<T> { const A: u8; m!(); #[vox] const unsafe extern \"C\" fn a(self, x: dyn A, y: *const u8, z: _, ...) -> !; async fn b(); }",
    );
    let messages = messages(&expanded);
    assert!(messages.len() >= 14, "{messages:#?}");
    for message in messages {
        assert!(message.contains("\nhelp: "), "{message}");
    }
}

#[test]
fn what_is_not_a_trait_is_refused_on_its_keyword() {
    for item in ["struct A;", "pub enum A {}", "impl A {}", "async fn a() {}", "pub(crate) mod a {}"] {
        check(item, &["`#[vox::service]` describes a service by a trait"]);
    }
}

fn check(item: &str, expected: &[&str]) {
    check_with("", item, expected);
}

fn check_with(attr: &str, item: &str, expected: &[&str]) {
    let found = messages(&expand(attr, item));
    assert_eq!(found.len(), expected.len(), "{item}\n{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{item}\nexpected: {expected}\nfound: {found}");
    }
}

fn expand(attr: &str, item: &str) -> syn::File {
    let attr: TokenStream = attr.parse().expect("tokens");
    let item: TokenStream = item.parse().expect("tokens");
    syn::parse2(vox_codegen::service(attr, item)).expect("Rust")
}

/// The texts of the `compile_error!`s.
fn messages(file: &syn::File) -> Vec<String> {
    let macros = file.items.iter().filter_map(|item| match item {
        syn::Item::Macro(item) => Some(&item.mac),
        _ => None,
    });
    let errors = macros.filter(|mac| mac.path.segments.last().is_some_and(|last| last.ident == "compile_error"));
    errors.map(|mac| mac.parse_body::<syn::LitStr>().expect("text").value()).collect()
}
