//! Descriptions as schemas: the types of a description as the types of a [`Graph`], which knows their canonical bytes.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use facet::{Shape, StructKind, Type, UserType};

use super::{Description, Kind, Member, Scalar, TypeIndex};
use crate::codec::PlanError;
use crate::codec::channels::ChannelKind;
use crate::codec::leaf::{BYTES, STRING};
use crate::schema::{Container, Graph, NodeField, NodeKind, NodeVariant, Optional, Schema};

/// The schema of the type of `shape`: the one made before, if there is one.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use facet::Facet;
/// use vox::codec::schema_of;
///
/// #[derive(Facet)]
/// struct Point { x: u32, y: u32 }
/// #[derive(Facet)]
/// struct Place { x: u32, y: u32 }
/// #[derive(Facet)]
/// struct Longer { x: u32, y: u64 }
///
/// assert_eq!(schema_of(Point::SHAPE)?, schema_of(Place::SHAPE)?);
/// assert_ne!(schema_of(Point::SHAPE)?, schema_of(Longer::SHAPE)?);
/// # Ok::<(), vox::codec::PlanError>(())
/// ```
pub fn schema_of(shape: &'static Shape) -> Result<Schema, PlanError> {
    type_of(shape).map(|(schema, _)| schema)
}

/// The schema of the type of `shape`, and which of its fields this end does without.
pub(crate) fn type_of(shape: &'static Shape) -> Result<(Schema, Optional), PlanError> {
    static SCHEMAS: Cache = LazyLock::new(RwLock::default);
    cached(&SCHEMAS, shape, NamedTypes::add)
}

/// The schema of a method's response, which is that of `Result<T, E>` where `shape` is that of `Result<T, VoxError<E>>`: what
/// a handler can return. What the runtime says in its place grows from version to version, and an outcome that was
/// sealed under one must be of the same schema under the next. Refuses channels, which no response can carry.
pub(crate) fn response_type_of(shape: &'static Shape) -> Result<(Schema, Optional), PlanError> {
    static SCHEMAS: Cache = LazyLock::new(RwLock::default);
    cached(&SCHEMAS, shape, NamedTypes::add_response)
}

type Known = (Schema, Optional);
type Cache = LazyLock<RwLock<HashMap<TypeId, Known>>>;

fn cached(
    cache: &Cache,
    shape: &'static Shape,
    add: impl FnOnce(&mut NamedTypes, &'static Shape) -> Result<usize, PlanError>,
) -> Result<Known, PlanError> {
    let id = shape.id.get();
    if let Some(known) = cache.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
        return Ok(known.clone());
    }
    let mut types = NamedTypes::default();
    let root = add(&mut types, shape)?;
    let (bytes, optional) = types.graph.schema(root, &types.graph.classes());
    let known = (Schema::of_reader(bytes, optional.clone()), optional);
    cache.write().unwrap_or_else(PoisonError::into_inner).insert(id, known.clone());
    Ok(known)
}

/// The types of several shapes, each once, with their names.
#[derive(Default)]
pub(crate) struct NamedTypes {
    graph: Graph,
    known: HashMap<TypeId, usize>,
}

impl NamedTypes {
    /// Adds the type of a shape and what it is made of, and gives its index.
    pub(crate) fn add(&mut self, shape: &'static Shape) -> Result<usize, PlanError> {
        let description = Description::of(shape)?;
        Ok(self.node(&description, description.root()))
    }

    /// Adds the type of a method's response, as [`response_type_of`] has it.
    pub(crate) fn add_response(&mut self, shape: &'static Shape) -> Result<usize, PlanError> {
        let description = Description::of(shape)?;
        description.check_response(shape)?;
        if let Kind::Result { ok, err, .. } = &description.get(description.root()).kind
            && let Kind::Enum { variants, .. } = &description.get(*err).kind
            && let [user, ..] = variants.as_slice()
            && let [error] = user.members.as_slice()
        {
            let parts = vec![self.node(&description, *ok), self.node(&description, error.ty)];
            return Ok(self.graph.add(None, NodeKind::Of(Container::Result, parts)));
        }
        Ok(self.node(&description, description.root()))
    }

    /// The types that were added.
    pub(crate) fn into_graph(self) -> Graph {
        self.graph
    }

