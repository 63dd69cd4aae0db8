//! Any item either expands to Rust that parses, or yields errors beside stubs that parse. Nothing panics.

use proc_macro2::TokenStream;
use proptest::prelude::*;
use proptest::sample::select;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn traits_of_any_form_expand_to_rust(attr in trait_options(), item in service_trait()) {
        expands(&attr, &item)?;
    }

    #[test]
    fn sound_traits_expand_without_errors(methods in prop::collection::vec(sound_method(), 0..6)) {
        let methods: String = methods.iter().enumerate().map(|(i, method)| method.replace("NAME", &format!("method_{i}"))).collect();
        let expanded = expands("", &format!("pub trait Sound {{ {methods} }}"))?;
        prop_assert!(!expanded.contains("compile_error"), "{}", expanded);
    }

    #[test]
    fn token_soup_never_panics(attr in soup(), item in soup()) {
        expands(&attr, &item)?;
    }

    #[test]
    fn shuffled_traits_never_panic(item in service_trait(), cut in any::<prop::sample::Index>(), extra in soup_word()) {
        let mut words: Vec<&str> = item.split(' ').collect();
        let at = cut.index(words.len());
        words[at] = extra;
        expands("", &words.join(" "))?;
    }
}

/// Expands what lexes, and says what came out.
fn expands(attr: &str, item: &str) -> Result<String, TestCaseError> {
    let (Ok(attr), Ok(item)) = (attr.parse::<TokenStream>(), item.parse::<TokenStream>()) else {
        return Ok(String::new());
    };
    let input = item.to_string();
    let expanded = vox_codegen::service(attr, item);
    prop_assert!(syn::parse2::<syn::File>(expanded.clone()).is_ok(), "{}\nbecame\n{}", input, expanded);
    Ok(expanded.to_string())
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> + Clone {
    select(texts)
}

fn trait_options() -> impl Strategy<Value = String> {
    prop::collection::vec(one_of(TRAIT_OPTIONS), 0..3).prop_map(|options| options.join(", "))
}

fn service_trait() -> impl Strategy<Value = String> {
    let head = (one_of(ATTRS), one_of(VISIBILITIES), one_of(TRAIT_HEADS));
    (
        head,
        prop::collection::vec(
            prop_oneof![4 => any_method().boxed(), 1 => one_of(OTHER_ITEMS).prop_map(str::to_owned).boxed()],
            0..5,
        ),
    )
        .prop_map(|((attrs, vis, head), items)| format!("{attrs} {vis} {head} {{ {} }}", items.join(" ")))
}

fn any_method() -> impl Strategy<Value = String> {
    let args = prop::collection::vec((one_of(PATTERNS), any_type()), 0..4);
    (
        one_of(ATTRS),
        one_of(METHOD_OPTIONS),
        one_of(QUALIFIERS),
        one_of(NAMES),
        one_of(GENERICS),
        one_of(RECEIVERS),
        args,
        any_return(),
        one_of(ENDS),
    )
        .prop_map(|(attrs, options, qualifiers, name, generics, receiver, args, output, end)| {
            let args: String = args.iter().map(|(pattern, ty)| format!(", {pattern} : {ty}")).collect();
            let inputs = format!("{receiver}{args}");
            format!(
                "{attrs} {options} {qualifiers} fn {name} {generics} ( {} ) {output} {end}",
                inputs.trim_start_matches(", ")
            )
        })
}

fn sound_method() -> impl Strategy<Value = String> {
    let args = prop::collection::vec(sound_type(), 0..4);
    (one_of(SOUND_OPTIONS), args, proptest::option::of(sound_type()), proptest::option::of(sound_type())).prop_map(
        |(options, args, ok, err)| {
            let args: String = args.iter().enumerate().map(|(i, ty)| format!(", arg_{i}: {ty}")).collect();
            let output = match (ok, err) {
                (Some(ok), Some(err)) => format!("-> Result<{ok}, {err}>"),
                (Some(ok), None) => format!("-> {ok}"),
                (None, _) => String::new(),
            };
            format!("{options} async fn NAME(&self{args}) {output};")
        },
    )
}

fn sound_type() -> impl Strategy<Value = String> {
    let leaf = one_of(SOUND_TYPES).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|ty| format!("Vec<{ty}>")),
            inner.clone().prop_map(|ty| format!("[{ty}; 4]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}, {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("my::Map<{a}, {b}>")),
        ]
    })
}

fn any_type() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![one_of(SOUND_TYPES), one_of(ODD_TYPES)].prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|ty| format!("Vec < {ty} >")),
            inner.clone().prop_map(|ty| format!("& {ty}")),
            inner.clone().prop_map(|ty| format!("vox :: Rx < {ty} >")),
            inner.clone().prop_map(|ty| format!("[ {ty} ; N ]")),
            inner.clone().prop_map(|ty| format!("( {ty} )")),
            inner.prop_map(|ty| format!("Result < {ty} , u8 >")),
        ]
    })
}

fn any_return() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 3 => any_type().prop_map(|ty| format!("-> {ty}"))]
}

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(soup_word(), 0..24).prop_map(|words| words.join(" "))
}

fn soup_word() -> impl Strategy<Value = &'static str> {
    one_of(SOUP)
}

