//! Types that cannot be sent say so, where, and what to write instead.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher};

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
    impl BuildHasher for Wide {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            DefaultHasher::new()
        }
    }
    type Narrow = BuildHasherDefault<DefaultHasher>;
    /// As large as the standard one, with padding.
    #[derive(Default)]
    #[repr(C)]
    struct Gap(#[allow(dead_code)] u16, #[allow(dead_code)] u64);
    impl BuildHasher for Gap {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            DefaultHasher::new()
        }
    }
    /// One that cannot be made.
    struct Fails;
    impl Default for Fails {
        fn default() -> Self {
            panic!("no hasher")
        }
    }
    impl BuildHasher for Fails {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            DefaultHasher::new()
        }
    }
    assert!(refusal::<HashMap<u8, u8, Gap>>().reason.contains("hasher"));
    assert!(refusal::<HashMap<String, Vec<u8>, Gap>>().reason.contains("hasher"));
    assert!(refusal::<HashMap<u8, u8, Fails>>().reason.contains("hasher"));
    assert!(refusal::<HashMap<u8, u8, Wide>>().reason.contains("hasher"));
    assert!(refusal::<HashMap<u8, u8, Narrow>>().reason.contains("hasher"));
    assert!(refusal::<Vec<HashMap<String, u8, Wide>>>().reason.contains("hasher"));
}

/// No shape tells a hasher that wraps the standard one from it. Its map is read by its table and made by the hasher itself,
/// so that nothing is lost.
#[test]
fn a_map_with_a_hasher_around_the_standard_one_finds_its_entries() {
    #[derive(Default)]
    struct Around(std::hash::RandomState);
    impl BuildHasher for Around {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            let mut hasher = self.0.build_hasher();
            hasher.write_u64(7);
            hasher
        }
    }
    /// Makes a standard hasher, and is another one with padding.
    #[repr(C)]
    struct Odd(u8, u64);
    impl Default for Odd {
        fn default() -> Self {
            let _ = std::hash::RandomState::new();
            Self(1, 2)
        }
    }
    impl BuildHasher for Odd {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(self.1 + u64::from(self.0));
            hasher
        }
    }
    fn check<S: BuildHasher + Default + 'static>() -> bool {
        let map: HashMap<u32, String, S> = (0..9).map(|n| (n * 70_000, n.to_string())).collect();
        let Ok(back) = super::support::try_round(&map) else { return false };
        assert_eq!(back.len(), 9);
        assert!(map.iter().all(|(key, value)| back.get(key) == Some(value)));
        true
    }
    assert!(check::<std::hash::RandomState>());
    assert!(check::<Around>());
    // Sent or refused, by how the compiler lays it out; never misread.
    check::<Odd>();
}

/// The shape of a set names its hasher, unlike that of a map.
#[test]
fn a_set_with_a_hasher_around_the_standard_one_is_refused() {
    #[derive(Default, Facet)]
    struct Around(std::hash::RandomState);
    impl BuildHasher for Around {
        type Hasher = DefaultHasher;
        fn build_hasher(&self) -> DefaultHasher {
            self.0.build_hasher()
        }
    }
    assert_eq!(
        refusal::<Vec<HashSet<u8, Around>>>().to_string(),
        "`Vec[]` of type `HashSet<u8>` cannot cross the wire: its hasher is not the standard \
         one; use `HashSet` with its default hasher"
    );
    assert!(super::support::try_round(&HashSet::<u8>::from([1])).is_ok());
}

#[test]
fn enums_whose_discriminants_do_not_fit_are_refused() {
    #[derive(Facet)]
    #[repr(C)]
    #[allow(dead_code, repr_c_enums_larger_than_int, clippy::enum_clike_unportable_variant)]
    enum Far {
        Near = 7,
        Far = 0x7_0000_0000,
    }
    #[derive(Facet)]
    struct Inside {
        list: Vec<Option<Far>>,
    }
    let error = refusal::<Far>();
    assert_eq!(
        error.to_string(),
        "`Far` of type `Far` cannot cross the wire: its tag in memory is not as wide as its shape says; give it \
         `#[repr(u64)]` or `#[repr(i64)]`, or smaller discriminants"
    );
    assert_eq!(refusal::<Inside>().path, "Inside.list[]");
}

#[test]
fn enums_whose_discriminants_fit_are_fine() {
    #[derive(Facet, serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    #[repr(C)]
    enum Int {
        Low = i32::MIN as isize,
        High = i32::MAX as isize,
    }
    #[derive(Facet, serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    #[repr(i8)]
    enum Small {
        Low = -128,
        High(u32) = 127,
    }
    #[derive(Facet, serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    #[repr(u64)]
    enum Long {
        Low = 0,
        High = 0x7000_0000_0000_0001,
    }
    super::support::check(vec![Int::Low, Int::High]);
    super::support::check(vec![Small::Low, Small::High(70_000)]);
    super::support::check(vec![Long::Low, Long::High]);
}

#[test]
fn a_field_that_is_skipped_is_refused_with_a_cure_that_can_be_followed() {
    #[derive(Facet)]
    #[facet(skip_all_unless_truthy)]
    struct Sparse {
        name: Option<String>,
        count: u32,
    }
    let error = refusal::<Sparse>();
    assert_eq!(error.path, "Sparse.name");
    assert!(error.instead.contains("`skip_all_unless_truthy` of its type"), "{error}");
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

impl BuildHasher for Own {
    type Hasher = DefaultHasher;
    fn build_hasher(&self) -> DefaultHasher {
        DefaultHasher::new()
    }
}
