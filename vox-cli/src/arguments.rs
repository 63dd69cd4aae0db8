//! Arguments as they are typed: `name=value`, `order.lines[0].sku=A1`, `tags[]=x`.

use vox::dynamic::MethodType;

use crate::text::{quoted, resolved};

/// What was typed for one value: where it stands, and its text.
struct Leaf {
    path: Vec<Step>,
    text: String,
    /// It stands in JSON as a string. Otherwise it is JSON by itself.
    is_text: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
    /// One more item.
    Next,
}

/// The arguments of a call, and what its channels are fed from.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    /// The arguments as a JSON object.
    pub(crate) json: String,
    /// Where a channel stands, and its source: `-`, or `@file`.
    pub(crate) sources: Vec<(String, String)>,
}

/// Reads what was typed for the arguments of this method.
pub(crate) fn read(method: &MethodType, typed: &[String]) -> Result<Typed, String> {
    let mut leaves = Vec::new();
    let mut sources = Vec::new();
    for text in typed {
        let (place, value) = text.split_once('=').ok_or_else(|| format!("write `name=value`: {text}"))?;
        let path = steps(place)?;
        let Some(Step::Field(name)) = path.first() else { return Err(format!("a name comes first: {place}")) };
        let known = method.arguments().iter().find(|argument| argument.name() == name);
        if known.is_some_and(|known| known.ty().has_channels()) && (value == "-" || value.starts_with('@')) {
            sources.push((place.to_owned(), value.to_owned()));
            continue;
        }
        let text = resolved(value)?;
        let is_text = !is_json(&text);
        leaves.push(Leaf { path, text, is_text });
    }
    let json = fitted(method, leaves)?;
    Ok(Typed { json, sources })
}

/// Each value as its type wants it: `7` is a number for a `u64`, and text for a `String`.
///
/// What looks like JSON is tried as that, and as text where the type refuses it. What both are refused for is told when the call is made.
fn fitted(method: &MethodType, mut leaves: Vec<Leaf>) -> Result<String, String> {
    let places = Tree::of(&leaves)?.places(leaves.len());
    let typed: Vec<bool> = leaves.iter().map(|leaf| leaf.is_text).collect();
    let mut turned = vec![false; leaves.len()];
    loop {
        let tree = Tree::of(&leaves)?;
        let Some(wrong) = tree.first_wrong(method, &leaves) else { return Ok(tree.json(&leaves)) };
        match places.iter().position(|place| *place == wrong) {
            Some(at) if !turned[at] => {
                turned[at] = true;
                leaves[at].is_text = true;
            }
            _ => {
                leaves.iter_mut().zip(typed).for_each(|(leaf, typed)| leaf.is_text = typed);
                return Ok(Tree::of(&leaves)?.json(&leaves));
            }
        }
    }
}

/// The values by where they stand.
enum Tree {
    /// The number of a leaf.
    Leaf(usize),
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
}

impl Tree {
    fn of(leaves: &[Leaf]) -> Result<Self, String> {
        let mut tree = Self::Object(Vec::new());
        for (index, leaf) in leaves.iter().enumerate() {
            tree.put(&leaf.path, index).map_err(|why| format!("{}: {why}", place(&leaf.path)))?;
        }
        Ok(tree)
    }

    fn put(&mut self, path: &[Step], leaf: usize) -> Result<(), String> {
        let Some((step, rest)) = path.split_first() else { return Err("it is given twice".to_owned()) };
        let below = || match rest.first() {
            None => Self::Leaf(leaf),
            Some(Step::Field(_)) => Self::Object(Vec::new()),
            Some(Step::Item(_) | Step::Next) => Self::Array(Vec::new()),
        };
        let part = match (self, step) {
            (Self::Object(fields), Step::Field(name)) => match fields.iter().position(|(known, _)| known == name) {
                Some(at) => &mut fields[at].1,
                None => {
                    fields.push((name.clone(), below()));
                    if rest.is_empty() {
                        return Ok(());
                    }
                    &mut fields.last_mut().expect("it was just put there").1
                }
            },
            (Self::Array(items), Step::Item(_) | Step::Next) => {
                let len = items.len();
                let at = if let Step::Item(at) = step { *at } else { len };
                if at > len {
                    return Err(format!("item {len} comes first"));
                }
                if at == len {
                    items.push(below());
                    if rest.is_empty() {
                        return Ok(());
                    }
                }
                &mut items[at]
            }
            (Self::Leaf(_), _) => return Err("what it is a part of is given too".to_owned()),
            (Self::Object(_), _) => return Err("it is a field in one place and an item in another".to_owned()),
            (Self::Array(_), _) => return Err("it is an item in one place and a field in another".to_owned()),
        };
        part.put(rest, leaf)
    }