    fn node(&mut self, description: &Description, index: TypeIndex) -> usize {
        let described = description.get(index);
        let id = described.shape.id.get();
        if let Some(&known) = self.known.get(&id) {
            return known;
        }
        if let Kind::Box(content) | Kind::Shared { content, .. } = &described.kind {
            return self.node(description, *content);
        }
        let at = self.graph.begin(name_of(described.shape));
        self.known.insert(id, at);
        let is_byte = |item: TypeIndex| matches!(description.get(item).kind, Kind::Scalar(Scalar::U8));
        let named = |name: &str| NodeKind::Named(name.to_owned());
        let kind = match &described.kind {
            Kind::Scalar(scalar) => named(scalar_name(*scalar)),
            Kind::String => named(STRING),
            Kind::Leaf(ops) => named(ops.name),
            Kind::List { item, .. } | Kind::Slice { item, .. } if is_byte(*item) => named(BYTES),
            Kind::Struct(members) => NodeKind::Struct(self.fields(description, members)),
            Kind::Enum { variants, .. } => {
                let variant = |variant: &super::Variant| NodeVariant {
                    name: variant.name.to_owned(),
                    fields: self.fields(description, &variant.members),
                };
                NodeKind::Enum(variants.iter().map(variant).collect())
            }
            Kind::Option { some, .. } => self.of(Container::Option, description, &[*some]),
            Kind::Result { ok, err, .. } => self.of(Container::Result, description, &[*ok, *err]),
            Kind::List { item, .. } | Kind::Slice { item, .. } => self.of(Container::List, description, &[*item]),
            Kind::Array { item, len } => NodeKind::Array(*len as u64, self.node(description, *item)),
            Kind::Map { key, value, .. } => self.of(Container::Map, description, &[*key, *value]),
            Kind::Set { item, .. } => self.of(Container::Set, description, &[*item]),
            Kind::Channel { kind: ChannelKind::Tx, item, .. } => self.of(Container::Tx, description, &[*item]),
            Kind::Channel { kind: ChannelKind::Rx, item, .. } => self.of(Container::Rx, description, &[*item]),
            // Handled above, or gone once a description is whole.
            Kind::Box(_) | Kind::Shared { .. } | Kind::Unfinished => NodeKind::Begun,
        };
        self.graph.fill(at, kind);
        at
    }

    fn of(&mut self, container: Container, description: &Description, parts: &[TypeIndex]) -> NodeKind {
        NodeKind::Of(container, parts.iter().map(|part| self.node(description, *part)).collect())
    }

    fn fields(&mut self, description: &Description, members: &[Member]) -> Vec<NodeField> {
        let field = |member: &Member| NodeField {
            name: member.name.to_owned(),
            ty: self.node(description, member.ty),
            optional: member.fill.is_some(),
        };
        members.iter().map(field).collect()
    }
}

/// What the author of a struct or an enum calls it: its name, and those of what it is generic over. Tuples have none.
fn name_of(shape: &'static Shape) -> Option<String> {
    match &shape.ty {
        Type::User(UserType::Struct(ty)) if ty.kind == StructKind::Tuple => None,
        Type::User(UserType::Struct(_) | UserType::Enum(_)) => {
            let params = shape.type_params.iter().map(|param| param.shape);
            let parts = std::iter::once(shape.type_identifier.to_owned());
            let parts = parts.chain(params.map(|of| name_of(of).unwrap_or_else(|| of.type_identifier.to_owned())));
            let name: Vec<_> = parts.collect();
            Some(name.join("_").chars().filter(|c| c.is_alphanumeric() || *c == '_').collect())
        }
        _ => None,
    }
}

