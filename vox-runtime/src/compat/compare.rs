//! What has changed between two snapshots of a service.
//!
//! The rules are the runtime's: each method is judged as an old client judges a new server, and as a new client judges an old server.
//! Here the two answers are put together, change by change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::beside;
use super::change::{Change, Order, Position};
use super::code::Code;
use super::names::Names;
use super::snapshot::{Snapshot, SnapshotMethod};
use super::states::{short, states};
use super::text::TypeText;
use super::witness::Witness;
use crate::escaped::Escaped;
use crate::schema::{Argument, Container, Difference, Event, Finding, Method, Stay, Type, Types, Writer, widens};

/// All changes of a service from `old` to `new`, method by method.
#[must_use]
pub fn compare(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let names: BTreeSet<_> = old.methods.keys().chain(new.methods.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let place = format!("{}.{}", Escaped::name(&new.service), Escaped::name(name));
        match (old.methods.get(name), new.methods.get(name)) {
            (None, Some(_)) => changes.push(method(Code::MethodAdded, place, old, new)),
            (Some(_), None) => changes.push(method(Code::MethodRemoved, place, old, new)),
            (Some(before), Some(after)) => {
                policies(&place, before, after, &mut changes);
                if let (Some(ours), Some(theirs)) = (old.contract_method(name), new.contract_method(name)) {
                    let mut comparison = Comparison::new(place, (old, before, ours), (new, after, theirs));
                    comparison.run();
                    comparison.finish(&mut changes);
                }
            }
            (None, None) => {}
        }
    }
    changes
}

fn method(code: Code, place: String, old: &Snapshot, new: &Snapshot) -> Change {
    let is_new = code == Code::MethodAdded;
    let fault = Some("the server answers `UnknownMethod`".to_owned());
    let (old_client, new_client) = if is_new { (None, fault) } else { (fault, None) };
    let hash = |snapshot: &Snapshot| {
        let name = place.rsplit('.').next().unwrap_or_default();
        let found = snapshot.contract_method(name);
        found.map_or_else(|| "nothing".to_owned(), |method| short(format!("{:?}", method).as_bytes()))
    };
    let (before, after) = (hash(old), hash(new));
    change(code, place, Position::Method, code.title().to_owned(), (old_client, new_client), (before, after))
}

fn policies(place: &str, old: &SnapshotMethod, new: &SnapshotMethod, changes: &mut Vec<Change>) {
    let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let mut add = |code: Code, faults, states| {
        changes.push(change(code, place.to_owned(), Position::Method, code.title().to_owned(), faults, states));
    };
    let again = |whose: &str| Some(format!("after a lost session {whose} calls it again, and it may run twice"));
    let lost = |whose: &str| {
        Some(format!("{whose} counts on a kept outcome that the server does not keep, so that it may run twice"))
    };
    match (old.idem, new.idem) {
        (false, true) => add(Code::IdemAdded, (None, again("the client")), (word(false), word(true))),
        (true, false) => add(Code::IdemRemoved, (again("the client"), None), (word(true), word(false))),
        _ => {}
    }
    match (old.persist, new.persist) {
        (false, true) => add(Code::PersistAdded, (None, lost("the client")), (word(false), word(true))),
        (true, false) => add(Code::PersistRemoved, (lost("the client"), None), (word(true), word(false))),
        _ => {}
    }
    if old.timeout != new.timeout {
        let text = |timeout: Option<std::time::Duration>| {
            timeout.map_or_else(|| "none".to_owned(), |timeout| format!("{}ms", timeout.as_millis()))
        };
        add(Code::TimeoutChanged, (None, None), (text(old.timeout), text(new.timeout)));
        if let Some(last) = changes.last_mut() {
            last.words = format!("the timeout was {} and is {}", text(old.timeout), text(new.timeout));
        }
    }
}

pub(super) fn change(
    code: Code,
    place: String,
    position: Position,
    words: String,
    (old_client, new_client): (Option<String>, Option<String>),
    (before, after): (String, String),
) -> Change {
    let order = Order::of(old_client.is_some(), new_client.is_some());
    Change { code, place, position, words, order, old_client, new_client, witness: None, before, after }
}

/// One end of a comparison.
struct Side<'a> {
    snapshot: &'a Snapshot,
    method: &'a SnapshotMethod,
    contract: &'a Method,
}

impl Side<'_> {
    /// The type of an argument, or of the response.
    fn root(&self, argument: Option<&str>) -> Option<usize> {
        match argument {
            Some(name) => self.method.arguments.iter().find(|of| of.name == name).map(|of| of.ty),
            None => Some(self.method.response),
        }
    }
}