    fn json(&self, leaves: &[Leaf]) -> String {
        match self {
            Self::Leaf(at) if leaves[*at].is_text => quoted(&leaves[*at].text),
            Self::Leaf(at) => leaves[*at].text.clone(),
            Self::Object(fields) => {
                let fields = fields.iter().map(|(name, part)| format!("{}:{}", quoted(name), part.json(leaves)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            Self::Array(items) => {
                let items = items.iter().map(|item| item.json(leaves));
                format!("[{}]", items.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Where in the arguments the first value stands that is not of its type, as an error of that type says it.
    fn first_wrong(&self, method: &MethodType, leaves: &[Leaf]) -> Option<String> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find_map(|(name, part)| {
            let known = method.arguments().iter().find(|argument| argument.name() == name)?;
            if known.ty().has_channels() {
                return None;
            }
            let error = known.ty().read_json(&part.json(leaves)).err()?;
            Some(format!("{name}{}", error.path().strip_prefix('$').unwrap_or_default()))
        })
    }

    /// Where each leaf stands, in the words of an error.
    fn places(&self, leaves: usize) -> Vec<String> {
        let mut places = vec![String::new(); leaves];
        self.name("", &mut places);
        places
    }

    fn name(&self, at: &str, places: &mut [String]) {
        match self {
            Self::Leaf(leaf) => places[*leaf] = at.trim_start_matches('.').to_owned(),
            Self::Object(fields) => fields.iter().for_each(|(name, part)| part.name(&format!("{at}.{name}"), places)),
            Self::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| item.name(&format!("{at}[{index}]"), places));
            }
        }
    }
}

/// The steps of a place: `order.lines[0].sku`, `tags[]`.
fn steps(place: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    for part in place.split('.') {
        let mut rest = part;
        if let Some(at) = rest.find('[') {
            steps.push(Step::Field(rest[..at].to_owned()));
            rest = &rest[at..];
            while let Some(inside) = rest.strip_prefix('[') {
                let (index, behind) = inside.split_once(']').ok_or_else(|| format!("a `]` is missing: {place}"))?;
                steps.push(match index {
                    "" => Step::Next,
                    _ => Step::Item(index.parse().map_err(|_| format!("`{index}` is no place in a list: {place}"))?),
                });
                rest = behind;
            }
            if !rest.is_empty() {
                return Err(format!("a `.` is missing before `{rest}`: {place}"));
            }
        } else {
            steps.push(Step::Field(rest.to_owned()));
        }
    }
    match steps.iter().any(|step| matches!(step, Step::Field(name) if name.is_empty())) {
        true => Err(format!("a name is missing: `{place}`")),
        false => Ok(steps),
    }
}

fn place(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Field(name) if out.is_empty() => out.push_str(name),
            Step::Field(name) => out.extend([".", name]),
            Step::Item(index) => out.push_str(&format!("[{index}]")),
            Step::Next => out.push_str("[]"),
        }
    }
    out
}

/// Whether it looks like JSON: a word of it, a number, or what begins like a string, a list or an object.
fn is_json(text: &str) -> bool {
    match text.trim_start().as_bytes().first() {
        Some(b'"' | b'[' | b'{') => true,
        Some(b'-' | b'0'..=b'9') => {
            text.trim().bytes().all(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        }
        _ => matches!(text.trim(), "null" | "true" | "false"),
    }
}

#[cfg(test)]
mod tests {
    use vox::dynamic::{MethodSpec, MethodType, ServiceType};

    use super::read;

    fn method() -> MethodType {
        let service = ServiceType::builder("Shop").method(
            MethodSpec::new("buy")
                .argument::<u64>("account")
                .and_then(|method| method.argument::<String>("note"))
                .and_then(|method| method.argument::<Vec<String>>("tags"))
                .and_then(|method| method.argument::<Option<(u8, String)>>("pair"))
                .and_then(MethodSpec::returns::<(), ()>)
                .expect("types that can be sent"),
        );
        service.build().expect("a service").method("buy").expect("it has it").clone()
    }

    fn json(typed: &[&str]) -> Result<String, String> {
        let typed: Vec<String> = typed.iter().map(|typed| (*typed).to_owned()).collect();
        read(&method(), &typed).map(|typed| typed.json)
    }

    #[test]
    fn the_type_decides_whether_it_is_text() {
        assert_eq!(json(&["account=7", "note=7"]), Ok(r#"{"account":7,"note":"7"}"#.to_owned()));
        assert_eq!(json(&["note=null"]), Ok(r#"{"note":"null"}"#.to_owned()));
        assert_eq!(json(&["note=\"7\""]), Ok(r#"{"note":"7"}"#.to_owned()));
        assert_eq!(json(&["tags[]=1", "tags[]=b"]), Ok(r#"{"tags":["1","b"]}"#.to_owned()));
        assert_eq!(json(&["pair[0]=1", "pair[1]=2"]), Ok(r#"{"pair":[1,"2"]}"#.to_owned()));
        assert_eq!(json(&["pair=null"]), Ok(r#"{"pair":null}"#.to_owned()));
        assert_eq!(json(&["tags=[\"a\"]"]), Ok(r#"{"tags":["a"]}"#.to_owned()));
    }

    #[test]
    fn what_is_of_no_such_type_stays_as_it_was_typed() {
        assert_eq!(json(&["account=x"]), Ok(r#"{"account":"x"}"#.to_owned()));
        assert_eq!(json(&["account=1.5"]), Ok(r#"{"account":1.5}"#.to_owned()));
    }

    #[test]
    fn places_that_contradict_each_other_are_told() {
        for (typed, why) in [
            (&["note"][..], "write `name=value`: note"),
            (&["=1"], "a name is missing: ``"),
            (&["note=a", "note=b"], "note: it is given twice"),
            (&["note=a", "note.x=b"], "note.x: what it is a part of is given too"),
            (&["tags[1]=a"], "tags[1]: item 0 comes first"),
            (&["tags[x]=a"], "`x` is no place in a list: tags[x]"),
            (&["tags[0=a"], "a `]` is missing: tags[0"),
            (&["tags[0]x=a"], "a `.` is missing before `x`: tags[0]x"),
            (&["tags[0]=a", "tags.x=b"], "tags.x: it is an item in one place and a field in another"),
        ] {
            assert_eq!(json(typed), Err(why.to_owned()));
        }
    }
}
