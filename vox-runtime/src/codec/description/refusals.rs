//! What the codec will not encode, and what to write instead.

use facet::{Def, Field, FieldFlags, Shape, ShapeFlags, StructKind, StructType, Type, UserType, Variant};

/// Why something cannot be sent, and what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) instead: &'static str,
}

const fn refusal(reason: &'static str, instead: &'static str) -> Option<Refusal> {
    Some(Refusal { reason, instead })
}

/// What of a shape itself would change the encoding, or break what the type promises.
pub(super) fn of_shape(shape: &Shape) -> Option<Refusal> {
    const PLAIN: &str = "send a plain type that converts to and from it";
    if let Type::User(UserType::Enum(ty)) = &shape.ty
        && ty.is_cow
    {
        return refusal("`#[facet(cow)]` changes what is encoded", PLAIN);
    }
    if shape.proxy.is_some() {
        return refusal("`#[facet(proxy)]` changes what is encoded", "send the proxy type itself");
    }
    if shape.opaque_adapter.is_some() {
        return refusal("`#[facet(opaque)]` hides what it holds", PLAIN);
    }
    if shape.flags.contains(ShapeFlags::UNTAGGED) {
        return refusal("an untagged enum cannot be read back", "drop `#[facet(untagged)]`");
    }
    if shape.flags.contains(ShapeFlags::NUMERIC) {
        return refusal("`#[facet(is_numeric)]` changes what is encoded", "drop it");
    }
    if shape.flags.contains(ShapeFlags::METADATA_CONTAINER) {
        return refusal("`#[facet(metadata_container)]` changes what is encoded", PLAIN);
    }
    if shape.tag.is_some() || shape.content.is_some() {
        return refusal("`#[facet(tag)]` changes what is encoded", "drop `tag` and `content`");
    }
    if shape.vtable.has_invariants() {
        return refusal("its invariants would not be checked when it is decoded", PLAIN);
    }
    of_attributes(shape.attributes)
}

/// What of a field would change the encoding, or break what the type promises.
pub(super) fn of_field(field: &Field) -> Option<Refusal> {
    let skips = FieldFlags::SKIP.union(FieldFlags::SKIP_SERIALIZING).union(FieldFlags::SKIP_DESERIALIZING);
    if !field.flags.intersection(skips).is_empty() || field.skip_serializing_if.is_some() {
        return refusal(
            "a field that is skipped leaves a hole that a reader without field names cannot see",
            "drop the attribute: `skip` or `skip_serializing_if` of the field, or `skip_all_unless_truthy` of its type",
        );
    }
    if field.flags.contains(FieldFlags::FLATTEN) {
        return refusal("`#[facet(flatten)]` changes what is encoded", "drop it: it saves no byte");
    }
    if field.proxy.is_some() {
        return refusal("`#[facet(proxy)]` changes what is encoded", "make the field the proxy type");
    }
    if field.metadata.is_some() {
        return refusal("`#[facet(metadata)]` changes what is encoded", "drop it");
    }
    if field.invariants.is_some() {
        return refusal("its invariants would not be checked when it is decoded", "drop them");
    }
    of_attributes(field.attributes)
}

/// What of a variant would change the encoding.
pub(super) fn of_variant(variant: &Variant) -> Option<Refusal> {
    of_attributes(variant.attributes)
}

/// Attributes that change nothing here. Any other attribute of facet's own refuses the type;
/// attributes of other formats are theirs.
const HARMLESS: &[&str] = &[
    "alias",
    "attribute",
    "auto_traits",
    "bound",
    "child",
    "crate",
    "default",
    "deny_unknown_fields",
    "from_ref",
    "pod",
    "recursive_type",
    "rename",
    "rename_all",
    "sensitive",
    "text",
    "traits",
    "transparent",
    "truthy",
    "try_from_ref",
    "type_tag",
    "where",
];

fn of_attributes(attributes: &[facet::Attr]) -> Option<Refusal> {
    attributes
        .iter()
        .filter(|attribute| attribute.ns.is_none())
        .find(|attribute| !HARMLESS.contains(&attribute.key))
        .and_then(|attribute| match attribute.key {
            "opaque" => refusal("`#[facet(opaque)]` hides what it holds", "drop it"),
            "other" => refusal("`#[facet(other)]` has no meaning without names", "drop it"),
            _ => refusal(
                "a facet attribute on it may change what is encoded",
                "drop the attribute, or send a plain type",
            ),
        })
}

/// Whether a struct's encoding is its fields' encodings: derived structs, tuples, and the structs
/// of the standard library that serde encodes so.
pub(super) fn is_plain_struct(shape: &Shape, ty: &StructType) -> bool {
    if matches!(shape.def, Def::Undefined) {
        return true;
    }
    ty.kind == StructKind::Tuple
        || matches!(
            (shape.module_path, shape.type_identifier),
            (Some("core::marker"), "PhantomData") | (Some("core::ops"), "Range")
        )
}

/// A reference to `pointee`.
pub(super) fn reference(pointee: &Shape) -> Refusal {
    let instead = match (&pointee.def, pointee.type_identifier) {
        (_, "str") => "use `String` or `ByteString`",
        (Def::Slice(slice), _) if slice.t.type_identifier == "u8" => "use `Vec<u8>` or `Bytes`",
        (Def::Slice(_), _) => "use `Vec`",
        _ => "use the type itself, or a `Box` of it",
    };
    Refusal { reason: "a decoded value owns what it holds, and a reference owns nothing", instead }
}

/// A shape that the codec does not know.
pub(super) fn unknown(shape: &Shape) -> Refusal {
    let home = shape.module_path.and_then(|path| path.split("::").next());
    match FEATURES.iter().find(|(home_of_it, is_on, _)| Some(*home_of_it) == home && !is_on) {
        Some((.., instead)) => Refusal { reason: "its feature of vox is off", instead },
        None => Refusal {
            reason: "its encoding is not known",
            instead: "send a type that derives `Facet`, or its text, bytes or numbers",
        },
    }
}

macro_rules! features {
    ($($home:literal, $feature:literal;)*) => {
        &[$(($home, cfg!(feature = $feature), concat!("turn on vox's feature `", $feature, "`"))),*]
    };
}

/// The crates some of whose types cross once a feature is on, whether it is, and how to turn it on.
const FEATURES: &[(&str, bool, &str)] = features! {
    "camino", "camino";
    "chrono", "chrono";
    "compact_str", "compact_str";
    "jiff", "jiff";
    "ordered_float", "ordered-float";
    "rust_decimal", "rust_decimal";
    "semver", "semver";
    "smol_str", "smol_str";
    "time", "time";
    "ulid", "ulid";
    "url", "url";
    "uuid", "uuid";
};
