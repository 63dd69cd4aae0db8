//! `docs/protocol.md` is what other implementations are written from, so what it lists is checked.

use super::super::{ERR, Failure, Kind, MAGIC, OK, USER, VERSION};
use crate::error::{RefusalCode, Rule};
use crate::limits::Limits;

const DOCUMENT: &str = include_str!("../../../../docs/protocol.md");

#[test]
fn every_frame_kind_is_listed_and_has_a_section() {
    for kind in Kind::ALL {
        let code = format!("{:#04x}", *kind as u8);
        check_row(&format!("| `{code}` | `{kind:?}` |"));
        let section = format!("`{kind:?}` (`{code}`)");
        assert!(DOCUMENT.lines().any(|line| line.starts_with("###") && line.contains(&section)), "no {section}");
    }
    let listed = DOCUMENT.lines().filter(|line| line.starts_with("| `0x")).count();
    assert_eq!(listed, Kind::ALL.len(), "the document lists a kind that does not exist");
}

#[test]
fn every_rule_is_listed() {
    for rule in Rule::ALL {
        check_row(&format!("| {} | `{}` |", rule.code(), rule.name()));
        assert_eq!(Rule::from_code(rule.code()), Some(*rule));
    }
}

#[test]
fn every_refusal_code_is_listed() {
    use RefusalCode::{Busy, Other, SessionLost, ShuttingDown, Unauthorized, UnknownService};
    for code in [UnknownService, Busy, ShuttingDown, Unauthorized, SessionLost, Other] {
        check_row(&format!("| {} | `{code:?}` |", code as u8));
        assert_eq!(RefusalCode::from_code(code as u8), code);
    }
}

#[test]
fn every_outcome_that_travels_is_listed() {
    check_row(&format!("| {OK} | | `T` |"));
    check_row(&format!("| {ERR} | {USER} | `E` | `User`"));
    for failure in super::golden::failures() {
        let mut payload = Vec::new();
        failure.put(&mut payload);
        let then = match &failure {
            Failure::StoreUnavailable(_) => " u8 ",
            Failure::Busy(_) => " u8, varint, varint ",
            _ if payload.len() > 2 => " text ",
            _ => " ",
        };
        let debug = format!("{failure:?}");
        let name = debug.split('(').next().unwrap_or_default();
        check_row(&format!("| {ERR} | {} |{then}| `{name}`", payload[1]));
        assert_eq!(Failure::read(&payload[1..]), Ok(failure));
    }
}

#[test]
fn the_announced_limits_are_listed_with_their_defaults() {
    assert_eq!(VERSION, 1);
    assert!(DOCUMENT.contains(&hex(&MAGIC)));
    let limits = Limits::default().announced();
    for (name, value, printed) in [
        ("max_message_bytes", limits.max_message_bytes, "4 MiB"),
        ("max_connections", limits.max_connections, "16"),
        ("max_calls", limits.max_calls, "128"),
        ("max_channels", limits.max_channels, "256"),
        ("channel_items", limits.channel_items, "4,096"),
        ("channel_bytes", limits.channel_bytes, "64 KiB"),
        ("max_decoded_bytes", limits.max_decoded_bytes, "64 MiB"),
        ("max_partial_messages", limits.max_partial_messages, "32"),
        ("max_partial_bytes", limits.max_partial_bytes, "20 MiB"),
    ] {
        check_row(&format!("| `{name}` | {printed} |"));
        let number: Option<u64> = printed.split(' ').next().and_then(|n| n.replace(',', "").parse().ok());
        let number = number.expect("a number first");
        let unit = match printed.split(' ').nth(1) {
            Some("MiB") => 1 << 20,
            Some("KiB") => 1 << 10,
            _ => 1,
        };
        assert_eq!(value, number * unit, "{name}");
    }
}

/// The document's examples of method ids, recomputed.
// proves: method.id
#[test]
fn method_ids_are_fnv_1a_of_the_dotted_name() {
    for name in ["Bank.balance", "Bank.transfer"] {
        let id = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        check_row(&format!("| `{name}` | `{id:#018x}` | `{}` |", hex(&id.to_le_bytes())));
    }
}

#[test]
fn every_golden_file_is_referred_to() {
    assert!(DOCUMENT.contains("vox-runtime/tests/golden"));
}

fn check_row(start: &str) {
    assert!(DOCUMENT.lines().any(|line| line.starts_with(start)), "docs/protocol.md has no row {start}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
