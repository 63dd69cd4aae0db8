//! What `#[vox::service(…)]` and `#[vox(…)]` say.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitStr, PatType, Path, Signature, TraitItemFn};

use super::attrs::is_vox;
use super::types;
use crate::mistake::Mistakes;
use crate::model::{ArgDefault, Location, MethodOptions, ParamKind};
use crate::names::{self, Casing, Dots};
use crate::parse::{self, Declaration, RawOption, RawValue};

/// What `#[vox::service(…)]` says.
pub(super) struct ServiceOptions {
    pub(super) vox: Location,
    pub(super) name: Option<String>,
    pub(super) rename_all: Option<Casing>,
}

/// Judges the options of a trait.
pub(super) fn service(declaration: &Declaration, mistakes: &mut Mistakes) -> ServiceOptions {
    let mut known = ServiceOptions {
        vox: Location { path: declaration.vox.clone(), is_given: false },
        name: None,
        rename_all: None,
    };
    let mut seen = Vec::new();
    let options = match &declaration.options {
        Ok(options) => options.as_slice(),
        Err(error) => {
            mistakes.unreadable(error, &format!("options are separated by commas: {ON_TRAIT}"));
            return known;
        }
    };
    for option in options {
        if is_doubled(option, &mut seen, mistakes) {
            continue;
        }
        match option.name.to_string().as_str() {
            "crate" => {
                let given = path(option, mistakes).map(|path| Location { path, is_given: true });
                known.vox = given.unwrap_or(known.vox);
            }
            "name" => known.name = wire_name(option, Dots::Allowed, mistakes),
            "rename_all" => known.rename_all = casing(option, mistakes),
            "idem" | "persist" | "timeout" => mistakes.add(
                &option.name,
                format!("`{}` is an option of a method", option.name),
                "write it on each method that it holds for: `#[vox(…)] async fn …`",
            ),
            _ => unknown(&option.name, &["crate", "name", "rename_all"], ON_TRAIT, mistakes),
        }
    }
    known
}

/// Judges the options of a method.
pub(super) fn method(function: &TraitItemFn, mistakes: &mut Mistakes) -> MethodOptions {
    let mut known = MethodOptions::default();
    let mut attrs = function.attrs.iter().filter(|attr| is_vox(attr));
    let Some(attr) = attrs.next() else {
        return known;
    };
    for repeated in attrs {
        mistakes.add(
            repeated,
            format!("a second `#[vox(…)]` on `{}`", function.sig.ident),
            "write all options in one: `#[vox(idem, timeout = \"2s\")]`",
        );
    }
    let options = match parse::attribute_options(attr) {
        Ok(options) => options,
        Err(error) => {
            mistakes.unreadable(&error, &format!("write `#[vox(…)]` with one or more of {ON_METHOD}"));
            return known;
        }
    };
    if options.is_empty() {
        mistakes.add(attr, "`#[vox()]` without options", format!("remove it, or write one or more of {ON_METHOD}"));
    }
    let mut seen = Vec::new();
    for option in &options {
        if is_doubled(option, &mut seen, mistakes) {
            continue;
        }
        match option.name.to_string().as_str() {
            "idem" => known.idem = flag(option, mistakes),
            "persist" => known.persist = flag(option, mistakes),
            "timeout" => known.timeout = timeout(option, mistakes),
            "name" => known.name = wire_name(option, Dots::Refused, mistakes),
            "crate" | "rename_all" => mistakes.add(
                &option.name,
                format!("`{}` is an option of the trait", option.name),
                "write it in `#[vox::service(…)]`",
            ),
            "default" => mistakes.add(
                &option.name,
                "`default` is an option of an argument",
                "write it before the argument: `#[vox(default)] limit: u32`",
            ),
            _ => unknown(&option.name, &["idem", "persist", "timeout", "name"], ON_METHOD, mistakes),
        }
    }
    known
}

/// Judges the options of an argument: its default, if it has one.
pub(super) fn argument(
    typed: &PatType,
    kind: ParamKind,
    method: &Signature,
    mistakes: &mut Mistakes,
) -> Option<ArgDefault> {
    let mut attrs = typed.attrs.iter().filter(|attr| is_vox(attr));
    let attr = attrs.next()?;
    for repeated in attrs {
        mistakes.add(repeated, "a second `#[vox(…)]` on an argument", "remove it");
    }
    let options = match parse::attribute_options(attr) {
        Ok(options) => options,
        Err(error) => {
            mistakes.unreadable(&error, &format!("write one of {ON_ARGUMENT}"));
            return None;
        }
    };
    if options.is_empty() {
        mistakes.add(attr, "`#[vox()]` without options", format!("remove it, or write one of {ON_ARGUMENT}"));
    }
    let (mut default, mut seen) = (None, Vec::new());
    for option in &options {
        if is_doubled(option, &mut seen, mistakes) {
            continue;
        }
        match option.name.to_string().as_str() {
            "default" => default = argument_default(option, typed, kind, method, mistakes),
            "idem" | "persist" | "timeout" | "name" => mistakes.add(
                &option.name,
                format!("`{}` is an option of a method", option.name),
                "write it above the method: `#[vox(…)] async fn …`",
            ),
            _ => unknown(&option.name, &["default"], ON_ARGUMENT, mistakes),
        }
    }
    default
}