struct Comparison<'a> {
    place: String,
    old: Side<'a>,
    new: Side<'a>,
    found: BTreeMap<Key, Change>,
    /// In the order in which they were found.
    order: Vec<Key>,
}

/// What makes two findings, one of each direction, one change: where, which types, and which part of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    argument: Option<String>,
    types: (usize, usize),
    variant: String,
    code: Code,
    part: String,
}

impl<'a> Comparison<'a> {
    fn new(
        place: String,
        old: (&'a Snapshot, &'a SnapshotMethod, &'a Method),
        new: (&'a Snapshot, &'a SnapshotMethod, &'a Method),
    ) -> Self {
        let side = |(snapshot, method, contract)| Side { snapshot, method, contract };
        Self { place, old: side(old), new: side(new), found: BTreeMap::new(), order: Vec::new() }
    }

    fn run(&mut self) {
        for is_old in [true, false] {
            let (client, server) = if is_old { (&self.old, &self.new) } else { (&self.new, &self.old) };
            let (client, server) = (client.contract, server.contract);
            // Both were read as a peer's, and so are schemas.
            let _ = client.survey(server, &mut |difference| {
                self.note(is_old, &difference);
                ControlFlow::Continue(())
            });
        }
    }

    /// Notes what a client, the old one or the new one, finds.
    fn note(&mut self, is_old: bool, difference: &Difference<'_>) {
        let refusal = difference.refusal().unwrap_or_else(|fault| Some(fault.0));
        match difference {
            Difference::MissingArgument(argument) => {
                let code = if is_old { Code::ArgumentAdded } else { Code::ArgumentRemoved };
                self.argument(is_old, code, argument, refusal);
            }
            Difference::ExtraArgument { argument, .. } => {
                let code = if is_old { Code::ArgumentRemoved } else { Code::ArgumentAdded };
                self.argument(is_old, code, argument, refusal);
            }
            Difference::ArgumentsMoved => {
                let key = Key::of(None, (0, 0), Code::ArgumentsMoved, "");
                let (code, place) = (Code::ArgumentsMoved, self.place.clone());
                let names = |method: &Method| {
                    let names: Vec<_> = method.arguments.iter().map(|argument| argument.name.as_str()).collect();
                    short(names.join(",").as_bytes())
                };
                let states = (names(self.old.contract), names(self.new.contract));
                let change = change(code, place, Position::Argument, code.title().to_owned(), (None, None), states);
                self.add(key, change, is_old, None);
            }
            Difference::Inside(argument, finding) => self.inside(is_old, *argument, finding, refusal),
        }
    }

    fn argument(&mut self, is_old: bool, code: Code, argument: &Argument, refusal: Option<String>) {
        let key = Key::of(Some(&argument.name), (0, 0), code, "");
        let side = if code == Code::ArgumentAdded { &self.new } else { &self.old };
        let of = side.method.arguments.iter().find(|of| of.name == argument.name);
        let ty = of.map_or_else(String::new, |of| TypeText(&side.snapshot.graph, of.ty).to_string());
        let (name, place) = (Escaped::name(&argument.name), self.place.clone());
        let verb = if code == Code::ArgumentAdded { "added" } else { "removed" };
        let words = format!("the argument `{name}: {ty}` was {verb}");
        let hash = short(&argument.ty.schema);
        let states = match code {
            Code::ArgumentAdded => ("nothing".to_owned(), hash),
            _ => (hash, "nothing".to_owned()),
        };
        let change =
            change(code, format!("{place}, argument `{name}`"), Position::Argument, words, (None, None), states);
        self.add(key, change, is_old, refusal);
    }

    /// Puts what the one direction says beside what the other does.
    fn add(&mut self, key: Key, change: Change, is_old: bool, fault: Option<String>) -> &mut Change {
        if !self.found.contains_key(&key) {
            self.order.push(key.clone());
        }
        let known = self.found.entry(key).or_insert(change);
        let client = if is_old { &mut known.old_client } else { &mut known.new_client };
        if client.is_none() {
            *client = fault;
        }
        known.order = Order::of(known.old_client.is_some(), known.new_client.is_some());
        known
    }

    fn inside(&mut self, is_old: bool, argument: Option<&Argument>, finding: &Finding<'_>, refusal: Option<String>) {
        // A client writes what it finds here, and what it finds there the server wrote.
        let old_writes = is_old == (finding.writer == Writer::Here);
        let (old, new) = if old_writes { (finding.written, finding.read) } else { (finding.read, finding.written) };
        let (class, code) = classified(finding, old_writes, old, new);
        let name = argument.map(|argument| argument.name.as_str());
        let key = Key {
            variant: finding.variant.unwrap_or_default().to_owned(),
            ..Key::of(name, (old.1, new.1), class, part_of(finding))
        };
        let (position, place) = self.located(argument, finding);
        let unknown = match finding.event {
            Event::Unknown { variant } => Some(variant),
            _ => None,
        };
        let fails = refusal.is_some() || unknown.is_some();
        let witness = fails.then(|| self.witness(name, finding, old_writes, refusal.as_deref())).flatten();
        let fault = refusal.or_else(|| {
            let variant = Escaped::name(unknown?);
            let (writer, reader) = match finding.writer == Writer::Here {
                true => ("client", "server"),
                false => ("server", "client"),
            };
            Some(format!("the {reader} cannot read `{variant}` where the {writer} sends it"))
        });
        let states = states(finding, old_writes, old, new);
        let words = self.words(code, name, finding, old_writes, (old, new));
        let change = change(code, place, position, words, (None, None), states);
        let known = self.add(key, change, is_old, fault);
        if code != class {
            known.code = code;
        }
        if known.witness.is_none() {
            known.witness.clone_from(&witness);
        }
        let is_kept = position_is_response(position) && self.old.method.persist && self.new.method.persist;
        if is_kept && old_writes && fails {
            self.kept(code, argument, finding, (old, new), witness);
        }
    }

    /// Notes that outcomes that the old version kept cannot be read.
    fn kept(
        &mut self,
        code: Code,
        argument: Option<&Argument>,
        finding: &Finding<'_>,
        (old, new): Sides<'_>,
        witness: Option<Witness>,
    ) {
        let (_, place) = self.located(argument, finding);
        let part = format!("{code}{}", part_of(finding));
        let key = Key::of(None, (old.1, new.1), Code::KeptOutcome, &part);
        let why = "who asks again for an outcome that was kept before the upgrade gets an error".to_owned();
        let states = states(finding, true, old, new);
        let words = format!("{} ({code})", Code::KeptOutcome.title());
        let place = format!("{place}, kept outcome");
        let mut change = change(Code::KeptOutcome, place, Position::KeptOutcome, words, (None, None), states);
        change.old_client = Some(why.clone());
        change.new_client = Some(why);
        change.order = Order::Breaking;
        change.witness = witness;
        if !self.found.contains_key(&key) {
            self.order.push(key.clone());
        }
        self.found.entry(key).or_insert(change);
    }

    fn located(&self, argument: Option<&Argument>, finding: &Finding<'_>) -> (Position, String) {
        let way = finding.place();
        let position = match (argument, way.contains("'s item")) {
            (Some(_), true) if finding.writer == Writer::There => Position::HandlerItem,
            (Some(_), true) => Position::CallerItem,
            (Some(_), false) => Position::Argument,
            (None, _) if way.starts_with("the response.Err") => Position::Error,
            (None, _) => Position::Return,
        };
        let way = match position {
            Position::Return => way.replacen("the response.Ok", "returns", 1),
            Position::Error => way.replacen("the response.Err", "error", 1),
            _ => way,
        };
        (position, format!("{}, {way}", self.place))
    }

    /// A value for which it goes wrong.
    fn witness(
        &self,
        argument: Option<&str>,
        finding: &Finding<'_>,
        old_writes: bool,
        refusal: Option<&str>,
    ) -> Option<Witness> {
        let writer = if old_writes { &self.old } else { &self.new };
        let graph = &writer.snapshot.graph;
        let names = Names::of(finding.written.0, graph, writer.root(argument)?);
        Witness::of(finding, &names, graph, refusal)
    }

    /// The change in words for a person, by the names that the types have.
    fn words(
        &self,
        code: Code,
        argument: Option<&str>,
        finding: &Finding<'_>,
        old_writes: bool,
        (old, new): Sides<'_>,
    ) -> String {
        let names = |side: &Side<'_>, (types, at): (&Types<'_>, usize)| {
            let names = side.root(argument).map(|root| Names::of(types, &side.snapshot.graph, root));
            names.map_or_else(|| types.words(at), |names| names.text(&side.snapshot.graph, types, at))
        };
        let was = |at: usize| names(&self.old, (old.0, at));
        let is = |at: usize| names(&self.new, (new.0, at));
        let of = |words: String| match finding.variant {
            Some(variant) => format!("{words}::{}", Escaped::name(variant)),
            None => words,
        };
        let (old_at, new_at) = (old.1, new.1);
        match finding.event {
            Event::Missing { field, .. } | Event::Extra { field, .. } => {
                let written = matches!(finding.event, Event::Extra { .. });
                let was_there = written == old_writes;
                let name = Escaped::name(field.name);
                match was_there {
                    true => format!("`{}` lost the field `{name}: {}`", of(was(old_at)), was(field.ty)),
                    false => format!("`{}` has a new field `{name}: {}`", of(is(new_at)), is(field.ty)),
                }
            }
            Event::Unknown { variant } | Event::Unsent { variant } => match code {
                Code::VariantAdded => format!("`{}` has a new variant `{}`", is(new_at), Escaped::name(variant)),
                _ => format!("`{}` lost the variant `{}`", was(old_at), Escaped::name(variant)),
            },
            Event::Moved => format!("the fields of `{}` are in another order", of(is(new_at))),
            Event::VariantsMoved => format!("the variants of `{}` are in another order", is(new_at)),
            Event::Differ | Event::Widened => format!("`{}` became `{}`", was(old_at), is(new_at)),
            Event::Apart => format!("`{}` has no part left of those that `{}` had", of(is(new_at)), of(was(old_at))),
        }
    }

    fn finish(mut self, changes: &mut Vec<Change>) {
        changes.extend(self.order.iter().filter_map(|key| self.found.remove(key)));
        beside::changes(
            &self.place,
            (self.old.snapshot, self.old.method),
            (self.new.snapshot, self.new.method),
            changes,
        );
    }
}

type Sides<'t> = ((&'t Types<'t>, usize), (&'t Types<'t>, usize));

fn position_is_response(position: Position) -> bool {
    matches!(position, Position::Return | Position::Error)
}

/// What kind of change a finding is, from the old version to the new one: what both directions find it to be, and what this one
/// knows of it.
fn classified(
    finding: &Finding<'_>,
    old_writes: bool,
    old: (&Types<'_>, usize),
    new: (&Types<'_>, usize),
) -> (Code, Code) {
    let by = |was_there: bool, removed, added| if was_there { removed } else { added };
    let class = match finding.event {
        Event::Extra { .. } => by(old_writes, Code::FieldRemoved, Code::FieldAdded),
        Event::Missing { .. } => by(!old_writes, Code::FieldRemoved, Code::FieldAdded),
        Event::Moved => Code::FieldsMoved,
        Event::Unknown { .. } => by(old_writes, Code::VariantRemoved, Code::VariantAdded),
        Event::Unsent { .. } => by(!old_writes, Code::VariantRemoved, Code::VariantAdded),
        Event::VariantsMoved => Code::VariantsMoved,
        Event::Apart => Code::Apart,
        Event::Differ | Event::Widened => retyped(old.0.get(old.1), new.0.get(new.1)),
    };
    let code = match finding.event {
        Event::Extra { must_stay: Some(Stay::InKey), .. } => Code::KeyChanged,
        Event::Extra { must_stay: Some(Stay::Channel), .. } => Code::ChannelField,
        _ => class,
    };
    (class, code)
}

fn retyped(old: &Type<'_>, new: &Type<'_>) -> Code {
    use Container::{Option, Rx, Tx};
    match (old, new) {
        (Type::Named(a), Type::Named(b)) if widens(a, b) => Code::Widened,
        (Type::Named(a), Type::Named(b)) if widens(b, a) => Code::Narrowed,
        (Type::Array(..), Type::Array(..)) => Code::ArrayLength,
        (Type::Of(Tx, _), Type::Of(Rx, _)) | (Type::Of(Rx, _), Type::Of(Tx, _)) => Code::ChannelTurned,
        (Type::Of(Option, _), _) | (_, Type::Of(Option, _)) => Code::Optional,
        _ => Code::OtherType,
    }
}

/// The name of the part of its types that a finding is of.
fn part_of<'t>(finding: &Finding<'t>) -> &'t str {
    match finding.event {
        Event::Missing { field, .. } | Event::Extra { field, .. } => field.name,
        Event::Unknown { variant } | Event::Unsent { variant } => variant,
        _ => "",
    }
}

impl Key {
    fn of(argument: Option<&str>, types: (usize, usize), code: Code, part: &str) -> Self {
        Self { argument: argument.map(str::to_owned), types, variant: String::new(), code, part: part.to_owned() }
    }
}
