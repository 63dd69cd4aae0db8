//! Types that cannot be sent say so, where, and what to write instead.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

use facet::Facet;

use super::support::refusal;

#[test]
fn the_error_names_the_way_the_type_and_the_cure() {
    #[derive(Facet)]
    struct Row {
        tag: &'static str,
    }
    #[derive(Facet)]
    struct Transfer {
        id: u64,
        rows: Vec<Row>,
    }
    assert_eq!(
        refusal::<Transfer>().to_string(),
        "`Transfer.rows[].tag` of type `&str` cannot cross the wire: a decoded value owns what it \
         holds, and a reference owns nothing; use `String` or `ByteString`"
    );
}

#[test]
fn references_are_refused() {
    assert_eq!(refusal::<&'static str>().instead, "use `String` or `ByteString`");
    assert_eq!(refusal::<&'static [u8]>().instead, "use `Vec<u8>` or `Bytes`");
    assert_eq!(refusal::<&'static [u64]>().instead, "use `Vec`");
    assert_eq!(refusal::<Option<&'static u64>>().instead, "use the type itself, or a `Box` of it");
    refusal::<std::borrow::Cow<'static, [u64]>>();
}

#[test]
fn hash_maps_with_other_hashers_are_refused() {
    /// As large as the standard one, and words too.
    #[derive(Default)]
    struct Wide(#[allow(dead_code)] u64, #[allow(dead_code)] u64);
    impl std::hash::BuildHasher for Wide {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            DefaultHasher::new()
        }
    }
    type Narrow = BuildHasherDefault<DefaultHasher>;
    assert!(refusal::<HashMap<u8, u8, Wide>>().reason.contains("hasher"));
    assert!(refusal::<HashMap<u8, u8, Narrow>>().reason.contains("hasher"));
    assert!(refusal::<Vec<HashMap<String, u8, Wide>>>().reason.contains("hasher"));
}

#[test]
fn attributes_that_change_the_encoding_are_refused() {
    #[derive(Facet)]
    struct Skips {
        a: u8,
        #[facet(skip)]
        b: u8,
    }
    #[derive(Facet)]
    struct SkipsSome {
        #[facet(skip_serializing_if = Option::is_none)]
        a: Option<u8>,
    }
    #[derive(Facet)]
    struct Inner {
        x: u8,
    }
    #[derive(Facet)]
    struct Flat {
        #[facet(flatten)]
        inner: Inner,
    }
    #[derive(Facet)]
    #[repr(u8)]
    #[facet(untagged)]
    #[allow(dead_code)]
    enum Untagged {
        A(u8),
    }
    #[derive(Facet)]
    #[repr(u8)]
    #[facet(tag = "t")]
    #[allow(dead_code)]
    enum Tagged {
        A { x: u8 },
    }
    struct Hidden;
    #[derive(Facet)]
    struct Opaque {
        #[facet(opaque)]
        a: Hidden,
    }
    #[derive(Facet)]
    #[facet(invariants = Even::is_even)]
    struct Even {
        n: u8,
    }
    impl Even {
        fn is_even(&self) -> bool {
            self.n.is_multiple_of(2)
        }
    }
    #[derive(Facet)]
    #[facet(proxy = String)]
    struct Proxied {
        n: u8,
    }
    impl TryFrom<String> for Proxied {
        type Error = std::num::ParseIntError;
        fn try_from(text: String) -> Result<Self, Self::Error> {
            text.parse().map(|n| Self { n })
        }
    }
    impl From<&Proxied> for String {
        fn from(value: &Proxied) -> Self {
            value.n.to_string()
        }
    }
    assert_eq!(refusal::<Skips>().path, "Skips.b");
    assert_eq!(refusal::<SkipsSome>().path, "SkipsSome.a");
    assert_eq!(refusal::<Flat>().path, "Flat.inner");
    assert!(refusal::<Untagged>().reason.contains("untagged"));
    assert!(refusal::<Tagged>().reason.contains("tag"));
    assert_eq!(refusal::<Opaque>().path, "Opaque.a");
    assert!(refusal::<Even>().reason.contains("invariants"));
    assert!(refusal::<Proxied>().reason.contains("proxy"));
}

#[test]
fn attributes_that_change_nothing_are_fine() {
    #[derive(Facet, serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    #[facet(rename_all = "camelCase", deny_unknown_fields)]
    struct Renamed {
        #[facet(rename = "other")]
        some_name: u8,
        #[facet(default, sensitive)]
        with_default: String,
    }
    super::support::check(Renamed { some_name: 1, with_default: "d".into() });
}

#[test]
fn types_of_unknown_encoding_are_refused() {
    refusal::<std::sync::Mutex<u8>>();
    refusal::<std::sync::Weak<u8>>();
    refusal::<*const u8>();
    refusal::<Vec<std::sync::RwLock<u8>>>();
    assert!(refusal::<HashSet<u8, Own>>().reason.contains("hasher"));
}

/// A hasher that facet knows.
#[derive(Default, Facet)]
struct Own {
    words: [u64; 2],
}

impl std::hash::BuildHasher for Own {
    type Hasher = DefaultHasher;
    fn build_hasher(&self) -> DefaultHasher {
        DefaultHasher::new()
    }
}