pub(in crate::codec) fn scalar_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "bool",
        Scalar::Char => "char",
        Scalar::U8 => "u8",
        Scalar::I8 => "i8",
        Scalar::U16 => "u16",
        Scalar::U32 => "u32",
        // A `usize` is written like a `u64`, whatever the machine.
        Scalar::U64 | Scalar::Usize => "u64",
        Scalar::U128 => "u128",
        Scalar::I16 => "i16",
        Scalar::I32 => "i32",
        Scalar::I64 | Scalar::Isize => "i64",
        Scalar::I128 => "i128",
        Scalar::F32 => "f32",
        Scalar::F64 => "f64",
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
    use std::rc::Rc;
    use std::sync::Arc;

    use bytes::Bytes;
    use facet::Facet;

    use super::*;
    use crate::error::VoxError;

    fn bytes_of<T: Facet<'static>>() -> Vec<u8> {
        schema_of(T::SHAPE).expect("it can cross").bytes().to_vec()
    }

    #[track_caller]
    fn same<A: Facet<'static>, B: Facet<'static>>() {
        assert_eq!(bytes_of::<A>(), bytes_of::<B>());
    }

    #[track_caller]
    fn differ<A: Facet<'static>, B: Facet<'static>>() {
        assert_ne!(schema_of(A::SHAPE).map(|s| s.hash()), schema_of(B::SHAPE).map(|s| s.hash()));
    }

    #[derive(Facet)]
    struct Account {
        id: u64,
        name: String,
    }

    #[derive(Facet)]
    #[repr(u8)]
    #[allow(dead_code)]
    enum Shape1 {
        Dot,
        Circle { radius: f64 },
        Square(f64),
    }

    #[test]
    fn the_bytes_are_as_the_table_says() {
        assert_eq!(bytes_of::<u8>(), b"\x01\x01\x02u8");
        assert_eq!(bytes_of::<Account>(), b"\x01\x02\x02\x02id\x01\x03u64\x04name\x01\x06string");
        assert_eq!(
            bytes_of::<Shape1>(),
            b"\x01\x03\x03\x03Dot\x00\x06Circle\x01\x06radius\x01\x03f64\x06Square\x01\x010\x01\x03f64"
        );
        assert_eq!(bytes_of::<Result<u8, bool>>(), b"\x01\x05\x01\x02u8\x01\x04bool");
        assert_eq!(bytes_of::<[u16; 300]>(), b"\x01\x07\xac\x02\x01\x03u16");
        assert_eq!(bytes_of::<Vec<Option<u16>>>(), b"\x01\x06\x04\x01\x03u16");
        assert_eq!(bytes_of::<BTreeMap<u8, BTreeSet<i8>>>(), b"\x01\x08\x01\x02u8\x09\x01\x02i8");
        assert_eq!(bytes_of::<(Option<u8>, Option<u8>)>(), b"\x01\x02\x02\x010\x04\x01\x02u8\x011\x0c\x01");
    }

    #[test]
    fn what_does_not_show_in_an_encoding_is_left_out() {
        #[derive(Facet)]
        struct Renamed {
            id: u64,
            name: Box<str>,
        }
        same::<Account, Renamed>();
        same::<Account, Box<Account>>();
        same::<Account, Arc<Account>>();
        same::<String, Cow<'static, str>>();
        same::<Vec<u8>, Bytes>();
        same::<Vec<u8>, Rc<[u8]>>();
        same::<Vec<u16>, Box<[u16]>>();
        same::<u64, usize>();
        same::<HashMap<u8, u8>, BTreeMap<u8, u8>>();
        same::<HashSet<u8>, BTreeSet<u8>>();
    }

    #[test]
    fn types_that_are_encoded_alike_are_one() {
        #[derive(Facet)]
        struct Other {
            id: u64,
            name: String,
        }
        same::<(Account, Account), (Account, Other)>();
        same::<(Vec<u16>, Vec<u16>), (Vec<u16>, Box<[u16]>)>();
        same::<[Option<Account>; 2], [Option<Other>; 2]>();

        #[derive(Facet)]
        struct Chain {
            value: u8,
            next: Option<Box<Chain>>,
        }
        #[derive(Facet)]
        struct Odd {
            value: u8,
            next: Option<Box<Even>>,
        }
        #[derive(Facet)]
        struct Even {
            value: u8,
            next: Option<Box<Odd>>,
        }
        same::<Chain, Odd>();
        same::<(Chain, Even), (Odd, Chain)>();
        differ::<(Chain, Account), (Chain, Chain)>();
    }

    /// What one end does without the other may not, so they stand apart; the order of the bytes stays.
    #[test]
    fn types_whose_reader_does_without_other_fields_are_two() {
        #[derive(Facet)]
        struct Lenient {
            id: u64,
            #[facet(default)]
            name: String,
        }
        let (both, optional) = type_of(<(Account, Lenient)>::SHAPE).expect("it can cross");
        let account = b"\x02\x02\x02id\x01\x03u64\x04name\x01\x06string".as_slice();
        assert_eq!(both.bytes(), [b"\x01\x02\x02\x010", account, b"\x011", account].concat());
        assert_eq!(optional, Optional::new(vec![5]));
    }

    /// Hashes that are the same for every build, on every machine, from version to version.
    #[test]
    fn hashes_stay() {
        #[derive(Facet)]
        struct Tree<T> {
            value: T,
            children: Vec<Tree<T>>,
            parent: Option<Box<Tree<T>>>,
        }
        type Everything = (HashMap<String, (f32, char)>, Result<[i128; 3], Shape1>, Option<Bytes>, std::time::Duration);
        let hash = |shape| format!("{:?}", schema_of(shape).expect("it can cross").hash());
        let hashes =
            [u8::SHAPE, Account::SHAPE, Shape1::SHAPE, <Tree<u8>>::SHAPE, <Tree<Account>>::SHAPE, Everything::SHAPE];
        assert_eq!(hashes.map(hash), HASHES);
    }

    const HASHES: [&str; 6] = [
        "886697f25645e442bdbd37e8f8a4dee8662e94af046336905fe9edc9ac966f60",
        "3aba1c51b898d1e9b8895c6dc30ee90bad9fd2939eb75d0152059415401c46f0",
        "0cd7d7d21bd65c38e81eb6d5b0fc250c1539145ddfe209b75a5e2e9fcd3f242e",
        "b8dd39294d60d01c954dfd4a19ca4d112c168848dbfcdbe5df0dd4c894cf952f",
        "ea5ef348aca239689755e41182a882a39805f6f28a02b45d1c4474519af57c48",
        "ef3e2fd6afe569660bf83e34120b8a50e7ed7ab22d98a438978a6612cae0ad14",
    ];

    #[test]
    fn what_shows_is_not() {
        #[derive(Facet)]
        struct Reordered {
            name: String,
            id: u64,
        }
        #[derive(Facet)]
        struct Named {
            id: u64,
            title: String,
        }
        #[derive(Facet)]
        #[repr(u8)]
        #[allow(dead_code)]
        enum Variants {
            Dot,
            Square(f64),
            Circle { radius: f64 },
        }
        differ::<Account, Reordered>();
        differ::<Account, Named>();
        differ::<Shape1, Variants>();
        differ::<u32, u64>();
        differ::<u32, i32>();
        differ::<String, Vec<u8>>();
        differ::<[u8; 4], [u8; 5]>();
        differ::<Vec<u16>, BTreeSet<u16>>();
        differ::<Option<u8>, u8>();
        differ::<Result<u8, bool>, Result<bool, u8>>();
    }

    #[test]
    fn pitfall_33_types_inside_themselves_have_a_schema() {
        #[derive(Facet)]
        struct Chain {
            value: u8,
            next: Option<Box<Chain>>,
        }
        assert_eq!(bytes_of::<Chain>(), b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00");

        #[derive(Facet)]
        struct Tree {
            children: Vec<Tree>,
        }
        assert_eq!(bytes_of::<Tree>(), b"\x01\x02\x01\x08children\x06\x0c\x00");
    }

    #[test]
    fn types_that_share_much_have_short_schemas() {
        type Twice<T> = (T, T);
        type Eight<T> = Twice<Twice<Twice<T>>>;
        type Wide = Eight<Eight<Eight<Eight<Option<u8>>>>>;
        assert!(bytes_of::<Wide>().len() < 200);
    }

    #[test]
    fn the_schema_of_a_response_is_what_its_method_can_return() {
        let response = response_type_of(<Result<Account, VoxError<bool>>>::SHAPE).expect("it can cross");
        let account = &bytes_of::<Account>()[1..];
        assert_eq!(response.0.bytes(), [b"\x01\x05", account, b"\x01\x04bool"].concat());
    }

    #[test]
    fn a_type_that_cannot_cross_has_none() {
        assert!(schema_of(<&'static u8>::SHAPE).is_err());
    }
}