fn argument_default(
    option: &RawOption,
    typed: &PatType,
    kind: ParamKind,
    method: &Signature,
    mistakes: &mut Mistakes,
) -> Option<ArgDefault> {
    let method = &method.ident;
    if kind == ParamKind::Context {
        let what = format!("the context of `{method}` has no default: no caller sends it");
        mistakes.add(&option.name, what, "remove `#[vox(default)]`");
        return None;
    }
    if let Some(channel) = types::bare_channel(&typed.ty) {
        let what = format!("an argument of `{method}` is a channel, which has no default: it has two ends");
        let help = format!("write `Option<{}<T>>`, which is `None` where a caller does not send it", channel.ident);
        mistakes.add(&option.name, what, help);
        return None;
    }
    match &option.value {
        RawValue::Absent => Some(ArgDefault::OfType),
        _ => {
            let help = "write an expression: `default = 10`";
            let tokens = value(option, help, mistakes)?;
            let parsed = syn::parse2::<Expr>(tokens.clone());
            if parsed.is_err() {
                mistakes.add(tokens, "`default` takes an expression", help);
            }
            parsed.ok().map(|value| ArgDefault::Written(Box::new(value)))
        }
    }
}

fn is_doubled<'a>(option: &'a RawOption, seen: &mut Vec<&'a Ident>, mistakes: &mut Mistakes) -> bool {
    let doubled = seen.contains(&&option.name);
    if doubled {
        mistakes.add(&option.name, format!("`{}` is given twice", option.name), "remove one of them");
    }
    seen.push(&option.name);
    doubled
}

fn unknown(name: &Ident, known: &[&str], valid: &str, mistakes: &mut Mistakes) {
    let help = match names::nearest(&name.to_string(), known) {
        Some(nearest) => format!("did you mean `{nearest}`? The options here are {valid}"),
        None => format!("the options here are {valid}"),
    };
    mistakes.add(name, format!("unknown option `{name}`"), help);
}

/// An option that is there or not.
fn flag(option: &RawOption, mistakes: &mut Mistakes) -> bool {
    if let RawValue::Written(tokens) | RawValue::Misplaced(tokens) = &option.value {
        mistakes.add(
            tokens,
            format!("`{}` takes no value", option.name),
            format!("write just `{}`, or leave it out", option.name),
        );
    }
    true
}

fn path(option: &RawOption, mistakes: &mut Mistakes) -> Option<Path> {
    let help = "write the path without quotes: `crate = my_crate::vox`";
    let tokens = value(option, help, mistakes)?;
    let parsed = syn::parse::Parser::parse2(Path::parse_mod_style, tokens.clone());
    if parsed.is_err() {
        mistakes.add(tokens, "`crate` takes the path of the vox crate", help);
    }
    parsed.ok()
}

fn wire_name(option: &RawOption, dots: Dots, mistakes: &mut Mistakes) -> Option<String> {
    let name = text(option, "write a name in quotes: `name = \"get\"`", mistakes)?;
    if let Some(objection) = names::objection(&name.value(), dots) {
        mistakes.add(&name, objection, "choose another name");
        return None;
    }
    Some(name.value())
}

fn casing(option: &RawOption, mistakes: &mut Mistakes) -> Option<Casing> {
    let valid = Casing::ALL.map(|(name, _)| format!("{name:?}")).join(", ");
    let given = text(option, &format!("write one of {valid}"), mistakes)?;
    let casing = Casing::ALL.iter().find(|(name, _)| given.value() == *name).map(|(_, casing)| *casing);
    if casing.is_none() {
        mistakes.add(&given, format!("unknown casing {:?}", given.value()), format!("write one of {valid}"));
    }
    casing
}

fn timeout(option: &RawOption, mistakes: &mut Mistakes) -> Option<Duration> {
    let help = "write a whole number and a unit in quotes: \"50ms\", \"2s\", \"1m\" or \"1h\"";
    let text = text(option, help, mistakes)?;
    match duration(&text.value()) {
        Ok(duration) => Some(duration),
        Err(objection) => {
            mistakes.add(&text, format!("{objection}: {:?}", text.value()), help);
            None
        }
    }
}

/// Reads `50ms` and the like.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis_per_unit = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("not a duration"),
    };
    if number.is_empty() {
        return Err("not a duration");
    }
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis_per_unit));
    match millis {
        Some(0) => Err("no call can end in no time"),
        Some(millis) if millis <= MAX_TIMEOUT_MILLIS => Ok(Duration::from_millis(millis)),
        _ => Err("longer than a year"),
    }
}

fn text(option: &RawOption, help: &str, mistakes: &mut Mistakes) -> Option<LitStr> {
    let tokens = value(option, help, mistakes)?;
    let text = syn::parse2::<LitStr>(tokens.clone());
    if text.is_err() {
        mistakes.add(tokens, format!("`{}` takes text in quotes", option.name), help);
    }
    text.ok()
}

fn value<'a>(option: &'a RawOption, help: &str, mistakes: &mut Mistakes) -> Option<&'a TokenStream> {
    match &option.value {
        RawValue::Written(tokens) => Some(tokens),
        RawValue::Absent => {
            mistakes.add(&option.name, format!("`{}` needs a value", option.name), help);
            None
        }
        RawValue::Misplaced(tokens) => {
            mistakes.add(tokens, format!("expected `= …` after `{}`", option.name), help);
            None
        }
    }
}

const ON_TRAIT: &str = "`name = \"…\"`, `rename_all = \"…\"`, `crate = path`";
const ON_ARGUMENT: &str = "`default`, `default = expression`";
const ON_METHOD: &str = "`idem`, `persist`, `timeout = \"2s\"`, `name = \"…\"`";
/// A longer default deadline is a slip of the pen.
const MAX_TIMEOUT_MILLIS: u64 = 366 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, millis) in [("50ms", 50), ("2s", 2_000), ("1m", 60_000), ("1min", 60_000), ("2 h", 7_200_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn durations_without_sense_are_refused() {
        for text in
            ["", "2", "s", "2 weeks", "-1s", "1.5s", "0s", "99999999999999999999s", "18446744073709551615h", "9000h"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
