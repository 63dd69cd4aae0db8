//! Names that said too little, and were replaced by a term of the field, do not come back.

/// The name, and what to say instead.
const REPLACED: [(&str, &str); 35] = [
    ("Hall", "SessionTable"),
    ("Door", "Acceptor"),
    ("Visitor", "AcceptedLink"),
    ("take_up", "adopt_session"),
    ("Homed", "RuntimeBound"),
    ("at_home", "in_runtime"),
    ("relink", "link_state"),
    ("After", "Deferred"),
    ("Notice", "OperationEvent"),
    ("Lead", "InlineReader"),
    ("Watch", "ReadWaker"),
    ("OWED", "WAKE_PENDING"),
    ("look_in", "check_inline_reader"),
    ("look_around", "handle_due"),
    ("hosting", "handlers"),
    ("Hosted", "HandlerFuture"),
    ("Desk", "OperationTable"),
    ("Operating", "OperationRunner"),
    ("Giving", "HalfEncoder"),
    ("Taking", "HalfDecoder"),
    ("Pledge", "RetryHold"),
    ("Way", "ConnectConfig"),
    ("Reach", "DialTarget"),
    ("Linking", "DialFuture"),
    ("Trials", "ConnectAttempts"),
    ("appetite", "read_size"),
    ("deaf", "eof"),
    ("minted", "auto_id"),
    ("full_house", "over_limit"),
    ("quietly", "catch_panic"),
    ("unharmed", "catch_io_panic"),
    ("bury_the_dead", "remove_stale_owner_files"),
    ("cut_calls", "aborted_calls"),
    ("Stranded", "NotFacet"),
    ("Lent", "PartMemory"),
];

#[test]
fn names_that_were_replaced_do_not_come_back() {
    let mut found = Vec::new();
    for (name, text) in super::files("rs").into_iter().filter(|(name, _)| !name.ends_with("fence/names.rs")) {
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let words: Vec<&str> = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
            let old = REPLACED.iter().filter(|(old, _)| !code.contains('"') && words.contains(old));
            found.extend(old.map(|(old, new)| format!("{name}:{}: `{old}`: say `{new}`", at + 1)));
        }
    }
    assert!(found.is_empty(), "names that were replaced:\n{}", found.join("\n"));
}
