//! How names on the wire are spelt, and what they may be.

use quote::ToTokens;
use syn::Type;

/// Why `name` cannot stand on the wire, if it cannot.
pub(crate) fn objection(name: &str, dots: Dots) -> Option<&'static str> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-') || (c == '.' && dots == Dots::Allowed);
    if name.is_empty() {
        Some("a name on the wire cannot be empty")
    } else if name.len() > MAX_NAME_BYTES {
        Some("a name on the wire has at most 255 bytes")
    } else if name.chars().all(allowed) {
        None
    } else {
        Some(match dots {
            Dots::Allowed => "a service's name on the wire has only letters, digits, `_`, `-` and `.`",
            Dots::Refused => "a method's name on the wire has only letters, digits, `_` and `-`",
        })
    }
}

/// Whether a name may be dotted: a service's may, a method's may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dots {
    Allowed,
    Refused,
}

/// A way to write names, for `rename_all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Casing {
    Camel,
    Pascal,
    Snake,
    Kebab,
    ScreamingSnake,
}

impl Casing {
    /// Every casing under the name that `rename_all` takes.
    pub(crate) const ALL: [(&'static str, Casing); 5] = [
        ("camelCase", Casing::Camel),
        ("PascalCase", Casing::Pascal),
        ("snake_case", Casing::Snake),
        ("kebab-case", Casing::Kebab),
        ("SCREAMING_SNAKE_CASE", Casing::ScreamingSnake),
    ];

    /// Rewrites a snake-case name.
    pub(crate) fn apply(self, name: &str) -> String {
        let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return name.to_owned();
        }
        match self {
            Casing::Camel => {
                words[0].to_lowercase() + &words[1..].iter().map(|word| capitalized(word)).collect::<String>()
            }
            Casing::Pascal => words.iter().map(|word| capitalized(word)).collect(),
            Casing::Snake => words.join("_").to_lowercase(),
            Casing::Kebab => words.join("-").to_lowercase(),
            Casing::ScreamingSnake => words.join("_").to_uppercase(),
        }
    }
}

/// The entry of `known` that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, nearest) = known.iter().map(|known| (edit_distance(word, known), *known)).min()?;
    (distance <= 2 && distance < nearest.len()).then_some(nearest)
}

/// `ty` as one would write it.
pub(crate) fn spelt(ty: &Type) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        (" ;", ";"),
        ("& ", "&"),
        ("[ ", "["),
        (" ]", "]"),
        ("( ", "("),
        (" )", ")"),
        (" !", "!"),
        ("! (", "!("),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// How many insertions, deletions and substitutions lead from `from` to `to`.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// Longer names would not fit the wire's one length byte.
const MAX_NAME_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casings_rewrite_snake_case() {
        for (casing, expected) in [
            (Casing::Camel, "openNewAccount"),
            (Casing::Pascal, "OpenNewAccount"),
            (Casing::Snake, "open_new_account"),
            (Casing::Kebab, "open-new-account"),
            (Casing::ScreamingSnake, "OPEN_NEW_ACCOUNT"),
        ] {
            assert_eq!(casing.apply("open_new_account"), expected);
        }
        assert_eq!(Casing::Camel.apply("_"), "_");
    }

    #[test]
    fn near_misses_are_recognised_and_far_ones_are_not() {
        assert_eq!(nearest("idme", &["idem", "persist"]), Some("idem"));
        assert_eq!(nearest("retry", &["idem", "persist"]), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn types_are_spelt_without_the_spaces_between_tokens() {
        for text in [
            "Vec<Mode>",
            "std::io::Result<[u8; 4]>",
            "::a::B<(u8, &'static str)>",
            "HashMap<String, Option<u64>>",
            "number!()",
        ] {
            let Ok(ty) = syn::parse_str(text) else { panic!("{text}") };
            assert_eq!(spelt(&ty), text);
        }
    }

    #[test]
    fn names_on_the_wire_are_plain_words() {
        assert_eq!(objection("acme.Bank", Dots::Allowed), None);
        assert_eq!(objection("größe", Dots::Refused), None);
        assert!(objection("acme.Bank", Dots::Refused).is_some());
        assert!(objection("", Dots::Allowed).is_some());
        assert!(objection("two words", Dots::Allowed).is_some());
        assert!(objection(&"x".repeat(256), Dots::Allowed).is_some());
    }
}