const TRAIT_OPTIONS: &[&str] = &[
    "name = \"x\"",
    "name = 5",
    "name",
    "crate = a::b",
    "crate = \"a\"",
    "rename_all = \"camelCase\"",
    "rename_all = \"?\"",
    "idem",
    "nope",
    "x(y)",
    "= =",
];
const ATTRS: &[&str] = &[
    "",
    "#[cfg(x)]",
    "#[doc = \"d\"]",
    "/// d\n",
    "#[allow(unused)] #[deprecated]",
    "#[cfg_attr(x, vox(idem))]",
    "#[cfg_attr(x, doc = \"d\", cfg(y), deprecated)]",
    "#[cfg_attr()]",
    "#[cfg_attr(x,)]",
    "#[doc(hidden)]",
    "#[vox(idem)]",
];
const VISIBILITIES: &[&str] = &["", "pub", "pub(crate)", "pub(in a::b)"];
const TRAIT_HEADS: &[&str] = &[
    "trait A",
    "unsafe trait A",
    "auto trait A",
    "trait r#type",
    "trait A : Send + B<u8> + 'static",
    "trait A < T , 'a , const N : usize >",
    "trait A where Self : Sized",
    "struct A",
    "enum A",
];
const OTHER_ITEMS: &[&str] =
    &["type T ;", "type T : Copy ;", "const C : u8 ;", "const C : u8 = 1 ;", "m ! ( ) ;", "m ! { }"];
const METHOD_OPTIONS: &[&str] = &[
    "",
    "#[vox(idem)]",
    "#[vox(persist, timeout = \"2s\")]",
    "#[vox]",
    "#[vox()]",
    "#[vox = 1]",
    "#[vox(timeout = \"x\")]",
    "#[vox(idem)] #[vox(idem)]",
    "#[vox(name = \"b\")]",
    "#[vox(name = \"\")]",
    "#[vox(,)]",
    "#[vox(idem = )]",
];
const SOUND_OPTIONS: &[&str] =
    &["", "#[vox(idem)]", "#[vox(persist)]", "#[vox(timeout = \"2s\", idem)]", "/// Text.\n", "#[cfg(x)]"];
const QUALIFIERS: &[&str] = &[
    "async",
    "async",
    "async",
    "",
    "async unsafe",
    "const",
    "async extern \"C\"",
    "pub async",
    "pub(crate)",
    "default",
];
const NAMES: &[&str] = &["a", "b", "r#type", "SERVICE", "clone", "größe"];
const GENERICS: &[&str] = &["", "", "", "< T >", "< 'a >", "< const N : usize >", "< 'a , T : Copy + 'a >"];
const RECEIVERS: &[&str] = &[
    "&self",
    "&self",
    "&self",
    "&mut self",
    "self",
    "mut self",
    "& 'a self",
    "self : Arc < Self >",
    "self : &Self",
    "",
];
const PATTERNS: &[&str] = &[
    "a",
    "b",
    "reply",
    "args",
    "call",
    "handler",
    "r#fn",
    "mut c",
    "_",
    "( d , e )",
    "ref f",
    "g @ _",
    "A { h , .. }",
    "#[cfg(x)] i",
    "& j",
    "Self",
];
const ENDS: &[&str] = &[";", ";", ";", "{ }", "where Self : Sized ;", "where u8 : Copy { 1 }"];
const SOUND_TYPES: &[&str] = &[
    "u8",
    "String",
    "()",
    "a::B",
    "::a::B<u8>",
    "<u8 as A>::B",
    "Option<u64>",
    "SearchResult",
    "io::Result<u8>",
    "Cow<'static, str>",
    "number!()",
    "Matrix<{ 2 * 2 }>",
    "fn(u8) -> u8",
    "Box<str>",
];
const ODD_TYPES: &[&str] = &[
    "str",
    "[u8]",
    "&str",
    "&[u8]",
    "&mut str",
    "&'a str",
    "&vox::Context",
    "vox::Context",
    "&Context<'_>",
    "Self",
    "Self::A",
    "T",
    "_",
    "!",
    "*const u8",
    "dyn A + Send",
    "Box<dyn A>",
    "impl A",
    "Tx<u8>",
    "Tx",
    "Result",
    "Result<>",
    "Result<u8>",
    "Result<'a, u8>",
    "Result<u8, u8, u8>",
    "Result<Item = u8, u8>",
    "Fn(u8) -> u8",
    "for<'a> fn(&'a u8)",
    "vox::Rx::<Tx<u8>>",
    "typeof(1)",
    "A<5>",
    "A<-5>",
    "A<{ 5 }>",
    "A<B: C>",
    "[u8; Self::N]",
    "A<{ Self::N }>",
];
const SOUP: &[&str] = &[
    "pub",
    "trait",
    "unsafe",
    "auto",
    "async",
    "fn",
    "A",
    "a",
    "self",
    "&",
    "mut",
    "( )",
    "{ }",
    "[ ]",
    "(",
    ")",
    "{",
    "}",
    "<",
    ">",
    "->",
    ":",
    "::",
    ";",
    ",",
    "=",
    "#[vox(idem)]",
    "#",
    "!",
    "'a",
    "\"text\"",
    "5",
    "where",
    "type",
    "const",
    "impl",
    "dyn",
    "Result",
    "crate",
    "r#fn",
    "..",
    "...",
    "_",
    "+",
    "$",
    "@",
    "#![x]",
    "macro_rules!",
    "extern",
    "union",
    "default",
    "self: Self",
];
